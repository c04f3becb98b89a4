#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Fails when too much of the code stands somewhere else too.

Counts the lines of lib/, collector/ and backend/ that belong to a run of twelve or more lines (blank ones, comments,
lone braces and #includes left out) which occurs twice. House style allows one in a hundred.

    check_duplicates.py [--root DIR] [--run LINES] [--share PERCENT]
"""
import argparse
import collections
import pathlib
import re
import sys

from c_source import without_comments


def read_lines(path):
    """[(line number, text without white space)] of what counts."""
    lines = []
    for number, line in enumerate(without_comments(path.read_text(encoding="utf-8")).splitlines(), 1):
        text = re.sub(r"\s+", "", line)
        if text.strip("{};,()") and not text.startswith("#include"):
            lines.append((number, text))
    return lines


def find_runs(files, length):
    """{file: set of indexes of its lines that are in a run which occurs twice}, and an example for each pair of files."""
    places = collections.defaultdict(list)
    for name, lines in files.items():
        for start in range(len(lines) - length + 1):
            places[tuple(text for _, text in lines[start:start + length])].append((name, start))
    marked, examples = collections.defaultdict(set), {}
    for where in places.values():
        if len(where) < 2:
            continue
        for name, start in where:
            marked[name].update(range(start, start + length))
        (a, at_a), (b, at_b) = where[:2]
        examples.setdefault((a, b), (files[a][at_a][0], files[b][at_b][0]))
    return marked, examples


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[1])
    parser.add_argument("--run", type=int, default=12)
    parser.add_argument("--share", type=float, default=1.0)
    arguments = parser.parse_args()
    root = arguments.root
    files = {str(path.relative_to(root)): read_lines(path)
             for tree in ("lib", "collector", "backend") for path in sorted((root / tree).rglob("*.[ch]"))}
    total = sum(len(lines) for lines in files.values())
    if total == 0:
        sys.exit(f"{root}: no sources found")
    marked, examples = find_runs(files, arguments.run)
    twice = sum(len(lines) for lines in marked.values())
    for (a, b), (at_a, at_b) in sorted(examples.items()):
        print(f"{a}:{at_a}: the same as {b}:{at_b}")
    share = 100 * twice / total
    print(f"duplicates: {twice} of {total} lines ({share:.2f} %; {arguments.share:g} % is allowed)")
    sys.exit(1 if share > arguments.share else 0)


if __name__ == "__main__":
    main()
