# SPDX-License-Identifier: PostgreSQL
"""Thousands of tables, thousands of long statements: the collector's memory and the server's time stay bounded, all texts
come with one reading, and the server writes no temporary file for us. PGA_LONG=1: 5,000 texts of 100 kB instead of 400,
which are more than the memory that the server is asked for."""
import os
import re

import psycopg2
import pytest
from hard import fill, watched_server
from lone import LoneCollector, find, rows, total
from stack import Backend, Collector
from wait import eventually, patience

LONG = bool(os.environ.get("PGA_LONG"))
TABLES = 5000
TEXTS = 5000 if LONG else 400
TEXT_BYTES = 100_000
KEPT = 16_000
CUT = " /* the rest was cut */"
LONG_TEXT = re.compile(r" as c\d+_")
INTERVAL = 15 if LONG else 1
# Of the programs under test, sanitizers included, which take four times what they do otherwise.
MEMORY_MAX_MB = 600

MAKE_TABLES = f"""do $$ begin
  for i in 1..{TABLES} loop
    execute format('create table many.t%s (id int primary key)', i);
    if i % 250 = 0 then commit; end if;
  end loop; end $$"""

# Each differs from the others in all of its text, which is a name and so is neither removed nor packed well.
MAKE_STATEMENTS = f"""do $$ begin
  set client_min_messages = error;
  for i in 1..{TEXTS} loop
    execute format('select count(*) as c%s_%s from many.t%s', i,
                   (select string_agg(md5(i || '-' || n), '') from generate_series(1, {TEXT_BYTES // 32}) n), i);
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
            return found if sum(bool(LONG_TEXT.search(r["query"])) for r in found) >= TEXTS else None

        found = eventually(texts, 300 if LONG else 120, "the texts did not come")
        ids = [r["queryid"] for r in found]
        assert len(ids) == len(set(ids)), "a text travels once"
        long = [r["query"] for r in found if LONG_TEXT.search(r["query"])]
        assert all(text.endswith(CUT) and len(text) == KEPT + len(CUT) for text in long), "what is cut says so"
        assert not [r for r in found if r["query"].endswith(CUT) and r["query"] not in long]
        frames = collector.frames("statement_text")
        assert max(len(f["rows"]) for f in frames) <= 250
        readings = [f for f in frames if any(LONG_TEXT.search(r["query"]) for r in rows(f))]
        assert len(readings) >= TEXTS // 250
        # 5,000 are remembered as wanted; with those of the test itself there are a few more.
        assert len({f["time"] for f in readings}) <= 1 + LONG, "the server reads them all each time"
        memory = memory_mb(collector)
        sql = sum(r["sql_ms"] or 0 for r in find(collector.frames("collector_family")))
        print(f"\n{TABLES} tables, {TEXTS} texts: {memory:.0f} MB resident at most, {sql:.0f} ms of SQL in"
              f" {len(ticks(collector))} ticks, the longest {max(ticks(collector)):.1f} s apart,"
              f" spilled {spilled(server) - before} bytes")
        most = TEXTS * TEXT_BYTES * 1.1 if LONG else 0  # read once, and once more for those that were one too many
        assert spilled(server) - before <= most * 2, "the server wrote temporary files for us"
        assert memory < MEMORY_MAX_MB
        assert max(ticks(collector)) < patience(10) + INTERVAL
        collector.stop()
    finally:
        collector.kill()
    collector.check_log()
    assert not server.log_errors()


STATEMENTS = 20


def texts_stored(backend):
    with psycopg2.connect(backend.store_dsn()) as store, store.cursor() as cursor:
        cursor.execute("select count(*) from metric_view.statement_text where query ~ 'as given_up'")
        return cursor.fetchone()[0]


def readings_of_texts(server):
    return server.value("select coalesce(sum(calls), 0) from pg_stat_statements where query like '%distinct on (queryid)%'")


def given_up(collector):
    """Batches, while nobody takes any: all before the first segment that is left."""
    return min((int(path.stem) for path in (collector.state / "servers/main/spool").glob("*.seg")), default=1) - 1


def test_texts_that_were_given_up_with_their_batches_are_sent_again():
    with watched_server(17) as server, Backend() as backend:
        fill(server)
        for i in range(STATEMENTS):
            server.execute(f"select 1 as given_up{', 1' * i}")
        collector = Collector(backend, {"main": server.dsn(user="monitor")}, name="texts",
                              extra="[metrics.family.statement_text]\ninterval = 1\n").register()
        collector.config.write_text(collector.config.read_text().replace("[buffer]\n", "[buffer]\nmax_size = 10\n"))
        backend.stop()
        collector.start()
        try:
            eventually(lambda: given_up(collector) >= 1, 60, "the spool does not get full")
            read = readings_of_texts(server)
            assert read > 0
            eventually(lambda: given_up(collector) >= 8, 60, "not enough was given up")
            assert readings_of_texts(server) == read, "texts are not read for a spool that is full"
            backend.start()
            eventually(lambda: texts_stored(backend) == STATEMENTS, 60, "the texts did not come again")
            collector.stop()
        finally:
            collector.remove()
        assert not server.log_errors()
