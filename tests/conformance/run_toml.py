#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Optional: the TOML reader against the official cases (github.com/toml-lang/toml-test, its `tests` folder).

    run_toml.py TOML_TO_JSON [DIRECTORY]

DIRECTORY, or the environment variable TOML_TEST_DIR, or toml-test beside the project's folder, holds
files-toml-1.0.0 and the cases it lists. Valid ones must give the expected tagged JSON, invalid ones must be refused
with line and column. Exit 0 all passed, 1 some did not, 77 skipped because the folder is not there.
"""

import json
import math
import os
import re
import subprocess
import sys

SKIPPED = 77
LIST = "files-toml-1.0.0"
BATCH = 200


def find_cases(arguments):
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    beside = os.path.join(os.path.dirname(root), "shared", "toml-test")
    return arguments[0] if arguments else os.environ.get("TOML_TEST_DIR") or beside


def run(tool, paths):
    """The tool's line for each path."""
    answers = []
    for at in range(0, len(paths), BATCH):
        done = subprocess.run([tool, *paths[at:at + BATCH]], stdout=subprocess.PIPE, check=True, timeout=120)
        answers += done.stdout.decode().splitlines()
    return answers


def normal_time(text):
    """RFC 3339 spelling is free in places: one form to compare."""
    text = text.upper().replace(" ", "T")
    text = re.sub(r"\.(\d+)", lambda m: ("." + m.group(1)[:9].rstrip("0")).rstrip("."), text)
    return re.sub(r"[+-]00:00$", "Z", text)


def same_float(got, expected):
    got, expected = float(got), float(expected)
    return got == expected or (math.isnan(got) and math.isnan(expected))


def is_tagged(value):
    return set(value) == {"type", "value"} and isinstance(value["type"], str) and isinstance(value["value"], str)


def same(got, expected):
    if type(got) is not type(expected):
        return False
    if isinstance(expected, list):
        return len(got) == len(expected) and all(map(same, got, expected))
    if not is_tagged(expected):
        return got.keys() == expected.keys() and all(same(got[k], expected[k]) for k in expected)
    if not is_tagged(got) or got["type"] != expected["type"]:
        return False
    kind = expected["type"]
    if kind == "float":
        return same_float(got["value"], expected["value"])
    if kind.startswith(("date", "time")):
        return normal_time(got["value"]) == normal_time(expected["value"])
    return got["value"] == expected["value"]


def check_valid(directory, name, answer):
    with open(os.path.join(directory, name[:-len(".toml")] + ".json"), encoding="utf-8") as file:
        expected = json.load(file)
    if not answer.startswith("ok "):
        return "refused: " + answer
    got = json.loads(answer[3:])
    return None if same(got, expected) else f"got {got}, expected {expected}"


def check_invalid(answer):
    if answer.startswith("ok "):
        return "accepted: " + answer
    return None if re.match(r"error [1-9]\d* [1-9]\d* \S", answer) else "no place or no message: " + answer


def main():
    tool, directory = sys.argv[1], find_cases(sys.argv[2:])
    if not os.path.exists(os.path.join(directory, LIST)):
        print(f"skipped: no official TOML cases in {directory} (set TOML_TEST_DIR)")
        return SKIPPED

    with open(os.path.join(directory, LIST), encoding="utf-8") as file:
        names = [line.strip() for line in file if line.strip().endswith(".toml")]
    answers = run(tool, [os.path.join(directory, name) for name in names])
    if len(answers) != len(names):
        print(f"{len(names)} cases, but {len(answers)} answers")
        return 1

    failed = 0
    for name, answer in zip(names, answers):
        valid = name.startswith("valid/")
        fault = check_valid(directory, name, answer) if valid else check_invalid(answer)
        if fault:
            failed += 1
            print(f"FAILED {name}: {fault}")
    print(f"{len(names) - failed} of {len(names)} official TOML cases passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
