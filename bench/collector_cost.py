# SPDX-License-Identifier: PostgreSQL
"""What watching a server costs: our collector and Debian's prometheus-postgres-exporter on the same server, in the same
run. docs/cost.md says how each figure is measured; what is here is that text as a program.

One PostgreSQL with 200 tables and 500 statements, of which a quarter is busy between two collections. Ours has every
family on, with all intervals divided by SCALE, so that the slow families weigh as much as they do in a day. The peer has
its bundled queries.yaml, whose statements query is mended for PostgreSQL 13 and newer.

Environment: BENCH_COLLECTIONS (100), BENCH_MAJOR (15). Prints one line of JSON.
"""
import contextlib
import gzip
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import tomllib
import urllib.request

import parts
from pgserver import MONITORED_SETTINGS, PgServer, monitoring_setup
from ports import free_port
from stack import ROOT, Backend, Collector
from tcp_proxy import TcpProxy
from wait import eventually

TABLES, STATEMENTS = 200, 500
COLLECTIONS = int(os.environ.get("BENCH_COLLECTIONS", 100))
MAJOR = int(os.environ.get("BENCH_MAJOR", 15))
SCALE = 30       # an interval of 60 s becomes one of 2 s, one of 30 s becomes 1 s
INTERVAL = 60 // SCALE
KEYFRAMES = 15   # every so many collections all rows travel: 15 minutes at the default interval
TRIPS = 10       # collections that go through the proxy that counts round trips
TICK = os.sysconf("SC_CLK_TCK")

SETTINGS = {
    **MONITORED_SETTINGS,
    "pg_stat_statements.track": "top",  # nothing is counted twice
    "pg_stat_statements.track_planning": "on",
    "autovacuum": "off",  # its workers' CPU would be counted as somebody's
    "shared_buffers": "128MB",
}


def prepare(server):
    server.execute("create database app")
    for database in ("postgres", "app"):
        monitoring_setup(server, dbname=database)
    server.execute("create role peer login; grant pg_monitor to peer")
    server.execute(
        f"do $$ begin for i in 1..{TABLES} loop "
        "execute format('create table t%s (id integer primary key, v integer)', i); "
        "execute format('insert into t%s select g, g from generate_series(1, 100) g', i); end loop; end $$", dbname="app")
    server.execute("vacuum analyze", dbname="app")


class Control:
    """One connection for the bench's own questions: short ones would end as children of the postmaster and be counted."""

    def __init__(self, server):
        self.server = server
        self.connection = server.connect()

    def rows(self, sql, *parameters):
        with self.connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            return cursor.fetchall()


class Load:
    """A connection that runs statements, each with a text of its own."""

    def __init__(self, server):
        self.connection = server.connect("app")
        self.run(1)

    def run(self, step=4):
        with self.connection.cursor() as cursor:
            for i in range(0, STATEMENTS, step):
                cursor.execute(f"select {', '.join(['v'] * (1 + i // TABLES))} from t{1 + i % TABLES} where id = 1")


def cpu_ms(pid, children=False):
    """utime + stime; with @children those of its children that have ended."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    first = 13 if children else 11
    return (int(fields[first]) + int(fields[first + 1])) * 1000 / TICK


def run_ms(path):
    """Time on a processor, to the nanosecond."""
    return int(pathlib.Path(path, "schedstat").read_text().split()[0]) / 1e6


def thread_ms(pid, pattern):
    """CPU of the threads whose name matches; None without any."""
    found = [task for task in pathlib.Path(f"/proc/{pid}/task").iterdir()
             if re.search(pattern, (task / "comm").read_text())]
    return sum(run_ms(task) for task in found) if found else None


def resident_mb(pid):
    """(all, of that without a file behind it)"""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return [round(int(re.search(rf"^{key}:\s+(\d+)", text, re.M)[1]) / 1024, 1) for key in ("VmRSS", "RssAnon")]


class Meter:
    """What the server and a program spent between two moments, for one role."""

    def __init__(self, control, role, pid):
        self.control, self.role, self.pid = control, role, pid
        self.backends = {}
        self.start = self.read()

    def backend_ms(self):
        """Of the role's backends that there are now; those that ended are in the postmaster's count."""
        for (pid,) in self.control.rows("select pid from pg_stat_activity where usename = %s", self.role):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                self.backends[pid] = run_ms(f"/proc/{pid}")
        return sum(self.backends.values())

    def read(self):
        calls, sql, quiet = self.control.rows(
            "select sum(calls), sum(total_exec_time + total_plan_time),"
            " sum(calls * min_exec_time + plans * min_plan_time) from pg_stat_statements s"
            " join pg_roles r on r.oid = s.userid where rolname = %s", self.role)[0]
        return {
            "at": time.monotonic(),
            "cpu_ms": cpu_ms(self.pid),
            "sampler_ms": thread_ms(self.pid, "sampl"),
            "sql_calls": float(calls or 0),
            "sql_ms": float(sql or 0),
            "sql_quiet_ms": float(quiet or 0),  # had every run of a statement been as quick as its quickest
            "server_cpu_ms": self.backend_ms() + cpu_ms(self.control.server.process.pid, children=True),
        }

    def each(self, collections):
        """Figures of one collection."""
        end = self.read()
        figures = {key: round((end[key] - self.start[key]) / collections, 2)
                   for key in ("cpu_ms", "sql_ms", "sql_quiet_ms", "sql_calls", "server_cpu_ms")}
        figures["rss_mb"], figures["rss_private_mb"] = resident_mb(self.pid)
        sampler = None
        if end["sampler_ms"] is not None and self.start["sampler_ms"] is not None:
            seconds = end["at"] - self.start["at"]
            sampler = round((end["sampler_ms"] - self.start["sampler_ms"]) / (seconds * 10), 3)
        return {**figures, "sampler_cpu_pct": sampler}


# --- Ours -------------------------------------------------------------------------------------------------------------

def intervals():
    """Each family's own interval, divided by SCALE; no budget, which so many readings would go beyond."""
    lines = ["[limits]\ncpu_budget = 100\n"]
    for path in sorted((ROOT / "catalog").glob("*.toml")):
        family = tomllib.loads(path.read_text())
        if family.get("interval"):
            lines.append(f'[metrics.family.{family["name"]}]\ninterval = {max(1, family["interval"] // SCALE)}\n')
    return "\n".join(lines)


def runs(control):
    """Collections so far: pg_stat_slru is read once in each."""
    return int(control.rows(
        "select coalesce(sum(calls), 0) from pg_stat_statements s join pg_roles r on r.oid = s.userid"
        " where rolname = 'monitor' and query like '%pg_stat_slru%'")[0][0])


def wait_for_runs(control, count, load):
    """Gives the server its load once for each collection, half-way between two."""
    seen = runs(control)
    deadline = time.monotonic() + 60 + 2 * INTERVAL * count
    while seen < count:
        assert time.monotonic() < deadline, f"{seen} collections, {count} expected"
        now = runs(control)
        if now > seen:
            time.sleep(INTERVAL / 4)  # a bench, not a test
            load.run()
        seen = now
        time.sleep(0.1)


def point_at(collector, before, after):
    text = collector.config.read_text()
    assert before in text
    collector.config.write_text(text.replace(before, after))


def measure_running(control, load, collector, wire):
    already, started = runs(control), wire.bytes["up"]
    collector.start()
    wait_for_runs(control, already + 1, load)
    time.sleep(INTERVAL / 2)
    eventually(lambda: wire.bytes["up"] - started > 4096, 30)
    keyframe = wire.bytes["up"] - started
    wait_for_runs(control, already + 5, load)  # start-up is over
    before, bytes_before = runs(control), wire.bytes["up"]
    meter = Meter(control, "monitor", collector.process.pid)
    wait_for_runs(control, before + COLLECTIONS, load)
    done = runs(control) - before
    figures = meter.each(done)
    figures["wire_kb"] = round(((wire.bytes["up"] - bytes_before) / done + keyframe / KEYFRAMES) / 1024, 1)
    figures["wire_keyframe_kb"] = round(keyframe / 1024, 1)
    figures["families"] = families_of(control, "monitor")
    collector.stop()
    return figures


def measure_ours(control, load):
    server = control.server
    with Backend() as backend, TcpProxy(("127.0.0.1", backend.port)) as wire, \
            TcpProxy(("127.0.0.1", server.port)) as trips:
        base = backend.url
        dsn = f"host=127.0.0.1 port={server.port} dbname=postgres user=monitor sslmode=disable"
        collector = Collector(backend, {"main": dsn}, name="bench", interval=INTERVAL, extra=intervals()).register()
        try:
            # From now on through the proxy that counts bytes.
            point_at(collector, base, f"https://127.0.0.1:{wire.port}")
            figures = measure_running(control, load, collector, wire)
            point_at(collector, f"port={server.port}", f"port={trips.port}")
            collector.start()
            wait_for_runs(control, runs(control) + 5, load)
            before, turns_before = runs(control), trips.turns
            wait_for_runs(control, before + TRIPS, load)
            figures["round_trips"] = round((trips.turns - turns_before) / (runs(control) - before), 1)
            collector.stop()
        finally:
            collector.remove()
    return figures


def families_of(control, role):
    """The dearest statements, for whoever wants to make them cheaper: (ms in all, ms a call, the
    quickest call, calls, database, FROM)."""
    rows = control.rows(
        "select (total_exec_time + total_plan_time)::int, ((total_exec_time + total_plan_time) / calls)::numeric(9, 3),"
        " (min_exec_time + min_plan_time)::numeric(9, 3), calls, datname, regexp_replace(coalesce(substring(query from '\n +from +(.{0,150})'), left(query, 150)),"
        " '\\s+', ' ', 'g') from pg_stat_statements s join pg_roles r on r.oid = s.userid"
        " join pg_database d on d.oid = s.dbid where rolname = %s order by 1 desc limit 50", role)
    return [[str(value) for value in row] for row in rows]


# --- The peer ---------------------------------------------------------------------------------------------------------

def peer_queries(directory):
    """The bundled examples/queries.yaml, with the names that pg_stat_statements has since version 13."""
    bundled = parts.root("postgres_exporter") / "usr/share/doc/prometheus-postgres-exporter/examples/queries.yaml"
    text = re.sub(r"\b(total|min|max|mean|stddev)_time / 1000", r"\1_exec_time / 1000", bundled.read_text())
    assert "total_exec_time / 1000" in text
    path = pathlib.Path(directory) / "queries.yaml"
    path.write_text(text)
    return path


def scrape(port):
    """Bytes of a scrape as Prometheus asks for it (compressed), and the text."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()


def launch_peer(server, port, database_port):
    command = [parts.program("postgres_exporter", "usr/bin/prometheus-postgres-exporter"),
               f"--web.listen-address=127.0.0.1:{port}", f"--extend.query-path={peer_queries(server.directory)}"]
    environment = {**os.environ, "DATA_SOURCE_NAME":
                   f"postgresql://peer@127.0.0.1:{database_port}/app?sslmode=disable"}
    with open(server.directory / "peer.log", "ab") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


def peer_ready(port):
    try:
        return len(scrape(port)) > 0
    except OSError:
        return False


@contextlib.contextmanager
def peer(server, database_port):
    port = free_port()
    process = launch_peer(server, port, database_port)
    try:
        eventually(lambda: peer_ready(port), 30, "the peer does not answer")
        yield process.pid, port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def measure_peer(control, load):
    server = control.server
    with peer(server, server.port) as (pid, port):
        for _ in range(5):
            scrape(port)
        meter = Meter(control, "peer", pid)
        sent = 0
        for _ in range(COLLECTIONS):
            load.run()
            body = scrape(port)
            sent += len(body)
            time.sleep(0.1)
        figures = meter.each(COLLECTIONS)
        text = gzip.decompress(body).decode()
        assert "pg_stat_statements_calls" in text and "pg_stat_user_tables_seq_scan" in text
        figures["wire_kb"] = round(sent / COLLECTIONS / 1024, 1)
        figures["text_kb"] = round(len(text) / 1024, 1)
    with TcpProxy(("127.0.0.1", server.port)) as trips, peer(server, trips.port) as (_, port):
        before = trips.turns
        for _ in range(TRIPS):
            scrape(port)
        figures["round_trips"] = round((trips.turns - before) / TRIPS, 1)
    return figures


def main():
    with PgServer(MAJOR, settings=SETTINGS, tcp=True) as server:
        prepare(server)
        load, control = Load(server), Control(server)
        there = control.rows("select count(*) from pg_stat_statements")[0][0]
        ours = measure_ours(control, load)
        dearest = ours.pop("families")
        figures = {"server": MAJOR, "tables": TABLES, "statements": there, "collections": COLLECTIONS, **ours,
                   "peer": measure_peer(control, load)}
        if "--families" in sys.argv:
            for row in dearest:
                print(*row, sep="\t")
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
