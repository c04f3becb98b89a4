# SPDX-License-Identifier: PostgreSQL
"""Waiting in tests: poll with a deadline, never sleep and hope."""
import time

import psycopg2
import requests

# What a program that is only starting, or a row that is not there yet, answers with.
NOT_YET = (AssertionError, StopIteration, OSError, requests.RequestException, psycopg2.Error, KeyError, IndexError)


def eventually(check, seconds=30, what="it never became true"):
    """Calls @check until it gives something true, and returns that. Exceptions of a start-up count as not yet."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            result = problem = check()
            if result:
                return result
        except NOT_YET as error:
            problem = error
        assert time.monotonic() < deadline, f"{what}: {problem!r}"
        time.sleep(0.05)
