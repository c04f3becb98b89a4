# SPDX-License-Identifier: PostgreSQL
"""The numbers are true: a workload of known size gives exactly these increases through the API, whatever is killed.

What is counted independently: the workload's own count of commits, rows and calls, done in a database that the collector
itself never opens a session in (its own transactions would count), and the server's statistics views.
"""
import os
import random
import signal
import threading

import pytest

from truth import SETTLE_SECONDS, Truth, begin, check, server_figures
from wait import eventually


@pytest.fixture
def truth():
    scene = Truth()
    try:
        yield scene
    finally:
        scene.close()


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
    truth.wait_for_readings()
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
