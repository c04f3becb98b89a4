# SPDX-License-Identifier: PostgreSQL
"""What the tests of hard situations share: a watched server whose table t counts what is inserted, and its counts."""
from lone import find, total
from pgserver import MONITORED_SETTINGS, PgServer, Unavailable, binaries, monitoring_setup

import pytest


def need(*majors):
    """Skips the test where one of these servers cannot be had."""
    for major in majors:
        try:
            binaries(major)
        except Unavailable as missing:
            pytest.skip(str(missing))


def watched_server(major, **options):
    """Not yet started: autovacuum does not move the counts, and so much as the documentation asks for is preloaded."""
    settings = {**MONITORED_SETTINGS, "autovacuum": "off", **options.pop("settings", {})}
    return PgServer(major, settings=settings, **options)


def fill(server):
    """The role of the documentation, and the table that is counted."""
    monitoring_setup(server)
    server.execute("create database app")
    server.execute("create table t (id int)", dbname="app")


def insert(server, count):
    server.execute("insert into t select generate_series(1, %s)", count, dbname="app")


def counted(server):
    return server.value("select n_tup_ins from pg_stat_user_tables where relname = 't'", dbname="app")


def inserted(collector, server="main"):
    """The sum of all increases of t in the spool."""
    return total(collector.frames("pg_stat_user_tables", server=server, database="app"), "n_tup_ins", relname="t")


def increases_of_t(collector):
    return [row["n_tup_ins"] for row in find(collector.frames("pg_stat_user_tables", database="app"), relname="t")]


def has_gap(collector, family="pg_stat_user_tables"):
    return any(f.get("gap") for f in collector.frames(family))


def no_negative(collector):
    """Every number of every counter of every batch; gauges may be below zero, none of the families read here has one."""
    for batch in collector.batches():
        for frame in batch["frames"]:
            if frame["family"] in ("pg_stat_user_tables", "pg_stat_database", "pg_stat_statements", "pg_stat_bgwriter"):
                for row in frame["rows"]:
                    assert not [v for v in row if isinstance(v, (int, float)) and v < 0], (frame["family"], row)
    return True


def most_tries(seconds):
    """How often one connection is tried in so many seconds at most: pauses of 1, 2, 4 s and so on, of which half is sure."""
    tries, pause = 1, 0.5
    while seconds >= pause:
        tries, seconds, pause = tries + 1, seconds - pause, min(2 * pause, 30)
    return tries


def server_rows(batches):
    return [b["servers"][0] for b in batches]
