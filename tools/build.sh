#!/usr/bin/env bash
# Builds the web UI and the programs of one CMake preset: build.sh release | dev | tsan | cov | fuzz.
# Release programs go to build/bin.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/common.sh

preset=${1:-release}
case "$preset" in
    fuzz | cov) ;;
    *) tools/build_ui.sh ;;
esac
say "building the programs ($preset)"
run_logged "build/log/configure-$preset.log" cmake --preset "$preset"
target=all
case "$preset" in
    release) target=programs ;;
    fuzz) target=fuzzers ;;
esac
run_logged "build/log/build-$preset.log" cmake --build "build/$preset" --target "$target"
if [ "$preset" = release ]; then
    mkdir -p build/bin
    ln -sf ../release/bin/pganalytics ../release/bin/pganalytics-api build/bin/
    say "build/bin: pganalytics (collector), pganalytics-api (backend)"
fi
