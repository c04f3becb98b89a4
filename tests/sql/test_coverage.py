# SPDX-License-Identifier: PostgreSQL
"""docs/coverage.md tells the truth: measured anew on the oldest and the newest server."""
import os
import pathlib
import sys

import pytest
from pgserver import MAJORS, Unavailable, binaries

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import coverage_peers  # noqa: E402  pylint: disable=wrong-import-position
import gen_coverage  # noqa: E402  pylint: disable=wrong-import-position

PROBE = pathlib.Path(os.environ.get("PGA_BUILD", ROOT / "build/dev")) / "bin/family_probe"


@pytest.mark.parametrize("major", [MAJORS[0], MAJORS[-1]])
def test_all_statistics_are_read_or_excepted_with_a_reason(major):
    try:
        binaries(major)
    except Unavailable as missing:
        pytest.skip(str(missing))
    result = gen_coverage.measure(major, PROBE)
    assert result.unread == []
    assert result.read >= 0.98 * (result.numeric + result.state - len(result.excepted))
    rows = (ROOT / "docs/coverage.md").read_text(encoding="utf-8").splitlines()
    row = gen_coverage.version_row(result)
    assert any(line.startswith(row) for line in rows), "run tools/gen_coverage.py"


def test_of_others_only_what_the_version_has_is_counted():
    have = {("pg_stat_ssl", "ssl"), ("pg_stat_io", "reads")}
    assert coverage_peers.pgexporter_columns(18, have) == {("pg_stat_ssl", "ssl")}  # its pg_stat_io fails there
    log = """2026-11-21 10:00:00.000 UTC [1] LOG:  statement: select 1,
\t2;
2026-11-21 10:00:00.001 UTC [1] ERROR:  column "x" does not exist at character 8
2026-11-21 10:00:00.001 UTC [1] STATEMENT:  select x
2026-11-21 10:00:00.002 UTC [1] LOG:  execute <unnamed>: select 3
2026-11-21 10:00:00.003 UTC [1] DETAIL:  parameters: $1 = 'a'"""
    assert coverage_peers.logged_statements(log) == {"select 1,\n\t2", "select 3"}


@pytest.mark.parametrize("statement, read_as", [
    ("from ext.pg_stat_statements(false) s", "from ext.pg_stat_statements s"),
    ("from pg_stat_statements() s", "from pg_stat_statements s"),
    ("select pg_is_in_recovery()", "select pg_is_in_recovery()"),
    ("where queryid = any ($1)", "where queryid = any (null)"),
    ("from unnest((select $1::int8[]), (select $2::int8[]))", "from unnest((select null::int8[]), (select null::int8[]))"),
])
def test_functions_are_read_as_the_views_that_show_them(statement, read_as):
    assert gen_coverage.with_views(statement, {"pg_stat_statements"}) == read_as


@pytest.mark.parametrize("column, type_name, kind", [
    ("calls", "int8", "numeric"), ("stats_reset", "timestamptz", "numeric"), ("sent_lsn", "pg_lsn", "numeric"),
    ("active", "bool", "state"), ("phase", "text", "state"), ("relid", "oid", None), ("pid", "int4", None),
    ("query", "text", None),
])
def test_what_is_counted(column, type_name, kind):
    assert gen_coverage.classify(column, type_name) == kind
