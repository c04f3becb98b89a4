# SPDX-License-Identifier: PostgreSQL
"""Thousands of tables, thousands of long statements: the collector's memory and the server's time stay bounded, texts
come in slices, and the server writes no temporary file for us. PGA_LONG=1: 5,000 texts of 100 kB instead of 400."""
import os
import re

import pytest
from hard import fill, watched_server
from lone import LoneCollector, find, total
from wait import eventually, patience

LONG = bool(os.environ.get("PGA_LONG"))
TABLES = 5000
TEXTS = 5000 if LONG else 400
TEXT_BYTES = 100_000
# Reading 500 MB of texts takes the server eight seconds, so the budget lets a slice pass every seven minutes.
EXPECTED = 450 if LONG else TEXTS
INTERVAL = 15 if LONG else 1
# Of the programs under test, sanitizers included, which take four times what they do otherwise.
MEMORY_MAX_MB = 600

MAKE_TABLES = f"""do $$ begin
  for i in 1..{TABLES} loop
    execute format('create table many.t%s (id int primary key)', i);
    if i % 250 = 0 then commit; end if;
  end loop; end $$"""

MAKE_STATEMENTS = f"""do $$ begin
  for i in 1..{TEXTS} loop
    execute format('select count(*) as c%s /*%s*/ from many.t%s', i, repeat('x', {TEXT_BYTES}), i);
    if i % 250 = 0 then commit; end if;
  end loop; end $$"""


@pytest.fixture(name="server", scope="module")
def crowded_server():
    settings = {"pg_stat_statements.max": 6000, "pg_stat_statements.track_utility": "off",
                "full_page_writes": "off", "synchronous_commit": "off"}
    with watched_server(17, settings=settings) as made:
        fill(made)
        made.execute("create schema many", dbname="app")
        connection = made.connect("app")
        with connection.cursor() as cursor:
            cursor.execute(MAKE_TABLES)
            cursor.execute(MAKE_STATEMENTS)
        connection.close()
        yield made


def memory_mb(collector):
    """The most that was ever resident."""
    text = open(f"/proc/{collector.process.pid}/status", encoding="ascii").read()
    return int(re.search(r"VmHWM:\s+(\d+) kB", text).group(1)) / 1024


def spilled(server):
    return server.value("select sum(temp_bytes)::bigint from pg_stat_database")


def ticks(collector):
    """Seconds between the readings that followed each other."""
    times = [f["time"] for f in collector.frames("pg_stat_database")]
    seconds = [int(t[11:13]) * 3600 + int(t[14:16]) * 60 + float(t[17:-1]) for t in times]
    return [b - a for a, b in zip(seconds, seconds[1:])]


def test_five_thousand_tables_and_long_texts(server, tmp_path):
    collector = LoneCollector(tmp_path, {"main": server.dsn(user="monitor")}, interval=INTERVAL,
                              extra=f"[metrics.family.statement_text]\ninterval = {INTERVAL}\n")
    server.mark_log()
    before = spilled(server)
    collector.start()
    try:
        collector.wait_for_batches(2)
        first = eventually(lambda: collector.frames("pg_stat_user_tables", database="app"), 60)[0]
        assert first["keyframe"] and len(first["rows"]) <= TABLES + 1
        connection = server.connect("app")
        with connection.cursor() as cursor:
            for i in range(1, TABLES + 1, 50):
                cursor.execute(f"insert into many.t{i} values (1)")
        connection.close()
        eventually(lambda: total(collector.frames("pg_stat_user_tables", database="app"), "n_tup_ins") == TABLES // 50, 60,
                   "the hundred tables that changed")

        def texts():
            found = find(collector.frames("statement_text"))
            return found if sum(" as c" in (r["query"] or "") for r in found) >= EXPECTED else None

        found = eventually(texts, 120, "the texts did not come")
        assert all(len(r["query"]) <= 16384 and "xxxx" not in r["query"] for r in found)
        slices = [len(f["rows"]) for f in collector.frames("statement_text")]
        assert max(slices) <= 250 and len(slices) >= EXPECTED // 250
        ids = [r["queryid"] for r in found]
        assert len(ids) == len(set(ids)), "a text travels once"
        memory = memory_mb(collector)
        sql = sum(r["sql_ms"] or 0 for r in find(collector.frames("collector_family")))
        print(f"\n{TABLES} tables, {TEXTS} texts: {memory:.0f} MB resident at most, {sql:.0f} ms of SQL in"
              f" {len(ticks(collector))} ticks, the longest {max(ticks(collector)):.1f} s apart,"
              f" spilled {spilled(server) - before} bytes")
        assert spilled(server) == before, "the server wrote temporary files for us"
        assert memory < MEMORY_MAX_MB
        assert max(ticks(collector)) < patience(10) + INTERVAL
        collector.stop()
    finally:
        collector.kill()
    collector.check_log()
    assert not server.log_errors()
