#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""clang-tidy over the sources of a build directory, two at a time, skipping those that have not changed.

A file that was clean leaves a stamp in BUILD/tidy: a hash of its preprocessed text, of .clang-tidy and of clang-tidy's
version. A second run therefore takes seconds.

    run_tidy.py BUILD [FILE...]      all C files of lib/, collector/, backend/ without FILE
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
PRELUDE = "tools/tidy_prelude.h"
NO_PRELUDE = {"lib/base/err.c"}  # defines what the prelude redefines
TREES = ("lib", "collector", "backend")
SECONDS = 600  # for one file


def read_commands(build):
    """{path relative to the root: its compiler command} of the trees."""
    commands = {}
    for entry in json.loads((build / "compile_commands.json").read_text(encoding="utf-8")):
        path = pathlib.Path(entry["directory"], entry["file"]).resolve()
        if path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in TREES and path.exists():
            commands[str(path.relative_to(ROOT))] = (entry["directory"], shlex.split(entry["command"]))
    return commands


def preprocessed(directory, command):
    """The text that the compiler sees, or None when it does not preprocess."""
    arguments = [a for a in command if a != "-c"]
    if "-o" in arguments:
        at = arguments.index("-o")
        del arguments[at:at + 2]
    done = subprocess.run([*arguments, "-E", "-P"], cwd=directory, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None


def check_file(build, name, directory, command, salt):
    """(name, complaints): "" when the file is clean."""
    text = preprocessed(directory, command)
    stamp = build / "tidy" / name.replace("/", "__")
    digest = hashlib.sha256(salt + (text or b"")).hexdigest()
    if text is not None and stamp.exists() and stamp.read_text(encoding="ascii") == digest:
        return name, ""
    extra = [] if name in NO_PRELUDE else ["--extra-arg-before=-include", f"--extra-arg-before={ROOT / PRELUDE}"]
    done = subprocess.run(["clang-tidy", "--quiet", "-p", str(build), *extra, name], cwd=ROOT, capture_output=True, text=True,
                          timeout=SECONDS, check=False)
    complaints = "\n".join(line for line in done.stdout.splitlines() if line.strip())
    if done.returncode == 0:
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.write_text(digest, encoding="ascii")
        return name, ""
    return name, complaints or done.stderr


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    build = pathlib.Path(sys.argv[1]).resolve()
    commands = read_commands(build)
    wanted = [str(pathlib.Path(name).resolve().relative_to(ROOT)) for name in sys.argv[2:]] or sorted(commands)
    unknown = [name for name in wanted if name not in commands]
    if unknown or not wanted:
        sys.exit(f"not in {build}/compile_commands.json: {' '.join(unknown) or 'any source'}")
    version = subprocess.run(["clang-tidy", "--version"], capture_output=True, check=True).stdout
    salt = version + (ROOT / ".clang-tidy").read_bytes() + (ROOT / PRELUDE).read_bytes()
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(check_file, build, name, *commands[name], salt) for name in wanted]
        for done, job in enumerate(concurrent.futures.as_completed(jobs), 1):
            name, complaints = job.result()
            if complaints:
                failed += 1
                print(f"--- {name}\n{complaints}")
            if sys.stderr.isatty():
                print(f"\r{done}/{len(wanted)}", end="", file=sys.stderr)
    print(f"clang-tidy: {len(wanted)} files, {failed} with complaints")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
