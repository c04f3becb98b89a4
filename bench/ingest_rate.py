# SPDX-License-Identifier: PostgreSQL
"""Values a second through the backend: HTTPS, decoding, checks, COPY, commit, with its private store on this machine.

Pushes of 500 statements, 200 tables and 400 indexes as a collector sends them (zstd), made before the clock starts; several
connections, each a collector of its own. Client, backend and store share the machine. Prints one line of JSON.
"""
import datetime
import json
import random
import subprocess
import threading
import time

from stack import Backend, Collector

CONNECTIONS, PUSHES = 4, 60
FAMILIES = {  # family: (labels, rows)
    "pg_stat_statements": (["queryid", "datname", "usename", "toplevel"], 500),
    "pg_stat_user_tables": (["datname", "schemaname", "relname"], 200),
    "pg_stat_user_indexes": (["datname", "schemaname", "relname", "indexrelname"], 400),
}


def columns_of(api):
    kinds = {}
    for family in api.get("/families")["families"]:
        if family["name"] in FAMILIES:
            kinds[family["name"]] = [(c["name"], c["kind"]) for c in family["columns"]]
    return kinds


def compress(text):
    return subprocess.run(["zstd", "-q", "-1"], input=text.encode(), capture_output=True, check=True).stdout


def make_push(collector_id, spool, sequence, columns, dice):
    when = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=2) + datetime.timedelta(seconds=10 * sequence)
    frames, values = [], 0
    for family, (labels, rows) in FAMILIES.items():
        numbers = [name for name, kind in columns[family] if kind in ("counter", "gauge")]
        table = []
        for row in range(rows):
            table.append([f"{label}-{row}" for label in labels] + [dice.randrange(100000) for _ in numbers])
        values += rows * len(numbers)
        frames.append({"family": family, "server": "main", "time": when.isoformat().replace("+00:00", "Z"),
                       "interval_ms": 10000, "keyframe": False, "columns": labels + numbers, "rows": table})
    text = json.dumps({"collector_id": collector_id, "spool": spool, "sequence": sequence, "frames": frames,
                       "servers": [{"name": "main", "reachable": True}]}, separators=(",", ":"))
    return compress(text), len(text), values


def main():
    with Backend() as backend:
        columns = columns_of(backend.api())
        dice = random.Random(1)
        work, text_bytes, values = [], 0, 0
        for i in range(CONNECTIONS):
            collector = Collector(backend, {}, name=f"bench-{i}")
            collector.register()
            pushes = [make_push(collector.id, f"spool-{i}", n + 1, columns, dice) for n in range(PUSHES)]
            text_bytes += sum(size for _, size, _ in pushes)
            values += sum(count for _, _, count in pushes)
            work.append((collector, collector.client(), [body for body, _, _ in pushes]))

        latencies, problems = [], []

        def send(collector, session, bodies):
            for body in bodies:
                begin = time.monotonic()
                answer = collector.push(body, session=session, headers={"Content-Encoding": "zstd"})
                latencies.append(time.monotonic() - begin)
                if answer.status_code != 200 or answer.json()["rejected"]:
                    problems.append(answer.text)

        begin = time.monotonic()
        threads = [threading.Thread(target=send, args=one) for one in work]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.monotonic() - begin
        assert not problems, problems[0]
        latencies.sort()
        print(json.dumps({
            "connections": CONNECTIONS, "pushes": CONNECTIONS * PUSHES, "values": values,
            "values_per_second": round(values / seconds), "rows_per_second": round(1100 * CONNECTIONS * PUSHES / seconds),
            "pushes_per_second": round(CONNECTIONS * PUSHES / seconds, 1), "text_mb_per_second": round(text_bytes / seconds / 1e6, 1),
            "p50_ms": round(latencies[len(latencies) // 2] * 1000, 1),
            "p95_ms": round(latencies[int(len(latencies) * 0.95)] * 1000, 1),
            "rss_mb": round(backend.metric("process_resident_memory_bytes") / (1 << 20), 1)}))


main()
