#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Fails when a dependency points up or in a circle.

Reads every #include of lib/, collector/ and backend/ and every library of their CMakeLists.txt files:

  1. an arrow points to a layer that LAYERS does not allow (collector and backend never meet, nothing includes tests/);
  2. headers include each other in a circle, or modules (folders that are a library) do;
  3. a module includes another whose library it does not link, directly or through others. A header that has no source
     of its name and includes nothing (declarations only) needs no library.

    check_layers.py [--root DIR]
"""
import argparse
import collections
import pathlib
import re
import sys

# What each part may use. Within backend and collector the libraries say who may use whom (3).
LIBRARIES = ("base", "io", "conf", "json", "pg", "catalog", "wire", "telemetry")
LAYERS = {
    "lib/base": set(),
    "lib/io": {"lib/base"},
    "lib/conf": {"lib/base", "lib/io"},
    "lib/json": {"lib/base", "lib/io"},
    "lib/pg": {"lib/base", "lib/io"},
    "lib/catalog": {"lib/base", "lib/io", "lib/conf", "lib/json", "lib/pg"},
    "lib/wire": {"lib/base", "lib/io", "lib/conf", "lib/json", "lib/pg"},
    "lib/telemetry": {"lib/base"},
    "collector": {f"lib/{name}" for name in LIBRARIES},
    "backend": {f"lib/{name}" for name in LIBRARIES},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def part_of(path):
    """The layer of a path: lib/base, collector, backend; None for others."""
    pieces = path.split("/")
    if pieces[0] == "lib":
        return "/".join(pieces[:2])
    return pieces[0] if pieces[0] in ("collector", "backend") else None


def read_includes(root):
    """{file: [(included path, line)]} of all C files of the three trees."""
    includes = {}
    for tree in ("lib", "collector", "backend"):
        for path in sorted((root / tree).rglob("*.[ch]")):
            text = path.read_text(encoding="utf-8")
            includes[str(path.relative_to(root))] = [
                (match.group(1), text.count("\n", 0, match.start(1)) + 1) for match in INCLUDE.finditer(text)]
    return includes


def read_libraries(root):
    """{library: (folder, set of libraries it depends on)} from the CMakeLists.txt files of the three trees."""
    libraries = {}
    for tree in ("lib", "collector", "backend"):
        for path in sorted((root / tree).rglob("CMakeLists.txt")):
            folder = str(path.parent.relative_to(root))
            text = re.sub(r"#[^\n]*", "", path.read_text(encoding="utf-8"))
            for name, body in re.findall(r"pga_library\(\s*(\w+)([^)]*)\)", text):
                needs = body.partition("DEPENDS")[2]
                libraries[f"pga_{name}"] = (folder, set(re.findall(r"\bpga_\w+", needs)))
    return libraries


def find_circle(graph):
    """A circle of @graph as a list of nodes, the first one repeated at the end; None when there is none."""
    state = {}

    def visit(node, trail):
        state[node] = "open"
        for target in sorted(graph.get(node, ())):
            if state.get(target) == "open":
                return trail[trail.index(target):] + [target]
            if target not in state:
                circle = visit(target, trail + [target])
                if circle:
                    return circle
        state[node] = "done"
        return None

    for node in sorted(graph):
        if node not in state:
            circle = visit(node, [node])
            if circle:
                return circle
    return None


def check_arrows(root, includes):
    for path, targets in includes.items():
        part = part_of(path)
        if part not in LAYERS:
            yield f"{path}: {part} is not a layer; add it to LAYERS"
            continue
        for target, line in targets:
            if "/" not in target:
                yield f'{path}:{line}: "{target}": includes are written from the root of the tree'
            elif target.startswith("tests/"):
                yield f"{path}:{line}: includes {target}: programs do not use the tests"
            elif part_of(target) and not (root / target).exists():
                yield f"{path}:{line}: includes {target}, which is not there"
            elif part_of(target) and part_of(target) != part and part_of(target) not in LAYERS[part]:
                yield f"{path}:{line}: {part} may not use {part_of(target)} ({target})"


def check_circles(includes, libraries):
    headers = {path: {target for target, _ in targets if target in includes}
               for path, targets in includes.items() if path.endswith(".h")}
    circle = find_circle(headers)
    if circle:
        yield "headers include each other: " + " -> ".join(circle)
    modules = collections.defaultdict(set)
    for path, targets in includes.items():
        owner = library_of(path, libraries)
        modules[owner] |= {library_of(target, libraries) for target, _ in targets if needs_library(target, includes)}
        modules[owner] -= {owner, None}
    modules.pop(None, None)  # the programs' own main.c stand above every library
    circle = find_circle(modules)
    if circle:
        yield "modules use each other: " + " -> ".join(circle)


def check_libraries(includes, libraries):
    for name, (folder, needs) in sorted(libraries.items()):
        for need in sorted(needs):
            if need not in libraries:
                yield f"{folder}/CMakeLists.txt: {name} depends on {need}, which is no library"
                continue
            part, target = part_of(folder), part_of(libraries[need][0])
            if part != target and target not in LAYERS.get(part, ()):
                yield f"{folder}/CMakeLists.txt: {part} may not use {target} ({name} depends on {need})"
    circle = find_circle({name: needs for name, (_, needs) in libraries.items()})
    if circle:
        yield "libraries depend on each other: " + " -> ".join(circle)
        return

    def reach(name):
        found = {name}
        for need in libraries.get(name, ("", set()))[1]:
            found |= reach(need)
        return found

    reached = {name: reach(name) for name in libraries}
    for path, targets in includes.items():
        owner = library_of(path, libraries)
        for target, line in targets:
            wanted = library_of(target, libraries) if needs_library(target, includes) else None
            if owner and wanted and wanted not in reached[owner]:
                yield f"{path}:{line}: {owner} includes {target} but does not depend on {wanted}"


def needs_library(path, includes):
    """Whether who includes @path links its library: not for declarations alone."""
    return path in includes and (bool(includes[path]) or path[:-2] + ".c" in includes)


def library_of(path, libraries):
    """The library whose folder is nearest above @path; None for what is in no library."""
    above = [(len(folder), name) for name, (folder, _) in libraries.items() if path.startswith(folder + "/")]
    return max(above)[1] if above else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[1])
    root = parser.parse_args().root
    includes = read_includes(root)
    if not includes:
        sys.exit(f"{root}: no sources found")
    libraries = read_libraries(root)
    faults = [*check_arrows(root, includes), *check_circles(includes, libraries), *check_libraries(includes, libraries)]
    for fault in faults:
        print(fault)
    arrows = sum(len(targets) for targets in includes.values())
    print(f"layers: {len(includes)} files, {arrows} includes, {len(libraries)} libraries, {len(faults)} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
