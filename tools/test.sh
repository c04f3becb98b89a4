#!/usr/bin/env bash
# Runs every test, with sanitizers on, and closes with a summary: one line a group, then "N passed, N failed, N skipped".
#   test.sh            everything
#   test.sh unit sql   only these groups (unit conformance fuzz fault sql system ui browser)
# Logs: build/log/test-GROUP.log.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/common.sh

python=/usr/bin/python3 # the distribution's: it has the distribution's pytest and drivers
build=build/dev
servers=${TMPDIR:-/tmp}
workers=$((2 * $(nproc))) # of pytest: most of their time they wait for servers
started=$(date +%s)
passed=0
failed=0
skipped=0
failed_groups=()
mkdir -p build/log

# add_counts GROUP PASSED FAILED SKIPPED SECONDS
add_counts() {
    passed=$((passed + $2))
    failed=$((failed + $3))
    skipped=$((skipped + $4))
    printf '    %-12s %4d passed %3d failed %3d skipped  %4d s\n' "$1" "$2" "$3" "$4" "$5"
    if [ "$3" -gt 0 ]; then
        failed_groups+=("$1")
        grep -E '(^FAILED|^ERROR|\*\*\*Failed|\*\*\*Timeout|FAIL )' "build/log/test-$1.log" | head -n 20 || true
    fi
}

# A ctest group: the label, and how many at once (fault tests and the like are heavy on the disk).
run_ctest() {
    local group=$1 label=$2 at_once=$3 begin total ok bad skip xml=$PWD/build/log/test-$1.xml
    begin=$(date +%s)
    rm -f "$xml"
    run_logged "build/log/test-$group.log" ctest --test-dir "$build" -L "^$label\$" -j "$at_once" --output-on-failure \
        --output-junit "$xml" 2>/dev/null || true
    total=$(sed -n 's/^\s*tests="\([0-9]*\)".*/\1/p' "$xml" | head -n 1)
    bad=$(sed -n 's/^\s*failures="\([0-9]*\)".*/\1/p' "$xml" | head -n 1)
    skip=$(grep -c -E '<skipped|status="notrun"' "$xml" || true)
    if [ -z "$total" ] || [ "$total" -eq 0 ]; then bad=1 total=1 skip=0; fi # a group that is empty is a fault of ours
    if [ "$skip" -gt "$total" ]; then skip=$total; fi
    ok=$((total - bad - skip))
    add_counts "$group" "$ok" "$bad" "$skip" $(($(date +%s) - begin))
}

# Where there is plenty of memory the tests' servers live in it: making and removing their files is most of their time.
servers_directory() {
    local free
    free=$(df --output=avail -k /dev/shm 2>/dev/null | tail -n 1)
    if [ -n "${TMPDIR:-}" ] || [ "${free:-0}" -lt $((8 << 20)) ]; then return; fi
    servers=$(mktemp -d /dev/shm/pga-test-XXXXXX)
    chmod 1777 "$servers" # servers run as another user
    trap 'rm -rf "$servers"' EXIT
}

run_pytest() {
    local group=$1 directory=$2 begin line
    begin=$(date +%s)
    PGA_BUILD=$PWD/$build TMPDIR=$servers run_logged "build/log/test-$group.log" \
        $python -m pytest -q -rfEs --tb=short -p no:cacheprovider -n "$workers" --dist loadgroup "$directory" \
        2>/dev/null || true
    line=$(tail -n 1 "build/log/test-$group.log")
    count() { printf '%s' "$line" | sed -n "s/.*\b\([0-9]\+\) $1.*/\1/p"; }
    local ok bad errors skip
    ok=$(count passed) bad=$(count failed) errors=$(count error) skip=$(count skipped)
    if [ -z "$ok$bad$errors$skip" ]; then errors=1; fi
    add_counts "$group" "${ok:-0}" $((${bad:-0} + ${errors:-0})) "${skip:-0}" $(($(date +%s) - begin))
}

# Component tests by Vitest, whose closing lines are "Tests  65 passed (65)" or "Tests  1 failed | 64 passed (65)".
run_vitest() {
    local begin line ok bad
    begin=$(date +%s)
    (cd frontend && run_logged ../build/log/test-ui.log env NO_COLOR=1 npx vitest run) 2>/dev/null || true
    line=$(grep -E '^ *Tests ' build/log/test-ui.log | tail -n 1)
    ok=$(printf '%s' "$line" | sed -n 's/.*\b\([0-9]\+\) passed.*/\1/p')
    bad=$(printf '%s' "$line" | sed -n 's/.*\b\([0-9]\+\) failed.*/\1/p')
    if [ -z "$ok$bad" ]; then bad=1; fi
    add_counts ui "${ok:-0}" "${bad:-0}" 0 $(($(date +%s) - begin))
}

group_unit() { run_ctest unit unit 2; }
group_conformance() { run_ctest conformance conformance 2; }
group_fuzz() { run_ctest fuzz fuzz-regression 2; }
group_fault() { run_ctest fault fault 2; }
group_sql() { run_pytest sql tests/sql; }
group_system() { run_pytest system tests/system; }
group_ui() { run_vitest; }
group_browser() { run_pytest browser tests/ui; }

groups=("$@")
if [ ${#groups[@]} -eq 0 ]; then groups=(unit conformance fuzz fault sql system ui browser); fi

tools/build.sh dev
servers_directory
say "testing: ${groups[*]}"
for group in "${groups[@]}"; do "group_$group"; done

say "took $(($(date +%s) - started)) s"
if [ "$failed" -gt 0 ]; then
    printf 'failed groups: %s; logs: build/log/test-*.log\n' "${failed_groups[*]}"
fi
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
