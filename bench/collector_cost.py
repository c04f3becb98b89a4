# SPDX-License-Identifier: PostgreSQL
"""Cost of a collection: the collector's CPU and memory, the server's SQL time, the bytes it writes to its spool.

A server with 200 tables and 500 statements, a backend beside it, a reading every second so that 60 of them fit into a
minute. CPU is that of the process (utime + stime of /proc/PID/stat) divided by the number of readings; memory is VmRSS at
the end. Prints one line of JSON.
"""
import json
import os
import pathlib
import time

from pgserver import MONITORED_SETTINGS, PgServer, monitoring_setup
from stack import Backend, Collector, eventually

TABLES, STATEMENTS, READINGS = 200, 500, 60


def prepare(server):
    monitoring_setup(server)
    server.execute("create database app")
    server.execute(
        "do $$ begin for i in 1..200 loop "
        "execute format('create table t%s (id integer primary key, v integer)', i); "
        "execute format('insert into t%s select g, g from generate_series(1, 100) g', i); end loop; end $$", dbname="app")
    connection = server.connect("app")
    with connection.cursor() as cursor:
        for i in range(STATEMENTS):
            # a statement of its own each: another number of columns or another table
            cursor.execute(f"select {', '.join(['v'] * (1 + i // TABLES))} from t{1 + i % TABLES} where id = 1")
    connection.close()
    return server.value("select count(*) from pg_stat_statements")


def touch(server):
    """A quarter of the tables and statements is busy, as measured in the field."""
    connection = server.connect("app")
    with connection.cursor() as cursor:
        for i in range(0, STATEMENTS, 4):
            cursor.execute(f"select {', '.join(['v'] * (1 + i // TABLES))} from t{1 + i % TABLES} where id = 1")
    connection.close()


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return None


def main():
    with PgServer(15, settings=MONITORED_SETTINGS) as server:
        statements = prepare(server)
        with Backend() as backend, Collector(backend, {"main": server.dsn(user="monitor")}, name="bench") as collector:
            api = backend.api()

            def stored():
                rows = [s for s in api.get("/servers")["servers"] if s["last_seen"]]
                return rows and rows[0]["id"]

            server_id = eventually(stored, 60)
            time.sleep(5)  # past the first keyframes: a bench, not a test
            pid = collector.process.pid
            before_cpu, before_wall = cpu_seconds(pid), time.monotonic()
            sql_before = api.increase(server_id, "collector_family.sql_ms")
            runs_before = api.increase(server_id, "collector_family.runs", {"family": "pg_stat_database"})
            sent_before = api.increase(server_id, "collector_family.bytes")
            rows_before = api.increase(server_id, "collector_family.rows")
            while time.monotonic() - before_wall < READINGS:
                touch(server)
                time.sleep(1)
            cpu = cpu_seconds(pid) - before_cpu
            readings = api.increase(server_id, "collector_family.runs", {"family": "pg_stat_database"}) - runs_before
            figures = {
                "tables": TABLES, "statements": statements, "readings": readings,
                "rss_mb": round(resident_mb(pid), 1),
                "cpu_ms": round(cpu * 1000 / readings, 2),
                "sql_ms": round((api.increase(server_id, "collector_family.sql_ms") - sql_before) / readings, 2),
                "rows": round((api.increase(server_id, "collector_family.rows") - rows_before) / readings),
                "json_kb": round((api.increase(server_id, "collector_family.bytes") - sent_before) / readings / 1024, 1),
            }
            print(json.dumps(figures))


main()
