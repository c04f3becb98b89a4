# SPDX-License-Identifier: PostgreSQL
"""The sampler against the truth: sessions of known number and kind, blocked trees, servers that hang, standbys.

One scene for all: three servers (12, 18, a standby of 18), each with sessions that do the same all the time, watched by
two collectors: one that sends to a backend, and one that has nobody to send to, so that its spool keeps everything.
"""
import collections
import contextlib
import json
import shutil
import subprocess
import threading
import time

import psycopg2
import pytest

from pgserver import MONITORED_SETTINGS, PgServer, monitoring_setup
from stack import Backend, Collector, eventually, program

SECRET = "tr0ub4dor-and-3"
SLEEPERS = 5
SAMPLING = "\n[sampling]\nlong_transaction = 1\nidle_in_transaction = 1\n"
FAMILIES = ("session_samples", "session_sampling", "long_transactions", "blocked_trees")


class Sessions:
    """Sessions that do something until they are told to end."""

    def __init__(self, server):
        self.server = server
        self.connections, self.threads = [], []

    def open(self, application, *statements):
        connection = self.server.connect(application_name=application)
        self.connections.append(connection)
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        return cursor

    def run(self, application, statement, *before):
        cursor = self.open(application, *before)

        def work():
            with contextlib.suppress(psycopg2.Error):
                cursor.execute(statement)

        self.threads.append(threading.Thread(target=work))
        self.threads[-1].start()

    def end(self):
        for connection in self.connections:
            with contextlib.suppress(psycopg2.Error):
                self.server.execute("select pg_terminate_backend(%s)", connection.get_backend_pid())
        for thread in self.threads:
            thread.join(30)
        for connection in self.connections:
            connection.close()

    def sleep(self):
        for number in range(SLEEPERS):
            self.run(f"sleeper-4711{number}", f"select pg_sleep(600), '{SECRET}'")

    def block(self):
        """holder < middle < last: two wait, the first of them for one that is idle."""
        self.open("holder", "begin", f"update t set b = '{SECRET}' where a = 1")
        self.run("middle", f"update t set b = '{SECRET}' where a = 1", "begin", "update t set b = '' where a = 2")
        self.server.wait_until("select count(*) = 1 from pg_stat_activity where wait_event_type = 'Lock'")
        self.run("last", f"update t set b = $tag${SECRET}$tag$ where a = 2 and b <> '{SECRET}'")
        self.server.wait_until("select count(*) = 2 from pg_stat_activity where wait_event_type = 'Lock'")


class Scene:
    """Everything that runs, and what the store and the second collector's spool have of it."""

    def __init__(self, stack):
        self.servers, self.sessions = {}, {}
        for name, major in (("old", 12), ("new", 18)):
            server = self.servers[name] = stack.enter_context(PgServer(major, settings=MONITORED_SETTINGS))
            monitoring_setup(server)
            server.execute("create table t (a integer primary key, b text)")
            server.execute("insert into t values (1, ''), (2, '')")
        self.servers["standby"] = self.servers["new"].make_standby()
        stack.callback(self.servers["standby"].remove)
        self.servers["standby"].start()
        for name, server in self.servers.items():
            self.sessions[name] = Sessions(server)
            stack.callback(self.sessions[name].end)
            self.sessions[name].sleep()
            if name != "standby":
                self.sessions[name].block()
            server.wait_until("select count(*) = 0 from pg_stat_activity where clock_timestamp() - xact_start < '2 s'"
                              " and backend_type = 'client backend' and pid <> pg_backend_pid()")
            server.mark_log()
        self.began = time.time()
        self.backend = stack.enter_context(Backend())
        dsns = {name: server.dsn(user="monitor") for name, server in self.servers.items()}
        self.lone = Collector(self.backend, dsns, name="lone", extra=SAMPLING)
        stack.callback(self.lone.remove)
        self.lone.register()
        url = self.backend.url
        self.lone.config.write_text(self.lone.config.read_text().replace(url, "https://127.0.0.1:1"))
        self.lone.start()
        self.collector = stack.enter_context(Collector(self.backend, dsns, extra=SAMPLING))
        self.api = self.backend.api()

    def query(self, sql, *parameters):
        with psycopg2.connect(self.backend.store_dsn()) as store, store.cursor() as cursor:
            cursor.execute(sql, parameters)
            names = [column.name for column in cursor.description]
            return [dict(zip(names, row)) for row in cursor.fetchall()]

    def rows(self, family, name):
        return self.query(f"select * from metric_view.{family} where server_id = %s order by time", self.id(name))

    def id(self, name):
        return self.api.servers()[name]["id"]

    def windows(self, name):
        """{end: covered milliseconds} of the readings of samples."""
        found = self.query("select r.time, r.interval_ms from pganalytics.reading r"
                           " join pganalytics.families f on f.family_id = r.family_id"
                           " where f.family = 'session_samples' and r.server_id = %s", self.id(name))
        return {row["time"]: row["interval_ms"] for row in found}

    def covered(self, name, until):
        """Milliseconds of all windows that ended by then: more may come while a test looks."""
        return sum(ms for end, ms in self.windows(name).items() if end <= until)

    def full_window(self, name):
        """End of the first window with all its samples."""
        def find():
            return [end for end, ms in sorted(self.windows(name).items())
                    if ms == 10000 and end.timestamp() - 10 >= self.began]

        return eventually(find, 60, "no whole window")[0]


@pytest.fixture(scope="module", name="scene")
def whole_scene():
    with contextlib.ExitStack() as stack:
        scene = Scene(stack)
        yield scene
        scene.lone.stop()
        scene.lone.check_log()


def samples_of(rows, **wanted):
    """{window: samples} of the rows that have these values."""
    counts = collections.Counter()
    for row in rows:
        if all(row[key] == value for key, value in wanted.items()):
            counts[row["time"]] += row["samples"]
    return counts


@pytest.mark.parametrize("name", ["old", "new", "standby"])
def test_samples_are_as_many_as_there_were_sessions(scene, name):
    window = scene.full_window(name)
    rows = scene.rows("session_samples", name)
    sleeping = samples_of(rows, wait_event="PgSleep", state="active", application_name="sleeper-#")
    assert sleeping[window] == SLEEPERS * 10, "each session in each of ten samples"
    blocked = 0 if name == "standby" else 1
    assert samples_of(rows, state="idle in transaction", application_name="holder")[window] == 10 * blocked
    assert samples_of(rows, wait_event_type="Lock", application_name="middle")[window] == 10 * blocked
    assert samples_of(rows, wait_event_type="Lock")[window] == 20 * blocked
    assert samples_of(rows, backend_type="client backend")[window] == 10 * (SLEEPERS + 3 * blocked), "and nobody else"
    assert all(row["datname"] == "postgres" and row["usename"] == "postgres" for row in rows
               if row["backend_type"] == "client backend")
    assert sum(row["seconds"] for row in rows) == sum(row["samples"] for row in rows)
    assert any(row["queryid"] for row in rows) == (name != "old"), "the server knows them from version 14 on"


@pytest.mark.parametrize("name", ["old", "new"])
def test_a_tree_of_blocked_sessions_is_captured(scene, name):
    tree = eventually(lambda: scene.rows("blocked_trees", name), 30, "no tree")[0]
    assert (tree["waiting"], tree["depth"], tree["root_state"]) == (2, 2, "idle in transaction")
    assert (tree["root_application_name"], tree["locktype"], tree["mode"]) == ("holder", "transactionid", "ShareLock")
    assert tree["root_query"] == tree["waiter_query"] == "update t set b = ? where a = ?"
    assert tree["root_pid"] != tree["waiter_pid"] and tree["root_transaction_seconds"] > 1
    assert (tree["wait_seconds"] is None) == (name == "old")
    last = eventually(lambda: [row for row in scene.rows("session_samples", name) if row["application_name"] == "last"])[-1]
    assert last["blocker"].startswith("idle in transaction"), "who holds them all up"


@pytest.mark.parametrize("name", ["old", "new"])
def test_long_transactions_are_listed(scene, name):
    rows = eventually(lambda: scene.rows("long_transactions", name), 30, "none")
    found = {row["application_name"]: row for row in rows}
    assert found["holder"]["query"] == "update t set b = ? where a = ?"
    assert found["holder"]["state"] == "idle in transaction"
    assert found["sleeper-#"]["query"] == "select pg_sleep(?), ?"
    assert found["last"]["query"] == "update t set b = ? where a = ? and b <> ?"
    assert min(row["transaction_seconds"] for row in rows) > 1


def test_the_api_gives_average_active_sessions(scene):
    scene.full_window("new")
    path = f"/servers/{scene.id('new')}/activity/history"
    answer = scene.api.get(path, step="10s")
    classes = {one["wait_event_type"]: one for one in answer["classes"]}
    assert classes["Timeout"]["average"] == pytest.approx(SLEEPERS)
    assert classes["Lock"]["average"] == pytest.approx(2)
    assert answer["idle_in_transaction"] == pytest.approx(1)
    assert answer["active"] == pytest.approx(sum(one["average"] for one in answer["classes"]))
    values = [value for _, value in classes["Timeout"]["points"]]
    assert values[0] is None, "nothing is known of an hour ago"
    assert {round(value, 6) for value in values if value is not None} == {SLEEPERS}
    eventually(lambda: scene.api.get(path, step="10s")["covered_seconds"] == sum(scene.windows("new").values()) / 1000,
               what="what is covered is something else than what is stored")  # windows may come in between
    first = answer["top"][0]
    assert (first["wait_event"], first["datname"]) == ("PgSleep", "postgres") and int(first["queryid"])
    assert 0 < first["share"] < 1 and len(scene.api.get(path, limit=1)["top"]) == 1
    refused = scene.api.raw("GET", path, params={"step": "1s"})
    assert refused.status_code == 400 and "10 s" in refused.json()["error"]["message"]
    assert scene.api.raw("GET", "/servers/999999/activity/history").status_code == 404


def test_the_sampler_tells_what_it_costs(scene):
    scene.full_window("new")
    for row in scene.rows("session_sampling", "new"):
        assert row["samples"] > 0 and row["sql_ms"] > 0 and row["cpu_ms"] > 0 and row["max_ms"] > 0

    def cost(figure):
        return scene.api.increase(scene.id("new"), f"collector_family.{figure}", {"family": "session_samples"})

    eventually(lambda: cost("runs") >= 8 and cost("sql_ms") > 0 and cost("rows") >= 8 * (SLEEPERS + 3)
               and cost("bytes") > 0, 30, "the sampler's cost is not told")
    assert cost("errors") == 0


def spooled(collector, name):
    """All frames that wait in the spool of a server."""
    copy = collector.directory / f"copy-{name}"

    def take():
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(collector.state / "servers" / name / "spool", copy)
        return True

    eventually(take, 10, "the spool changes faster than it can be copied")
    done = subprocess.run([program("spool_dump"), copy], capture_output=True, text=True, timeout=60, check=True)
    return [frame for line in done.stdout.splitlines() for frame in json.loads(line)["frames"]], done.stdout


@pytest.mark.parametrize("name", ["old", "new"])
def test_values_in_statements_are_nowhere(scene, name):
    def families():
        return {frame["family"] for frame in spooled(scene.lone, name)[0] if frame["rows"]}

    eventually(lambda: set(FAMILIES) <= families(), 60, "not all families are in the spool")
    assert SECRET not in spooled(scene.lone, name)[1]
    assert "update t set b = ?" in spooled(scene.lone, name)[1]
    for table in FAMILIES:
        assert SECRET not in repr(scene.rows(table, name))
    for program_of_ours in (scene.lone, scene.collector, scene.backend):
        assert SECRET not in program_of_ours.log_text()


def test_no_server_has_an_error_in_its_log(scene):
    for name, server in scene.servers.items():
        assert not server.log_errors(), name


def test_a_server_that_hangs_loses_samples_and_nothing_else(scene):
    """It stops the oldest server until the sampler gives up, and lets it go on."""
    scene.full_window("old")
    server, log = scene.servers["old"], scene.collector.log_text
    server.pause()
    eventually(lambda: "sessions cannot be sampled" in log(), 30, "the sampler waits for ever")
    server.resume()
    eventually(lambda: "sessions are sampled again" in log(), 60, "the sampler does not come back")
    outages = [line for line in scene.collector.log_lines("warn") if line["message"] == "sessions cannot be sampled"]
    assert [line["server"] for line in outages].count("old") == 1, "one line an outage"

    def seen():
        rows = scene.rows("session_sampling", "old")
        return sum(row["lost"] for row in rows) >= 5 and rows[-1]["lost"] == 0 and rows[-1]["samples"] == 10

    eventually(seen, 60, "the lost samples are not counted")
    sleeping = samples_of(scene.rows("session_samples", "old"), wait_event="PgSleep")
    assert sum(sleeping.values()) * 1000 == SLEEPERS * scene.covered("old", max(sleeping)), "averages stay true"
    sampled = scene.rows("session_sampling", "new")
    assert scene.covered("new", sampled[-1]["time"]) == 1000 * sum(row["samples"] for row in sampled), "nothing is disturbed"
    # Cancelled by us, or by its own timeout, which has passed during the pause.
    given_up = ("connection to client lost", "canceling statement due to")
    left = [line for line in server.log_errors() if not any(text in line for text in given_up)]
    assert not left, "those whose collector gave up were cancelled or find nobody, which is all that the log may say"
    server.mark_log()
