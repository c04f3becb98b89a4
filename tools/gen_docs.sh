#!/usr/bin/env bash
# Writes the generated documents anew: docs/metrics.md, docs/prometheus-metrics.md,
# docs/errors.md, docs/configuration-*.md.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/common.sh

tools/build.sh dev
for pair in metrics:metrics prometheus:prometheus-metrics errors:errors config_collector:configuration-collector config_backend:configuration-backend; do
    "build/dev/bin/gen_${pair%%:*}_doc" "docs/${pair##*:}.md"
    say "docs/${pair##*:}.md"
done
