# SPDX-License-Identifier: PostgreSQL
"""The store: migrations, tables, roles, retention, and that what is pushed is stored once, whatever happens."""
import contextlib
import datetime
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
import uuid

import pytest

import store as support
from pgserver import PgServer, Unavailable
from store import ROOT, DriverError, Pusher, Store, body, drive, frame, iso
from wait import eventually, patience

UTC = datetime.timezone.utc
COMMITS = ["datname", "xact_commit"]


def now():
    return datetime.datetime.now(UTC).replace(microsecond=0)


def ago(**difference):
    return now() - datetime.timedelta(**difference)


# --- migrations -------------------------------------------------------------------------------------------------------


def test_migrating_twice_changes_nothing(store):
    before = store.sql("select number, checksum, applied_at from pganalytics.migration order by number")
    tables = store.one("select count(*) from pg_class")
    store.migrate()
    assert store.sql("select number, checksum, applied_at from pganalytics.migration order by number") == before
    assert store.one("select count(*) from pg_class") == tables
    assert [number for number, _, _ in before] == list(range(1, len(before) + 1))


def test_backends_that_migrate_at_once_do_not_disturb_each_other(server):
    store = Store(server, migrate=False)
    faults = []

    def migrate():
        try:
            store.migrate()
        except Exception as fault:  # pylint: disable=broad-except
            faults.append(fault)

    threads = [threading.Thread(target=migrate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    files = list((ROOT / "backend" / "migrations").glob("*.sql"))
    assert store.one("select count(*) from pganalytics.migration") == len(files)


def test_a_migration_that_was_changed_is_refused(store):
    store.sql("update pganalytics.migration set checksum = 'other' where number = 2")
    with pytest.raises(DriverError, match="0002_.*was changed after it was applied"):
        store.migrate()


def test_a_store_of_a_newer_version_is_refused(store):
    store.sql("insert into pganalytics.migration (number, name, checksum) values (9999, '9999_x.sql', '')")
    with pytest.raises(DriverError, match="9999_x.sql"):
        store.migrate()


def test_a_function_that_differs_is_made_anew(store):
    store.sql("create or replace function pganalytics.partition_name(p_table name, p_day date) returns text "
              "language sql as $$ select 'wrong' $$")
    store.sql("update pganalytics.repeatable set checksum = 'other' where name = 'partitions.sql'")
    store.migrate()
    assert store.one("select pganalytics.partition_name('t', '2026-02-03')") == "p20260203_t"


def test_a_server_older_than_13_is_refused():
    try:
        server = PgServer(12)
    except Unavailable as reason:
        pytest.skip(str(reason))
    with server:
        with pytest.raises(DriverError, match="PostgreSQL 12.* 13 or newer"):
            Store(server)


@pytest.mark.parametrize("major", (13, 18))
def test_the_oldest_and_the_newest_server_can_be_the_store(major):
    try:
        server = PgServer(major)
    except Unavailable as reason:
        pytest.skip(str(reason))
    with server:
        store = Store(server)
        collector = store.add_collector()
        [answer] = store.push(body(collector, [frame("pg_stat_database", ago(minutes=1), COMMITS, [["app", 5]])]))
        assert answer["accepted"]["rows"] == 1
        store.maintain(now() + datetime.timedelta(days=40))
        assert store.one("select count(*) from metric.pg_stat_database") == 0


def test_an_absent_server_is_told_as_such():
    with pytest.raises(DriverError) as failure:
        drive("migrate", "host=/nonexistent user=x dbname=x")
    assert failure.value.slug in ("connect_failed", "unavailable")


def queries():
    return sorted(path for path in (ROOT / "backend" / "queries").glob("*.sql"))


@pytest.mark.parametrize("path", queries(), ids=lambda path: path.stem)
def test_every_query_can_be_prepared(template, path):
    template.sql("set search_path = pg_catalog; prepare q as " + path.read_text())


def test_every_query_is_listed_and_every_listed_one_is_there():
    listed = (ROOT / "backend" / "queries" / "queries.cmake").read_text()
    names = [line.strip() for line in listed.splitlines() if line.strip().endswith(".sql")]
    assert names == [path.name for path in queries()]


# --- tables -----------------------------------------------------------------------------------------------------------


def test_a_column_that_is_missing_is_added_and_the_view_renewed(store):
    store.sql("drop view metric_view.pg_stat_database; alter table metric.pg_stat_database drop column deadlocks")
    store.migrate()
    assert store.one("select data_type from information_schema.columns where table_schema = 'metric' "
                     "and table_name = 'pg_stat_database' and column_name = 'deadlocks'") == "bigint"
    assert store.sql("select datname, deadlocks from metric_view.pg_stat_database") == []


def test_a_column_of_another_type_is_refused(store):
    store.sql("update pganalytics.family_columns set type = 'text' where family = 'pg_stat_database' and name = 'deadlocks'")
    with pytest.raises(DriverError, match="deadlocks of family pg_stat_database has type text"):
        store.migrate()


def test_dashboards_read_metrics_and_nothing_else(store):
    collector = store.add_collector()
    store.push(body(collector, [frame("pg_stat_database", ago(minutes=1), COMMITS, [["app", 5]])]))
    for relation in ("metrics", "metric.pg_stat_database", "metric_view.pg_stat_database"):
        assert store.sql(f"set role grafana_user; select * from {relation}"), relation
    hidden = store.sql("select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace "
                       "where n.nspname in ('pganalytics', 'metric_partition') and c.relkind in ('r', 'p') "
                       "and has_table_privilege('grafana_user', c.oid, 'select')")
    assert hidden == []
    with pytest.raises(Exception, match="permission denied"):
        store.sql("set role grafana_user; select * from pganalytics.users")
    with pytest.raises(Exception, match="permission denied"):
        store.sql("set role grafana_user; insert into metric.custom values (now(), 1, 1, 1, 1)")


# --- what is pushed ---------------------------------------------------------------------------------------------------


def test_an_empty_push_is_taken_and_the_collector_seen(store):
    collector = store.add_collector()
    [answer] = store.push({"collector_id": collector, "metrics": []})
    assert answer["accepted"] == {"rows": 0, "values": 0} and answer["rejected"] == []
    assert store.one("select last_seen > now() - interval '1 minute' from pganalytics.collectors where collector_id = %s",
                     collector)


def test_values_keep_their_types_and_labels_their_characters(store):
    collector = store.add_collector()
    name = 'a "quoted" \\ näme\t漢'
    big = 2**63 - 1
    store.push(body(collector, [frame("pg_stat_database", ago(minutes=1), ["datname", "xact_commit", "session_time"],
                                      [[name, big, 0.1], [None, None, 3]])]))
    rows = store.sql("select datname, xact_commit, session_time from metric_view.pg_stat_database order by datname")
    assert rows == [(name, big, 0.1), (None, None, 3.0)]


def test_simple_metrics_go_to_custom_with_their_labels(store):
    collector = store.add_collector()
    metrics = [{"name": "queue.length", "value": 1.5, "time": iso(ago(seconds=5)), "labels": {"queue": "mail"}},
               {"name": "queue.length", "value": 2, "labels": {"queue": "mail", "server": "main"}},
               {"name": "x", "value": 1, "labels": {"name": "y"}}]
    [answer] = store.push(body(collector, metrics=metrics))
    assert answer["accepted"]["rows"] == 2
    assert answer["rejected"] == [{"family": "custom", "rows": 1,
                                   "reason": 'the label "name" is taken by the metric\'s own name'}]
    rows = store.sql("select metric_name, labels, value from metrics where collector_id = %s order by value", collector)
    assert rows == [("queue.length", {"queue": "mail"}, 1.5), ("queue.length", {"queue": "mail", "server": "main"}, 2.0)]
    assert store.one("select count(*) from metric.custom where server_id = %s", store.server_id(collector)) == 1


@pytest.mark.parametrize("columns, rows, reason", [
    (COMMITS, [["app", "many"]], "column xact_commit holds text where a number belongs (row 0)"),
    (COMMITS, [["app", 1], ["app", 1.5]], "column xact_commit holds a fraction"),
    (COMMITS, [["app", -1]], "column xact_commit is a counter and holds a negative increase"),
    (COMMITS, [[7, 1]], "column datname holds a number where text belongs"),
    (COMMITS, [["x" * 1025, 1]], "column datname is a label and longer than 1024 bytes"),
    (["nothing", "known"], [["app", 1]], "none of its columns is known"),
])
def test_what_does_not_fit_is_refused_with_the_reason_and_harms_nothing_else(store, columns, rows, reason):
    collector = store.add_collector()
    [answer] = store.push(body(collector, [frame("pg_stat_database", ago(minutes=1), columns, rows),
                                           frame("pg_stat_wal", ago(minutes=1), ["wal_bytes"], [[7]])]))
    assert answer["accepted"]["rows"] == 1
    assert any(reason in rejected["reason"] and rejected["family"] == "pg_stat_database" for rejected in answer["rejected"])
    assert store.one("select count(*) from metric.pg_stat_database") == 0
    assert store.one("select sum(wal_bytes) from metric.pg_stat_wal") == 7


def test_unknown_families_and_columns_are_named(store):
    collector = store.add_collector()
    [answer] = store.push(body(collector, [frame("from_the_future", ago(minutes=1), ["a"], [[1], [2]]),
                                           frame("pg_stat_database", ago(minutes=1), COMMITS + ["new"], [["app", 1, 2]])]))
    assert answer["accepted"] == {"rows": 1, "values": 1}
    assert answer["rejected"] == [
        {"family": "from_the_future", "reason": "the family is not known", "rows": 2},
        {"family": "pg_stat_database", "reason": "column new is not known: its values were left out", "rows": 1}]


def test_times_beyond_retention_or_in_the_future_are_refused_and_late_ones_kept(store):
    collector = store.add_collector()
    frames = [frame("pg_stat_database", time, COMMITS, [["app", 1]])
              for time in (ago(days=15), ago(days=13), ago(days=-1), ago(minutes=-50))]
    [answer] = store.push(body(collector, frames))
    assert answer["accepted"]["rows"] == 2
    assert sorted((rejected["rows"], rejected["reason"][:10]) for rejected in answer["rejected"]) == [
        (1, "older than"), (1, "too far in")]
    assert store.one("select count(*) from metric.pg_stat_database") == 2


def test_a_collector_that_is_not_registered_is_refused(store):
    [answer] = store.push(body(str(uuid.uuid4()), [frame("pg_stat_wal", ago(minutes=1), ["wal_bytes"], [[7]])],
                               spool="s", sequence=1))
    assert answer["error"] == "unprocessable" and "not registered" in answer["message"]


def test_a_store_that_is_out_of_order_makes_collectors_keep_what_they_have(store):
    """They give up what is unprocessable. A table that is away, or a lost grant, is no fault of the push."""
    collector = store.add_collector()
    push = body(collector, [frame("pg_stat_wal", ago(minutes=1), ["wal_bytes"], [[7]])], spool="s", sequence=1)
    with Pusher(store) as pusher:
        store.sql("alter table metric.pg_stat_wal rename to mislaid")
        assert pusher.send(push)["error"] == "internal"
        store.sql("alter table metric.mislaid rename to pg_stat_wal")
        assert pusher.send(push)["accepted"]["rows"] == 1


def test_one_bad_push_in_a_group_harms_no_other(store):
    collectors = [store.add_collector(f"c{i}") for i in range(10)]
    stranger = str(uuid.uuid4())
    bodies = [body(c, [frame("pg_stat_wal", ago(minutes=1), ["wal_bytes"], [[1]])], spool="s", sequence=1)
              for c in collectors[:5] + [stranger] + collectors[5:]]
    with Pusher(store) as pusher:
        answers = pusher.send_all(bodies)
    assert [i for i, answer in enumerate(answers) if "error" in answer] == [5]
    assert store.one("select count(*), sum(wal_bytes) from metric.pg_stat_wal") == 10


def test_servers_are_told_apart_and_their_state_kept(store):
    collector = store.add_collector()
    store.push(body(collector, spool="s", sequence=1, system_identifier="7", postmaster_start="2026-01-02T03:04:05Z"),
               body(collector, spool="s", sequence=2, reachable=False, error="no route"),
               body(collector, server="other"))
    rows = store.sql("select name, system_identifier, reachable, error, postmaster_start from pganalytics.servers "
                     "order by server_id")
    assert rows == [("main", "7", False, "no route", datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
                    ("other", None, True, None, None)]
    documents = store.query("servers", 10, None)["servers"]
    assert [(d["name"], d["status"], d["version"]) for d in documents] == [("main", "unreachable", "15.20"),
                                                                           ("other", "up", "15.20")]
    page = store.query("servers", 1, None)
    assert [d["name"] for d in page["servers"]] == ["main"]
    page = store.query("servers", 1, page["next_cursor"])
    assert [d["name"] for d in page["servers"]] == ["other"] and page["next_cursor"] is None


def test_texts_of_statements_are_stored_once(store):
    collector = store.add_collector()
    rows = [["1", "select 1"], ["2", "select $1"]]
    frames = [frame("statement_text", ago(minutes=1), ["queryid", "query"], rows),
              frame("pg_stat_statements", ago(minutes=1),
                    ["queryid", "datname", "usename", "toplevel", "calls", "total_exec_time"],
                    [["1", "app", "u", "true", 10, 5.0], ["2", "app", "u", "true", 1, 15.0]])]
    store.push(body(collector, frames), body(collector, [dict(frames[0], server="other")], server="other"))
    assert store.one("select count(*) from pganalytics.statement") == 2
    assert store.one("select count(*) from pganalytics.statement_text") == 4
    server = store.server_id(collector)
    document = store.query("statements", server, iso(ago(hours=1)), iso(now()), "total_exec_time", 10, None, None)
    assert [(s["query"], s["calls"], s["mean_exec_time"], s["share"]) for s in document["statements"]] == [
        ("select $1", 1, 15.0, 0.75), ("select 1", 10, 0.5, 0.25)]
    assert document["total"] == {"calls": 11, "total_exec_time": 20.0}
    document = store.query("statements", server, iso(ago(hours=1)), iso(now()), "calls", 1, "app", "SELECT 1")
    assert [s["queryid"] for s in document["statements"]] == ["1"]
    assert document["statements"][0]["toplevel"] is True
    with pytest.raises(DriverError, match="none of the numbers") as failure:
        store.query("statements", server, iso(ago(hours=1)), iso(now()), "drop table", 1, None, None)
    assert failure.value.slug == "parameter_invalid"
    assert store.query("statements", 999, iso(ago(hours=1)), iso(now()), "calls", 1, None, None) is None


# --- once, and nothing lost -------------------------------------------------------------------------------------------


def push_of(collector, sequence, spool="s"):
    """Sequence n carries the increase 2**(n % 40): a sum tells which were stored, and how often."""
    return body(collector, [frame("pg_stat_wal", ago(minutes=30) + datetime.timedelta(seconds=sequence), ["wal_bytes"],
                                  [[2 ** (sequence % 40)]], interval_s=1)], spool=spool, sequence=sequence)


def sums(store, collector):
    return store.sql("select count(*)::int, sum(t.wal_bytes)::bigint from metric.pg_stat_wal t "
                     "join pganalytics.servers s on s.server_id = t.server_id where s.collector_id = %s", collector)[0]


def expected(count):
    return (count, sum(2 ** (sequence % 40) for sequence in range(1, count + 1)))


def test_a_push_sent_again_is_a_duplicate(store):
    collector = store.add_collector()
    answers = store.push(*(push_of(collector, n) for n in (1, 2, 2, 1, 3)))
    assert [answer["duplicate"] for answer in answers] == [False, False, True, True, False]
    assert [answer["accepted"]["rows"] for answer in answers] == [1, 1, 0, 0, 1]
    assert sums(store, collector) == expected(3)
    [answer] = store.push(push_of(collector, 1, spool="another"))
    assert not answer["duplicate"]


def test_sequences_that_were_skipped_are_counted(store):
    collector = store.add_collector()
    store.push(push_of(collector, 1), push_of(collector, 5), push_of(collector, 6))
    assert store.sql("select sequence, missing from pganalytics.ingest_position where collector_id = %s",
                     collector) == [(6, 3)]


def test_the_same_pushes_through_two_backends_at_once_are_stored_once(store):
    collector = store.add_collector()
    count = 60
    with Pusher(store) as one, Pusher(store) as two:
        for sequence in range(1, count + 1):
            numbers = [(p, p.begin(push_of(collector, sequence))) for p in (one, two)]
            answers = [p.wait(number) for p, number in numbers]
            assert sorted(answer["duplicate"] for answer in answers) == [False, True], answers
    assert sums(store, collector) == expected(count)


def test_a_group_in_any_order_is_stored_in_the_order_of_its_sequences(store):
    collector = store.add_collector()
    with Pusher(store) as pusher:
        pusher.send(push_of(collector, 1))
        blocker = store.server.connect(dbname=store.database)
        blocker.autocommit = False
        with blocker.cursor() as cursor:  # the writer waits here while the others queue up
            cursor.execute("lock table pganalytics.ingest_position in exclusive mode")
        first = [pusher.begin(push_of(collector, 1, spool="another"))]
        eventually(lambda: 1 == store.one(
            "select count(*) from pg_locks where relation = 'pganalytics.ingest_position'::regclass and not granted"))
        numbers = [pusher.begin(push_of(collector, n)) for n in (4, 2, 3)]
        assert "error" in pusher.send({})  # answered at once: those before it are in the queue
        blocker.close()
        answers = [pusher.wait(number) for number in first + numbers]
    assert not any(answer["duplicate"] for answer in answers)
    assert sums(store, collector) == (5, expected(4)[1] + 2)


def test_pushes_of_a_collector_that_are_under_way_at_once_keep_their_order(store):
    collectors = [store.add_collector(f"c{i}") for i in range(6)]
    count = 100
    with Pusher(store) as pusher:
        answers = pusher.send_all([push_of(c, n) for n in range(1, count + 1) for c in collectors])
    assert not any(answer["duplicate"] for answer in answers)
    for collector in collectors:
        assert sums(store, collector) == expected(count)


def test_rows_and_position_are_written_together_or_not_at_all(store):
    collector = store.add_collector()
    store.sql("create function pganalytics.fail() returns trigger language plpgsql as "
              "$$ begin if new.sequence = 2 then raise 'no'; end if; return new; end $$; "
              "create trigger fail before update on pganalytics.ingest_position for each row execute function pganalytics.fail()")
    answers = store.push(push_of(collector, 1), push_of(collector, 2))
    assert "error" not in answers[0] and answers[1]["error"] == "internal"
    assert sums(store, collector) == expected(1)
    store.sql("drop trigger fail on pganalytics.ingest_position")
    answers = store.push(push_of(collector, 2), push_of(collector, 2))
    assert [answer["duplicate"] for answer in answers] == [False, True]
    assert sums(store, collector) == expected(2)


def test_the_store_killed_under_load_loses_nothing_and_repeats_nothing():
    with PgServer(15, settings={"fsync": "off"}) as server:
        store = Store(server)
        collectors = [store.add_collector(f"c{i}") for i in range(8)]
        count = 150
        unavailable = 0
        with Pusher(store) as pusher:
            done = {collector: 0 for collector in collectors}
            flying = {}
            kills = {200, 500, 800}
            acknowledged = 0
            while any(n < count for n in done.values()):
                if acknowledged in kills:
                    server.pause()  # so that nothing of what begins now is written before the kill
                for collector in collectors:
                    if collector not in flying and done[collector] < count:
                        flying[collector] = pusher.begin(push_of(collector, done[collector] + 1))
                if acknowledged in kills:
                    kills.remove(acknowledged)
                    server.kill()
                    server.start()
                for collector, number in list(flying.items()):
                    answer = pusher.wait(number)
                    del flying[collector]
                    if "error" in answer:
                        assert answer["error"] in ("unavailable", "connect_failed"), answer
                        unavailable += 1
                    else:
                        done[collector] += 1
                        acknowledged += 1
                        if acknowledged in kills:
                            break
        assert not kills and unavailable > 0
        for collector in collectors:
            assert sums(store, collector) == expected(count)
        assert store.one("select sum(missing) from pganalytics.ingest_position") == 0


def test_a_push_is_answered_while_the_store_is_away_and_taken_when_it_is_back():
    with PgServer(15) as server:
        store = Store(server)
        collector = store.add_collector()
        with Pusher(store) as pusher:
            assert pusher.send(push_of(collector, 1))["accepted"]["rows"] == 1
            server.stop("immediate")
            assert pusher.send(push_of(collector, 2))["error"] == "unavailable"
            server.start()
            eventually(lambda: "error" not in pusher.send(push_of(collector, 2)))
        assert sums(store, collector) == expected(2)


# --- retention --------------------------------------------------------------------------------------------------------


def partitions(store, table):
    return [row[0] for row in store.sql("select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid "
                                        "where i.inhparent = %s::regclass order by 1", table)]


def days_of(store, table):
    return {name[:len("pYYYYMMDD")] for name in partitions(store, table)}


def day_of(time):
    return f"p{time:%Y%m%d}"


def test_partitions_are_made_ahead_and_dropped_whole(store):
    """The day may change at any line: all is counted from one moment, and what is there before is looked at."""
    moment = now()
    old, fresh = moment - datetime.timedelta(days=3), moment - datetime.timedelta(minutes=1)
    ahead = days_of(store, "metric.pg_stat_wal")
    assert len(ahead) == 3, "the day of the migration and two more"
    store.push(body(store.add_collector(), [frame("pg_stat_wal", time, ["wal_bytes"], [[1]]) for time in (old, fresh)]))
    assert days_of(store, "metric.pg_stat_wal") == ahead | {day_of(old), day_of(fresh)}
    later = moment + datetime.timedelta(days=13)
    store.maintain(later)
    for table in ("metric.pg_stat_wal", "pganalytics.reading", "metric.custom"):
        days = days_of(store, table)
        assert day_of(old) not in days, table
        assert {day_of(moment), day_of(later), day_of(later + datetime.timedelta(days=2))} <= days, table
    assert store.one("select count(*) from metric.pg_stat_wal") == 1
    store.maintain(moment + datetime.timedelta(days=60))
    assert store.one("select count(*) from metric.pg_stat_wal") == 0
    assert store.one("select count(*) from pganalytics.reading") == 0
    assert store.one("select count(*) from pganalytics.series") == 0, "series that nobody sent are forgotten"


def test_credentials_are_forgotten_a_while_after_they_ended(store):
    collector = store.add_collector()
    store.sql("insert into pganalytics.users (user_id, login, password_hash, role) values (gen_random_uuid(), 'u', '', 'viewer')")
    for days in (-1, 5):
        store.sql("insert into pganalytics.sessions (session_id, chain_id, user_id, token_hash, expires_at) "
                  "select gen_random_uuid(), gen_random_uuid(), user_id, decode(md5((%s)::text), 'hex'), now() + (%s) * interval '1 day' "
                  "from pganalytics.users", days, days)
        store.sql("insert into pganalytics.collector_tokens (token_id, collector_id, expires_at) "
                  "values (gen_random_uuid(), %s, now() + (%s) * interval '1 day')", collector, days)
        store.sql("insert into pganalytics.certificates (serial, collector_id, expires_at) "
                  "values (%s, %s, now() + (%s) * interval '1 day')", str(days), collector, days)
    left = "select count(*) from pganalytics."
    tables = ("sessions", "collector_tokens", "certificates")
    store.maintain(now())
    assert [store.one(left + table) for table in tables] == [2, 2, 2], "for a while they can be looked into"
    store.maintain(now() + datetime.timedelta(days=16))
    assert [store.one(left + table) for table in tables] == [1, 1, 1]


def test_a_partition_that_is_being_read_is_left_for_the_next_round(store):
    collector = store.add_collector()
    store.push(body(collector, [frame("pg_stat_wal", ago(days=3), ["wal_bytes"], [[1]])]))
    reader = store.server.connect(dbname=store.database)
    reader.autocommit = False
    with reader.cursor() as cursor:
        cursor.execute("select * from metric.pg_stat_wal")
        store.maintain(now() + datetime.timedelta(days=13))
        assert len(partitions(store, "metric.pg_stat_wal")) > 3
    reader.close()
    store.maintain(now() + datetime.timedelta(days=13))
    assert store.one("select count(*) from metric.pg_stat_wal") == 0


def test_a_day_that_another_backend_dropped_is_made_again(store):
    collector = store.add_collector()
    with Pusher(store) as pusher:
        time = ago(days=3)
        late = frame("pg_stat_wal", time, ["wal_bytes"], [[1]])
        assert pusher.send(body(collector, [late]))["accepted"]["rows"] == 1
        store.sql(f"drop table metric_partition.{day_of(time)}_pg_stat_wal")
        assert pusher.send(body(collector, [late]))["accepted"]["rows"] == 1


# --- the relation for people ------------------------------------------------------------------------------------------


def test_the_newest_metrics_of_a_collector_come_at_once_from_months_of_data(server):
    store = Store(server)
    collector, moment = store.add_collector(), now()
    store.push(body(collector, [frame("pg_stat_database", moment - datetime.timedelta(minutes=1), COMMITS, [["app", 5], ["web", 6]]),
                                *(frame("pg_stat_wal", moment - datetime.timedelta(minutes=2 + n), ["wal_bytes"], [[7 + n]])
                                  for n in range(10))]))
    today = moment.date()
    store.sql("select pganalytics.make_partitions('pganalytics', 'reading', %s::date - 90, %s), "
              "pganalytics.make_partitions('metric', 'pg_stat_wal', %s::date - 90, %s)", today, today, today, today)
    store.sql("insert into pganalytics.reading select t, s, 60000, c.collector_id, 1, f.family_id, false, false "
              "from generate_series(%s - interval '89 days', %s - interval '1 hour', interval '10 minutes') t, "
              "generate_series(1000, 1003) s, pganalytics.collectors c, pganalytics.families f where f.family like 'pg_stat_%%'",
              moment, moment)
    store.sql("analyze pganalytics.reading")
    pages = store.one("select sum(relpages) from pg_class where relname like 'p%%_reading' and relkind = 'r'")
    for condition in ("collector_id = %s", "%s is not null"):
        plan = store.one(f"explain (analyze, buffers, format json) select * from metrics where {condition} "
                         "order by timestamp desc limit 10", collector)[0]["Plan"]
        read = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        assert read < pages / 5, (read, pages)
    rows = store.sql("select metric_name, labels, value from metrics where collector_id = %s order by timestamp desc limit 3",
                     collector)
    assert sorted(rows[:2], key=lambda row: row[2]) == [("pg_stat_database.xact_commit", {"datname": "app"}, 5.0),
                                                        ("pg_stat_database.xact_commit", {"datname": "web"}, 6.0)]
    assert rows[2] == ("pg_stat_wal.wal_bytes", {}, 7.0)


# --- the private cluster ----------------------------------------------------------------------------------------------


class PrivateCluster:
    def __init__(self, directory):
        self.process = subprocess.Popen([support.program("store_driver"), "cluster", str(directory)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.conninfo = self.process.stdout.readline().strip()
        self.directory = directory

    def postmaster(self):
        return int((self.directory / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0])

    def kill(self):
        self.process.kill()
        self.process.communicate()

    def stop(self):
        log = self.process.communicate(timeout=patience(60))[1]
        assert self.process.returncode == 0, log
        return log


def test_a_private_cluster_is_made_survives_kills_and_stops_cleanly():
    directory = pathlib.Path(tempfile.mkdtemp(prefix="pga-cluster-"))
    cluster = PrivateCluster(directory)
    assert "host=" in cluster.conninfo, cluster.stop()
    drive("migrate", cluster.conninfo)
    first = cluster.postmaster()
    assert os.stat(f"/proc/{first}").st_uid != 0, "never as root"

    # the server killed: another takes its place
    os.kill(first, signal.SIGKILL)
    def answers():
        with contextlib.suppress(DriverError):
            drive("migrate", cluster.conninfo)
            return True

    eventually(answers, 60, "no other server takes its place")
    assert cluster.postmaster() != first

    # the backend killed: its server follows it or is adopted, the data is there
    cluster.kill()
    cluster = PrivateCluster(directory)
    assert "host=" in cluster.conninfo, cluster.stop()
    drive("migrate", cluster.conninfo)
    last = cluster.postmaster()
    cluster.stop()
    assert not (directory / "postgres" / "data" / "postmaster.pid").exists()
    assert not os.path.exists(f"/proc/{last}")

    # a postmaster.pid whose number belongs to another program of the same user now: the server itself would refuse
    owner = os.stat(directory / "postgres" / "data").st_uid
    with subprocess.Popen(["sleep", "600"], user=owner if os.geteuid() == 0 else None) as other:
        (directory / "postgres" / "data" / "postmaster.pid").write_text(f"{other.pid}\n{directory}\n")
        cluster = PrivateCluster(directory)
        other.kill()
        assert "host=" in cluster.conninfo, cluster.stop()
        assert "stale postmaster.pid" in cluster.stop()
    shutil.rmtree(directory)


def test_the_servers_user_cannot_lead_the_backend_to_a_file_of_its_own():
    """The backend may be root, and postgres/ is the server's user's: start.log is made and cut in there."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="pga-cluster-"))
    cluster = PrivateCluster(directory)
    assert "host=" in cluster.conninfo, cluster.stop()
    cluster.stop()
    victim = directory / "victim"
    victim.write_text("precious")
    (directory / "postgres" / "start.log").unlink()
    (directory / "postgres" / "start.log").symlink_to(victim)
    cluster = PrivateCluster(directory)
    cluster.process.communicate(timeout=patience(60))
    assert victim.read_text() == "precious"
    assert "start.log" in cluster.conninfo and "host=" not in cluster.conninfo
    shutil.rmtree(directory)
