# SPDX-License-Identifier: PostgreSQL
"""A watched server, a backend, a collector and a workload that counts what it does, to compare with what is stored.

    scene = Truth()
    baseline = begin(scene)
    scene.workload.insert(200, 5)
    check(scene, baseline)  # the store has exactly the increases that the server has counted
"""
import datetime

import psycopg2

from pgserver import MONITORED_SETTINGS, PgServer, monitoring_setup
from stack import Backend, Collector
from wait import eventually

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

    def wait_for_readings(self):
        """Until the store has readings that began behind this moment: those that it is only given now may be older."""
        now = datetime.datetime.now(datetime.timezone.utc)

        def stored():
            with self.server_store() as store, store.cursor() as cursor:
                cursor.execute("select count(distinct family) from pganalytics.reading join pganalytics.families"
                               " using (family_id) where family = any(%s) and time > %s",
                               (["pg_stat_database", "pg_stat_statements"], now))
                return cursor.fetchone()[0] == 2

        eventually(stored, SETTLE_SECONDS, "no reading was stored")

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
    """Figures of the server and of the store that belong together: nothing moved until readings of it were stored. (That
    a session starts is a commit, too, which an idle one may report ten seconds later.)"""
    truth.workload.insert(1, 1)
    truth.settle_statistics()

    def both():
        figures = server_figures(truth.server)
        truth.wait_for_readings()
        stored = truth.stored_figures()
        return server_figures(truth.server) == figures and {"server": figures, "stored": stored}

    return eventually(both, SETTLE_SECONDS, "the figures never rest")
