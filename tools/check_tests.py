#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Fails when a source file has no test of its own.

Each lib|collector|backend/<path>/<file>.c has tests/unit/<same path>/test_<file>.c, named in the CMakeLists.txt there; or
a line in tests/covered_by_system.txt says what covers it instead:

    backend/main.c: tests/system starts and stops the program

A line there is a fault when the file is gone or has a unit test after all.

    check_tests.py [--root DIR]
"""
import argparse
import pathlib
import re
import sys


def read_exceptions(root):
    """{source: (reason, line number)}; lines without a reason raise ValueError."""
    exceptions = {}
    path = root / "tests/covered_by_system.txt"
    if not path.exists():
        return exceptions
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        source, _, reason = line.partition(":")
        if not reason.strip():
            raise ValueError(f"tests/covered_by_system.txt:{number}: no reason given for {source}")
        exceptions[source.strip()] = (reason.strip(), number)
    return exceptions


def is_registered(test):
    """Whether a CMakeLists.txt of the test's folder or one above names it, by its whole name or in a foreach()."""
    stem = test.stem.removeprefix("test_")
    for folder in (test.parent, test.parent.parent):
        path = folder / "CMakeLists.txt"
        if not path.exists():
            continue
        text = re.sub(r"#[^\n]*", "", path.read_text(encoding="utf-8"))
        if f"/{test.name}" in text or ("foreach(" in text and re.search(rf"\b{re.escape(stem)}\b", text)):
            return True
    return False


def check(root):
    exceptions = read_exceptions(root)
    sources = [path for tree in ("lib", "collector", "backend") for path in sorted((root / tree).rglob("*.c"))]
    if not sources:
        sys.exit(f"{root}: no sources found")
    names = set()
    for source in sources:
        name = str(source.relative_to(root))
        names.add(name)
        test = root / "tests/unit" / source.parent.relative_to(root) / f"test_{source.name}"
        if name in exceptions:
            if test.exists():
                yield f"tests/covered_by_system.txt:{exceptions[name][1]}: {name} has a unit test: take the line out"
        elif not test.exists():
            yield f"{name}: no {test.relative_to(root)}"
        elif not is_registered(test):
            yield f"{test.relative_to(root)}: no CMakeLists.txt runs it"
    for name, (_, number) in exceptions.items():
        if name not in names:
            yield f"tests/covered_by_system.txt:{number}: there is no {name}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[1])
    try:
        faults = list(check(parser.parse_args().root))
    except ValueError as fault:
        faults = [str(fault)]
    for fault in faults:
        print(fault)
    print(f"tests: {len(faults)} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
