# SPDX-License-Identifier: PostgreSQL
"""The checks of `make lint` see what they are there to see: each is run on a small tree with one fault in it."""
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

GOOD = {
    "lib/base/CMakeLists.txt": "pga_library(base SOURCES a.c)",
    "lib/base/a.h": "#pragma once\nint a(void);\n",
    "lib/base/a.c": '#include "lib/base/a.h"\n\nint a(void)\n{\n    return 1;\n}\n',
    "lib/io/CMakeLists.txt": "pga_library(io SOURCES b.c DEPENDS pga_base)",
    "lib/io/b.h": '#pragma once\n#include "lib/base/a.h"\n',
    "lib/io/b.c": '#include "lib/io/b.h"\n',
    "collector/CMakeLists.txt": "pga_library(collector SOURCES c.c DEPENDS pga_io)",
    "collector/c.c": '#include "lib/io/b.h"\n/* strcpy(a, b) in a comment */\nconst char *c = "system(1) in a string";\n',
    "tests/unit/lib/base/CMakeLists.txt": "pga_unit_test(lib/base/test_a.c LINK pga_base)",
    "tests/unit/lib/base/test_a.c": "",
    "tests/unit/lib/io/CMakeLists.txt": "foreach(_file b)\n pga_unit_test(lib/io/test_${_file}.c LINK pga_io)\nendforeach()",
    "tests/unit/lib/io/test_b.c": "",
    "tests/covered_by_system.txt": "# what covers it\ncollector/c.c: the system tests start it\n",
    "backend/migrations/0001_create_things.sql":
        "-- Why: there were no things. Don't select * here.\n"
        "create table s.things (id int, note text default 'CREATE TABLE');\n"
        "create index on s.things (id);\n"
        "create function s.f() returns int language sql set search_path = '' as $$\n"
        "    with w as (select t.id from s.things t) select w.id from w join pg_class on true\n$$;\n",
    "backend/queries/q.sql": "select count(*) from s.things where id = any($1) for update;\n",
    "catalog/f.toml": 'name = "f"\nwhere = "datname is not null"\n',
}


def run(check, tree):
    done = subprocess.run([sys.executable, ROOT / "tools" / check, "--root", tree], capture_output=True, text=True, timeout=60,
                          check=False)
    return done.returncode, done.stdout + done.stderr


def make_tree(path, changes):
    for name, text in {**GOOD, **changes}.items():
        if text is None:
            continue
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("check", ["check_layers.py", "check_bans.py", "check_tests.py", "check_sql.py", "check_duplicates.py"])
def test_a_good_tree_passes(tmp_path, check):
    status, output = run(check, make_tree(tmp_path, {}))
    assert status == 0, output


@pytest.mark.parametrize("check", ["check_layers.py", "check_bans.py", "check_tests.py", "check_sql.py", "check_duplicates.py"])
def test_an_empty_tree_does_not_pass(tmp_path, check):
    assert run(check, tmp_path)[0] != 0


LAYERS = {
    "upward include": ({"lib/base/a.c": '#include "lib/io/b.h"\n'}, "lib/base/a.c:1: lib/base may not use lib/io"),
    "collector and backend meet": ({"collector/c.c": '#include "backend/x.h"\n', "backend/x.h": "#pragma once\n"},
                                   "collector may not use backend"),
    "backend and collector meet": ({"backend/x.h": '#pragma once\n#include "collector/y.h"\n',
                                    "collector/y.h": "#pragma once\n"}, "backend may not use collector"),
    "unknown layer": ({"lib/other/x.h": "#pragma once\n"}, "lib/other is not a layer"),
    "not from the root": ({"lib/io/b.c": '#include "b.h"\n'}, "written from the root"),
    "missing header": ({"lib/io/b.c": '#include "lib/base/gone.h"\n'}, "which is not there"),
    "uses the tests": ({"lib/io/b.c": '#include "tests/support/unit.h"\n'}, "do not use the tests"),
    "header circle": ({"lib/base/a.h": '#include "lib/base/z.h"\n', "lib/base/z.h": '#include "lib/base/a.h"\n'},
                      "headers include each other: lib/base/a.h -> lib/base/z.h -> lib/base/a.h"),
    "upward library": ({"lib/base/CMakeLists.txt": "pga_library(base SOURCES a.c DEPENDS pga_io)"},
                       "lib/base may not use lib/io (pga_base depends on pga_io)"),
    "library not linked": ({"lib/io/CMakeLists.txt": "pga_library(io SOURCES b.c)"},
                           "pga_io includes lib/base/a.h but does not depend on pga_base"),
    "module circle": ({"backend/a/CMakeLists.txt": "pga_library(a SOURCES a.c DEPENDS pga_b)",
                       "backend/b/CMakeLists.txt": "pga_library(b SOURCES b.c DEPENDS pga_a)",
                       "backend/a/a.c": '#include "backend/b/b.h"\n', "backend/a/a.h": "",
                       "backend/b/b.c": '#include "backend/a/a.h"\n', "backend/b/b.h": ""},
                      "modules use each other: pga_a -> pga_b -> pga_a"),
}


@pytest.mark.parametrize("fault", LAYERS)
def test_layers(tmp_path, fault):
    changes, expected = LAYERS[fault]
    status, output = run("check_layers.py", make_tree(tmp_path, changes))
    assert status == 1 and expected in output, output


BANS = {
    "strcpy": ("    strcpy(a, b);\n", "strcpy() has no bound"),
    "sprintf": ("    sprintf (a, b);\n", "sprintf() has no bound"),
    "atoi": ("    n = atoi(a);\n", "atoi() cannot tell"),
    "strtok": ("    strtok(a, b);\n", "strtok()"),
    "PQexec": ("    PQexec(c, s);\n", "PQexec()"),
    "gets": ("    gets(a);\n", "gets()"),
    "system": ("    system(a);\n", "system()"),
    "unfinished": ("    /* TO" + "DO: more */\n", "finish it"),
    "behind a comment": ("    /* fine */ strcpy(a, b);\n", "strcpy()"),
    "reason without a word": ("    strcpy(a, b); /* allowed: */\n", "strcpy()"),
}


@pytest.mark.parametrize("fault", BANS)
def test_bans(tmp_path, fault):
    line, expected = BANS[fault]
    status, output = run("check_bans.py", make_tree(tmp_path, {"collector/c.c": "int x;\n" + line}))
    assert status == 1 and "collector/c.c:2: " in output and expected in output, output


@pytest.mark.parametrize("line", ["    slot->system(a);\n", "    my_strcpy(a, b);\n", "    fgets(a, 1, f);\n",
                                  "    gets(a); /* allowed: shows what the check allows */\n", "    snprintf(a, 1, b);\n"])
def test_bans_leave_others_alone(tmp_path, line):
    status, output = run("check_bans.py", make_tree(tmp_path, {"collector/c.c": line}))
    assert status == 0, output


TESTS = {
    "no test": ({"lib/base/new.c": ""}, "lib/base/new.c: no tests/unit/lib/base/test_new.c"),
    "test that nothing runs": ({"tests/unit/lib/base/CMakeLists.txt": "# test_a.c"}, "no CMakeLists.txt runs it"),
    "exception without a reason": ({"tests/covered_by_system.txt": "collector/c.c:\n"}, "no reason given"),
    "exception for a file that is gone": ({"tests/covered_by_system.txt": GOOD["tests/covered_by_system.txt"] + "x.c: y\n"},
                                          "there is no x.c"),
    "exception for a file with a test": ({"tests/covered_by_system.txt": GOOD["tests/covered_by_system.txt"] +
                                          "lib/base/a.c: y\n"}, "lib/base/a.c has a unit test"),
}


@pytest.mark.parametrize("fault", TESTS)
def test_tests(tmp_path, fault):
    changes, expected = TESTS[fault]
    status, output = run("check_tests.py", make_tree(tmp_path, changes))
    assert status == 1 and expected in output, output


SQL = {
    "upper case": ("backend/queries/q.sql", "SELECT 1;\n", "SELECT: keywords are lower case"),
    "star": ("backend/queries/q.sql", "select * from s.t;\n", "name the columns"),
    "star after columns": ("backend/queries/q.sql", "select a, * from s.t;\n", "name the columns"),
    "returning star": ("backend/queries/q.sql", "delete from s.t returning *;\n", "name the columns"),
    "upper case in a family": ("catalog/f.toml", 'where = "datname IS NOT null"\n', "keywords are lower case"),
    "table": ("backend/functions/f.sql", "create table t (a int);\n", "create table t: say its schema"),
    "index": ("backend/functions/f.sql", "create index i on t (a);\n", "on t: say its schema"),
    "insert": ("backend/functions/f.sql", "insert into t values (1);\n", "insert into t: say its schema"),
    "update": ("backend/functions/f.sql", "update t set a = 1;\n", "update t: say its schema"),
    "join": ("backend/functions/f.sql", "select a from s.t join u on true;\n", "join u: say its schema"),
    "reference": ("backend/functions/f.sql", "create table s.t (a int references u);\n", "references u: say its schema"),
    "search path": ("backend/functions/f.sql", "create function s.f() returns int language sql as $$ select 1 $$;\n",
                    "function s.f does not set search_path"),
    "number left out": ("backend/migrations/0003_create_more.sql", "-- why\n", "the next number is 0002"),
    "name": ("backend/migrations/0002-more.sql", "-- why\n", "is not named"),
    "no reason": ("backend/migrations/0002_create_more.sql", "select 1;\n", "does not say at its head"),
}


@pytest.mark.parametrize("fault", SQL)
def test_sql(tmp_path, fault):
    name, text, expected = SQL[fault]
    status, output = run("check_sql.py", make_tree(tmp_path, {name: text}))
    assert status == 1 and expected in output, output


def test_duplicates(tmp_path):
    lines = "".join(f"    step_{i}(x);\n" for i in range(12))
    status, output = run("check_duplicates.py", make_tree(tmp_path, {"lib/io/b.c": lines, "collector/c.c": "int x;\n" + lines}))
    assert status == 1 and "the same as" in output, output
    (tmp_path / "collector/c.c").write_text("int x;\n" + lines.replace("step_5", "other"), encoding="utf-8")
    assert run("check_duplicates.py", tmp_path)[0] == 0


def test_headers(tmp_path):
    make_tree(tmp_path, {})
    done = subprocess.run([ROOT / "tools/check_headers.sh", tmp_path], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (tmp_path / "lib/base/a.h").write_text("#pragma once\nsize_t a(FILE *file);\n", encoding="utf-8")
    done = subprocess.run([ROOT / "tools/check_headers.sh", tmp_path], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "lib/base/a.h does not compile alone" in done.stdout, done.stdout + done.stderr
