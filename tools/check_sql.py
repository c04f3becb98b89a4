#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Fails on SQL that is not in the house's style.

  1. keywords are lower case (all .sql files, and the SQL in catalog/*.toml);
  2. no `select *`, no `returning *`: what a statement gives does not change when a table gets a column (of a function,
     whose result is declared, it is fine; so it is in the load that tools/ and tests/ make);
  3. in backend/migrations and backend/functions every object that is made, changed or read has its schema, and every
     function sets its search_path;
  4. migrations are named NNNN_verb_object.sql, numbered without a gap, and say at their head why they are there.

    check_sql.py [--root DIR]
"""
import argparse
import pathlib
import re
import sys
import tomllib

from c_source import sql_without_comments_and_strings

KEYWORDS = set("""
    add all alter and any as asc begin between by call cascade case check column commit conflict constraint create cross
    current database declare default delete desc distinct do drop else elsif end except exception execute exists false
    filter first following for foreign from full function grant group having if in index inner insert intersect interval
    into is join key language last lateral left like limit list local lock loop materialized natural not nothing null
    nulls offset on only or order outer over owner partition partitioned perform preceding primary privileges procedure
    raise range recursive references replace restrict return returning returns revoke right role rollback row rows schema
    select sequence set setof some stable strict table temporary then to trigger true truncate type union unique unlogged
    update using values vacuum view volatile when where while window with within
    """.split())
# Words after which the name of an object stands, for rule 3.
OBJECT = re.compile(
    r"\b(create\s+(?:or\s+replace\s+)?(?:unlogged\s+|materialized\s+)?(?:table|view|function|procedure|sequence|type)"
    r"(?:\s+if\s+not\s+exists)?|alter\s+table(?:\s+if\s+exists)?(?:\s+only)?|drop\s+(?:table|view|function|procedure|type)"
    r"(?:\s+if\s+exists)?|references|insert\s+into|delete\s+from(?:\s+only)?|(?<!for )(?<!no key )update(?:\s+only)?"
    r"|from|join|on(?=\s+[a-z_.\"]+\s*\([^)]*\)\s*(?:where|;|include|with)))\s+(only\s+|lateral\s+)?"
    r"(\"?[a-z_][\w$]*\"?)(\s*\.)?(\s*\()?")
FUNCTION = re.compile(r"\bcreate\s+(?:or\s+replace\s+)?(?:function|procedure)\s+([\w.]+)(.*?)(?:\$(\w*)\$|\breturn\b|\bbegin\b)",
                      re.DOTALL)
STAR = re.compile(r"\b(select|returning)\s+(?:all\s+|distinct\s+)?\*(?!\s+from\s+[\w.]+\s*\()|\bselect\b[^;()]*?,\s*\*")
NAME = re.compile(r"\d{4}_[a-z]+_[a-z0-9_]+\.sql")
NOT_OBJECTS = {"select", "set", "of", "unnest", "values", "now", "current", "conflict", "delete", "true", "false", "old",
               "new", "null", "lateral", "only", "public"}


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def check_style(name, text, first_line=1):
    """Rules 1 and 2 on SQL text without comments and strings."""
    for match in re.finditer(r"\b[A-Z][A-Z_]+\b", text):
        if match.group(0).lower() in KEYWORDS:
            yield f"{name}:{first_line - 1 + line_of(text, match.start())}: {match.group(0)}: keywords are lower case"
    if name.startswith(("tools/", "tests/")):
        return
    for match in STAR.finditer(text):
        yield f"{name}:{first_line - 1 + line_of(text, match.start())}: name the columns instead of *"


def check_schemas(name, text):
    """Rule 3. Names that the file itself makes for a query (with, as, for) need no schema, nor do system relations."""
    flat = re.sub(r"'[^']*'", "''", text)
    local = set(re.findall(r"\b(\w+)\s*(?:\([\w\s,]*\)\s*)?as\s+(?:not\s+)?(?:materialized\s*)?\(", flat))
    local |= set(re.findall(r"\)\s*(?:as\s+)?(\w+)\b", flat))
    for match in OBJECT.finditer(flat):
        words, target, dot, call = match.group(1), match.group(3), match.group(4), match.group(5)
        verb = words.split()[0]
        if dot or target in NOT_OBJECTS or target in local or target.startswith(("pg_", "_")):
            continue
        if verb in ("from", "join", "on", "update") and call and verb != "on":
            continue  # a function of pg_catalog, which is always found
        if verb == "from" and re.search(r"(distinct|extract\s*\([^)]*|trim\s*\([^)]*|substring\s*\([^)]*)\s*$",
                                        flat[:match.start()]):
            continue
        yield f"{name}:{line_of(flat, match.start(3))}: {' '.join(words.split())} {target}: say its schema"
    for match in FUNCTION.finditer(text):
        if not re.search(r"\bset\s+search_path\b", match.group(2)):
            yield f"{name}:{line_of(text, match.start())}: function {match.group(1)} does not set search_path"


def check_migrations(root):
    """Rule 4."""
    paths = sorted((root / "backend/migrations").glob("*.sql"))
    for number, path in enumerate(paths, 1):
        name = str(path.relative_to(root))
        if not NAME.fullmatch(path.name):
            yield f"{name}: is not named NNNN_verb_object.sql"
        elif int(path.name[:4]) != number:
            yield f"{name}: the next number is {number:04d}"
        if not path.read_text(encoding="utf-8").startswith("--"):
            yield f"{name}: does not say at its head why it is there"


def family_texts(path):
    """The SQL of a family file: (key, text)."""
    def walk(value):
        if isinstance(value, dict):
            for key, inner in value.items():
                if key in ("sql", "where", "order", "otherwise") and isinstance(inner, str):
                    yield key, inner
                else:
                    yield from walk(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from walk(inner)
    return walk(tomllib.loads(path.read_text(encoding="utf-8")))


def check(root):
    paths = [p for tree in ("backend", "collector", "tools", "tests", "grafana", "bench") for p in
             sorted((root / tree).rglob("*.sql"))]
    if not paths:
        sys.exit(f"{root}: no SQL found")
    for path in paths:
        name = str(path.relative_to(root))
        text = sql_without_comments_and_strings(path.read_text(encoding="utf-8"))
        yield from check_style(name, text)
        if name.startswith(("backend/migrations/", "backend/functions/")):
            yield from check_schemas(name, text)
    for path in sorted((root / "catalog").glob("*.toml")):
        for key, text in family_texts(path):
            yield from check_style(f"{path.relative_to(root)} ({key})", sql_without_comments_and_strings(text))
    yield from check_migrations(root)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[1])
    faults = list(check(parser.parse_args().root))
    for fault in faults:
        print(fault)
    print(f"sql: {len(faults)} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
