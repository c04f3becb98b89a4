#!/usr/bin/env bash
# Line coverage of the C code by the unit, fault and fuzz-regression tests: a table on the terminal and
# build/cov/coverage.html.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/common.sh

tools/build.sh cov
find build/cov -name '*.gcda' -delete
say "running the tests"
run_logged build/log/coverage-tests.log ctest --test-dir build/cov -L 'unit|fault|fuzz-regression' -j 2 --output-on-failure
gcovr --root . --object-directory build/cov --filter 'lib/' --filter 'collector/' --filter 'backend/' \
    --html build/cov/coverage.html --print-summary
