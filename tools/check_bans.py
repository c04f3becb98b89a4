#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Fails on what has no place in this tree: calls that cannot be used safely, and unfinished work.

    check_bans.py [--root DIR]

Comments and strings are not looked at, but for the words that mark unfinished work. A line that has to do it says
`/* allowed: reason */`.
"""
import argparse
import pathlib
import re
import sys

from c_source import without_comments_and_strings

TREES = ("lib", "collector", "backend", "tests", "fuzz", "bench", "tools")

# (names, why, path prefixes where they are fine)
CALLS = [
    ("strcpy strcat stpcpy strncpy strncat sprintf vsprintf gets alloca", "has no bound: use Buf, Slice or snprintf",
     ()),
    ("scanf sscanf fscanf", "overflows unseen: use slice_to_int64() and its like", ("tests/",)),
    ("atoi atol atoll atof", "cannot tell a fault: use slice_to_int64() and its like", ()),
    ("strtok", "keeps state between calls: use slice_split()", ()),
    ("system popen", "runs a shell: use lib/io/process.h", ()),
    ("PQexec PQexecParams PQprepare PQexecPrepared", "waits for ever: use lib/pg/conn.h", ()),
    ("setjmp longjmp", "skips cleanup attributes", ()),
    ("rand srand random drand48", "is no randomness: use lib/base/random.h", ()),
    ("time gettimeofday localtime gmtime ctime asctime clock_gettime", "time is an argument, or lib/base/clock.h",
     ("lib/base/clock.c", "lib/base/log.c", "tests/", "bench/")),
    ("sleep usleep nanosleep", "waits blindly: wait for what is to happen, with a deadline", ("fuzz/", "bench/")),
]
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
ALLOWED = re.compile(r"/\*\s*allowed: [^\s*]")


def compile_bans():
    for names, why, fine in CALLS:
        pattern = re.compile(r"(?<![\w.>])(" + "|".join(names.split()) + r")\s*\(")
        yield pattern, why, fine


def check_file(name, text, bans):
    lines = text.splitlines()
    for number, line in enumerate(without_comments_and_strings(text).splitlines(), 1):
        if ALLOWED.search(lines[number - 1]):
            continue
        for pattern, why, fine in bans:
            found = pattern.search(line)
            if found and not name.startswith(fine):
                yield f"{name}:{number}: {found.group(1)}() {why}"
    for number, line in enumerate(lines, 1):
        found = UNFINISHED.search(line)
        if found:
            yield f"{name}:{number}: {found.group(1)}: finish it, or write an issue"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[1])
    root = parser.parse_args().root
    bans = list(compile_bans())
    files = [path for tree in TREES for path in sorted((root / tree).rglob("*.[ch]"))]
    if not files:
        sys.exit(f"{root}: no sources found")
    faults = [fault for path in files
              for fault in check_file(str(path.relative_to(root)), path.read_text(encoding="utf-8"), bans)]
    for fault in faults:
        print(fault)
    print(f"bans: {len(files)} files, {len(faults)} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
