# SPDX-License-Identifier: PostgreSQL
"""Behind PgBouncer: the same numbers as without it, nothing of ours left on its connections, no error in the server's
log; where it cannot be done soundly, a clear word."""
import json

import pytest
from lone import LoneCollector, find, total
from pgbouncer import PgBouncer
from pgserver import MONITORED_SETTINGS, PgServer, monitoring_setup
from wait import eventually


@pytest.fixture(name="server", scope="module")
def one_server():
    with PgServer(17, settings={**MONITORED_SETTINGS, "autovacuum": "off"}) as made:
        monitoring_setup(made)
        made.execute("create database app")
        made.execute("create table t (id int)", dbname="app")
        yield made


@pytest.fixture(name="collector")
def one_collector(tmp_path):
    made = LoneCollector(tmp_path, {})
    yield made
    made.kill()
    made.check_log()


def inserted(collector):
    return total(collector.frames("pg_stat_user_tables", database="app"), "n_tup_ins", relname="t")


def settings_of_the_poolers_connections(pooler, server):
    """What another client of the pooler, of the same role, finds on each connection it may be given."""
    found = set()
    clients = [server.connect(host="127.0.0.1", port=pooler.port, user="monitor") for _ in range(3)]
    try:
        for client in clients:
            client.autocommit = False
            with client.cursor() as cursor:  # each keeps one of the three connections
                cursor.execute("select current_setting('default_transaction_read_only'), current_setting('lock_timeout'),"
                               " current_setting('jit'), current_setting('search_path'),"
                               " (select count(*) from pg_prepared_statements)")
                found.add(cursor.fetchone())
    finally:
        for client in clients:
            client.close()
    return found


@pytest.mark.parametrize("mode, refuses", [("session", True), ("transaction", True), ("transaction", False)])
def test_increases_are_exact_and_nothing_is_left_behind(server, collector, mode, refuses):
    server.mark_log()
    before = server.value("select n_tup_ins from pg_stat_user_tables where relname = 't'", dbname="app")
    with PgBouncer({"*": server}, mode, {} if refuses else {"ignore_startup_parameters": "options"}) as pooler:
        collector.write_config({"main": pooler.dsn()})
        collector.start()
        batch = collector.wait_for_batches(2)[-1]
        assert batch["servers"][0].get("reachable", True), batch["servers"]
        for turn in range(3):
            server.execute("insert into t select generate_series(1, 10)", dbname="app")
            collector.wait_for_batches(1)
        eventually(lambda: inserted(collector) == 30, 30, "the increase")
        assert server.value("select n_tup_ins from pg_stat_user_tables where relname = 't'", dbname="app") == before + 30
        assert not any(f.get("gap") for f in collector.frames("pg_stat_user_tables", database="app"))
        if mode == "transaction":
            assert settings_of_the_poolers_connections(pooler, server) == {("off", "0", "on", '"$user", public', 0)}
        collector.stop()
        assert inserted(collector) == 30
    assert not server.log_errors()


def test_the_limits_hold_behind_it(server, collector):
    """What is set at the connect elsewhere is set in each transaction here."""
    statement = ("select current_setting('statement_timeout') || ' ' || current_setting('lock_timeout') || ' ' ||"
                 " current_setting('transaction_read_only') || ' ' || current_setting('jit') || ' ' ||"
                 " current_setting('stats_fetch_consistency') || ' ' || current_setting('search_path') as found")
    families = collector.directory / "metrics.d"
    families.mkdir()
    (families / "limits.toml").write_text(
        f'name = "limits"\nhelp = "x"\ninterval = 1\n[[query]]\nsql = """{statement}"""\n'
        '[[column]]\nname = "found"\nkind = "info"\nhelp = "x"\n')
    found = []
    with PgBouncer({"*": server}, "transaction") as pooler:
        for dsn in (server.dsn(user="monitor"), pooler.dsn()):
            collector.write_config({"main": dsn})
            batches, report, status = collector.dry_run()
            assert status == 0, report
            found += [row[0] for f in batches["main"]["frames"] if f["family"] == "limits" for row in f["rows"]]
    assert found[0].startswith("5s 100ms on off ") and found[0].endswith(" pg_catalog")
    assert found == [found[0], found[0]], "directly, and through the pooler"


def test_every_family_is_read_as_without_it(server, collector):
    def families(dsn):
        collector.write_config({"main": dsn})
        batches, report, status = collector.dry_run()
        assert status == 0 and "failed" not in report, report
        # Two statements that share a transaction: what the first has measured the second one tells.
        sizes = [f for f in batches["main"]["frames"] if f["family"] == "pg_table_size" and f["database"] == "app"]
        assert find(sizes, relname="t")[0]["table_bytes"] is not None
        return {f["family"] for f in batches["main"]["frames"]}

    server.mark_log()
    with PgBouncer({"*": server}, "transaction") as pooler:
        assert families(pooler.dsn()) == families(server.dsn(user="monitor"))
    assert not server.log_errors() and "transaction in progress" not in server.log_text()


def test_a_pool_of_single_statements_is_refused_with_the_cure(server, collector):
    with PgBouncer({"*": server}, "statement") as pooler:
        collector.write_config({"main": pooler.dsn()})
        _, report, status = collector.dry_run()
        assert status == 1 and "pool_mode = session" in report, report


def test_another_server_behind_it_is_no_increase(server, collector):
    """The pooler is led to another machine while clients stay connected."""
    with PgServer(17, settings=MONITORED_SETTINGS) as other:
        monitoring_setup(other)
        other.execute("create database app")
        other.execute("create table t (id int)", dbname="app")
        other.execute("insert into t select generate_series(1, 5000)", dbname="app")
        server.execute("insert into t select generate_series(1, 10)", dbname="app")
        with PgBouncer({"*": server}, "transaction") as pooler:
            collector.write_config({"main": pooler.dsn()})
            collector.start()
            collector.wait_for_batches(2)
            first = collector.batches()[-1]["servers"][0]["system_identifier"]
            pooler.write_config({"*": other}, "transaction", {})
            pooler.admin("reload")
            pooler.admin("reconnect")
            eventually(lambda: collector.batches()[-1]["servers"][0].get("system_identifier") not in (None, first), 30,
                       "the other server was not recognised")
            collector.wait_for_batches(2)
            other.execute("insert into t select generate_series(1, 7)", dbname="app")
            eventually(lambda: inserted(collector) == 7, 30, "the increase of the other server")
            assert all(row["n_tup_ins"] is None or 0 <= row["n_tup_ins"] <= 7
                       for row in find(collector.frames("pg_stat_user_tables", database="app"), relname="t"))
            assert any(f.get("gap") for f in collector.frames("pg_stat_user_tables", database="app"))
            assert not other.log_errors()


def test_a_pool_over_several_servers_gives_no_wrong_number(server, collector):
    """Each transaction may be somebody else's: nothing is counted, and the cure is named."""
    with PgServer(17, settings=MONITORED_SETTINGS) as other:
        monitoring_setup(other)
        other.execute("create database app")
        other.execute("create table t (id int)", dbname="app")
        other.execute("insert into t select generate_series(1, 5000)", dbname="app")
        with PgBouncer({"*": [server, other]}, "transaction", {"server_lifetime": 0}) as pooler:
            collector.write_config({"main": pooler.dsn()})
            collector.start()
            eventually(lambda: [line for line in collector.log_lines("warn") if "another server" in json.dumps(line)], 30,
                       "it was not noticed")
            assert inserted(collector) == 0
