#!/usr/bin/env bash
# Builds the web UI into frontend/dist when a source is newer than the last build.
set -euo pipefail
cd "$(dirname "$0")/../frontend"
. ../tools/common.sh

if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    say "installing the UI's packages"
    run_logged ../build/log/npm-ci.log npm ci --no-audit --no-fund
    touch node_modules/.package-lock.json
fi
if [ ! -e dist/index.html ] || [ -n "$(find src index.html package.json ./*.config.* -newer dist/index.html -print -quit)" ]; then
    say "building the UI"
    run_logged ../build/log/ui.log npm run build
    touch dist/index.html
fi
