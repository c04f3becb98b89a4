# SPDX-License-Identifier: PostgreSQL
"""Every metric family on every supported server: it works, or is absent with a reason, and the server's log stays clean.

The role has pg_monitor and nothing else; the families run as the collector runs them (tests/support/family_probe.c).
"""
import json
import os
import pathlib
import subprocess
import threading

import parts
import pytest
from pgserver import (MAJORS, MONITORED_SETTINGS, PgServer, Unavailable, binaries, eventually,
                      monitoring_setup)

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROBE = pathlib.Path(os.environ.get("PGA_BUILD", ROOT / "build/dev")) / "bin/family_probe"
SESSION = ["jit=off", "statement_timeout=5000", "lock_timeout=100", "search_path=pg_catalog"]

# Families that a server lacks for a good reason: name -> first major that has it (for pg_monitor).
SINCE = {"pg_stat_slru": 13, "pg_stat_wal": 14, "pg_stat_replication_slots": 14, "pg_stat_statements_info": 14,
         "pg_stat_io": 16, "pg_stat_progress_analyze": 13, "pg_stat_progress_basebackup": 13,
         "pg_stat_progress_copy": 14, "pg_stat_subscription_stats": 15, "pg_stat_recovery_prefetch": 15,
         "pg_shmem_allocations": 15, "pg_backend_memory": 15, "pg_buffercache_summary": 16,
         "pg_buffercache_usage": 16, "pg_aios": 18, "pg_ident_file_mappings": 15, "pg_stat_backend": 18,
         "pg_shmem_numa": 18, "pg_buffercache_numa": 18}
SINCE_SUPERUSER = {"pg_shmem_allocations": 13, "pg_backend_memory": 14}
STANDBY_ONLY = {"pg_stat_wal_receiver", "pg_stat_database_conflicts", "pg_stat_recovery_prefetch"}
SUPERUSER_ONLY = {"pg_hba_file_rules", "pg_replication_origin_status", "pg_file_settings", "pg_ident_file_mappings"}
GRANT = '; as a superuser in database "app": '
NO_GRANT_BEFORE = {"pg_replication_origin_status": 14}  # the server looks for superusers itself
THIRD_PARTY = {"pg_stat_kcache": "pg_stat_kcache", "pg_wait_sampling_profile": "pg_wait_sampling",
               "pg_qualstats": "pg_qualstats"}
# Families that show at least one row on any server under a little load.
NEVER_EMPTY = {"pg_stat_database", "pg_stat_user_tables", "pg_stat_user_indexes", "pg_stat_statements",
               "pg_stat_activity", "pg_stat_bgwriter", "pg_stat_checkpointer", "pg_wal", "pg_wal_directory",
               "pg_stat_archiver", "pg_database_size", "pg_table_size", "pg_settings", "pg_server", "pg_database",
               "pg_sequences", "wraparound_tables", "pg_stat_sys_tables", "pg_stat_sys_indexes",
               "pg_statio_user_sequences", "pg_extension", "pg_roles", "pg_buffercache_summary", "pg_buffercache_usage",
               "pg_shmem_allocations", "pg_backend_memory", "autovacuum", "vacuum_need", "table_bloat",
               "index_problems", "schema_table", "schema_index", "schema_object", "schema_summary", "pg_control",
               "pg_stat_backend", "collector_footprint", "pg_stat_activity_waits", "pg_stat_activity_clients", "pg_stat_statements_range"}

SECRETS = {"archive_cleanup_command": "clean --token=hunter2 %r", "primary_conninfo": "host=x password=hunter2"}


def probe(server, dbname="app", user="monitor"):
    done = subprocess.run([PROBE, server.dsn(dbname, user), *SESSION], capture_output=True, text=True, timeout=300,
                          check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    result["families"] = {f["name"]: f for f in result["families"]}
    return result


def rows_of(result, family):
    """Rows as dictionaries, numbers converted."""
    f = result["families"][family]
    assert "rows" in f, f
    convert = {"int8": int, "float8": float, "text": str}
    return [{c["name"]: None if cell is None else convert[c["type"]](cell) for c, cell in zip(f["columns"], row)}
            for row in f["rows"]]


def rows_there(result, family):
    """The same of one that says when it has rows: it must be true then, or they would come late."""
    rows = rows_of(result, family)
    assert rows and result["families"][family]["when"] is True, result["families"][family]
    return rows


@pytest.fixture(scope="module", params=MAJORS)
def server(request):
    try:
        binaries(request.param)
    except Unavailable as missing:
        pytest.skip(str(missing))
    settings = {**MONITORED_SETTINGS, **SECRETS, "wal_level": "logical", "track_functions": "all",
                "max_prepared_transactions": 5}
    with PgServer(request.param, settings=settings) as made:
        made.execute("create database app")
        monitoring_setup(made, "app")
        made.execute("create extension pg_buffercache", dbname="app")
        made.execute("create schema shop", dbname="app")
        made.execute("create table shop.item (id int primary key, name text)", dbname="app")
        made.execute("insert into shop.item select i, repeat('x', 100) from generate_series(1, 5000) i", dbname="app")
        made.execute("create table shop.ticket (id smallserial, note text)", dbname="app")
        made.execute("select setval('shop.ticket_id_seq', 16384)", dbname="app")
        made.execute("create index item_name on shop.item (name); create index item_name_again on shop.item (name)",
                     dbname="app")
        made.execute("create function shop.twice(n int) returns int language plpgsql as 'begin return 2 * n; end'; "
                     "select shop.twice(21)", dbname="app")
        made.execute("create table shop.stale (id int); insert into shop.stale select generate_series(1, 20000)",
                     dbname="app")
        made.execute("alter table shop.stale set (autovacuum_enabled = off); delete from shop.stale where id > 5000",
                     dbname="app")
        # The deletion must be counted before analyze sets the count, or it would be added to it.
        made.wait_until("select n_dead_tup >= 15000 from pg_stat_user_tables where relname = 'stale'", dbname="app")
        made.execute("analyze shop.stale", dbname="app")
        made.wait_until("select analyze_count = 1 from pg_stat_user_tables where relname = 'stale'", dbname="app")
        made.execute("vacuum analyze shop.item", dbname="app")
        # Before version 15 statistics arrive with a delay.
        made.wait_until("select n_tup_ins = 5000 and vacuum_count = 1 and analyze_count = 1 from pg_stat_user_tables "
                        "where relname = 'item'", dbname="app")
        made.wait_until("select count(*) = 1 from pg_stat_user_functions", dbname="app")
        made.wait_until("select tup_inserted >= 5000 from pg_stat_database where datname = 'app'", dbname="app")
        made.mark_log()
        made.at_first = probe(made)
        yield made


@pytest.fixture(scope="module")
def result(server):
    """What was read before any test changed something, in whichever order they run."""
    return server.at_first


def is_denied(name, major):
    """The server has it, but not for pg_monitor."""
    if name in SUPERUSER_ONLY:
        return major >= {**SINCE, **NO_GRANT_BEFORE}.get(name, 0)
    return name in SINCE_SUPERUSER and SINCE_SUPERUSER[name] <= major < SINCE[name]


def absent_reason(result, name, major, standby):
    since = {**SINCE, **SINCE_SUPERUSER} if result["is_superuser"] else SINCE
    if name in THIRD_PARTY:
        return f"create extension {THIRD_PARTY[name]}"
    if name in STANDBY_ONLY and not standby:
        return "primary"
    if is_denied(name, major) and not result["is_superuser"]:
        return GRANT
    if major < since.get(name, 0) or not result["is_superuser"] and major < NO_GRANT_BEFORE.get(name, 0):
        return f"PostgreSQL {major}"
    return None


def check_family(f, result, major, standby=False):
    if f.get("host"):
        return
    expected = absent_reason(result, f["name"], major, standby)
    if expected:
        assert expected in f["absent"], f
        return
    assert "absent" not in f, f
    assert f["error"] is None, f
    if f["name"] in NEVER_EMPTY and not (standby and f["name"] == "table_bloat"):  # it knows no dead rows at first
        assert f["rows"], f["name"]
    labels = f["labels"]
    keys = [tuple(row[:labels]) for row in f["rows"]]
    assert len(keys) == len(set(keys)), f"{f['name']}: two rows with the same labels"
    assert all(value is not None for key in keys for value in key), f"{f['name']}: a label is null"


def test_every_family_works_or_says_why_not(server, result):
    assert result["version_num"] // 10000 == server.major
    assert not result["in_recovery"]
    assert result["has_pg_monitor"] and not result["is_superuser"]
    assert int(result["system_identifier"]) > 0 and result["timeline"] == 1
    for f in result["families"].values():
        check_family(f, result, server.major)


def test_server_log_stays_clean(server, result):
    assert server.log_errors() == []


def test_the_grants_that_are_named_are_enough(server, result):
    grants = {name: f["absent"].partition(GRANT)[2] for name, f in result["families"].items() if GRANT in f.get("absent", "")}
    assert grants.keys() == {name for name in SUPERUSER_ONLY | SINCE_SUPERUSER.keys() if is_denied(name, server.major)}
    server.mark_log()
    server.execute("; ".join(grants.values()), dbname="app")
    try:
        found = probe(server)["families"]
        assert not {name: found[name]["absent"] for name in grants if "absent" in found[name]}
        assert not {name: found[name]["error"] for name in grants if found[name]["error"]}
        assert not server.log_errors()
    finally:
        server.execute("; ".join(grants.values()).replace("grant ", "revoke ").replace(" to ", " from "), dbname="app")


def test_values_have_their_types(server, result):
    for name, f in result["families"].items():
        if "rows" in f:
            rows_of(result, name)  # int() and float() refuse anything else


def test_database_numbers_are_the_servers(server, result):
    (row,) = [r for r in rows_of(result, "pg_stat_database") if r["datname"] == "app"]
    assert row["tup_inserted"] >= 5000 and row["xact_commit"] > 0
    assert row["blk_read_time"] is not None  # track_io_timing is on
    assert ("session_time" in row) == (server.major >= 14)
    assert ("parallel_workers_launched" in row) == (server.major >= 18)


def test_tables_and_indexes_are_counted(server, result):
    (table,) = [r for r in rows_of(result, "pg_stat_user_tables") if r["relname"] == "item"]
    assert table["schemaname"] == "shop" and table["datname"] == "app"
    assert table["n_tup_ins"] == 5000 and table["vacuum_count"] == 1
    assert table["heap_blks_hit"] > 0 and table["last_vacuum"] > 1.7e9
    (index,) = [r for r in rows_of(result, "pg_stat_user_indexes") if r["indexrelname"] == "item_pkey"]
    assert index["relname"] == "item" and index["idx_blks_hit"] > 0


def test_statements_have_names_and_unique_keys(server, result):
    statements = rows_of(result, "pg_stat_statements")
    assert {"calls", "total_exec_time", "rows", "shared_blk_read_time"} <= set(statements[0])
    assert "app" in {s["datname"] for s in statements} and "postgres" in {s["usename"] for s in statements}
    assert {s["toplevel"] for s in statements} <= {"true", "false"}
    if server.major < 14:
        assert {s["toplevel"] for s in statements} == {"true"}
    if server.major >= 13:  # track_planning is off: not known, never 0
        assert {s["total_plan_time"] for s in statements} == {None}
    assert "query" not in statements[0]


def test_ranges_of_statements_have_one_name(server, result):
    rows = rows_of(result, "pg_stat_statements_range")
    assert all(0 <= r["min_exec_time"] <= r["max_exec_time"] and r["stddev_exec_time"] >= 0 for r in rows)
    assert rows[0]["max_exec_time"] > 0
    if server.major >= 13:
        assert {r["max_plan_time"] for r in rows} == {None}  # track_planning is off


def test_statement_texts_come_for_the_ids_asked_for(server, result):
    family = result["families"]["statement_text"]
    ids = server.execute("select distinct queryid::text from pg_stat_statements where queryid is not null limit 3",
                         dbname="app")
    wanted = [i for (i,) in ids]
    sql = family["sql"].replace("$1", "%s")
    got = server.execute(sql, wanted, dbname="app", user="monitor")
    assert sorted(i for i, _ in got) == sorted(wanted)
    assert all(text for _, text in got)


def read_changes(server, family, known):
    """Rows, by the labels; and ids of rows that are gone. @known: id and state of rows."""
    sql = family["sql"].replace("$1", "%s::text").replace("$2", "%s::text")
    arrays = ["{" + ",".join(str(pair[n]) for pair in known) + "}" for n in (0, 1)]
    rows = server.execute(sql, *arrays, dbname="app", user="monitor")
    width = len(family["columns"])
    return ({row[:family["labels"]]: (row[:width], row[-3:-1]) for row in rows if row[-1] is None},
            {row[-1] for row in rows if row[-1] is not None})


def test_statements_that_were_not_run_are_not_read_again(server, result):
    family = result["families"]["pg_stat_statements"]

    def key_of(rows, text):
        queryid = server.execute("select queryid::text from pg_stat_statements where query like %s", text, dbname="app")
        return next(key for key in rows if key[0] == queryid[0][0])

    server.execute("select 1, 2 as not_run_again", dbname="app")
    server.execute("select 1 as run_again", dbname="app")
    before, gone = read_changes(server, family, [])
    idle, busy = key_of(before, "%as not_run_again"), key_of(before, "%as run_again")
    known = {key: pair for key, (_, pair) in before.items()}
    assert not gone and None not in {part for pair in known.values() for part in pair}
    assert len({row_id for row_id, _ in known.values()}) == len(known)
    server.execute("select 2 as run_again", dbname="app")
    rows, gone = read_changes(server, family, [*known.values(), (4711, 1)])
    assert busy in rows and idle not in rows
    assert rows[busy][1][0] == known[busy][0] and rows[busy][1][1] != known[busy][1]
    assert gone == {4711}, "of what changed only the row comes"
    assert len(rows) < len(known)


DDL = ("alter", "create", "drop")
USES_OF_A_TABLE = [
    "alter table used add column note text",  # has TOAST now
    "alter table used alter note set storage external",
    "insert into used select n, repeat(md5(n::text), 200) from generate_series(1, 50) n",
    "select count(*) from used",
    "set enable_seqscan = off; select id from used where id = 7",
    "select sum(length(substr(note, 3, 5))) from used",
    "update used set note = 'short' where id = 1", "delete from used where id > 40",
    "create index used_note on used (id, length(note))", "drop index used_note",
    "analyze used", "vacuum used", "begin; insert into used values (1000); rollback", "truncate used",
    "alter table used drop constraint used_pkey",  # has no index any more
    "select pg_stat_reset_single_table_counters('used'::regclass)",
]


@pytest.mark.parametrize("family", ["pg_stat_user_tables", "pg_stat_user_indexes"])
def test_whatever_changes_in_a_row_its_state_changes(server, result, family):
    def read():
        return read_changes(server, result["families"][family], [])[0]

    def changed(before):
        """Rows that are not what they were; each has another state, and nothing else has."""
        now = read()
        both = now.keys() & before.keys()
        different = {key for key in both if now[key][0] != before[key][0]}
        assert different == {key for key in both if now[key][1] != before[key][1]}
        assert all(now[key][1][0] == before[key][1][0] for key in both), "it is the same row"
        return different

    server.execute("create table used (id int primary key)", dbname="app")
    server.execute("create table unused (id int primary key)", dbname="app")
    try:
        for use in USES_OF_A_TABLE:
            before = read()
            for part in use.split("; ") if "vacuum" in use else [use]:
                server.execute(part, dbname="app")
            if not use.startswith(DDL) and (family == "pg_stat_user_tables" or "id = 7" in use):
                eventually(lambda b=before: ("public", "used") in {key[1:3] for key in changed(b)}, 10, use)
            changed(before)
        before = read()
        server.execute("alter table unused rename to unused_still", dbname="app")
        server.execute("alter index unused_pkey rename to unused_key", dbname="app")
        rows, gone = read_changes(server, result["families"][family], [pair for _, pair in before.values()])
        assert {key[-1] for key in rows} >= ({"unused_key"} if family.endswith("indexes") else {"unused_still"})
        assert gone == {pair[0] for key, (_, pair) in before.items() if key[2] == "unused"}, "it has another name"
    finally:
        server.execute("drop table if exists used, unused, unused_still", dbname="app")


@pytest.mark.parametrize("family", ["pg_stat_user_tables", "pg_stat_user_indexes"])
def test_a_table_that_becomes_a_partition_is_read_again(server, result, family):
    server.execute("create table whole (id int primary key) partition by range (id);"
                   "create table loose (id int primary key check (id between 1 and 9))", dbname="app")
    try:
        known = [pair for _, pair in read_changes(server, result["families"][family], [])[0].values()]
        server.execute("alter table whole attach partition loose for values from (1) to (10)", dbname="app")
        rows, _ = read_changes(server, result["families"][family], known)
        assert "loose" in {key[2] for key in rows}
    finally:
        server.execute("drop table whole cascade", dbname="app")


def test_checkpoints_have_one_name_on_all_versions(server, result):
    server.execute("checkpoint")
    row = eventually(lambda: [r for r in rows_of(probe(server), "pg_stat_checkpointer") if r["num_requested"] >= 1],
                     what="a requested checkpoint is not counted")[0]
    assert row["write_time"] >= 0 and row["buffers_written"] >= 0


def test_secrets_in_settings_are_masked(server, result):
    settings = {r["name"]: r for r in rows_of(result, "pg_settings")}
    assert settings["shared_buffers"]["setting"] == "4096"
    assert settings["password_encryption"]["setting"] != "********"
    assert "statement_timeout" not in settings  # ours, not the server's
    for name in SECRETS:
        assert settings[name]["setting"] == "********"


def test_io_times_are_unknown_without_track_io_timing(server, result):
    server.settings["track_io_timing"] = "off"
    server.write_settings()
    server.reload()
    server.wait_until("select setting = 'off' from pg_settings where name = 'track_io_timing'")
    try:
        off = probe(server)
        assert {r["blk_read_time"] for r in rows_of(off, "pg_stat_database")} == {None}
        assert {r["shared_blk_read_time"] for r in rows_of(off, "pg_stat_statements")} == {None}
        if server.major >= 16:
            assert {r["read_time"] for r in rows_of(off, "pg_stat_io") if r["object"] == "relation"} == {None}
    finally:
        server.settings["track_io_timing"] = "on"
        server.write_settings()
        server.reload()


def test_nobody_waits_behind_an_exclusive_lock(server, result):
    """field complaint 4: held by one session, awaited by another; sizes are then unknown, everything else is there."""
    holder, waiter = server.connect("app"), server.connect("app")
    holder.autocommit = False
    holder.cursor().execute("lock table shop.item in access share mode")
    waiting = threading.Thread(
        target=lambda: waiter.cursor().execute("begin; lock table shop.item; rollback"))
    holder_pid, waiter_pid = holder.info.backend_pid, waiter.info.backend_pid
    waiting.start()
    try:
        server.wait_until("select count(*) > 0 from pg_locks where not granted and mode = 'AccessExclusiveLock'")
        locked = probe(server)
    finally:
        holder.rollback()
        waiting.join()
        holder.close()
        waiter.close()
    for f in locked["families"].values():
        check_family(f, locked, server.major)
    (size,) = [r for r in rows_of(locked, "pg_table_size") if r["relname"] == "item"]
    assert size["table_bytes"] is None and size["pages_bytes"] > 0
    waits = [r for r in rows_of(locked, "pg_locks") if r["granted"] == "false"]
    assert [(w["datname"], w["mode"], w["count"]) for w in waits] == [("app", "AccessExclusiveLock", 1)]
    assert (waits[0]["max_wait_seconds"] is not None) == (server.major >= 14)
    (blocked,) = rows_there(locked, "pg_blocking")
    assert (blocked["datname"], blocked["locktype"], blocked["mode"]) == ("app", "relation", "AccessExclusiveLock")
    assert blocked["relation"] == "shop.item" and blocked["waiting"] == 1
    assert blocked["tree"] == f"{waiter_pid}<{holder_pid}"
    assert blocked["root_blockers"] == f"{holder_pid} postgres idle in transaction"
    assert blocked["root_transaction_seconds"] > 0
    assert (blocked["max_wait_seconds"] is not None) == (server.major >= 14)
    (size,) = [r for r in rows_of(result, "pg_table_size") if r["relname"] == "item"]
    assert size["table_bytes"] >= size["pages_bytes"] and size["index_bytes"] > 0
    assert server.log_errors() == []


def test_locks_are_not_read_while_nobody_waits(server, result):
    """pg_locks and pg_blocking_pids() stop the lock manager: without a waiter their part of the plan never runs."""
    plan = server.execute("explain (analyze, costs off, timing off) " + result["families"]["pg_blocking"]["sql"],
                          dbname="app", user="monitor")
    scans = [line for (line,) in plan if "Function Scan on pg_lock_status" in line]
    assert scans and all("(never executed)" in line for line in scans), plan


def test_the_oldest_snapshots_are_named(server):
    holder = server.connect("app")
    holder.autocommit = False
    try:
        cursor = holder.cursor()
        cursor.execute("set transaction isolation level repeatable read")
        cursor.execute("select count(*) from shop.item")
        holders = {r["kind"]: r for r in rows_of(probe(server), "xmin_holders")}
        session = holders["session"]
        assert (session["holder"], session["datname"]) == (str(holder.info.backend_pid), "app")
        assert session["holders"] == 1 and session["xmin_age"] >= 0 and session["held_seconds"] > 0
    finally:
        holder.rollback()
        holder.close()


def test_sequences_are_measured_where_the_role_may_read_them(server, result):
    def ticket(found):
        (row,) = [r for r in rows_of(found, "pg_sequences") if r["sequencename"] == "ticket_id_seq"]
        return row

    row = ticket(result)
    assert (row["used_share"], row["last_value"], row["max_value"]) == (None, None, 32767)
    assert row["owner_column"] == "ticket.id"
    server.execute("select setval('shop.ticket_id_seq', 16384);"  # other tests may have drawn numbers
                   "grant select on sequence shop.ticket_id_seq to monitor", dbname="app")
    row = ticket(probe(server))
    assert row["last_value"] == 16384 and row["used_share"] == pytest.approx(0.5, abs=0.001)
    assert server.log_errors() == []


def test_a_running_copy_and_create_index_are_shown(server):
    """They are held in the middle of their work: by a client that sends no more, and by a lock."""
    copying, blocker, building = server.connect("app"), server.connect("app"), server.connect("app")
    blocker.autocommit = False
    reader, writer = os.pipe()
    blocker.cursor().execute("update shop.ticket set note = ''; insert into shop.ticket (note) values ('new')")
    sender = threading.Thread(target=lambda: copying.cursor().copy_expert(
        "copy shop.item (id, name) from stdin where id % 2 = 0", os.fdopen(reader, "rb"), size=8192))
    builder = threading.Thread(
        target=lambda: building.cursor().execute("create index concurrently on shop.ticket (note)"))
    sender.start()
    builder.start()
    try:
        os.write(writer, b"".join(b"%d\tcopied\n" % i for i in range(10000, 14000)))
        server.wait_until("select count(*) = 1 from pg_stat_progress_create_index where phase like 'waiting for writers%' "
                          "and current_locker_pid <> 0")
        if server.major >= 14:
            server.wait_until("select count(*) = 1 from pg_stat_progress_copy where tuples_excluded > 0")
        shown = probe(server)
        (index,) = rows_there(shown, "pg_stat_progress_create_index")
        assert (index["datname"], index["relation"], index["nr"]) == ("app", "shop.ticket", "1")
        assert index["command"] == "CREATE INDEX CONCURRENTLY" and index["phase"].startswith("waiting for writers")
        assert index["current_locker_pid"] == str(blocker.info.backend_pid) and index["lockers_total"] == 1
        assert index["pid"] == str(building.info.backend_pid) and index["elapsed_seconds"] >= 0
        if server.major >= 14:
            (copy,) = rows_there(shown, "pg_stat_progress_copy")
            assert (copy["relation"], copy["command"], copy["type"]) == ("shop.item", "COPY FROM", "PIPE")
            assert copy["tuples_processed"] > 0 and copy["tuples_excluded"] > 0 and copy["bytes_processed"] > 8000
    finally:
        os.close(writer)
        blocker.rollback()
        sender.join()
        builder.join()
        for connection in (copying, blocker, building):
            connection.close()
    assert server.log_errors() == []


def test_idle_and_doubled_indexes_are_named(server, result):
    problems = {(r["indexrelname"], r["problem"]): r for r in rows_of(result, "index_problems") if r["relname"] == "item"}
    assert set(problems) == {("item_name", "unused"), ("item_name_again", "unused"), ("item_name_again", "duplicate")}
    assert problems[("item_name_again", "duplicate")]["detail"] == "item_name"
    assert problems[("item_name", "unused")]["pages_bytes"] > 0


def test_the_schema_is_told(server, result):
    (item,) = [r for r in rows_of(result, "schema_table") if r["relname"] == "item"]
    assert item["type"] == "table" and item["columns"] == 2 and item["options"] == "owner postgres"
    assert item["column_list"] == "id\tinteger not null\nname\ttext"
    assert item["constraint_list"] == "item_pkey\tprimary key (id)"
    indexes = {r["indexrelname"]: r for r in rows_of(result, "schema_index") if r["relname"] == "item"}
    assert indexes["item_pkey"]["definition"] == "primary key btree (id)"
    assert indexes["item_name"]["statement"] == "CREATE INDEX item_name ON shop.item USING btree (name)"
    assert {i["is_valid"] for i in indexes.values()} == {1}
    objects = {r["object"]: r for r in rows_of(result, "schema_object")}
    assert objects["twice(integer)"]["definition"].startswith("returns integer plpgsql ")
    (summary,) = rows_of(result, "schema_summary")
    assert summary["tables"] >= 3 and summary["tables_not_shown"] == 0
    assert server.log_errors() == []


def test_partitions_name_their_root(server):
    server.execute("create table shop.event (at int primary key, note text) partition by range (at); "
                   "create table shop.event_1 partition of shop.event for values from (0) to (100); "
                   "create index event_1_note on shop.event_1 (note)", dbname="app")
    try:
        found = probe(server)["families"]
        def rolled(family, **names):
            f = found[family]
            columns = [c["name"] for c in f["columns"]]
            return [row[len(columns):len(columns) + f["labels"]] for row in f["rows"]
                    if all(row[columns.index(n)] == v for n, v in names.items())]
        assert rolled("pg_stat_user_tables", relname="event_1") == [[None, "shop", "event"]]
        assert rolled("pg_stat_user_tables", relname="item") == [[None, None, None]]
        assert rolled("pg_table_size", relname="event_1") == [[None, "shop", "event"]]
        assert rolled("pg_stat_user_indexes", indexrelname="event_1_pkey") == [[None, "shop", "event", "event_pkey"]]
        assert rolled("pg_stat_user_indexes", indexrelname="event_1_note") == [
            [None, "shop", "event", "(of partitions only)"]]
    finally:
        server.execute("drop table shop.event", dbname="app")


def test_an_index_that_lost_its_rows_is_bloated(server):
    server.execute("create table shop.lost (id int, more int); insert into shop.lost select i, i "
                   "from generate_series(1, 40000) i; create unique index lost_id on shop.lost (id); "
                   "create unique index lost_both on shop.lost (id, more); "
                   "alter table shop.lost set (autovacuum_enabled = off); delete from shop.lost where id % 10 > 0",
                   dbname="app")
    server.execute("vacuum analyze shop.lost", dbname="app")
    try:
        found = probe(server)
        bloat = {r["indexrelname"]: r for r in rows_of(found, "index_bloat")}
        assert bloat["lost_id"]["confidence"] == "medium"  # of a fixed width, which needs no statistics
        assert bloat["lost_id"]["bloat_share"] == pytest.approx(0.9, abs=0.05)
        problems = {(r["indexrelname"], r["problem"]): r for r in rows_of(found, "index_problems")}
        assert ("lost_id", "prefix") not in problems  # it is unique: something needs it
        server.execute("drop index shop.lost_id; create index lost_id on shop.lost (id)", dbname="app")
        problems = {(r["indexrelname"], r["problem"]): r for r in rows_of(probe(server), "index_problems")}
        assert problems[("lost_id", "prefix")]["detail"] == "lost_both"
        server.execute("reindex index shop.lost_both", dbname="app")
        assert "lost_both" not in {r["indexrelname"] for r in rows_of(probe(server), "index_bloat")
                                   if r["bloat_share"] > 0.1}
    finally:
        server.execute("drop table shop.lost", dbname="app")


def test_what_the_collector_touches_is_nothing_of_the_users(server, result):
    parts_read = {r["part"]: r for r in rows_of(result, "collector_footprint")}
    assert parts_read["system tables"]["idx_scan"] > 0
    assert {parts_read["user tables"][c] for c in ("seq_scan", "seq_tup_read", "n_tup_ins", "n_tup_upd")} == {0}


def test_the_control_file_is_read(server, result):
    (control,) = rows_of(result, "pg_control")
    assert control["timeline"] == 1 and control["system_identifier"] == result["system_identifier"]
    assert control["checkpoint_age_seconds"] >= 0 and control["redo_bytes"] > 0


def test_tables_that_are_due_are_counted(server, result):
    (need,) = rows_of(result, "vacuum_need")
    assert need["datname"] == "app" and need["vacuum_due"] == 1 and need["disabled"] == 1
    assert need["most_overdue"] == "shop.stale" and need["dead_rows"] >= 15000 and need["max_vacuum_share"] > 1
    assert (need["insert_due"] is not None) == (server.major >= 13)
    (settings,) = rows_of(result, "autovacuum")
    assert settings["enabled"] == 1 and settings["max_workers"] == 3 and settings["work_mem_bytes"] == 64 << 20
    pages = 200 / {True: 10, False: 2}[server.major < 14]  # pages read for one pause
    assert settings["max_read_bytes_per_second"] == pages * 8192 * 1000 / settings["cost_delay"]


def test_bloat_says_how_sure_it_is(server, result):
    def stale(found):
        (row,) = [r for r in rows_of(found, "table_bloat") if r["relname"] == "stale"]
        return row

    low = stale(result)
    assert low["confidence"] == "low" and low["bloat_share"] == pytest.approx(0.75, abs=0.01)
    medium = stale(probe(server, user="postgres"))
    assert medium["confidence"] == "medium" and medium["bloat_share"] == pytest.approx(0.75, abs=0.05)


def test_functions_are_counted(server, result):
    (function,) = [r for r in rows_there(result, "pg_stat_user_functions") if r["schemaname"] == "shop"]
    assert (function["funcname"], function["calls"]) == ("twice(n integer)", 1)
    assert function["total_time"] >= function["self_time"] >= 0


def test_sessions_are_grouped_by_client(server, result):
    mine = [r for r in rows_of(result, "pg_stat_activity_clients") if r["usename"] == "monitor"]
    assert [(m["datname"], m["client_addr"], m["encryption"], m["sessions"]) for m in mine] == [("app", "", "none", 1)]


def test_prepared_transactions_are_counted(server):
    server.execute("begin; insert into shop.ticket (note) values (''); prepare transaction 'left behind'", dbname="app")
    try:
        found = probe(server)
        (row,) = rows_there(found, "pg_prepared_xacts")
        assert (row["datname"], row["owner"], row["count"], row["oldest"]) == ("app", "postgres", 1, "left behind")
        (holder,) = [r for r in rows_of(found, "xmin_holders") if r["kind"] == "prepared transaction"]
        assert holder["holder"] == "left behind"
    finally:
        server.execute("rollback prepared 'left behind'", dbname="app")


def test_publication_and_subscription(server):
    server.execute("create publication news for table shop.item", dbname="app")
    server.execute("select pg_create_logical_replication_slot('news_slot', 'pgoutput')", dbname="app")
    server.execute("create database mirror")
    server.execute("create schema shop", dbname="mirror")
    server.execute("create table shop.item (id int primary key, name text)", dbname="mirror")
    server.execute(f"create subscription readers connection '{server.dsn('app')}' publication news "
                   "with (create_slot = false, slot_name = news_slot)", dbname="mirror")
    try:
        server.wait_until("select bool_and(srsubstate = 'r') from pg_subscription_rel", dbname="mirror")
        server.wait_until("select bool_and(received_lsn is not null) from pg_stat_subscription where pid is not null")
        there, here = probe(server, dbname="mirror"), probe(server)
        (subscription,) = rows_there(there, "pg_stat_subscription")
        assert subscription["subname"] == "readers" and subscription["apply_workers"] == 1
        assert subscription["received_bytes"] > 0 and subscription["last_msg_receipt_time"] > 1.7e9
        if server.major >= 14:
            assert subscription["datname"] == "mirror" and subscription["enabled"] == 1
        if server.major >= 17:
            assert subscription["worker_types"] == "apply"
        assert rows_there(there, "pg_subscription_rel") == [
            {"datname": "mirror", "subname": "readers", "state": "ready", "tables": 1}]
        (publication,) = rows_of(here, "pg_publication")
        assert (publication["pubname"], publication["tables"], publication["all_tables"]) == ("news", 1, 0)
        assert publication["operations"] == "insert, update, delete, truncate"
        if server.major >= 15:
            (stats,) = rows_there(there, "pg_stat_subscription_stats")
            assert (stats["apply_error_count"], stats["sync_error_count"]) == (0, 0)
    finally:
        server.execute("alter subscription readers disable", dbname="mirror")
        server.execute("alter subscription readers set (slot_name = none)", dbname="mirror")
        server.execute("drop subscription readers", dbname="mirror")
        server.wait_until("select bool_and(not active) from pg_replication_slots where slot_name = 'news_slot'")
        server.execute("select pg_drop_replication_slot('news_slot')")
        server.execute("drop publication news", dbname="app")
        server.execute("drop database mirror")
        server.mark_log()  # a worker that is told to end says so as FATAL


def test_what_only_superusers_see(server):
    found = probe(server, user="postgres")
    for f in found["families"].values():
        check_family(f, found, server.major)
    rules = {(r["type"], r["auth_method"]): r for r in rows_of(found, "pg_hba_file_rules")}
    assert rules[("local", "trust")]["rules"] >= 1 and rules[("local", "trust")]["errors"] == 0
    server.execute("select pg_replication_origin_create('elsewhere')", dbname="app")
    server.execute("select pg_replication_origin_advance('elsewhere', '0/1234')", dbname="app")
    (origin,) = rows_of(probe(server, user="postgres"), "pg_replication_origin_status")
    server.execute("select pg_replication_origin_drop('elsewhere')", dbname="app")
    assert origin["external_id"] == "elsewhere" and origin["remote_bytes"] == 0x1234
    assert server.log_errors() == []


def test_extensions_of_others():
    """Debian packages them for its own server only."""
    major = 15
    try:
        bindir = parts.root("postgres_15") / "usr/lib/postgresql/15/bin"
    except Unavailable as missing:
        pytest.skip(str(missing))
    settings = {**MONITORED_SETTINGS, "pg_qualstats.sample_rate": "1", "pg_wait_sampling.profile_period": "1",
                "shared_preload_libraries": ", ".join(["pg_stat_statements", *THIRD_PARTY.values()])}
    with PgServer(major, settings=settings, bindir=bindir) as server:
        server.execute("create database app")
        monitoring_setup(server, "app")
        for extension in THIRD_PARTY.values():
            server.execute(f"create extension {extension}", dbname="app")
        server.execute("create table item (id int); insert into item select generate_series(1, 1000)", dbname="app")
        server.execute("select count(*) from item where id = 5", dbname="app")
        server.wait_until("select count(*) > 0 from pg_wait_sampling_profile", dbname="app")
        found = probe(server)
        for name in THIRD_PARTY:
            f = found["families"][name]
            assert f.get("error", "absent") is None and f["rows"], f
            keys = [tuple(row[:f["labels"]]) for row in f["rows"]]
            assert len(keys) == len(set(keys)) and all(None not in key for key in keys)
        (qualifier,) = [r for r in rows_of(found, "pg_qualstats") if r["attribute"] == "id"]
        assert (qualifier["relation"], qualifier["nbfiltered"]) == ("public.item", 999)
        assert any(r["user_time"] > 0 for r in rows_of(found, "pg_stat_kcache"))
        assert server.log_errors() == []


def test_no_extension_and_no_preloading_are_named(server):
    families = probe(server, dbname="template1")["families"]
    assert "create extension pg_stat_statements" in families["pg_stat_statements"]["absent"]
    assert "create extension pg_stat_statements" in families["statement_text"]["absent"]
    assert server.log_errors() == []


def test_standby(server):
    """field complaint 20: every family on a streaming standby, and the primary's view of it."""
    server.execute("select pg_create_physical_replication_slot('standby_slot')")
    with_slot = {"primary_slot_name": "standby_slot", "hot_standby_feedback": "on"}
    standby = server.make_standby(settings=with_slot)
    try:
        server.mark_log()
        standby.start()
        server.wait_until("select count(*) = 1 from pg_stat_replication where state = 'streaming'")
        server.execute("insert into shop.item select i, '' from generate_series(5001, 6000) i", dbname="app")
        server.wait_until("select replay_lsn = pg_current_wal_lsn() from pg_stat_replication")
        standby.mark_log()

        there = probe(standby)
        assert there["in_recovery"]
        for f in there["families"].values():
            check_family(f, there, server.major, standby=True)
        (receiver,) = rows_of(there, "pg_stat_wal_receiver")
        assert receiver["status"] == "streaming" and receiver["received_bytes"] > receiver["receive_start_bytes"] > 0
        assert receiver["receive_start_tli"] == 1 and receiver.get("unflushed_bytes", 0) == 0
        (wal,) = rows_of(there, "pg_wal")
        assert wal["wal_bytes_written"] > 0 and wal["replay_paused"] == 0
        assert wal["receive_replay_lag_bytes"] == 0 and wal["replay_lag_seconds"] == 0  # idle is not lag

        here = probe(server)
        (replica,) = rows_there(here, "pg_stat_replication")
        assert (replica["application_name"], replica["slot_name"]) == ("standby", "standby_slot")
        assert replica["state"] == "streaming" and replica["connections"] == 1
        assert replica["replay_lag_bytes"] is not None
        (slot,) = rows_there(here, "pg_replication_slots")
        assert slot["slot_name"] == "standby_slot" and slot["active"] == 1 and slot["retained_bytes"] is not None
        assert standby.log_errors() == []
        assert server.log_errors() == []
    finally:
        standby.remove()
        server.wait_until("select not active from pg_replication_slots where slot_name = 'standby_slot'")
        server.execute("select pg_drop_replication_slot('standby_slot')")  # its xmin would hold up every vacuum
        server.execute("delete from shop.item where id > 5000", dbname="app")
