# SPDX-License-Identifier: PostgreSQL
"""Families that read the schema, sizes and sequences while others change, lock and drop what they read: nothing waits,
and no line of an error reaches the server's log. Run as the collector does (tests/support/family_probe.c)."""
import threading

import pytest
from pgserver import MONITORED_SETTINGS, PgServer, monitoring_setup
from test_families import probe, rows_of

TURNS = 12
ENTANGLED = ("pg_table_size", "pg_sequences", "schema_table", "schema_index", "schema_object", "index_problems",
             "index_bloat", "table_bloat", "pg_stat_user_tables", "pg_stat_user_indexes")


def run_until(stop, server, statements):
    connection = server.connect("app")
    cursor = connection.cursor()
    while not stop.is_set():
        for statement in statements:
            cursor.execute(statement)
    connection.close()


@pytest.mark.parametrize("major", [12, 15, 18])
def test_nothing_fails_or_waits_in_a_storm(major):
    with PgServer(major, settings=MONITORED_SETTINGS) as server:
        server.execute("create database app")
        monitoring_setup(server, "app")
        server.execute("create schema storm; create table storm.held (id serial)",
                       dbname="app")
        server.execute("insert into storm.held select generate_series(1, 1000)", dbname="app")
        server.execute("grant usage on all sequences in schema storm to monitor", dbname="app")
        server.mark_log()
        stop = threading.Event()
        storms = [
            ["create table storm.brief (id serial primary key, note text default 'x', check (id > 0))",
             "create index brief_note on storm.brief (lower(note)) where id > 5",
             "alter table storm.brief rename column note to remark", "drop table storm.brief"],
            ["create function storm.f(a int) returns int language sql as 'select a'", "drop function storm.f(int)",
             "create type storm.mood as enum ('a', 'b')", "drop type storm.mood"],
            ["begin", "lock table storm.held in access exclusive mode", "select pg_sleep(0.002)", "commit"],
            ["begin", "lock table storm.held in access exclusive mode", "alter table storm.held add column x int",
             "alter table storm.held drop column x", "rollback"],
        ]
        threads = [threading.Thread(target=run_until, args=(stop, server, storm)) for storm in storms]
        for thread in threads:
            thread.start()
        try:
            for _ in range(TURNS):
                found = probe(server)
                for name in ENTANGLED:
                    f = found["families"][name]
                    assert f["error"] is None, (name, f["error"])
                (held,) = [r for r in rows_of(found, "schema_table") if r["relname"] == "held"]
                assert held["type"] == "table" and "id\tinteger not null default" in held["column_list"]
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert server.log_errors() == []
        calm = probe(server)
        (held,) = [r for r in rows_of(calm, "pg_table_size") if r["relname"] == "held"]
        assert held["table_bytes"] >= 8192
        (sequence,) = [r for r in rows_of(calm, "pg_sequences") if r["sequencename"] == "held_id_seq"]
        assert sequence["last_value"] is None  # never used
