# SPDX-License-Identifier: PostgreSQL
"""Tables and indexes that nobody uses are not read again, and nobody can tell from what is sent: each change is counted
once, also of what is idle for long, dropped, made anew, renamed, part of another table, and when the database's statistics
are reset."""
import pytest

from lone import LoneCollector, find, rows_read, total
from pgserver import MONITORED_SETTINGS, PgServer, monitoring_setup
from wait import eventually

TABLES, INDEXES = "pg_stat_user_tables", "pg_stat_user_indexes"
OTHERS = 150


@pytest.fixture(scope="module", params=[12, 18])
def server(request):
    with PgServer(request.param, settings=MONITORED_SETTINGS) as one:
        monitoring_setup(one)
        one.execute("create database app")
        one.execute("alter database app set enable_seqscan = off")
        one.execute("".join(f"create table other_{n} (id int primary key);" for n in range(OTHERS)), dbname="app")
        for table in ("busy", "quiet", "short"):
            make(one, table)
        one.execute("create table whole (id int) partition by range (id); "
                    "create table part_1 partition of whole for values from (0) to (1000); "
                    "create table part_2 partition of whole for values from (1000) to (1000000); "
                    "insert into whole select * from generate_series(990, 1009)", dbname="app")
        yield one


def make(server, table):
    server.execute(f"create table {table} (id int primary key); insert into {table} select * from generate_series(1, 100)",
                   dbname="app")


class Changes:
    """Changes tables and counts what was done."""

    next_id = 1000  # of the whole module: keys are inserted once

    def __init__(self, server):
        self.server = server
        self.inserted = {}
        self.found = {}

    def insert(self, table, count):
        self.server.execute(f"insert into {table} select * from generate_series(%s, %s)", Changes.next_id,
                            Changes.next_id + count - 1, dbname="app")
        Changes.next_id += count
        self.inserted[table] = self.inserted.get(table, 0) + count

    def look_up(self, table, count):
        for _ in range(count):
            self.server.execute(f"select from {table} where id = 1", dbname="app")
        self.found[table] = self.found.get(table, 0) + count

    def all_sent(self, collector):
        return (all(total(collector.frames(TABLES), "n_tup_ins", relname=t) == n for t, n in self.inserted.items())
                and all(total(collector.frames(INDEXES), "idx_scan", indexrelname=f"{t}_pkey") == n
                        for t, n in self.found.items()))


def whole_turns(collector, family):
    return sum(rows >= OTHERS for rows in rows_read(collector, family))


def last_live(collector, table):
    rows = find(collector.frames(TABLES), relname=table)
    return rows[-1]["n_live_tup"] if rows else None


def test_each_change_is_counted_once_though_only_what_changed_is_read(server, tmp_path):
    collector, changes = LoneCollector(tmp_path, {"main": server.dsn(user="monitor")}), Changes(server)
    collector.start()
    try:
        collector.wait_for_batches(3)
        changes.insert("busy", 3)
        changes.look_up("busy", 2)
        changes.insert("part_2", 5)
        changes.inserted["whole"] = changes.inserted.pop("part_2")
        eventually(lambda: changes.all_sent(collector), 30, "not all changes were sent")
        assert last_live(collector, "whole") == 25, "the partition that did not change is missing"
        assert not find(collector.frames(TABLES), relname="part_1"), "partitions are sent as tables"
        for _ in range(2):
            changes.insert("busy", 1)
            changes.look_up("busy", 1)
            collector.wait_for_batches(2)
        changes.insert("quiet", 4)
        eventually(lambda: changes.all_sent(collector), 30, "not all changes were sent")
        for family in (TABLES, INDEXES):
            assert min(rows_read(collector, family)[-4:]) < OTHERS, "what did not change is read again"

        server.execute("drop table short", dbname="app")
        collector.wait_for_batches(2)
        make(server, "short")
        changes.inserted["short"] = 100
        server.execute("alter table other_1 rename to renamed", dbname="app")
        eventually(lambda: find(collector.frames(TABLES), relname="renamed"), 30, "a table that was renamed is not shown")
        eventually(lambda: changes.all_sent(collector), 30, "a table that was made anew does not count from zero")
        assert not server.log_errors()
    finally:
        collector.stop()


# The second one leaves all other tables as they were, and is a reset of the database all the same.
@pytest.mark.parametrize("reset", ["pg_stat_reset()", "pg_stat_reset_single_table_counters('busy'::regclass)"])
def test_when_statistics_are_reset_all_are_read_in_the_same_turn(server, tmp_path, reset):
    collector, changes = LoneCollector(tmp_path, {"main": server.dsn(user="monitor")}), Changes(server)
    collector.start()
    try:
        collector.wait_for_batches(3)
        changes.insert("busy", 3)
        eventually(lambda: changes.all_sent(collector), 30, "not all changes were sent")
        eventually(lambda: rows_read(collector, TABLES)[-1] < OTHERS, 30, "all tables are read each time")
        before = whole_turns(collector, TABLES)
        server.execute(f"select {reset}", dbname="app")
        eventually(lambda: whole_turns(collector, TABLES) > before, 30, "after a reset not all is read")
        frames = collector.frames(TABLES, database="app")
        gaps = [n for n, frame in enumerate(frames) if frame.get("gap")]
        assert len(gaps) == 1, "the reset is one gap"
        assert len(frames[gaps[0]]["rows"]) >= OTHERS, "the new beginning has all tables"
        turns = [{f["database"] for f in batch["frames"] if f["family"] == TABLES} for batch in collector.batches()]
        assert all(turn in (set(), {"app", "postgres"}) for turn in turns), "a turn without the database that was reset"
        eventually(lambda: rows_read(collector, TABLES)[-1] < OTHERS, 30, "all tables are read each time")
        changes.insert("quiet", 2)  # idle since before the reset
        changes.insert("busy", 2)
        eventually(lambda: changes.all_sent(collector), 30, "not all changes were sent")
        collector.wait_for_batches(2)
        assert changes.all_sent(collector), "changes were counted twice"
        assert not server.log_errors()
    finally:
        collector.stop()
