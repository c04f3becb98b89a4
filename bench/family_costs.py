# SPDX-License-Identifier: PostgreSQL
"""What each metric family costs the server, on the server and with the settings of collector_cost.py. The times are the
server's own: it logs each statement of the collector with its duration. A family's cost is that of its quickest run in each
database (what else the machine does is left out), times the runs in a minute at its interval; a block that runs before it
(key `before`) is part of it.

Environment: BENCH_COLLECTIONS (30), BENCH_MAJOR (15). Prints a table in Markdown; --write puts it into docs/cost.md.
"""
import collections
import os
import pathlib
import re
import sys
import time
import tomllib

os.environ.setdefault("BENCH_COLLECTIONS", "30")
# pylint: disable=wrong-import-position
from collector_cost import (COLLECTIONS, INTERVAL, MAJOR, SETTINGS, Control, Load, intervals, prepare, runs,
                            wait_for_runs)
from pgserver import PgServer
from stack import ROOT, Backend, Collector

DOCUMENT = ROOT / "docs/cost.md"
BEGIN, END = "<!-- bench/family_costs.py writes what follows -->\n", "<!-- end -->\n"
SHOWN = 25  # the dearest ones; the others are one row
STATEMENT = re.compile(r"\[(\d+)\] LOG:  duration: ([0-9.]+) ms  (bind|execute) ([^\s:]+): (do \$\$)?")
# Statements that are no family's: seconds between two runs. The first three belong to every tick, and families of 30
# seconds make two ticks a minute.
OTHERS = {"pulse": ("(state of the server)", 30), "presence": ("(what may have rows: key `when`)", 30),
          "databases": ("(list of databases)", 60), "database_reset": ("(reset of a database's statistics)", 60),
          "session_samples": ("(sampler)", 1)}


def families():
    """Name -> seconds between two readings, of those read with SQL."""
    found = {}
    for path in sorted((ROOT / "catalog").glob("*.toml")):
        family = tomllib.loads(path.read_text())
        if family.get("scope") != "host":
            found[family["name"]] = family.get("interval") or 60
    return found


def runs_of(log):
    """(statement, backend) -> the milliseconds of each of its runs."""
    found = collections.defaultdict(list)
    pending = collections.defaultdict(float)  # of a backend: what belongs to the statement that comes
    for pid, ms, phase, name, block in STATEMENT.findall(log):
        pending[pid] += float(ms)
        if phase == "bind" or block:
            continue
        found[name.split(".")[0], pid].append(pending.pop(pid))
    return found


def measure():
    with PgServer(MAJOR, settings=SETTINGS, tcp=True) as server, Backend() as backend:
        prepare(server)
        load, control = Load(server), Control(server)
        dsn = f"host=127.0.0.1 port={server.port} dbname=postgres user=monitor sslmode=disable"
        collector = Collector(backend, {"main": dsn}, name="bench", interval=INTERVAL, extra=intervals()).register()
        try:
            server.execute("alter role monitor set log_min_duration_statement = 0")
            collector.start()
            wait_for_runs(control, runs(control) + 5, load)  # planned, and read for the first time
            begin = len(server.log_text())
            wait_for_runs(control, runs(control) + COLLECTIONS, load)
            time.sleep(INTERVAL / 2)  # a bench, not a test: the last ones reach the log
            log = server.log_text()[begin:]
            collector.stop()
        finally:
            collector.remove()
    return runs_of(log)


def costs(found):
    """(name, seconds between two readings, ms a run, ms a minute), the dearest first. Runs in several databases are added
    up."""
    every = families()
    rows = {}
    for (name, _), times in found.items():
        title, interval = OTHERS.get(name) or (f"`{name}`", every.get(name))
        if interval is None:
            continue  # a statement without a name
        ms = min(times)
        _, before, _ = rows.get(title, (0, 0, 0))
        rows[title] = (interval, before + ms, (before + ms) * 60 / interval)
    return sorted(([title, *row] for title, row in rows.items()), key=lambda row: -row[3])


def table(rows):
    total = sum(row[3] for row in rows)
    lines = ["| family | every, s | ms a reading | ms a minute | share |\n", "|---|---|---|---|---|\n"]
    for title, interval, ms, minute in rows[:SHOWN]:
        lines.append(f"| {title} | {interval} | {ms:.2f} | {minute:.2f} | {minute / total:.1%} |\n")
    rest = sum(row[3] for row in rows[SHOWN:])
    lines.append(f"| {len(rows) - SHOWN} others | | | {rest:.2f} | {rest / total:.1%} |\n")
    lines.append(f"| all | | | {total:.2f} | |\n")
    return "".join(lines)


def main():
    text = table(costs(measure()))
    print(text, end="")
    if "--write" in sys.argv:
        document = pathlib.Path(DOCUMENT).read_text()
        head, rest = document.split(BEGIN)
        DOCUMENT.write_text(head + BEGIN + "\n" + text + "\n" + END + rest.split(END)[1])


main()
