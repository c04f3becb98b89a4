# SPDX-License-Identifier: PostgreSQL
"""A logical subscription between two versions: both sides are read, lag and errors are true."""
import pytest
from hard import fill, need, watched_server
from lone import LoneCollector, find, total
from wait import eventually

SUBSCRIBER_MAJORS = [(14, 18), (18, 14)]  # publisher, subscriber


@pytest.fixture(name="sides", params=SUBSCRIBER_MAJORS, ids=lambda p: f"{p[0]}to{p[1]}")
def publisher_and_subscriber(request):
    need(*request.param)
    publisher = watched_server(request.param[0], settings={"wal_level": "logical"})
    subscriber = watched_server(request.param[1])
    with publisher, subscriber:
        for side in (publisher, subscriber):
            fill(side)
            side.execute("alter table t add primary key (id)", dbname="app")
            side.execute("grant execute on function pg_show_replication_origin_status() to monitor;"
                         "grant select on pg_replication_origin_status to monitor")
        publisher.execute("create publication news for table t", dbname="app")
        subscriber.execute(f"create subscription readers connection '{publisher.dsn('app')}' publication news",
                           dbname="app")
        subscriber.wait_until("select count(*) > 0 and bool_and(srsubstate = 'r') from pg_subscription_rel", dbname="app")
        yield publisher, subscriber
        subscriber.execute("alter subscription readers disable", dbname="app")


def test_both_sides_of_a_subscription(sides, tmp_path):
    publisher, subscriber = sides
    often = ("pg_subscription_rel", "pg_replication_origin_status", "pg_stat_subscription_stats")
    collector = LoneCollector(tmp_path, {"main": publisher.dsn(user="monitor"), "reader": subscriber.dsn(user="monitor")},
                              extra="".join(f"[metrics.family.{name}]\ninterval = 1\n" for name in often))

    def last(family, server="reader"):
        return find(collector.frames(family, server=server)[-1:])

    collector.start()
    try:
        collector.wait_for_batches(2, "reader")
        collector.wait_for_batches(2)
        publisher.execute("insert into t select generate_series(1, 1000)", dbname="app")
        publisher.wait_until("select bool_and(confirmed_flush_lsn >= pg_current_wal_lsn()) from pg_replication_slots")
        eventually(lambda: total(collector.frames("pg_stat_user_tables", server="reader", database="app"), "n_tup_ins",
                                 relname="t") == 1000, 30, "what was applied")
        (subscription,) = eventually(lambda: last("pg_stat_subscription"))
        assert subscription["subname"] == "readers" and subscription["apply_workers"] == 1
        assert (subscription["datname"], subscription["enabled"]) == ("app", 1)
        received = total(collector.frames("pg_stat_subscription", server="reader"), "received_bytes", subname="readers")
        assert 1000 * 28 < received < 16 << 20, "a thousand rows, and no position taken for an increase"
        assert find(collector.frames("pg_subscription_rel", server="reader", database="app")[-1:]) == [
            {"datname": "app", "subname": "readers", "state": "ready", "tables": 1}]
        (origin,) = find(collector.frames("pg_replication_origin_status", server="reader")[:1])
        assert origin["external_id"].startswith("pg_")
        publisher.execute("insert into t select generate_series(1001, 1100)", dbname="app")
        moved = eventually(lambda: total(collector.frames("pg_replication_origin_status", server="reader"),
                                         "remote_bytes"), 20, "the origin does not move")
        assert 100 * 28 < moved < 16 << 20, "from the first position on, and no position taken for an increase"
        (slot,) = eventually(lambda: [r for r in last("pg_replication_slots", "main") if r["slot_name"] == "readers"])
        assert (slot["active"], slot["plugin"], slot["database"]) == (1, "pgoutput", "app")
        assert 0 <= slot["unconfirmed_bytes"] < 1 << 20
        decoded = total(collector.frames("pg_stat_replication_slots", server="main"), "total_bytes", slot_name="readers")
        assert decoded == 0 or decoded > 1000 * 8
        assert not publisher.log_errors() and not subscriber.log_errors()

        # A conflict stops the subscription: it is counted, and what is behind is shown.
        subscriber.execute("insert into t values (5000)", dbname="app")
        publisher.execute("insert into t values (5000)", dbname="app")
        subscriber.wait_until("select count(*) > 0 from pg_stat_subscription where pid is null")
        publisher.execute("insert into t select generate_series(6000, 7000)", dbname="app")
        eventually(lambda: [r for r in last("pg_replication_slots", "main") if (r["unconfirmed_bytes"] or 0) > 1000 * 28],
                   30, "the slot that falls behind")
        if subscriber.major >= 15:
            eventually(lambda: total(collector.frames("pg_stat_subscription_stats", server="reader"), "apply_error_count",
                                     subname="readers") >= 1, 30, "the error was not counted")
        if subscriber.major >= 18:
            eventually(lambda: total(collector.frames("pg_stat_subscription_stats", server="reader"),
                                     "confl_insert_exists", subname="readers") >= 1, 30, "the conflict")
        subscriber.execute("delete from t where id = 5000", dbname="app")
        publisher.wait_until("select bool_and(confirmed_flush_lsn >= pg_current_wal_lsn()) from pg_replication_slots")
        collector.stop()
    finally:
        collector.kill()
    collector.check_log()
    assert not [line for line in collector.log_lines("warn") if "metric family" in line["message"]]
    assert not [line for line in subscriber.log_errors() + publisher.log_errors()
                if "duplicate key" not in line and "logical replication" not in line and "conflict" not in line]
