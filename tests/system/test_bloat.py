# SPDX-License-Identifier: PostgreSQL
"""`pganalytics bloat`: measured where half of it was deleted, with a role that has only pg_monitor."""
import pytest
from pgserver import MONITORED_SETTINGS, PgServer, monitoring_setup
from test_collector import LoneCollector


@pytest.fixture(name="server", scope="module")
def one_server():
    with PgServer(17, settings={**MONITORED_SETTINGS, "autovacuum": "off"}) as made:
        monitoring_setup(made)
        made.execute("create database app")
        made.execute("create table half (id int, note text); insert into half select i, repeat('x', 80) "
                     "from generate_series(1, 20000) i; create index half_id on half (id)", dbname="app")
        made.execute("delete from half where id % 2 = 0", dbname="app")
        made.execute("vacuum analyze half", dbname="app")
        yield made


@pytest.fixture(name="collector")
def one_collector(server, tmp_path):
    """With the extension nowhere: each test says where it is."""
    server.execute("drop extension if exists pgstattuple; drop schema if exists tools", dbname="app")
    return LoneCollector(tmp_path, {"main": server.dsn(user="monitor")})


def lines(done):
    return {line.split()[0]: line.split() for line in done.stdout.splitlines()[1:]}


def test_what_is_missing_is_said_with_the_statement_that_mends_it(server, collector):
    done = collector.command("bloat", "--database", "app")
    assert done.returncode == 1 and "create extension pgstattuple" in done.stderr
    assert server.log_errors() == []


def test_without_a_database_it_is_that_of_the_settings(server, collector):
    collector.write_config({"main": server.dsn(user="monitor").replace("dbname=postgres", "")})
    done = collector.command("bloat")
    assert 'not installed in database "postgres"' in done.stderr, done.stderr
    assert server.log_errors() == []


def test_half_of_it_is_free(server, collector):
    server.execute("create schema tools; create extension pgstattuple schema tools", dbname="app")
    refused = collector.command("bloat", "--database", "app")
    assert refused.returncode == 1 and "grant usage on schema tools" in refused.stderr
    server.execute("grant usage on schema tools to monitor", dbname="app")
    done = collector.command("bloat", "--server", "main", "--database", "app", "--table", "public.half")
    assert done.returncode == 0, done.stderr
    found = lines(done)
    assert set(found) == {"public.half", "public.half_id"}
    table, index = found["public.half"], found["public.half_id"]
    assert table[1] == "table" and int(table[2]) == server.value("select pg_relation_size('half')", dbname="app")
    assert 40 < float(table[5]) < 60 and 40 < float(index[5]) < 60
    assert server.log_errors() == []


def test_what_is_locked_or_too_large_is_told_and_leaves_no_error(server, collector):
    server.execute("create extension pgstattuple schema public", dbname="app")
    large = collector.command("bloat", "--database", "app", "--max-bytes", "10kB")
    assert large.returncode == 0 and large.stdout.count("larger than --max-bytes") == 2
    holder = server.connect("app")
    holder.autocommit = False
    holder.cursor().execute("lock table half in access exclusive mode")
    locked = collector.command("bloat", "--database", "app", "--table", "half")
    holder.close()
    assert locked.returncode == 1 and "not measured: canceling statement due to lock timeout" in locked.stdout
    assert server.log_errors() == []


@pytest.mark.parametrize("arguments, message", [
    (("bloat", "--server", "other"), 'no server "other"'),
    (("bloat", "--max-bytes", "many"), "--max-bytes"),
    (("bloat", "--api", "https://x"), '--api belongs to "pganalytics register"'),
    (("--table", "x"), '--table belongs to "pganalytics bloat"'),
])
def test_a_wrong_command_line_is_explained(collector, arguments, message):
    done = collector.command(*arguments)
    assert done.returncode == 2 and message in done.stderr
