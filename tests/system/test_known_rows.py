# SPDX-License-Identifier: PostgreSQL
"""Statements that were not run are not read again, and nobody can tell from what is sent: each call is counted once,
whoever ran it, however long it was idle, reset, or across a restart of the collector."""
import pytest

from lone import LoneCollector, rows_read, total
from pgserver import MONITORED_SETTINGS, PgServer, monitoring_setup
from wait import eventually

FAMILY = "pg_stat_statements"
BUSY, IDLE, SHARED, RESET = (f"select {', '.join(['1'] * n)}" for n in (31, 32, 33, 34))
OTHERS = 200


@pytest.fixture(scope="module", params=[12, 18])
def server(request):
    with PgServer(request.param, settings=MONITORED_SETTINGS) as one:
        monitoring_setup(one)
        one.execute("create role other login")
        one.execute("create database app")
        for n in range(OTHERS):  # there, and never run again
            one.execute(f"select {', '.join(['1'] * (50 + n))}", dbname="app")
        yield one


class Calls:
    """Runs statements and counts them."""

    def __init__(self, server):
        self.server = server
        self.done = {}

    def run(self, statement, times=1, user="postgres"):
        for _ in range(times):
            self.server.execute(statement, dbname="app", user=user)
        self.done[statement, user] = self.done.get((statement, user), 0) + times

    def identify(self, statement):
        """queryid and dbid, by the number of its constants."""
        constants = statement.count("1")
        return self.server.execute(
            "select distinct queryid, dbid from pg_stat_statements join pg_database d on d.oid = dbid"
            " where datname = 'app' and query ~ %s", rf"^select (\$\d+, ){{{constants - 1}}}\$\d+$")[0]


def sent(collector, calls, statement, user):
    queryid = str(calls.identify(statement)[0])
    return total(collector.frames(FAMILY), "calls", queryid=queryid, datname="app", usename=user)


def all_sent(collector, calls):
    return all(sent(collector, calls, statement, user) == times for (statement, user), times in calls.done.items())


LOGGED = [("log_min_duration_statement", "99ms", True), ("log_statement", "all", True),
          ("log_transaction_sample_rate", "0.000001", True), ("log_parameter_max_length_on_error", "-1", True),
          ("log_min_duration_statement", "100ms", False),
          ("log_statement", "mod", False)]
OF_LIBRARIES = [("auto_explain.log_min_duration", "0ms", True), ("pgaudit.log_parameter", "on", True),
                # Without the library nobody refuses these.
                ("auto_explain.log_min_duration", "soon", False),
                ("auto_explain.log_min_duration", "99999999999999999999999", False)]


def last_is_whole(collector, count=1):
    """Whether all statements were read; None while fewer than @count readings are there."""
    rows = rows_read(collector, FAMILY)
    return rows[-1] >= OTHERS if len(rows) >= count else None


@pytest.mark.parametrize("server", [18], indirect=True)
def test_where_each_statement_is_logged_it_is_not_told_what_is_known(server, tmp_path):
    collector = LoneCollector(tmp_path, {"main": server.dsn(user="monitor")}).start()
    try:
        for setting, value, is_whole in LOGGED:
            eventually(lambda: last_is_whole(collector, 2) is False, 30, "all is read each time")
            server.execute(f"alter system set {setting} = '{value}'")
            server.reload()
            if is_whole:
                eventually(lambda: last_is_whole(collector), 30, f"{setting} = {value} is not noticed")
            else:
                collector.wait_for_batches(3)
                assert not last_is_whole(collector), f"{setting} = {value} logs nothing of ours"
            server.execute(f"alter system reset {setting}")
            server.reload()
    finally:
        collector.stop()
    assert not server.log_errors()


@pytest.mark.parametrize("server", [18], indirect=True)
@pytest.mark.parametrize("setting,value,is_whole", OF_LIBRARIES)
def test_libraries_that_log_are_looked_at_too(server, tmp_path, setting, value, is_whole):
    server.execute(f"alter role monitor set {setting} = '{value}'")
    collector = LoneCollector(tmp_path, {"main": server.dsn(user="monitor")}).start()
    try:
        eventually(lambda: last_is_whole(collector, 3) is is_whole, 30, f"{setting} = {value}")
    finally:
        collector.stop()
        server.execute(f"alter role monitor reset {setting}")
    assert not server.log_errors()


def test_each_call_is_counted_once_though_only_what_ran_is_read(server, tmp_path):
    collector, calls = LoneCollector(tmp_path, {"main": server.dsn(user="monitor")}), Calls(server)
    collector.start()
    try:
        collector.wait_for_batches(3)
        calls.run(BUSY)
        calls.run(IDLE, 2)
        calls.run(SHARED)
        calls.run(SHARED, 3, user="other")
        calls.run(RESET, 5)
        eventually(lambda: all_sent(collector, calls), 30, "not all calls were sent")
        for _ in range(3):
            calls.run(BUSY, 2)
            calls.run(SHARED, user="other")
            collector.wait_for_batches(2)
        eventually(lambda: all_sent(collector, calls), 30, "not all calls were sent")
        assert min(rows_read(collector, FAMILY)[-4:]) < OTHERS, "statements are read again that were not run"

        if server.major > 12 or server.value("select extversion >= '1.7' from pg_extension where extname = %s", FAMILY):
            queryid, dbid = calls.identify(RESET)
            server.execute("select pg_stat_statements_reset('postgres'::regrole, %s, %s)", dbid, queryid)
            collector.wait_for_batches(3)
            calls.run(RESET, 2)
            eventually(lambda: all_sent(collector, calls), 30, "a statement that was reset does not count from zero")

        collector.stop()
        calls.run(IDLE, 4)
        collector.start()
        collector.wait_for_batches(3)
        calls.run(IDLE)
        calls.run(SHARED)
        eventually(lambda: all_sent(collector, calls), 30, "not all calls were sent")
        collector.wait_for_batches(2)
        assert all_sent(collector, calls), "calls were counted twice"
        assert not server.log_errors()
    finally:
        collector.stop()
