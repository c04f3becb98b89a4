# SPDX-License-Identifier: PostgreSQL
"""The numbers are true: a workload of known size gives exactly these increases through the API, whatever is killed.

What is counted independently: the workload's own count of commits, rows and calls, done in a database that the collector
itself never opens a session in (its own transactions would count), and the server's statistics views.
"""
import os
import random
import signal
import threading

import psycopg2
import pytest

from pgserver import MONITORED_SETTINGS, PgServer, monitoring_setup
from stack import Backend, Collector, eventually

SETTLE_SECONDS = 60


class Workload:
    """Transactions on table t of database truth, counted as they are done."""

    def __init__(self, server):
        self.server = server
        self.connection = server.connect("truth")
        self.cursor = self.connection.cursor()
        self.rows = 0

    def insert(self, times, rows_each):
        for _ in range(times):
            self.cursor.execute("insert into t select g, 'x' from generate_series(1, %s) as g", (rows_each,))
            self.rows += rows_each

    def close(self):
        self.connection.close()


def server_figures(server):
    """What the server itself says, absolute: commits, rows inserted into t, calls of the insert."""
    commits = server.value("select xact_commit from pg_stat_database where datname = 'truth'")
    inserted = server.value("select tup_inserted from pg_stat_database where datname = 'truth'")
    calls = server.value(
        "select coalesce(sum(calls), 0)::bigint from pg_stat_statements s join pg_database d on d.oid = s.dbid"
        " where d.datname = 'truth' and query like 'insert into t %'")
    return {"xact_commit": commits, "tup_inserted": inserted, "calls": calls}


class Truth:
    """Everything of one test: a monitored server with the database truth, a backend, a collector, a workload."""

    def __init__(self):
        self.server = PgServer(15, settings={**MONITORED_SETTINGS, "autovacuum": "off"})
        self.server.init()
        self.server.start()
        monitoring_setup(self.server)
        self.server.execute("create database truth")
        self.server.execute("create table t (a integer, b text)", dbname="truth")
        self.backend = Backend().start()
        self.collector = Collector(self.backend, {"main": self.server.dsn(user="monitor")})
        # The collector may read statistics of truth, not visit it.
        self.collector.write_config({"main": self.server.dsn(user="monitor")}, databases='["postgres"]')
        self.collector.register()
        self.collector.start()
        self.api = self.backend.api()
        self.inserted_before = self.inserted()  # making the table inserts into catalogs
        self.workload = Workload(self.server)

    def inserted(self):
        return self.server.value("select tup_inserted from pg_stat_database where datname = 'truth'")

    def close(self):
        self.workload.close()
        self.collector.remove()
        self.backend.remove()
        self.server.remove()

    def kill_store(self):
        """A store that runs: one that is just coming back after the last kill is waited for."""
        eventually(self.backend.store_pid, SETTLE_SECONDS, "the store does not come back")
        self.backend.kill_store()

    def server_id(self):
        return self.api.servers()["main"]["id"]

    def stored_count(self):
        """Batches of this collector that the store has. The store may be on its way back."""
        def count():
            with self.server_store() as store, store.cursor() as cursor:
                cursor.execute("select coalesce(max(sequence), 0) from pganalytics.ingest_position"
                               " where collector_id = %s", (self.collector.id,))
                return cursor.fetchall()

        return eventually(count, SETTLE_SECONDS, "the store does not come back")[0][0]

    def server_store(self):
        return psycopg2.connect(self.backend.store_dsn())

    def settle_statistics(self):
        """Until the server's statistics show the workload: an idle session reports at the latest after a minute, a
        closed one at once."""
        rows = self.workload.rows
        self.workload.close()
        self.workload = Workload(self.server)
        self.workload.rows = rows
        eventually(lambda: self.inserted() == self.inserted_before + rows, SETTLE_SECONDS, "the statistics lag behind")

    def stored_figures(self):
        """Increases by the API, in the same terms as server_figures()."""
        server_id = self.server_id()
        database = {"datname": "truth"}
        return {
            "xact_commit": self.api.increase(server_id, "pg_stat_database.xact_commit", database),
            "tup_inserted": self.api.increase(server_id, "pg_stat_database.tup_inserted", database),
            "calls": self.api.increase(server_id, "pg_stat_statements.calls", {"queryid": self.queryid(), **database}),
        }

    def queryid(self):
        return str(self.server.value(
            "select queryid from pg_stat_statements s join pg_database d on d.oid = s.dbid"
            " where d.datname = 'truth' and query like 'insert into t %' limit 1"))


@pytest.fixture
def truth():
    scene = Truth()
    try:
        yield scene
    finally:
        scene.close()


def check(truth, baseline):
    """All increases since @baseline are stored, exactly; and they stay so."""
    truth.settle_statistics()

    def exact():
        happened = difference(server_figures(truth.server), baseline["server"])
        stored = difference(truth.stored_figures(), baseline["stored"])
        assert stored == happened, f"stored {stored}, happened {happened}"
        return True

    eventually(exact, SETTLE_SECONDS, "the store never agreed with the server")
    truth.collector.check_log()
    truth.backend.check_log()


def difference(now, before):
    return {key: now[key] - before[key] for key in now}


def begin(truth):
    """Figures of the server and of the store that belong together: nothing moves until readings of it are stored."""
    truth.workload.insert(1, 1)
    truth.settle_statistics()
    figures = server_figures(truth.server)
    at = truth.stored_count()
    eventually(lambda: truth.stored_count() >= at + 2, SETTLE_SECONDS, "no reading was stored")
    assert server_figures(truth.server) == figures
    return {"server": figures, "stored": truth.stored_figures()}


def test_a_known_workload_gives_exactly_its_increases(truth):
    baseline = begin(truth)
    truth.workload.insert(200, 5)
    check(truth, baseline)
    assert server_figures(truth.server)["tup_inserted"] - baseline["server"]["tup_inserted"] == 1000


def test_across_a_collector_restart(truth):
    baseline = begin(truth)
    truth.workload.insert(50, 2)
    truth.collector.stop()
    truth.workload.insert(50, 2)
    truth.collector.start()
    truth.workload.insert(50, 2)
    check(truth, baseline)


def test_across_kill_of_the_collector(truth):
    baseline = begin(truth)
    dice = random.Random(4711)
    for _ in range(6):
        truth.workload.insert(dice.randint(5, 40), 3)
        at = truth.stored_count()
        if dice.random() < 0.5:
            eventually(lambda at=at: truth.stored_count() > at, SETTLE_SECONDS)
        truth.collector.kill()
        truth.workload.insert(dice.randint(5, 40), 3)
        truth.collector.start()
    check(truth, baseline)


def test_across_kill_of_the_backend(truth):
    baseline = begin(truth)
    for _ in range(3):
        truth.workload.insert(40, 3)
        truth.backend.kill()  # its store goes on running, and is adopted
        truth.workload.insert(40, 3)
        truth.backend.start()
        truth.api = truth.backend.api()
    check(truth, baseline)


def test_across_kill_of_the_store(truth):
    baseline = begin(truth)
    for _ in range(3):
        truth.workload.insert(40, 3)
        truth.kill_store()
        truth.workload.insert(40, 3)
        truth.backend.wait_ready()
    check(truth, baseline)


def test_across_all_three_in_a_row_under_load(truth):
    baseline = begin(truth)
    done = threading.Event()

    def load():
        while not done.is_set():
            truth.workload.insert(5, 2)

    worker = threading.Thread(target=load)
    worker.start()
    try:
        dice = random.Random(15)
        for _ in range(4):
            at = truth.stored_count()
            eventually(lambda at=at: truth.stored_count() > at, SETTLE_SECONDS)
            victim = dice.choice(["collector", "backend", "store"])
            if victim == "collector":
                truth.collector.kill()
                truth.collector.start()
            elif victim == "backend":
                truth.backend.kill()
                truth.backend.start()
                truth.api = truth.backend.api()
            else:
                truth.kill_store()
                truth.backend.wait_ready()
    finally:
        done.set()
        worker.join()
    check(truth, baseline)


def test_a_statistics_reset_gives_a_gap_and_never_a_negative_or_a_spike(truth):
    baseline = begin(truth)
    truth.workload.insert(100, 1)
    check(truth, baseline)
    before = truth.api.increase(truth.server_id(), "pg_stat_database.tup_inserted", {"datname": "truth"})
    truth.server.execute("select pg_stat_reset()", dbname="truth")
    truth.workload.rows, truth.inserted_before = 0, 0
    truth.workload.insert(30, 1)
    truth.settle_statistics()
    at = truth.stored_count()
    eventually(lambda: truth.stored_count() >= at + 3, SETTLE_SECONDS)
    after = truth.api.increase(truth.server_id(), "pg_stat_database.tup_inserted", {"datname": "truth"})
    assert before <= after <= before + 30
    os.kill(truth.collector.process.pid, signal.SIGHUP)  # a reload keeps the baseline
    truth.workload.insert(20, 1)
    truth.settle_statistics()
    eventually(lambda: truth.api.increase(truth.server_id(), "pg_stat_database.tup_inserted", {"datname": "truth"})
               == after + 20, SETTLE_SECONDS, "the increase after the reset")


def test_the_monitored_server_s_log_stays_clean(truth):
    truth.server.mark_log()
    at = truth.stored_count()
    eventually(lambda: truth.stored_count() >= at + 3, SETTLE_SECONDS)
    assert truth.server.log_errors() == []


def test_the_metrics_relation_answers(truth):
    at = truth.stored_count()
    eventually(lambda: truth.stored_count() >= at + 2, SETTLE_SECONDS)
    with truth.server_store() as store, store.cursor() as cursor:
        cursor.execute('select * from metrics where collector_id = %s order by "timestamp" desc limit 10',
                       (truth.collector.id,))
        rows = cursor.fetchall()
        names = [column.name for column in cursor.description]
    assert len(rows) == 10
    for name in ("time", "timestamp", "collector_id", "server_id", "metric_name", "labels", "value"):
        assert name in names
