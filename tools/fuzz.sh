#!/usr/bin/env bash
# Runs every fuzzer for FUZZ_SECONDS (60) each, starting from its corpus; new inputs stay in build/fuzz/corpus.
# A crash ends it with the input's path; put that input into fuzz/corpus/NAME with the fix.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/common.sh

seconds=${FUZZ_SECONDS:-60}
tools/build.sh fuzz
for program in build/fuzz/bin/fuzz_*; do
    name=${program##*/fuzz_}
    work=build/fuzz/corpus/$name
    mkdir -p "$work"
    options=(-max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="build/fuzz/$name-")
    if [ -e "fuzz/$name.dict" ]; then options+=(-dict="fuzz/$name.dict"); fi
    say "fuzzing $name for $seconds s"
    run_logged "build/log/fuzz-$name.log" "$program" "${options[@]}" "$work" "fuzz/corpus/$name" ||
        die "$name: an input fails; see build/log/fuzz-$name.log and build/fuzz/$name-*"
    sed -n 's/^stat::number_of_executed_units: */    runs: /p' "build/log/fuzz-$name.log"
done
