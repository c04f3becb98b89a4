# SPDX-License-Identifier: PostgreSQL
"""Tables that somebody holds exclusively, with others queued behind: nothing of ours waits, nothing waits for us, no
error in the log, and everything else is read."""
import threading
import time

import pytest
from hard import fill, inserted, insert, need, watched_server
from lone import LoneCollector, find
from wait import eventually

LOCKED = ("plain", "parted", "part_1", "busy")

# Families that are read seldom, at every tick: any of them could wait.
OFTEN = ("pg_table_size", "table_bloat", "index_problems", "pg_stat_user_indexes", "pg_sequences", "vacuum_need",
         "wraparound_tables", "pg_publication", "pg_stat_user_functions", "pg_statio_user_sequences", "pg_database_size",
         "pg_stat_sys_tables", "pg_stat_sys_indexes", "pg_subscription_rel")


class Watch:
    """Looks every 10 ms whether one of ours waits for a lock, or stands in the way of somebody else."""

    SQL = """select coalesce(max(case when usename = 'monitor' and wait_event_type = 'Lock'
                                      then extract(epoch from clock_timestamp() - state_change) end), 0),
                    count(*) filter (where wait_event_type = 'Lock' and usename <> 'monitor'
                                     and pg_blocking_pids(pid) && (select array_agg(pid) from pg_stat_activity
                                                                    where usename = 'monitor'))
               from pg_stat_activity"""

    def __init__(self, server):
        self.longest, self.blocked, self.looks = 0.0, 0, 0
        self.running = True
        self.connection = server.connect("app")
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        with self.connection.cursor() as cursor:
            while self.running:
                cursor.execute(self.SQL)
                waited, blocked = cursor.fetchone()
                self.longest, self.blocked = max(self.longest, float(waited)), self.blocked + blocked
                self.looks += 1
                time.sleep(0.01)

    def stop(self):
        self.running = False
        self.thread.join()
        self.connection.close()


@pytest.mark.parametrize("major", [12, 18])
def test_a_queue_of_exclusive_locks(major, tmp_path):
    need(major)
    with watched_server(major) as server:
        fill(server)
        server.execute("create table plain (id serial primary key, note text); create table busy (id int primary key);"
                       "create table parted (id int, at date) partition by range (id);"
                       "create table part_1 partition of parted for values from (1) to (1000);"
                       "create index on parted (at); insert into plain (note) select repeat('x', 3000)"
                       " from generate_series(1, 100); analyze", dbname="app")
        collector = LoneCollector(tmp_path, {"main": server.dsn(user="monitor")},
                                  extra="".join(f"[metrics.family.{name}]\ninterval = 1\n" for name in OFTEN))
        holder, queued = server.connect("app"), [server.connect("app") for _ in LOCKED]
        holder.autocommit = False
        with holder.cursor() as cursor:
            cursor.execute("lock table plain, parted, part_1 in access exclusive mode")
            cursor.execute("lock table busy in access share mode")  # whoever asks behind the queued one waits, too
        threads = [threading.Thread(target=lambda c=c, t=t: c.cursor().execute(
            f"begin; lock table {t} in access exclusive mode; rollback")) for c, t in zip(queued, LOCKED)]
        for thread in threads:
            thread.start()
        watch = Watch(server)
        try:
            server.wait_until("select count(*) = 4 from pg_stat_activity where wait_event_type = 'Lock'")
            server.mark_log()
            collector.start()
            collector.wait_for_batches(5)
            insert(server, 6)
            eventually(lambda: inserted(collector) == 6, 20, "the other tables")
            sizes = {r["relname"]: r for r in find(collector.frames("pg_table_size", database="app"))}
            assert sizes["plain"]["table_bytes"] is None and sizes["plain"]["pages_bytes"] > 0
            assert sizes["t"]["table_bytes"] is not None
            waits = find(collector.frames("pg_locks"), mode="AccessExclusiveLock", granted="false")
            assert max(w["count"] for w in waits) == len(LOCKED)
            read = {f["family"] for b in collector.batches() for f in b["frames"]}
            assert {"table_bloat", "vacuum_need", "pg_stat_user_indexes", "wraparound_tables"} <= read
        finally:
            watch.stop()
            holder.rollback()
            for thread in threads:
                thread.join()
            for connection in (holder, *queued):
                connection.close()
            collector.stop()
        assert watch.looks > 10
        assert watch.blocked == 0, "one of ours stood in somebody's way"
        # Without lock_timeout it would be until the statement's limit of five seconds.
        assert watch.longest < 3, f"one of ours waited {watch.longest} s for a lock"
        assert not server.log_errors()
        assert not [l for l in collector.log_lines("warn") if "metric family" in l["message"]]
        collector.check_log()
