# SPDX-License-Identifier: PostgreSQL
"""A watched server that hangs, is replaced, fails over, is reset, has no connection left, changes its password: what
was counted is exact or marked as a gap, the server is not molested, and the collector goes on by itself."""
import signal
import threading
import time

import pytest
from hard import counted, fill, has_gap, increases_of_t, insert, inserted, most_tries, need, no_negative, server_rows, watched_server
from lone import LoneCollector, find, total
from pgserver import PgServer, monitoring_setup
from wait import eventually


@pytest.fixture(name="server")
def one_server():
    with watched_server(16) as made:
        fill(made)
        yield made


@pytest.fixture(name="collector")
def one_collector(tmp_path):
    made = LoneCollector(tmp_path, {})
    yield made
    made.kill()
    made.check_log()


def watch(collector, **servers):
    """Starts it on these servers, or connection strings, and waits for the first readings."""
    collector.write_config({name: s if isinstance(s, str) else s.dsn(user="monitor") for name, s in servers.items()})
    collector.start()
    for name in servers:
        collector.wait_for_batches(2, name)


def our_connections(server):
    return server.value("select count(*) from pg_stat_activity where usename = 'monitor'")


# --- It stops answering ---------------------------------------------------------------------------------------------


def test_a_server_that_hangs_and_comes_back(server, collector):
    """SIGSTOP: connections are accepted by the kernel and nothing is ever answered."""
    with watched_server(16) as other:
        fill(other)
        watch(collector, main=server, other=other)
        insert(server, 5)
        eventually(lambda: inserted(collector) == 5, 20, "the increase before")
        server.pause()
        try:
            eventually(lambda: server_rows(collector.batches())[-1].get("reachable") is False, 20, "not said to be away")
            insert(other, 7)
            eventually(lambda: inserted(collector, "other") == 7, 5, "the other server waits for the one that hangs")
        finally:
            server.resume()
        eventually(lambda: server_rows(collector.batches())[-1].get("reachable", True), 40, "not said to be back")
        insert(server, 11)
        eventually(lambda: inserted(collector) == 16, 20, "the increase across it")
        assert increases_of_t(collector)[-1] is not None and not has_gap(collector)
        assert our_connections(server) <= 3
        messages = [line["message"] for line in collector.log_lines()]
        assert messages.count("server cannot be read") <= 2 and messages.count("server is read again") == 1, messages
        given_up = ("connection to client lost", "canceling statement due to")
        left = [line for line in server.log_errors() if not any(text in line for text in given_up)]
        assert not left, "of what nobody waited for, which is all that the log may say"


def test_a_statement_that_meets_its_limit_is_left_alone(server, collector):
    """Each time is five seconds of the server's and a line in its log."""
    families = collector.directory / "metrics.d"
    families.mkdir()
    (families / "slow.toml").write_text(
        'name = "slow"\nhelp = "x"\ninterval = 1\n[[query]]\nsql = "select 1 as found from pg_sleep(20)"\n'
        '[[column]]\nname = "found"\nkind = "gauge"\nhelp = "x"\n')
    watch(collector, main=server)
    eventually(lambda: total(collector.frames("collector_family"), "errors", family="slow") >= 1, 20, "it was not ended")
    collector.wait_for_batches(6)
    insert(server, 4)
    eventually(lambda: inserted(collector) == 4, 20, "the other families")
    assert total(collector.frames("collector_family"), "errors", family="slow") == 1, "it was tried again at once"
    assert len(server.log_errors()) == 1 and "statement timeout" in server.log_errors()[0]


# --- It becomes another one -----------------------------------------------------------------------------------------


def test_an_upgrade_in_place_is_a_new_epoch(collector):
    """13 is stopped, 18 starts on its port: everything counts from anew, under the same name."""
    need(13, 18)
    with watched_server(13, tcp=True) as old:
        fill(old)
        insert(old, 40)
        watch(collector, main=old.dsn(user="monitor", host="127.0.0.1"))
        insert(old, 5)
        eventually(lambda: inserted(collector) == 5, 20, "the increase before")
        old.stop()
        new = watched_server(18, tcp=True)
        new.port = old.port
        with new:
            # As after pg_upgrade: the objects are the old ones until somebody updates the extension.
            new.execute("create extension pg_stat_statements version '1.8'")
            fill(new)
            new.mark_log()  # the collector may have been there before its role was
            insert(new, 500)
            eventually(lambda: server_rows(collector.batches())[-1].get("version_num", 0) // 10000 == 18, 30, "not seen")
            collector.wait_for_batches(2)
            insert(new, 6)
            eventually(lambda: inserted(collector) == 11, 30, f"the increases: {increases_of_t(collector)}")
            described = [s for s in server_rows(collector.batches()) if s.get("system_identifier")]
            assert described[0]["system_identifier"] != described[-1]["system_identifier"]
            assert described[0]["version_num"] // 10000 == 13
            assert has_gap(collector) and no_negative(collector)
            last = collector.frames("pg_stat_statements")[-1]
            assert last["columns"], "the old extension on the new server is read"
            assert any(f["family"] == "pg_stat_io" for b in collector.batches() for f in b["frames"]), "16 and newer"
            collector.stop()
            _, report, status = collector.dry_run()
            assert status == 0 and "alter extension pg_stat_statements update" in report, report
            assert not new.log_errors()


def test_a_failover_marks_a_gap(collector, server):
    """The primary is killed, the standby promoted; the connection string has both."""
    insert(server, 300)
    standby = server.make_standby()
    try:
        standby.start()
        watch(collector, main=f"host={server.directory},{standby.directory} dbname=postgres user=monitor"
                              " target_session_attrs=read-write")
        insert(server, 5)
        eventually(lambda: inserted(collector) == 5, 20, "the increase before")
        standby.wait_until("select count(*) = 305 from t", dbname="app")
        server.kill()
        eventually(lambda: server_rows(collector.batches())[-1].get("reachable") is False, 20, "not said to be away")
        standby.execute("select pg_promote()")
        eventually(lambda: server_rows(collector.batches())[-1].get("reachable", True), 40, "the new primary is not read")
        collector.wait_for_batches(2)
        insert(standby, 9)
        eventually(lambda: inserted(collector) == 14, 20, f"the increases: {increases_of_t(collector)}")
        assert has_gap(collector) and has_gap(collector, "pg_stat_database") and no_negative(collector)
        described = {s["system_identifier"] for s in server_rows(collector.batches()) if s.get("system_identifier")}
        assert len(described) == 1, "still the same cluster"
        assert [line["message"] for line in collector.log_lines()].count("server is read again") == 1
    finally:
        standby.remove()


# --- Its statistics are reset ---------------------------------------------------------------------------------------


class Load:
    """Inserts one row a turn on a thread, until stopped; .rows is what it has done."""

    def __init__(self, server):
        self.rows = 0
        self.running = True
        self.connection = server.connect("app")
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        with self.connection.cursor() as cursor:
            while self.running:
                cursor.execute("insert into t values (1)")
                self.rows += 1
                time.sleep(0.002)

    def stop(self):
        self.running = False
        self.thread.join()
        self.connection.close()


RESETS = [("app", "select pg_stat_reset()"),
          ("app", "select pg_stat_reset_single_table_counters('t'::regclass)"),
          ("postgres", "select pg_stat_reset_shared('bgwriter')"),
          ("postgres", "select pg_stat_statements_reset(0, 0, queryid) from pg_stat_statements"
                       " where query like 'insert into t values%'"),
          ("postgres", "select pg_stat_statements_reset()"),
          ("postgres", "select pg_stat_reset_shared('archiver')")]


@pytest.mark.parametrize("major", [13, 18])
def test_resets_in_the_middle_of_load_never_spike(major, collector):
    need(major)
    with watched_server(major) as server:
        fill(server)
        insert(server, 20000)
        load = Load(server)
        try:
            watch(collector, main=server)
            for database, reset in RESETS:
                server.execute(reset, dbname=database)
                collector.wait_for_batches(1)
        finally:
            load.stop()
        collector.wait_for_batches(2)
        no_negative(collector)
        assert inserted(collector) <= load.rows and max(v or 0 for v in increases_of_t(collector)) <= load.rows
        calls = [r["calls"] for r in find(collector.frames("pg_stat_statements"), datname="app")]
        assert sum(c or 0 for c in calls) <= load.rows + 10, "more than ever happened"
        assert has_gap(collector)

        def steady():
            figures = inserted(collector), counted(server)
            collector.wait_for_batches(2)
            return figures if figures == (inserted(collector), counted(server)) else None

        before, at = eventually(steady, 60, "the load goes on")
        insert(server, 33)
        eventually(lambda: inserted(collector) - before == 33 == counted(server) - at, 20, "truth afterwards")
        assert not server.log_errors()


def calls_told(collector, queryid):
    """Of one statement, a value a row; None: not known."""
    return [row["calls"] for row in find(collector.frames("pg_stat_statements"), queryid=queryid)]


def gaps_of(collector):
    return sum(bool(frame.get("gap")) for frame in collector.frames("pg_stat_user_tables", database="app"))


def test_a_reset_that_was_outgrown_is_seen(collector):
    """Between two readings the counters of a statement and of a database begin anew and pass what they were: only the
    time of the reset tells. Versions 17 and later have it for each statement."""
    need(18)
    with watched_server(18) as server:
        fill(server)
        insert(server, 10)
        server.execute("select 4711 as outgrown")
        statement = "select queryid from pg_stat_statements where query like '%as outgrown'"
        name = str(server.value(statement))
        watch(collector, main=server)
        eventually(lambda: calls_told(collector, name), 20, "the statement is not read")
        collector.wait_for_batches(2)
        told, gaps = inserted(collector), gaps_of(collector)
        collector.process.send_signal(signal.SIGSTOP)
        server.execute(f"select pg_stat_statements_reset(0, 0, ({statement}))")
        for _ in range(30):
            server.execute("select 4711 as outgrown")
        server.execute("select pg_stat_reset()", dbname="app")
        insert(server, 500)
        collector.process.send_signal(signal.SIGCONT)
        eventually(lambda: gaps_of(collector) > gaps, 20, "the reset of the database is no gap")
        collector.wait_for_batches(2)
        assert inserted(collector) == told, "500, less what was forgotten, is no increase"
        assert not any(calls_told(collector, name)), "30, less what was forgotten, is no increase"
        insert(server, 33)
        for _ in range(5):
            server.execute("select 4711 as outgrown")
        eventually(lambda: inserted(collector) == told + 33, 20, "rows afterwards")
        eventually(lambda: sum(c or 0 for c in calls_told(collector, name)) == 5, 20, "calls afterwards")
        assert not server.log_errors()


# --- There is no connection for us ----------------------------------------------------------------------------------


def refusals(server):
    return [line for line in server.log_errors() if "FATAL" in line]


def test_a_server_without_a_free_connection_is_left_alone_and_found_again(collector):
    with watched_server(16, settings={"max_connections": 12, "superuser_reserved_connections": 3}) as server:
        fill(server)
        server.execute("create database second")
        others = [server.connect("app") for _ in range(12)]
        collector.write_config({"main": server.dsn(user="monitor")})
        server.mark_log()
        began = time.monotonic()
        collector.start()
        eventually(lambda: len(refusals(server)) >= 8, 30, "it tries")
        seconds, tries = time.monotonic() - began, len(refusals(server))
        assert tries <= 2 * most_tries(seconds), f"{tries} refused connections in {seconds} s are a flood"
        warnings = [l for l in collector.log_lines("warn") if l["message"] == "server cannot be read"]
        assert 1 <= len(warnings) <= 2 + seconds / 60 and "pg_use_reserved_connections" in str(warnings[0]), warnings
        assert server_rows(collector.wait_for_batches(1))[-1]["reachable"] is False
        for connection in others:
            connection.close()
        eventually(lambda: server_rows(collector.batches())[-1].get("reachable", True), 60, "not found again")
        most = 0
        for _ in range(20):
            most = max(most, our_connections(server))
            time.sleep(0.1)
        assert 1 <= most <= 3
        warnings = [l for l in collector.log_lines("warn") if l["message"] == "server cannot be read"]
        assert len(warnings) <= 3 + (time.monotonic() - began) / 60


def test_a_role_that_may_connect_once(server, collector):
    server.execute("alter role monitor connection limit 1")
    server.mark_log()
    collector.write_config({"main": server.dsn(user="monitor")}, extra="[sampling]\nenabled = false\n")  # the one is ours
    began = time.monotonic()
    collector.start()
    collector.wait_for_batches(2)
    warning = eventually(lambda: [l for l in collector.log_lines("warn") if l["message"] == "database could not be read"], 20)
    assert "connection limit" in str(warning[0]), warning
    collector.wait_for_batches(5)
    assert find(collector.frames("pg_stat_database"), datname="app"), "all that one connection can tell"
    tries = len(refusals(server))  # first after 5 s, then after more
    assert tries <= 2 + (time.monotonic() - began) / 5, "the other database is not tried at every tick"
    assert our_connections(server) == 1
    server.execute("alter role monitor connection limit 3")
    eventually(lambda: find(collector.frames("pg_stat_user_tables", database="app"), relname="t"), 40, "not tried again")


def test_a_password_that_is_rotated(collector, tmp_path):
    with watched_server(16, hba=["local all monitor scram-sha-256"]) as server:
        fill(server)
        server.execute("alter role monitor password 'first'")
        secret = tmp_path / "password"
        secret.write_text("first\n")
        collector.write_config({"main": server.dsn(user="monitor")})
        collector.config.write_text(collector.config.read_text() + f'password_file = "{secret}"\n')
        collector.start()
        collector.wait_for_batches(2)
        insert(server, 5)
        eventually(lambda: inserted(collector) == 5, 20)
        server.execute("alter role monitor password 'second'")
        collector.wait_for_batches(2)
        assert server_rows(collector.batches())[-1].get("reachable", True), "a connection that is there stays"
        server.mark_log()
        began = time.monotonic()
        server.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'monitor'")
        eventually(lambda: "password authentication failed" in server_rows(collector.batches())[-1].get("error", ""), 20)
        insert(server, 6)
        tries = len(refusals(server))
        assert tries <= 2 * most_tries(time.monotonic() - began) + 3  # and those that were there were ended
        secret.write_text("second\n")
        eventually(lambda: inserted(collector) == 11, 40, "the new password is not taken")
        assert not has_gap(collector) and "second" not in collector.log_text() and "first" not in collector.log_text()


def test_a_server_that_ends_idle_sessions_does_not_end_ours(tmp_path):
    """Also the connection that reads another database: a session that is ended is a line in the log."""
    with PgServer(18, settings={"idle_session_timeout": "1s"}) as server:
        monitoring_setup(server)
        server.execute("create database app")
        collector = LoneCollector(tmp_path, {"main": server.dsn(user="monitor")}, interval=3).start()
        try:
            collector.wait_for_batches(3)
            assert collector.frames("pg_stat_sys_tables", database="app")
            assert not server.log_errors()
        finally:
            collector.stop()
