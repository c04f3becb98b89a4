# SPDX-License-Identifier: PostgreSQL
"""Hours of readings in compressed time: the thread of a monitored server, real server, real load, on a clock that jumps
over its sleep (tests/support/tick_driver.c). Memory is flat, no descriptor is lost, the connections stay the same.
Six hours; PGA_LONG=1: two days."""
import os
import subprocess
import threading
import time

from hard import fill, watched_server
from lone import LoneCollector
from stack import program
from wait import eventually

TICKS = 2880 if os.environ.get("PGA_LONG") else 360
HEAP_GROWTH = 40_000  # bytes from the first third to the last; a quarter of a kilobyte a tick is found, 5 kB are noise
WARM = 120  # every family was read, keyframes and slow ones several times


class Churn:
    """Statements that are ever new to pg_stat_statements, tables that come and go, sessions that do, and rows."""

    def __init__(self, server):
        self.server, self.running, self.turns = server, True, 0
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while self.running:
            connection = self.server.connect("app")
            with connection.cursor() as cursor:
                for _ in range(20):
                    self.turns += 1
                    n = self.turns
                    cursor.execute("select 1 where " + " or ".join(f"{n} = {i}" for i in range(1 + n % 300)))
                    cursor.execute("insert into t select generate_series(1, %s)", (n % 7,))
                    cursor.execute(f"create table come_{n % 13} (id int primary key); drop table come_{n % 13}")
            connection.close()
            time.sleep(0.05)

    def stop(self):
        self.running = False
        self.thread.join()


def test_hours_of_ticks_leave_nothing_behind(tmp_path):
    # Few statements are kept, so that new ones push old ones out long before the measuring begins.
    with watched_server(17, settings={"pg_stat_statements.max": 150}) as server:
        fill(server)
        collector = LoneCollector(tmp_path, {"main": server.dsn(user="monitor")}, interval=60)
        churn = Churn(server)
        seen = set()
        eventually(lambda: churn.turns > 600, 60, "no load")  # from the first tick on statements push others out
        with open(tmp_path / "driver.log", "wb") as log:
            driver = subprocess.Popen([program("tick_driver"), collector.config, collector.state, str(TICKS)],
                                      stdout=subprocess.PIPE, stderr=log, text=True,
                                      env={**os.environ, "ASAN_OPTIONS": "quarantine_size_mb=4"})
        lines = []
        try:
            for line in driver.stdout:
                lines.append([int(word) for word in line.split()])
                if lines[-1][0] >= WARM:
                    seen.add(tuple(sorted(pid for (pid,) in server.execute(
                        "select pid from pg_stat_activity where usename = 'monitor'"))))
            assert driver.wait(60) == 0, (tmp_path / "driver.log").read_text()
        finally:
            driver.kill()
            driver.wait()
            churn.stop()
        warm, last = [next(line for line in lines if line[0] >= at) for at in (WARM, TICKS - 10)]
        heaps = [line[2] for line in lines if line[0] >= WARM]
        print(f"\n{TICKS} ticks: resident {warm[1]} to {last[1]} kB, heap {min(heaps)} to {max(heaps)} bytes,"
              f" descriptors {warm[3]} to {last[3]}, connections {[len(pids) for pids in seen]}, {churn.turns} turns of load")
        third = len(heaps) // 3
        assert sum(heaps[-third:]) / third < sum(heaps[:third]) / third + HEAP_GROWTH, f"the heap grows: {heaps}"
        assert last[1] < warm[1] * 1.1 + 2048, f"resident memory grows: {[line[1] for line in lines]}"
        descriptors = [line[3] for line in lines if line[0] >= WARM]
        assert max(descriptors[-third:]) <= max(descriptors[:third]), f"descriptors are lost: {descriptors}"
        assert len(seen) == 1 and len(seen.pop()) <= 3, "the connections do not stay"
        assert not server.log_errors()
