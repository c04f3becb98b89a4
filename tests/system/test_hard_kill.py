# SPDX-License-Identifier: PostgreSQL
"""The collector is killed (SIGKILL) at random moments, many times in a row, while the server works and the backend
takes what comes: the store has exactly what the server counted. PGA_LONG=1: 200 times instead of 25. (The spool by
itself, a thousand times: tests/fault/test_spool_kill.c.)"""
import os
import random
import threading
import time

import pytest
from truth import SETTLE_SECONDS, Truth, begin, check
from wait import eventually

KILLS = 200 if os.environ.get("PGA_LONG") else 25
LIFE_SECONDS = 1.2  # at most: a reading a second, so that some lives see none, one, or the middle of one


@pytest.fixture(name="scene")
def one_scene():
    made = Truth()
    try:
        yield made
    finally:
        made.close()


def test_killed_at_random_under_load(scene):
    baseline = begin(scene)
    done = threading.Event()

    def load():
        while not done.is_set():
            scene.workload.insert(1, 3)
            time.sleep(0.005)

    worker = threading.Thread(target=load)
    worker.start()
    seed = random.randrange(1 << 32)
    print("seed", seed)
    dice = random.Random(seed)
    try:
        for _ in range(KILLS):
            life = dice.uniform(0, LIFE_SECONDS)
            began = time.monotonic()
            while time.monotonic() - began < life:  # the moment must not depend on what the collector does
                time.sleep(0.001)
            scene.collector.kill()
            scene.collector.start()
    finally:
        done.set()
        worker.join()
    check(scene, baseline)
    at = scene.stored_count()
    eventually(lambda: scene.stored_count() > at, SETTLE_SECONDS, "it does not go on")
