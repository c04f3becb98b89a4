#!/usr/bin/env bash
# First figures, with release programs: what a collection costs with 200 tables and 500 statements, and how many values a
# second go through the backend. Absolute figures are this machine's; compare within one run. Results: build/bench/.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/common.sh

mkdir -p build/bench
export PGA_BUILD=$PWD/build/release
export PYTHONPATH=$PWD/tests/support
say "the push format: encode and decode"
run_logged build/log/bench-build.log cmake --build build/release --target wire_bench
"$PGA_BUILD/bin/wire_bench" | tee build/bench/wire.json
say "a collection with 200 tables and 500 statements (about two minutes)"
BENCH_COLLECTIONS=${BENCH_COLLECTIONS:-20} /usr/bin/python3 bench/collector_cost.py | tee build/bench/collector.json
say "values through the backend (about a minute)"
/usr/bin/python3 bench/ingest_rate.py | tee build/bench/ingest.json
