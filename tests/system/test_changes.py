# SPDX-License-Identifier: PostgreSQL
"""What the collector makes of its readings before they are sent: events of what has changed, and fewer rows that keep
their sum. On real servers, read back from the spool."""
import pytest
from pgserver import MONITORED_SETTINGS, PgServer, monitoring_setup
from test_collector import LoneCollector, find, rows, total
from wait import eventually

WATCHED = ("pg_settings", "pg_roles", "pg_extension", "pg_database", "pg_control", "schema_table", "schema_index",
           "schema_object")


def every_second(*families):
    return "".join(f"[metrics.family.{name}]\ninterval = 1\n" for name in families)


@pytest.fixture(name="server", scope="module")
def one_server():
    settings = {**MONITORED_SETTINGS, "max_locks_per_transaction": 512, "autovacuum": "off"}
    with PgServer(16, settings=settings) as made:
        monitoring_setup(made)
        made.execute("create database app")
        made.execute("create table item (id int primary key, name text, gone date)", dbname="app")
        yield made


@pytest.fixture(name="collector")
def one_collector(server, tmp_path):
    made = LoneCollector(tmp_path, {"main": server.dsn(user="monitor")}, extra=every_second(*WATCHED))
    yield made
    made.kill()
    made.check_log()


def events(collector):
    """(kind, change, object, attribute, before, after) of all events so far, but that a busy machine makes readings dear."""
    found = [row for frame in collector.frames("change_event") for row in rows(frame) if row["kind"] != "budget"]
    assert all(row["events"] == 1 for row in found if row["change"] != "more")
    return [tuple(row[c] for c in ("kind", "change", "object", "attribute", "before", "after")) for row in found]


def wait_for(collector, *expected):
    def missing():
        absent = set(expected) - set(events(collector))
        assert not absent, f"not told: {absent}; told: {events(collector)}"
        return True

    eventually(missing, 30, "changes are missing")


def test_changes_are_told_once_also_across_kills(server, collector):
    collector.start()
    collector.wait_for_batches(4)
    assert events(collector) == []

    server.execute("alter table item add column price numeric(9,2) not null default 1, drop column gone, "
                   "alter column name type varchar(50)", dbname="app")
    server.execute("create index item_name on item (name)", dbname="app")
    server.execute("create role clerk login", dbname="app")
    server.execute("create type mood as enum ('sad', 'happy')", dbname="app")
    server.execute("alter system set work_mem = '9MB'; ")
    server.execute("alter system set primary_conninfo = 'host=x password=hunter2'")
    server.reload()
    wait_for(collector, ("column", "removed", "public.item.gone", None, "date", None),
             ("column", "changed", "public.item.name", None, "text", "character varying(50)"),
             ("index", "added", "public.item.item_name", None, None, "btree (name)"),
             ("role", "added", "clerk", None, None, "login"),
             ("object", "added", "public.enum.mood", None, None, "sad, happy"),
             ("setting", "changed", "work_mem", "setting", "4096", "9216"),
             ("setting", "changed", "primary_conninfo", "setting", "", "********"))
    (price,) = [e for e in events(collector) if e[2] == "public.item.price"]
    assert price[:2] == ("column", "added") and price[5].startswith("numeric(9,2) not null default ")

    collector.kill()
    server.execute("drop index item_name; drop table item", dbname="app")
    server.execute("create database other; ")
    server.restart()
    collector.start()
    wait_for(collector, ("index", "removed", "public.item.item_name", None, "btree (name)", None),
             ("table", "removed", "public.item", None, "table", None),
             ("database", "added", "other", None, None, "-1"))
    eventually(lambda: "restart" in [e[0] for e in events(collector)], 30, "the restart is not told")
    collector.kill()
    collector.start()
    collector.wait_for_batches(4)
    told = [e for e in events(collector) if e[0] != "reload"]
    assert len(told) == len(set(told)), told
    assert "hunter2" not in str(collector.batches())
    collector.stop()
    server.execute("drop database other")


def test_partitions_and_very_many_tables(server, collector):
    """Sums stay true, whoever is at the top: 1,500 tables, of which 500 are partitions of one."""
    server.execute("create schema many; create table many.root (id int) partition by range (id)", dbname="app")
    for start in range(0, 1000, 500):
        server.execute(f"""do $$ begin for i in {start}..{start + 499} loop
            execute format('create table many.t%s (id int)', i);
            if i < 500 then execute format('create table many.p%s partition of many.root for values from (%s) to (%s)',
                                            i, i * 10, i * 10 + 10); end if;
            end loop; end $$""", dbname="app")
    collector.write_config({"main": server.dsn(user="monitor")},
                           extra=every_second("pg_table_size") + "[metrics.family.pg_stat_user_tables]\ntop = 100\n")
    collector.start()
    collector.wait_for_batches(2)
    done = 0

    def arrived():
        told = total(collector.frames("pg_stat_user_tables", database="app"), "n_tup_ins")
        assert told == done, f"{told} of {done}"
        return True

    for turn in range(3):
        server.execute("insert into many.root select generate_series(0, 4999)", dbname="app")
        server.execute(f"""do $$ begin for i in {turn * 300}..{turn * 300 + 299} loop
            execute format('insert into many.t%s select generate_series(1, %s)', i, i % 7 + 1); end loop; end $$""",
                       dbname="app")
        done += 5000 + sum(i % 7 + 1 for i in range(turn * 300, turn * 300 + 300))
        if turn == 1:
            eventually(arrived, 60, "the increases do not arrive")
            collector.kill()
            server.execute("drop table many.p5", dbname="app")  # takes nothing away from its root
            server.execute("create table many.p5_again partition of many.root for values from (50) to (60)", dbname="app")
            collector.start()
    eventually(arrived, 60, "the increases do not arrive")
    collector.stop()
    frames = collector.frames("pg_stat_user_tables", database="app")
    assert max(len(f["rows"]) for f in frames) <= 102
    assert not find(frames, relname="p1")
    assert total(frames, "n_tup_ins", relname="(other)") > 0
    root = find(frames, schemaname="many", relname="root")
    assert max(r["n_live_tup"] or 0 for r in root) >= 14900
    sizes = collector.frames("pg_table_size", database="app")
    assert find(sizes, relname="root") and not find(sizes, relname="p1")
    killed = "connection to client lost"  # in the middle of a reading
    assert [line for line in server.log_errors() if killed not in line] == []
