# SPDX-License-Identifier: PostgreSQL
"""A disk that takes nothing for long: what other threads read meanwhile waits in the inbox, which gives up the oldest of it
and says so; behind it all goes on, and nothing is doubled."""
import contextlib
import re

import psycopg2
import requests
from hard import fill, insert, inserted, watched_server
from lone import LoneCollector, total
from pgbouncer import PgBouncer
from ports import free_port
from wait import eventually

DATABASES = 1500  # a row for each, every second: the inbox is full within some seconds
METRIC = re.compile(r'^(\w+)\{server="main"\} (\S+)$', re.M)


def metrics(port):
    return dict(METRIC.findall(requests.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text))


@contextlib.contextmanager
def nothing_can_be_written(collector):
    """A file stands where the directory of the server's was. What is open stays so, but nothing new can be made."""
    servers = collector.state / "servers"
    aside = collector.state / "aside"
    servers.rename(aside)
    try:
        servers.touch()
        yield
    finally:
        servers.unlink()
        aside.rename(servers)


def work(pooler, count):
    with contextlib.closing(psycopg2.connect(pooler.dsn("postgres"))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for _ in range(count):
                cursor.execute("select 1")


def test_what_the_inbox_gives_up_is_told_and_nothing_is_doubled(tmp_path):
    port = free_port()
    with watched_server(16, tcp=True) as server:
        fill(server)
        databases = {"postgres": server, **{f"d{n}": server for n in range(DATABASES)}}
        with PgBouncer(databases, settings={"stats_users": "monitor"}) as pooler:
            collector = LoneCollector(tmp_path, {"main": server.dsn(user="monitor")}, extra=(
                f'[prometheus]\nlisten = "127.0.0.1:{port}"\n'
                f'[[pgbouncer]]\nname = "pool"\nhost = "127.0.0.1"\nport = {pooler.port}\nuser = "monitor"\n'))
            collector.start()
            try:
                look_at(collector, server, pooler, port)
                collector.stop()
            finally:
                collector.kill()
    collector.check_log()


def look_at(collector, server, pooler, port):
    def pooled():
        return total(collector.frames("pgbouncer_totals"), "xact_count")

    def given_up():
        return float(metrics(port)["pganalytics_readings_given_up_total"])

    def said(message):
        return [line for line in collector.log_lines() if line["message"] == message]

    work(pooler, 1)
    eventually(lambda: collector.frames("pgbouncer_databases") and collector.frames("session_samples"), 60, "no reading")
    before = pooled()
    assert given_up() == 0
    with nothing_can_be_written(collector):
        eventually(lambda: said("batch could not be kept, its increases go into the next one"), 60, "it is still written")
        began = collector.log_lines("error")[-1]["time"]
        insert(server, 5)
        work(pooler, 7)
        eventually(lambda: given_up() >= 20, 120, "nothing is given up")
        insert(server, 2)
        work(pooler, 3)
        ended = said("readings were given up because batches could not be kept")[0]
        assert ended["server"] == "main" and 0 < ended["readings"] <= given_up()
    eventually(lambda: said("batches are kept again"), 60)
    insert(server, 6)
    work(pooler, 4)
    eventually(lambda: inserted(collector) == 13, 60, "the tables' increases")
    eventually(lambda: pooled() == before + 14, 60, "the pooler's increases")
    lost = given_up()
    collector.wait_for_batches(2)
    assert (inserted(collector), pooled(), given_up()) == (13, before + 14, lost), "doubled, or given up behind it"
    for family in ("pgbouncer_databases", "pgbouncer_totals", "session_samples"):
        times = [frame["time"] for frame in collector.frames(family)]
        assert len(times) == len(set(times)), f"{family} was put into two batches"
    assert [frame for frame in collector.frames("pgbouncer_databases") if began < frame["time"] < ended["time"]], \
        "the newest are kept"
