# SPDX-License-Identifier: PostgreSQL
"""The store of the backend on a real server, driven through <build>/bin/store_driver."""
import datetime
import json
import os
import pathlib
import subprocess
import threading
import uuid

from wait import patience

ROOT = pathlib.Path(__file__).resolve().parents[2]
UTC = datetime.timezone.utc


def program(name):
    return pathlib.Path(os.environ.get("PGA_BUILD", ROOT / "build" / "dev")) / "bin" / name


def iso(time):
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


class DriverError(Exception):
    """The driver answered with an error; .slug and .message are the store's."""

    def __init__(self, answer):
        super().__init__(f"{answer['error']}: {answer['message']}")
        self.slug = answer["error"]
        self.message = answer["message"]


def drive(*arguments, timeout=patience(60)):
    """Runs the driver to its end and returns its output; failures of the store raise DriverError."""
    done = subprocess.run([program("store_driver"), *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
                          stdin=subprocess.DEVNULL, check=False)
    if done.returncode == 3:
        raise DriverError(json.loads(done.stdout.splitlines()[-1]))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Store:
    """A database of its own on @server; migrated, or a copy of the @template that was."""

    def __init__(self, server, migrate=True, template=None):
        self.server = server
        self.database = "store_" + uuid.uuid4().hex[:12]
        copied = f" template {template.database}" if template else ""
        server.execute(f"create database {self.database}{copied}", dbname="postgres")
        self.conninfo = f"host={server.directory} port={server.port} user=postgres dbname={self.database}"
        if migrate and not template:
            self.migrate()

    def migrate(self):
        return drive("migrate", self.conninfo)

    def maintain(self, now):
        return drive("maintain", self.conninfo, iso(now))

    def sql(self, sql, *parameters):
        """Rows of a statement, as the superuser."""
        connection = self.server.connect(dbname=self.database)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, parameters or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def one(self, sql, *parameters):
        return self.sql(sql, *parameters)[0][0]

    def query(self, name, *parameters):
        """The JSON document of backend/queries/@name.sql; None when it is empty."""
        given = ["\\N" if p is None else str(p) for p in parameters]
        text = drive("query", self.conninfo, name, *given)
        return json.loads(text) if text else None

    def add_collector(self, name="c"):
        collector = str(uuid.uuid4())
        self.sql("insert into pganalytics.collectors (collector_id, name, hostname) values (%s, %s, %s)", collector, name,
                 collector[:8])
        return collector

    def push(self, *bodies):
        """The answers to @bodies, in their order."""
        with Pusher(self) as pusher:
            return [pusher.send(body) for body in bodies]

    def server_id(self, collector, name="main"):
        return self.one("select server_id from pganalytics.servers where collector_id = %s and name = %s", collector, name)

    def metrics(self, server_id, metric, start, stop, step_s=60, agg=None, labels=None, group_by=None, limit=50):
        document = self.query("server_metrics", server_id, metric, iso(start), iso(stop), int(step_s * 1000), agg,
                              None if labels is None else json.dumps(labels), group_by, limit)
        return document["metrics"]


class Pusher:
    """A running ingest; send() waits for the answer, send_all() keeps all bodies in flight at once."""

    def __init__(self, store):
        self.process = subprocess.Popen([program("store_driver"), "push", store.conninfo], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1)
        self.log = []
        self.sent = 0
        self.answers = {}
        self.changed = threading.Condition()
        self.readers = [threading.Thread(target=self._read_answers), threading.Thread(target=self._read_log)]
        for reader in self.readers:
            reader.start()

    def _read_answers(self):
        for line in self.process.stdout:
            number, answer = line.split(" ", 1)
            with self.changed:
                self.answers[int(number)] = json.loads(answer)
                self.changed.notify_all()
        with self.changed:
            self.changed.notify_all()

    def _read_log(self):
        for line in self.process.stderr:
            self.log.append(line)

    def begin(self, body):
        self.process.stdin.write(json.dumps(body) + "\n")
        self.sent += 1
        return self.sent - 1

    def wait(self, number, timeout=patience(60)):
        with self.changed:
            assert self.changed.wait_for(lambda: number in self.answers, timeout), "".join(self.log)
            return self.answers[number]

    def send(self, body):
        number = self.begin(body)
        return self.wait(number)

    def send_all(self, bodies):
        return [self.wait(n) for n in [self.begin(body) for body in bodies]]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(patience(60))
        for reader in self.readers:
            reader.join(patience(60))
        assert self.process.returncode == 0, "".join(self.log)


def frame(family, time, columns, rows, interval_s=60, server="main", keyframe=False, gap=False):
    return {"family": family, "server": server, "time": iso(time), "interval_ms": int(interval_s * 1000),
            "keyframe": keyframe, "gap": gap, "columns": columns, "rows": rows}


def body(collector, frames=(), spool=None, sequence=None, metrics=None, server="main", **of_server):
    document = {"collector_id": collector, "sent_at": iso(datetime.datetime.now(UTC)), "frames": list(frames),
                "servers": [{"name": server, "version_num": 150020, "in_recovery": False, "interval_ms": 60000, **of_server}],
                "metrics": metrics or []}
    if spool:
        document.update(spool=spool, sequence=sequence)
    return document
