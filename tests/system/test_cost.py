# SPDX-License-Identifier: PostgreSQL
"""What watching costs, on a real server: the budget is kept, a tick takes few round trips, and a server that answers late
or not at all is waited for as long as was said and no longer."""
import threading

import pytest
from lone import LoneCollector, find, rows, total
from pgserver import MONITORED_SETTINGS, PgServer, monitoring_setup
from tcp_proxy import TcpProxy
from stack import ROOT
from wait import eventually

DEAR = """name = "dear"
help = "Takes as long as a table says."
[[query]]
sql = "select seconds, pg_sleep(seconds)::text as slept from public.knob"
[[column]]
name = "slept"
kind = "info"
help = "Nothing."
[[column]]
name = "seconds"
kind = "gauge"
help = "How long."
"""


@pytest.fixture(name="server", scope="module")
def one_server():
    with PgServer(15, settings=MONITORED_SETTINGS, tcp=True) as made:
        monitoring_setup(made)
        made.execute("create table knob (seconds float8)")
        made.execute("insert into knob values (0)")
        made.execute("grant select on knob to monitor")
        yield made


@pytest.fixture(name="collector")
def one_collector(server, tmp_path):
    server.mark_log()
    made = LoneCollector(tmp_path, {"main": server.dsn(user="monitor")})
    families = tmp_path / "metrics.d"
    families.mkdir()
    (families / "dear.toml").write_text(DEAR)
    yield made
    made.kill()
    made.check_log()


def last(collector, name, column, **labels):
    """The newest value; rows that did not change do not travel."""
    return find(collector.frames(name), **labels)[-1][column]


def test_a_dear_family_is_stretched_and_comes_back(server, collector):
    """Alone: on a busy machine any other may be dear, too."""
    server.execute("update knob set seconds = 0.1")
    others = [path.stem for path in (ROOT / "catalog").glob("*.toml") if not path.stem.startswith("collector_")]
    collector.write_config({"main": server.dsn(user="monitor")}, extra="[limits]\ncpu_budget = 1\n" + "".join(
        f"[metrics.family.{name}]\nenabled = false\n" for name in others))
    collector.start()
    # A tenth of the time, were it read each second; one part in fifty would still be its own limit: each five seconds.
    eventually(lambda: last(collector, "collector_budget", "stretched") == 1, 60)
    eventually(lambda: last(collector, "collector_budget", "planned") <= 1, 60)
    assert last(collector, "collector_budget", "dearest") == "dear"
    assert last(collector, "collector_budget", "budget") == 1
    assert last(collector, "collector_family", "interval", family="dear") >= 10
    warned = [line for line in collector.log_lines("warn") if "budget" in line["message"]]
    assert [line["dearest"] for line in warned] == ["dear"]
    eventually(lambda: last(collector, "collector_budget", "used") <= 2, 60)  # the first runs leave the window

    server.execute("update knob set seconds = 0")
    eventually(lambda: last(collector, "collector_family", "interval", family="dear") == 1, 60)
    before = len(collector.frames("dear"))
    eventually(lambda: len(collector.frames("dear")) >= before + 3, 20)
    assert not server.log_errors()


LIGHT = """name = "light"
help = "Costs next to nothing, in each database."
scope = "database"
[[query]]
sql = "select 1 as one"
[[column]]
name = "one"
kind = "gauge"
help = "One."
"""
DATABASES = 5


def test_the_connections_of_visits_are_counted_and_kept_within_the_budget(server, collector):
    """Of a family that costs nothing itself, in databases that each take a new connection at each visit."""
    for n in range(DATABASES):
        server.execute(f"create database visited{n}")
    try:
        (collector.directory / "metrics.d" / "light.toml").write_text(LIGHT)
        others = ["dear"] + [path.stem for path in (ROOT / "catalog").glob("*.toml")
                             if not path.stem.startswith("collector_") or path.stem == "collector_footprint"]
        alone = "".join(f"[metrics.family.{name}]\nenabled = false\n" for name in others) + "[sampling]\nenabled = false\n"
        collector.write_config({"main": server.dsn(user="monitor")}, extra="[limits]\ncpu_budget = 100\n" + alone)
        collector.start()

        def connected():
            return total(collector.frames("collector_budget"), "connect_ms")

        def asked():
            return total(collector.frames("collector_family"), "sql_ms", family="light")

        collector.wait_for_batches(3)  # the first look is over
        before = connected(), asked()
        collector.wait_for_batches(8)
        connecting, asking = connected() - before[0], asked() - before[1]
        assert connecting > 2 * asking > 0, "a connection is dearer than what is asked over it"
        for column in ("planned", "used"):  # per cent of a second, which has one reading
            eventually(lambda column=column: last(collector, "collector_budget", column) * 10 > 2 * asking / 8, 30,
                       f"what is {column} leaves out the connections")
        collector.stop()
    finally:
        collector.kill()
        for n in range(DATABASES):
            server.execute(f"drop database visited{n} with (force)")
    assert not server.log_errors()


def budget_events(collector):
    """Values of `stretching` before and after, as they were told."""
    found = [row for frame in collector.frames("change_event") for row in rows(frame) if row["kind"] == "budget"]
    assert all((row["family"], row["attribute"]) == ("collector_budget", "stretching") for row in found), found
    return [(row["before"], row["after"]) for row in found]


def test_that_the_budget_is_met_and_that_it_is_over_are_events(server, collector):
    """With one family that is read each second: nothing else is stretched, however slow the machine."""
    collector.write_config({"main": server.dsn(user="monitor")}, extra="[limits]\ncpu_budget = 10\n" + "".join(
        f"[metrics.family.{name}]\nenabled = true\ninterval = 1\n" for name in ("collector_budget", "change_event")))
    collector.config.write_text(collector.config.read_text().replace("[metrics]\n", '[metrics]\npreset = "minimal"\n'))
    collector.start()
    eventually(lambda: last(collector, "collector_budget", "stretching") == 0, 30)
    server.execute("update knob set seconds = 1.5")
    eventually(lambda: budget_events(collector) == [("false", "true")], 60)
    server.execute("update knob set seconds = 0")
    eventually(lambda: budget_events(collector) == [("false", "true"), ("true", "false")], 90)


def test_a_tick_takes_a_dozen_round_trips_at_most(server, collector):
    with TcpProxy(("127.0.0.1", server.port)) as proxy:
        collector.write_config({"main": f"host=127.0.0.1 port={proxy.port} dbname=postgres user=monitor sslmode=disable"},
                               extra="[sampling]\nenabled = false\n")
        collector.start()
        collector.wait_for_batches(3)  # what it looks at when it connects is over
        ticks, turns = len(collector.batches()), proxy.turns
        collector.wait_for_batches(10)
        turns = proxy.turns - turns
        ticks = len(collector.batches()) - ticks
        assert turns / ticks <= 12


def test_what_is_not_there_is_not_asked_for_and_is_found_when_it_comes(server, collector):
    server.execute("create table held (id int)")
    collector.write_config({"main": server.dsn(user="monitor")}, extra="[metrics.family.pg_blocking]\ninterval = 1\n"
                           "[metrics.family.pg_stat_user_functions]\ninterval = 1\n")
    asked = "select coalesce(sum(calls), 0) from pg_stat_statements where query ~ 'pg_blocking_pids.pid. as blockers'"
    counted = ("select coalesce(sum(calls), 0) from pg_stat_statements where query ~ 'from pg_stat_user_functions'"
               " and query !~ 'pg_stat_statements'")
    collector.start()
    collector.wait_for_batches(3)
    before = server.value(asked), server.value(counted)
    frames = len(collector.frames("pg_blocking"))
    eventually(lambda: len(collector.frames("pg_blocking")) >= frames + 3, 30, "an empty list is news all the same")
    assert (server.value(asked), server.value(counted)) == before
    assert not find(collector.frames("pg_blocking"))
    with server.connect() as holder, server.connect() as waiter:
        holder.autocommit = False
        with holder.cursor() as cursor, waiter.cursor() as waiting:
            cursor.execute("lock table held")
            # Returns at once: the statement waits on the server.
            waiting.execute("set lock_timeout = 0")
            thread = threading.Thread(target=waiting.execute, args=("select * from held",))
            thread.start()
            try:
                eventually(lambda: find(collector.frames("pg_blocking"), relation="public.held"), 30, "nobody waits")
            finally:
                holder.rollback()
                thread.join()
    eventually(lambda: collector.frames("pg_blocking")[-1]["rows"] == [], 30, "it is over")
    assert not server.log_errors()


def test_a_statement_that_fails_costs_itself_alone(server, collector):
    """Within the round trip that all families share."""
    collector.start()
    collector.wait_for_batches(2)
    server.execute("revoke select on knob from monitor")
    try:
        eventually(lambda: [e for e in collector.log_lines("warn") if e.get("family") == "dear"], 30)
        before = len(collector.frames("pg_stat_wal"))
        eventually(lambda: len(collector.frames("pg_stat_wal")) >= before + 3, 30)
        after = [f["time"] for f in collector.frames("dear")][-1]
        assert after < collector.frames("pg_stat_wal")[-1]["time"]
    finally:
        server.execute("grant select on knob to monitor")


def test_families_behind_a_slow_one_have_a_time_of_their_own(server, collector):
    server.execute("update knob set seconds = 1.5")
    try:
        collector.write_config({"main": server.dsn(user="monitor")}, interval=5)
        collector.start()
        batch = eventually(lambda: [b for b in collector.batches() if any(f["family"] == "dear" for f in b["frames"])],
                           30)[0]
    finally:
        server.execute("update knob set seconds = 0")
    times = {f["family"]: f["time"] for f in batch["frames"] if not f.get("database")}
    names = [f["family"] for f in batch["frames"] if not f.get("database")]
    behind = names[names.index("dear") + 1:]
    server_families = [n for n in behind if n.startswith("pg_")]
    assert server_families
    for name in server_families:
        assert times[name] > times["dear"], name
    assert rows(next(f for f in batch["frames"] if f["family"] == "dear"))[0]["seconds"] == 1.5


def test_a_server_that_freezes_within_a_tick_is_given_up_and_comes_back(server, collector):
    server.execute("update knob set seconds = 3")
    collector.start()
    try:
        eventually(lambda: server.value("select count(*) from pg_stat_activity where query ~ 'pg_sleep'"
                                        " and usename = 'monitor' and state = 'active'"), 30)
        server.pause()  # in the middle of the round trip
        eventually(lambda: [e for e in collector.log_lines("warn") if "cannot be read" in e["message"]], 40)
    finally:
        server.resume()
        server.execute("update knob set seconds = 0")
    before = len(collector.frames("pg_stat_wal"))
    eventually(lambda: len(collector.frames("pg_stat_wal")) >= before + 2, 40)
