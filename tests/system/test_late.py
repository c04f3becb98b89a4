# SPDX-License-Identifier: PostgreSQL
"""Pushes whose client was told "too late" while they were being written: nothing is lost, twice, or used after its end."""
import concurrent.futures
import contextlib
import datetime

import psycopg2

from stack import Backend, Collector, eventually

PUSHES = 12


def push_of(collector, sequence):
    time = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=2)).isoformat()
    return {"collector_id": collector.id, "spool": f"spool-{sequence}", "sequence": 1,
            "servers": [{"name": "main", "version_num": 150020, "in_recovery": False, "reachable": True}],
            "frames": [{"family": "pg_stat_database", "server": "main", "time": time, "interval_ms": 1000, "keyframe": False,
                        "columns": ["datname", "xact_commit", "nobody"], "rows": [[f"app{sequence}", 1, 2]]}], "metrics": []}


@contextlib.contextmanager
def writers_held(backend):
    """The writers wait within their transactions."""
    store = psycopg2.connect(backend.store_dsn())
    try:
        with store.cursor() as cursor:
            cursor.execute("lock table pganalytics.ingest_position in exclusive mode")
        yield
    finally:
        store.close()


def test_an_answer_that_comes_after_the_deadline_harms_nothing():
    with Backend() as backend:
        collector = Collector(backend, {"main": "host=/nowhere"}, name="late").register()
        backend.stop()
        backend.environment["REQUEST_TIMEOUT"] = "1s"  # from now on: a first start hashes a password, which may take longer
        backend.start()
        pushes = [push_of(collector, i) for i in range(PUSHES)]
        with writers_held(backend), concurrent.futures.ThreadPoolExecutor(PUSHES) as pool:
            answers = list(pool.map(collector.push, pushes))
            assert {answer.status_code for answer in answers} == {503}
        # some were in a transaction, the others waited too long for a writer; all are sent again
        again = [eventually(lambda: (lambda a: a if a.status_code == 200 else None)(collector.push(push)))  # pylint: disable=W0640
                 for push in pushes]
        assert any(answer.json()["duplicate"] for answer in again), "what was being written was stored"
        with psycopg2.connect(backend.store_dsn()) as store, store.cursor() as cursor:
            cursor.execute("select count(*), sum(xact_commit) from metric.pg_stat_database")
            assert cursor.fetchone() == (PUSHES, PUSHES)
        assert eventually(lambda: backend.metric("pganalytics_http_late_answers_total")) >= 1
        collector.remove()


def test_it_stops_well_while_pushes_wait_for_the_store():
    with Backend(environment={"SHUTDOWN_TIMEOUT": "1s"}) as backend:
        collector = Collector(backend, {"main": "host=/nowhere"}, name="late").register()
        with concurrent.futures.ThreadPoolExecutor(PUSHES) as pool:
            with writers_held(backend):
                answers = [pool.submit(collector.push, push_of(collector, i)) for i in range(PUSHES)]
                eventually(lambda: backend.metric("pganalytics_http_requests_in_flight") > PUSHES)  # it is one
                backend.process.terminate()
                assert {answer.result().status_code for answer in answers} == {503}
        backend.stop()
        collector.remove()
