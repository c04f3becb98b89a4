# SPDX-License-Identifier: PostgreSQL
"""Every version from 12 to 18, as primary and as streaming standby, with pg_stat_statements and without, by a role that
has pg_monitor and nothing else: everything is read, what is missing is named with its cure, and no server has a line of
ERROR in its log. (Each family by itself: tests/sql/test_families.py.)"""
import re

import pytest
from hard import fill, insert, inserted, need, watched_server
from lone import LoneCollector
from pgserver import MAJORS
from wait import eventually


@pytest.fixture(name="pair", params=MAJORS)
def primary_and_standby(request):
    need(request.param)
    with watched_server(request.param) as server:
        fill(server)
        server.execute("create database bare")
        standby = server.make_standby()
        try:
            standby.start()
            server.wait_until("select count(*) = 1 from pg_stat_replication where state = 'streaming'")
            server.mark_log()
            standby.mark_log()
            yield server, standby
        finally:
            standby.remove()


def reports(text):
    """What a dry run says of each server: {name: lines}."""
    parts = re.split(r"^server (\S+)\n", text, flags=re.M)
    return dict(zip(parts[1::2], (part.splitlines() for part in parts[2::2])))


def families(batch):
    return {f["family"] for f in batch["frames"]}


def test_a_role_with_pg_monitor_reads_all_of_it(pair, tmp_path):
    server, standby = pair
    monitor = {"user": "monitor"}
    collector = LoneCollector(tmp_path, {
        "main": server.dsn(**monitor), "standby": standby.dsn(**monitor), "bare": server.dsn("bare", **monitor)})
    batches, text, status = collector.dry_run()
    said = reports(text)
    assert status == 0 and "failed" not in text, text
    assert {"pg_stat_database", "pg_stat_statements", "statement_text", "pg_stat_user_tables", "pg_stat_replication",
            "pg_locks", "pg_table_size", "pg_settings"} <= families(batches["main"])
    assert batches["standby"]["servers"][0]["in_recovery"] and "pg_stat_wal_receiver" in families(batches["standby"])
    assert "pg_stat_wal_receiver" not in families(batches["main"])
    for name in ("main", "standby"):
        assert not any("create extension pg_stat_statements" in line for line in said[name]), said[name]
        assert not any("grant pg_monitor" in line for line in said[name])
    assert any("pg_stat_statements" in line and "create extension pg_stat_statements" in line for line in said["bare"])
    assert "pg_stat_statements" not in families(batches["bare"])
    # What is absent is absent for a reason: a version, a role of the server, an extension, a privilege.
    for name, lines in said.items():
        for line in lines:
            assert "not there" not in line or len(line.split("not there:")[1].strip()) > 10, (name, line)

    collector.start()
    try:
        for name in ("main", "standby", "bare"):
            collector.wait_for_batches(2, name)
        insert(server, 12)
        eventually(lambda: inserted(collector) == 12, 20, "the increase")
        collector.stop()
    finally:
        collector.kill()
    collector.check_log()
    assert not [line for line in collector.log_lines("warn") if "metric family" in line["message"]]
    assert not server.log_errors() and not standby.log_errors()
