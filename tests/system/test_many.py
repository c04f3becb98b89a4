# SPDX-License-Identifier: PostgreSQL
"""Many servers in one process: 60 targets on two real ones. PGA_LONG=1: 500, as often as in life."""
import os
import pathlib
import re
import selectors
import socket
import threading

import psycopg2
import pytest

from lone import LoneCollector
from pgserver import MONITORED_SETTINGS, PgServer, monitoring_setup
from stack import Collector
from wait import eventually

LONG = bool(os.environ.get("PGA_LONG"))
TARGETS = 500 if LONG else 60
INTERVAL = 60 if LONG else 5
READINGS = 5 if LONG else 3
PATIENCE = 300 if LONG else 60
CONNECTIONS_EACH = 3  # the one that stays, the sampler's, the one that visits databases
THREADS_EACH, DESCRIPTORS_EACH, OTHERS = 2, 6, 64


@pytest.fixture(scope="module")
def pair():
    settings = {**MONITORED_SETTINGS, "max_connections": TARGETS // 2 * CONNECTIONS_EACH + 10}
    with PgServer(15, settings=settings) as one, PgServer(15, settings=settings) as two:
        for server in (one, two):
            monitoring_setup(server)
        yield one, two


def readings(backend):
    """How often each server was read."""
    with psycopg2.connect(backend.store_dsn()) as store, store.cursor() as cursor:
        cursor.execute("select server_id, count(*) from pganalytics.reading join pganalytics.families using (family_id)"
                       " where family = 'pg_stat_database' group by 1")
        return dict(cursor.fetchall())


def test_many_servers_are_read_and_sent(backend, pair):
    targets = {f"s{n}": pair[n % 2].dsn(user="monitor") for n in range(TARGETS)}
    collector = Collector(backend, targets, name="many", interval=INTERVAL,
                          extra="[limits]\nmemory = \"512MB\"\n")
    collector.write_config(targets, INTERVAL, '[limits]\nmemory = "512MB"\n', databases='["postgres"]')
    with collector:
        api = backend.api()
        eventually(lambda: sum(row["reachable"] for row in api.servers().values()) == TARGETS, PATIENCE)
        connected = {line["server"]: line["time"] for line in reversed(collector.log_lines())
                     if line["message"] in ("connected", "server is read again")}
        seconds = [float(time[14:16]) * 60 + float(time[17:26]) for time in connected.values()]
        assert len(connected) == TARGETS
        assert (max(seconds) - min(seconds)) % 3600 > 2, "all at once"
        found = pathlib.Path(f"/proc/{collector.process.pid}/limits").read_text()
        assert re.search(r"Max address space\s+\d+ ", found), "no fence"
        files = re.search(r"Max open files\s+(\d+)\s+(\d+)", found).groups()
        assert files[0] == files[1], "as many as may be"
        eventually(lambda: len(readings(backend)) == TARGETS and min(readings(backend).values()) >= READINGS, PATIENCE,
                   "one of them is starved")
        status = pathlib.Path(f"/proc/{collector.process.pid}/status").read_text()
        assert int(re.search(r"Threads:\s+(\d+)", status).group(1)) <= THREADS_EACH * TARGETS + OTHERS
        descriptors = len(os.listdir(f"/proc/{collector.process.pid}/fd"))
        assert descriptors <= DESCRIPTORS_EACH * TARGETS + OTHERS
        print(f"\n{TARGETS} servers: {int(re.search(r'RssAnon:.*?([0-9]+)', status).group(1)) / 1024:.0f} MB of its own,"
              f" {descriptors} descriptors")
        assert not [line for line in collector.log_lines("error")]
    for server in pair:
        given_up = "connection to client lost"  # by us, when the machine is too busy to let us in within ten seconds
        assert not [line for line in server.log_errors() if given_up not in line]


AT_ONCE = 16


class Silent:
    """Accepts connections and never answers: how many came before the first one left, and how many in all."""

    def __enter__(self):
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listening.getsockname()[1]
        self.came = self.left = self.before_the_first_left = 0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()
        self.listening.close()

    def serve(self):
        with selectors.DefaultSelector() as selector:
            selector.register(self.listening, selectors.EVENT_READ)
            while not self.stopped.is_set():
                for key, _ in selector.select(0.1):
                    self.look(selector, key.fileobj)

    def look(self, selector, ready):
        if ready is self.listening:
            selector.register(ready.accept()[0], selectors.EVENT_READ)
            self.came += 1
            self.before_the_first_left += self.left == 0
        elif not ready.recv(4096):
            selector.unregister(ready)
            ready.close()
            self.left += 1


def test_only_a_few_connect_at_once_and_all_get_their_turn(tmp_path):
    """What a small machine could not do for hundreds at once; those that hang do not hold up the others."""
    count = 3 * AT_ONCE
    with Silent() as silent:
        dsn = f"host=127.0.0.1 port={silent.port} user=x sslmode=disable gssencmode=disable connect_timeout=2"
        collector = LoneCollector(tmp_path, {f"s{n}": dsn for n in range(count)})
        collector.start()
        try:
            eventually(lambda: len({line["server"] for line in collector.log_lines("warn") if "server" in line}) == count,
                       60, "not all had their turn")
            assert silent.before_the_first_left <= AT_ONCE < silent.came
            collector.stop()
        finally:
            collector.kill()
    collector.check_log()


def test_how_many_there_may_be(backend, tmp_path):
    targets = {f"s{n}": "host=/nowhere" for n in range(513)}
    collector = Collector(backend, targets, directory=tmp_path)
    done = collector.run("--config", str(collector.config), "--validate", check=False)
    assert done.returncode == 2 and "more than 512 servers" in done.stderr
    collector.write_config(dict(list(targets.items())[:512]))
    assert collector.run("--config", str(collector.config), "--validate", check=False).returncode == 0
