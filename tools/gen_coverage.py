#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Writes docs/coverage.md: of what the pg_stat* views of each version tell, how much the catalog reads.

Nothing in it is declared by hand but the exceptions. Each version is started, primary and standby; every family is
resolved as the collector does it (build/dev/bin/family_probe), a temporary view is made of its statement, and the
server's own pg_depend then says which columns of which views that statement reads.

    gen_coverage.py [--build DIR] [--output FILE] [MAJOR...]

Exit 1 when a column is neither read nor excepted, or an exception excepts nothing.
"""
import argparse
import collections
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/support"))

from pgserver import MAJORS, MONITORED_SETTINGS, PgServer, monitoring_setup  # noqa: E402

# What names a thing instead of saying how it is. Everything else is counted.
IDENTIFYING_TYPES = {"oid", "name", "inet", "xid8"}
IDENTIFYING_COLUMNS = {
    "pid", "leader_pid", "client_port", "sender_port", "current_locker_pid", "queryid", "query_id", "query",
    "application_name", "client_hostname", "sender_host", "slot_name", "conninfo", "client_dn", "client_serial",
    "issuer_dn", "principal", "last_archived_wal", "last_failed_wal",
}
NUMERIC_TYPES = {"int2", "int4", "int8", "float4", "float8", "numeric", "interval", "timestamptz", "pg_lsn", "xid"}

# (views, columns) as regular expressions -> why they are not read.
EXCEPTIONS = [
    (r"pg_stat_xact_.*", r".*",
     "of the asking session's own transaction: the collector would see itself"),
    (r"pg_statio_(sys|all)_sequences", r".*",
     "the system has no sequences of its own; all others are in pg_statio_user_sequences"),
    (r"pg_stat_statements", r"mean_.*",
     "total time divided by calls, which are read: the mean of any interval instead of the one since the last reset"),
]

FIND_COLUMNS = """
select c.relname, a.attname, t.typname
  from pg_class c join pg_attribute a on a.attrelid = c.oid join pg_type t on t.oid = a.atttypid
 where c.relkind = 'v' and c.relname ~ '^pg_stat(io)?_' and a.attnum > 0 and not a.attisdropped
 order by 1, a.attnum"""

FIND_READ = """
select distinct c.relname, a.attname
  from pg_rewrite r
       join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
       join pg_class c on d.refclassid = 'pg_class'::regclass and c.oid = d.refobjid
       join pg_attribute a on a.attrelid = c.oid and a.attnum = d.refobjsubid
 where r.ev_class = 'pg_temp.family'::regclass and c.relname ~ '^pg_stat' and c.relname <> 'family'"""

Result = collections.namedtuple("Result", "major numeric state read excepted unread families")


def resolve_families(probe, server):
    """{family: statement} as the collector would run them with pg_monitor."""
    done = subprocess.run([probe, server.dsn("app", "monitor"), "lock_timeout=100", "search_path=pg_catalog"],
                          capture_output=True, text=True, timeout=120, check=True)
    return {f["name"]: f["sql"] for f in json.loads(done.stdout)["families"] if f.get("sql")}


def with_views(statement, views):
    """A function that a view of the same name shows is read as that view: only columns of relations have dependencies."""
    statement = re.sub(r"\b(\w+)\((?:false|true)?\)",
                       lambda m: m.group(1) if m.group(1) in views else m.group(0), statement)
    return statement.replace("$1", "null")


def read_columns(cursor, statements, views):
    read = set()
    for statement in statements:
        cursor.execute("create temporary view family as " + with_views(statement, views))
        cursor.execute(FIND_READ)
        read.update(cursor.fetchall())
        cursor.execute("drop view pg_temp.family")
    # pg_stat_all_* are both parts together.
    for view in views:
        user, system = (re.sub("_all_", f"_{part}_", view) for part in ("user", "sys"))
        if "_all_" in view:
            read.update((view, c) for v, c in set(read) if v == user and (system, c) in read)
    return read


def exception_of(view, column):
    for i, (views, columns, _) in enumerate(EXCEPTIONS):
        if re.fullmatch(views, view) and re.fullmatch(columns, column):
            return i
    return None


def classify(column, type_name):
    if type_name in IDENTIFYING_TYPES or column in IDENTIFYING_COLUMNS:
        return None
    return "numeric" if type_name in NUMERIC_TYPES else "state"


def measure(major, probe):
    with PgServer(major, settings=MONITORED_SETTINGS) as server:
        server.execute("create database app")
        monitoring_setup(server, "app")
        standby = server.make_standby()
        try:
            standby.start()
            statements = set(resolve_families(probe, server).values())
            families = len(statements)
            statements |= set(resolve_families(probe, standby).values())
        finally:
            standby.remove()
        connection = server.connect("app")
        cursor = connection.cursor()
        cursor.execute(FIND_COLUMNS)
        columns = cursor.fetchall()
        read = read_columns(cursor, sorted(statements), {view for view, _, _ in columns})
        connection.close()
    counted = [(v, c, classify(c, t)) for v, c, t in columns if classify(c, t)]
    unread = [(v, c) for v, c, _ in counted if (v, c) not in read]
    return Result(major, sum(k == "numeric" for *_, k in counted), sum(k == "state" for *_, k in counted),
                  len(counted) - len(unread), [u for u in unread if exception_of(*u) is not None],
                  [u for u in unread if exception_of(*u) is None], families)


def share(part, whole):
    return f"{100 * part / whole:.1f} %"


def versions_text(majors):
    return f"{majors[0]}" if len(majors) == 1 else f"{majors[0]} to {majors[-1]}"


def exception_rows(results):
    """One row for each exception: how many columns it excepts on the newest version that it concerns."""
    for i, (_, _, reason) in enumerate(EXCEPTIONS):
        hit = {r.major: [e for e in r.excepted if exception_of(*e) == i] for r in results}
        majors = [major for major, found in hit.items() if found]
        if not majors:
            continue
        found = hit[majors[-1]]
        names = ", ".join(f"`{view}`" for view in sorted({v for v, _ in found}))
        columns = sorted({c for _, c in found})
        text = ", ".join(f"`{c}`" for c in columns) if len(columns) <= 16 else "all"
        yield f"| {names} | {text} | {versions_text(majors)} | {len(found)} | {reason} |"


def version_row(r):
    total = r.numeric + r.state
    return (f"| {r.major} | {r.numeric} | {r.state} | {r.read} | {len(r.excepted)} | {share(r.read, total)} "
            f"| {share(r.read, total - len(r.excepted))} | {r.families} |")


def render(results):
    lines = ["# Coverage", "",
             "How much of what PostgreSQL's own statistics views tell is read by the catalog: the columns of all views",
             "whose name begins `pg_stat_` or `pg_statio_`, `pg_stat_statements` included, that are numbers, times, positions",
             "or states. Names, object and process identifiers and texts of statements are not counted: they are labels.",
             "`tools/gen_coverage.py` writes this page: it starts each version, resolves every family against it, makes",
             "a view of each statement, and lets the server say which columns that view depends on. A view `pg_stat_all_*`",
             "is read when both its parts are; rows of TOAST tables are left out of `pg_stat_sys_*`.", "",
             "*Read of those that can be* leaves out the columns excepted below. *Families* are those that a primary with",
             "`pg_stat_statements` and a role with `pg_monitor` gets.", "",
             "| version | numeric | state | read | excepted | read of all | read of those that can be | families |",
             "|---|---|---|---|---|---|---|---|"]
    lines += [version_row(r) for r in results]
    lines += ["", "## Exceptions", "", "| views | columns | versions | number | why they are not read |", "|---|---|---|---|---|"]
    lines += exception_rows(results)
    unread = sorted({u for r in results for u in r.unread})
    if unread:
        lines += ["", "## Not read yet", ""] + [f"- `{v}.{c}`" for v, c in unread]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/dev")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "docs/coverage.md")
    parser.add_argument("major", nargs="*", type=int, default=MAJORS)
    options = parser.parse_args()
    results = [measure(major, options.build / "bin/family_probe") for major in options.major]
    options.output.write_text(render(results), encoding="utf-8")
    used = {exception_of(*e) for r in results for e in r.excepted}
    faults = [f"{v}.{c} is neither read nor excepted" for v, c in sorted({u for r in results for u in r.unread})]
    if set(options.major) == set(MAJORS):
        faults += [f"exception {views}.{columns} excepts nothing" for i, (views, columns, _) in enumerate(EXCEPTIONS)
                   if i not in used]
    for fault in faults:
        print(f"coverage: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
