#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Writes docs/coverage.md: of what the pg_stat* views of each version tell, how much the catalog reads.

Nothing in it is declared by hand but the exceptions. Each version is started, primary and standby; every family is
resolved as the collector does it (build/dev/bin/family_probe), a temporary view is made of its statement, and the
server's own pg_depend then says which columns of which views that statement reads. A family that has a view's name but
calls the functions behind that view reads the columns whose functions it calls, as the view's own definition has them.

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

sys.path.insert(0, str(ROOT / "tools"))

import psycopg2  # noqa: E402
import coverage_peers  # noqa: E402
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

Result = collections.namedtuple("Result", "major numeric state read excepted unread families peers")


def resolve_families(probe, server):
    """{family: statement} as the collector would run them with pg_monitor."""
    done = subprocess.run([probe, server.dsn("app", "monitor"), "lock_timeout=100", "search_path=pg_catalog"],
                          capture_output=True, text=True, timeout=120, check=True)
    return {f["name"]: f["sql"] for f in json.loads(done.stdout)["families"] if f.get("sql")}


def with_views(statement, views):
    """A function that a view of the same name shows is read as that view: only columns of relations have dependencies."""
    statement = re.sub(r"\b(\w+)\((?:false|true)?\)",
                       lambda m: m.group(1) if m.group(1) in views else m.group(0), statement)
    return re.sub(r"\$[12]\b", "null", statement)


def functions_in(text):
    return set(re.findall(r"\bpg_stat_get_\w+(?=\()", text))


def select_items(definition):
    """(name, expression) of everything that the SELECTs in a view's definition give."""
    depth, start, items = 0, [0], []
    for i, c in enumerate(definition + ","):
        if c == "(":
            depth += 1
            start.append(i + 1)
        elif c == ")":
            depth -= 1
            start.pop()
        if c == "," or definition[i:i + 6] in ("SELECT", " FROM "):
            named = re.search(r"(?:\bAS |\.)(\w+)\s*$", definition[start[-1]:i])
            if named:
                items.append((named.group(1), definition[start[-1]:i]))
            start[-1] = i + 1
    return items


def functions_behind(cursor, view):
    """{column: functions} of a view, or of the view of all objects that it shows a part of."""
    cursor.execute("select pg_get_viewdef(%s::regclass)", (re.sub("_(user|sys)_", "_all_", view),))
    items = select_items(re.sub(r"\s+", " ", cursor.fetchone()[0]))
    found = collections.defaultdict(set)
    for name, expression in items:
        found[name] |= functions_in(expression)
    for name, expression in items:  # what a subselect gives under another name
        if not found[name]:
            found[name].update(*(found[inner] for inner in re.findall(r"\.(\w+)", expression)))
    return found


def read_by_functions(cursor, families, views):
    read = set()
    for family, statement in families:
        called = functions_in(statement)
        for view in {family, family.replace("pg_stat_", "pg_statio_")} & views if called else ():
            read.update((view, column) for column, behind in functions_behind(cursor, view).items()
                        if behind and behind <= called)
    return read


def read_columns(cursor, families, views, may_fail=False):
    """@families: (name, statement). @may_fail: statements that the version does not take read nothing."""
    read = read_by_functions(cursor, families, views)
    for statement in sorted({statement for _, statement in families}):
        try:
            cursor.execute("create temporary view family as " + with_views(statement, views))
        except psycopg2.Error:
            if not may_fail:
                raise
            continue
        cursor.execute(FIND_READ)
        read.update(cursor.fetchall())
        cursor.execute("drop view pg_temp.family")
    return with_parts(read, views)


def with_parts(read, views):
    read = set(read)
    # pg_stat_all_* are both parts together, and each part is in them.
    for view in views:
        if "_all_" not in view:
            continue
        user, system = (view.replace("_all_", f"_{part}_") for part in ("user", "sys"))
        read.update((view, c) for v, c in set(read) if v == user and (system, c) in read)
        read.update((part, c) for v, c in set(read) if v == view for part in (user, system))
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


def peers_read(major, cursor, columns, views):
    """How many of the counted columns each of the others reads."""
    counted = {(v, c) for v, c, t in columns if classify(c, t)}
    statements = [("", s) for s in coverage_peers.postgres_exporter_statements(major)]
    exporter = read_columns(cursor, statements, views, may_fail=True)
    pgexporter = with_parts(coverage_peers.pgexporter_columns(major, {(v, c) for v, c, _ in columns}), views)
    return [len(counted & exporter), len(counted & pgexporter)]


def measure(major, probe, with_peers=False):
    with PgServer(major, settings=MONITORED_SETTINGS) as server:
        server.execute("create database app")
        monitoring_setup(server, "app")
        standby = server.make_standby()
        try:
            standby.start()
            statements = set(resolve_families(probe, server).items())
            families = len(statements)
            statements |= set(resolve_families(probe, standby).items())
        finally:
            standby.remove()
        connection = server.connect("app")
        cursor = connection.cursor()
        cursor.execute(FIND_COLUMNS)
        columns = cursor.fetchall()
        views = {view for view, _, _ in columns}
        read = read_columns(cursor, sorted(statements), views)
        peers = peers_read(major, cursor, columns, views) if with_peers else []
        connection.close()
    counted = [(v, c, classify(c, t)) for v, c, t in columns if classify(c, t)]
    unread = [(v, c) for v, c, _ in counted if (v, c) not in read]
    return Result(major, sum(k == "numeric" for *_, k in counted), sum(k == "state" for *_, k in counted),
                  len(counted) - len(unread), [u for u in unread if exception_of(*u) is not None],
                  [u for u in unread if exception_of(*u) is None], families, peers)


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
             "is read when both its parts are, and these are when it is; rows of TOAST tables are left out of `pg_stat_sys_*`.",
             "The `pg_stat_xact_*` views show the asking transaction alone: they are read as what the collector itself does.",
             "",
             "*Read of those that can be* leaves out the columns excepted below. *Families* are those that a primary with",
             "`pg_stat_statements` and a role with `pg_monitor` gets.", "",
             "| version | numeric | state | read | excepted | read of all | read of those that can be | families "
             "| postgres_exporter | pgexporter |",
             "|---|---|---|---|---|---|---|---|---|---|"]
    lines += [version_row(r) + "".join(f" {share(n, r.numeric + r.state)} |" for n in r.peers) for r in results]
    lines += ["", "The last two are the same figure for others, of all columns. *postgres_exporter* is Debian's 0.11.1 with the",
              "queries that it ships as an example: it is run against each version by a role with `pg_monitor`, the server",
              "logs its statements, and says which columns they read; what fails on a version counts for nothing.",
              "*pgexporter* is its built-in list (`src/include/internal.h`, commit 07bfd3913e7a), as facts in",
              "`tools/coverage_peers.py`: a statement that names a column that the version does not have counts for nothing.",
              "Both may read more through queries of the user's own, as we may."]
    exceptions = list(exception_rows(results))
    if exceptions:
        lines += ["", "## Exceptions", "", "| views | columns | versions | number | why they are not read |",
                  "|---|---|---|---|---|", *exceptions]
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
    results = [measure(major, options.build / "bin/family_probe", with_peers=True) for major in options.major]
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
