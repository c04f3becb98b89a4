# SPDX-License-Identifier: PostgreSQL
"""Waiting in tests: poll with a deadline, never sleep and hope."""
import time

import psycopg2
import requests

# What a program that is only starting, or a row that is not there yet, answers with.
NOT_YET = (AssertionError, StopIteration, OSError, requests.RequestException, psycopg2.Error, KeyError, IndexError)

# How many times longer than an idle one a busy or small machine may take. A deadline only ends what never comes true: it
# measures nothing, and a long one costs nothing.
SLOWNESS = 5

REST_LEAST, REST_MOST = 0.05, 0.5  # seconds between two looks


def patience(seconds):
    """The deadline for what takes an idle machine @seconds at most."""
    return seconds * SLOWNESS


def eventually(check, seconds=30, what="it never became true"):
    """Calls @check until it gives something true, and returns that. Exceptions of a start-up count as not yet. @seconds:
    the most that an idle machine needs. Between looks it rests twice as long as one takes, so that looking at much does
    not keep from their work those who are looked at."""
    deadline = time.monotonic() + patience(seconds)
    while True:
        began = time.monotonic()
        try:
            result = problem = check()
            if result:
                return result
        except NOT_YET as error:
            problem = error
        now = time.monotonic()
        assert now < deadline, f"{what}: {problem!r}"
        time.sleep(min(max(REST_LEAST, 2 * (now - began)), REST_MOST))
