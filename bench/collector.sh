#!/usr/bin/env bash
# What watching a server costs: our collector and Debian's prometheus-postgres-exporter on the same server, in the same run.
# docs/cost.md says how. BENCH_COLLECTIONS (100) and BENCH_MAJOR (15) may be given. The last line is JSON.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/common.sh

mkdir -p build/bench
export PGA_BUILD=$PWD/build/release
export PYTHONPATH=$PWD/tests/support
say "a collection with 200 tables and 500 statements, ours and the peer's (about six minutes)"
/usr/bin/python3 bench/collector_cost.py "$@" | tee build/bench/collector.json
