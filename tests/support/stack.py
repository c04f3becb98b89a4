# SPDX-License-Identifier: PostgreSQL
"""The real programs for system tests: backend, collector, and a client of the API.

    with Backend() as backend:
        collector = Collector(backend, servers=[...])
        collector.register(); collector.start()
        api = backend.api()
        api.get("/servers")

Programs come from PGA_BUILD/bin (default build/dev/bin). Everything lives in a temporary directory and on free ports.
Nothing waits by sleeping a fixed time: eventually() polls with a deadline.
"""
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import subprocess
import tempfile

import requests

from ports import free_port
from wait import eventually, patience

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PGA_BUILD", ROOT / "build" / "dev"))

READY_SECONDS = 60
STOP_SECONDS = 30


def program(name):
    path = BUILD / "bin" / name
    assert path.exists(), f"{path} is not built: make test builds it"
    return path


class Process:
    """A program of ours with its log in a file."""

    def __init__(self, directory, name):
        self.directory = pathlib.Path(directory)
        self.log_path = self.directory / f"{name}.log"
        self.name = name
        self.process = None

    def launch(self, command, environment):
        assert self.process is None, f"{self.name} runs already"
        clean = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        for key in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LLVM_PROFILE_FILE"):
            if key in os.environ:
                clean[key] = os.environ[key]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, env={**clean, **environment})

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, expected_status=0):
        """SIGTERM; the program must end well and in time."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(patience(STOP_SECONDS))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self.name} did not end within {patience(STOP_SECONDS)} s:\n{self.log_tail()}") from None
        finally:
            self.process = None
        if expected_status is not None:
            assert status == expected_status, f"{self.name} ended with {status}:\n{self.log_tail()}"

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def log_text(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_lines(self, level=None):
        """Parsed JSON lines; of @level only."""
        found = []
        for line in self.log_text().splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict) and (level is None or row.get("level") == level):
                found.append(row)
        return found

    def log_tail(self):
        return "\n".join(self.log_text().splitlines()[-40:])

    def check_log(self):
        """No sanitizer report and no line that is not JSON (a crash message, a stray printf)."""
        text = self.log_text()
        assert "Sanitizer" not in text and "runtime error" not in text, self.log_tail()


class Api:
    """A logged-in client."""

    def __init__(self, url, ca, login, password):
        self.url = url
        self.session = requests.Session()
        self.session.verify = str(ca)
        self.session.trust_env = False
        self.login_name, self.password = login, password
        self.user = None

    def login(self):
        answer = self.raw("POST", "/auth/login", json={"login": self.login_name, "password": self.password})
        assert answer.status_code == 200, answer.text
        body = answer.json()
        self.session.cookies.clear()  # scripts use the header
        self.session.headers["Authorization"] = f"Bearer {body['access_token']}"
        self.user = body["user"]
        return self

    def raw(self, method, path, **options):
        base = self.url if path.startswith("/metrics") and method == "GET" else f"{self.url}/api/v1"
        return self.session.request(method, base + path, timeout=60, **options)

    def get(self, path, **parameters):
        answer = self.raw("GET", path, params={k: v for k, v in parameters.items() if v is not None})
        assert answer.status_code == 200, f"GET {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def servers(self):
        return {row["name"]: row for row in self.get("/servers")["servers"]}

    def increases(self, server_id, metric, group_by=None, labels=None, from_="-1h"):
        """{label values or (): total increase} of a counter."""
        answer = self.get(f"/servers/{server_id}/metrics", metric=metric, agg="increase", group_by=group_by, limit=500,
                          labels=json.dumps(labels) if labels else None, **{"from": from_, "to": "now"})
        return {tuple(sorted(one["labels"].items())): one["total"] for one in answer["metrics"][0]["series"]}

    def increase(self, server_id, metric, labels=None, from_="-1h"):
        """Total increase of a counter over all series that have @labels."""
        found = self.increases(server_id, metric, group_by="", labels=labels, from_=from_)
        return sum(value or 0 for value in found.values())


class Backend(Process):
    """pganalytics-api with its private store, or with @database_url."""

    def __init__(self, directory=None, database_url="", environment=None):
        self.own_directory = directory is None
        base = pathlib.Path(directory or tempfile.mkdtemp(prefix="pga-backend-"))
        base.chmod(0o755)  # the private store runs as another user when we are root
        super().__init__(base, "backend")
        self.port = free_port()
        self.data = base / "data"
        self.data.mkdir(exist_ok=True)
        self.data.chmod(0o755)
        self.registration_secret = secrets.token_hex(20)
        self.password = secrets.token_hex(8)
        self.environment = {
            "DATA_DIR": str(self.data),
            "PORT": str(self.port),
            "LISTEN_ADDRESS": "127.0.0.1",
            "TLS_ENABLED": "true",
            "REGISTRATION_SECRET": self.registration_secret,
            "ADMIN_LOGIN": "admin",
            "ADMIN_PASSWORD": self.password,
            "LOG_LEVEL": "info",
            **({"DATABASE_URL": database_url} if database_url else {}),
            **(environment or {}),
        }
        self.url = f"https://127.0.0.1:{self.port}"

    @property
    def ca(self):
        return self.data / "ca.crt"

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        try:
            self.stop(expected_status=0 if kind is None else None)
            if kind is None:
                self.check_log()
        finally:
            self.remove()

    def remove(self):
        """Ends it and its store at once, and removes its files."""
        self.kill()
        self.kill_store()
        if self.own_directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    def start(self):
        self.launch([program("pganalytics-api")], self.environment)
        self.wait_ready()
        return self

    def wait_ready(self):
        def healthy():
            assert self.is_alive(), f"the backend ended:\n{self.log_tail()}"
            return requests.get(f"{self.url}/api/v1/health", verify=str(self.ca), timeout=30).status_code == 200

        try:
            eventually(lambda: self.ca.exists() and healthy(), READY_SECONDS, "the backend is not ready")
        except (AssertionError, OSError) as error:
            raise AssertionError(f"{error}\n{self.log_tail()}") from None

    def command(self, *arguments, stdin=None, check=True):
        """Another invocation of the program (user add, check, ...) with the same environment."""
        done = subprocess.run([program("pganalytics-api"), *arguments], input=stdin, text=True, capture_output=True,
                              timeout=patience(60), env={"PATH": os.environ["PATH"], **self.environment}, check=False)
        assert not check or done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def api(self):
        return Api(self.url, self.ca, "admin", self.password).login()

    def store_pid(self):
        """Of the private store's postmaster; None while there is none (its file comes and goes with it)."""
        try:
            path = next(self.data.glob("postgres/**/postmaster.pid"))
            return int(path.read_text().splitlines()[0])
        except (StopIteration, OSError, IndexError, ValueError):
            return None

    def store_dsn(self):
        """The private store's socket, read from its postmaster.pid."""
        lines = list(self.data.glob("postgres/**/postmaster.pid"))[0].read_text().splitlines()
        return f"host={lines[4]} port={lines[3]} dbname=pganalytics user=pganalytics"

    def kill_store(self):
        """kill -9 of the store's postmaster and its children, as the kernel's out-of-memory killer does."""
        pid = self.store_pid()
        if pid is None:
            return
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
        pids = [pid] + ([int(one) for one in children.read_text().split()] if children.exists() else [])
        for one in pids:
            try:
                os.kill(one, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def metric(self, name, labels=""):
        """A value of the backend's own metrics."""
        text = requests.get(f"{self.url}/metrics", verify=str(self.ca), timeout=30).text
        found = re.findall(rf"^{re.escape(name)}{re.escape(labels)} (\S+)$", text, re.M)
        return float(found[0]) if found else None


class Collector(Process):
    """pganalytics with one or more servers to watch."""

    def __init__(self, backend, targets, directory=None, interval=1, name="test", extra=""):
        """@targets: {name: dsn}; @interval in seconds; @extra: TOML put at the end."""
        base = pathlib.Path(directory or tempfile.mkdtemp(prefix="pga-collector-"))
        super().__init__(base, "collector")
        self.own_directory = directory is None
        self.backend = backend
        self.name = name
        self.state = base / "state"
        self.state.mkdir(exist_ok=True)
        self.config = base / "collector.toml"
        self.write_config(targets, interval, extra)

    def write_config(self, targets, interval=1, extra="", databases='["*"]'):
        servers = "".join(
            f'[[postgres]]\nname = "{name}"\ndsn = {json.dumps(dsn)}\ndatabases = {databases}\n\n'
            for name, dsn in targets.items())
        # Read every second, everything costs sixty times as much as in life.
        limits = "" if "[limits]" in extra else "[limits]\ncpu_budget = 100\n\n"
        self.config.write_text(
            f'[collector]\ninterval = {interval}\nstate_dir = "{self.state}"\n\n'
            f'[backend]\nurl = "{self.backend.url}"\n\n'
            f'[buffer]\nflush_interval = 1\n\n{limits}{servers}{extra}')

    def __enter__(self):
        self.register()
        return self.start()

    def __exit__(self, kind, *_):
        try:
            self.stop(expected_status=0 if kind is None else None)
            if kind is None:
                self.check_log()
        finally:
            self.remove()

    def remove(self):
        """Ends it at once and removes its files."""
        self.kill()
        if self.own_directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    def run(self, *arguments, check=True, environment=None):
        done = subprocess.run([program("pganalytics"), *arguments], text=True, capture_output=True, timeout=patience(60),
                              env={"PATH": os.environ["PATH"], **(environment or {})}, check=False)
        assert not check or done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def register(self):
        secret = self.directory / "registration.secret"
        secret.write_text(self.backend.registration_secret)
        self.run("register", "--config", str(self.config), "--api", self.backend.url, "--ca", str(self.backend.ca),
                 "--secret-file", str(secret), "--name", self.name)
        return self

    def start(self):
        self.launch([program("pganalytics"), "--config", self.config], {})
        return self

    @property
    def identity(self):
        return json.loads((self.state / "identity.json").read_text())

    @property
    def id(self):
        return self.identity["collector_id"]

    def client(self):
        """A requests session with this collector's certificate and token, for pushes made by hand."""
        session = requests.Session()
        session.trust_env = False
        session.verify = str(self.backend.ca)
        session.cert = (str(self.state / "collector.crt"), str(self.state / "collector.key"))
        session.headers["Authorization"] = f"Bearer {(self.state / 'token').read_text().strip()}"
        return session

    def push(self, body, session=None, **options):
        """Pushes @body (a dict, or bytes as they are)."""
        headers = {"Content-Type": "application/json", **options.pop("headers", {})}
        data = body if isinstance(body, (bytes, str)) else json.dumps(body)
        return (session or self.client()).post(f"{self.backend.url}/api/v1/metrics/push", data=data, headers=headers,
                                               timeout=patience(60), **options)
