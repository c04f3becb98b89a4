# pgAnalytics: what you can type. `make help` lists it. Each target does its own set-up and may be repeated.
.DEFAULT_GOAL := help
.PHONY: help setup build test demo stop lint coverage fuzz bench bench-collector bench-families docs clean

FUZZ_SECONDS ?= 60
DEMO_PORT ?= 8443
TARGET ?=

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what building and testing need (Debian 12, 13, Ubuntu 24.04; root or sudo)
	@tools/setup.sh

build: setup ## release programs in build/bin
	@tools/build.sh release

test: setup ## everything: unit, conformance, SQL, system, fault and UI tests, with sanitizers
	@tools/test.sh

demo: build ## a monitored PostgreSQL with load, backend and collector; TARGET=postgres://... watches yours instead
	@DEMO_PORT=$(DEMO_PORT) TARGET='$(TARGET)' tools/demo.sh start

stop: ## end the demo
	@tools/demo.sh stop

lint: setup ## format, static analysis, layers, SQL, shell, ESLint
	@tools/build_ui.sh
	@tools/lint.sh

coverage: setup ## line coverage of the C code by the unit and fault tests
	@tools/coverage.sh

fuzz: setup ## every fuzzer for FUZZ_SECONDS (60)
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tools/fuzz.sh

bench: build ## first figures: cost of the collector, throughput of the backend
	@bench/run.sh

bench-collector: build ## what watching a server costs, ours beside postgres_exporter (about six minutes)
	@bench/collector.sh

bench-families: build ## what each metric family costs the server (two minutes); --write in ARGS puts it into docs/cost.md
	@PGA_BUILD=$(CURDIR)/build/release PYTHONPATH=tests/support:bench /usr/bin/python3 bench/family_costs.py $(ARGS)

docs: setup ## generate docs/metrics.md and docs/config-*.md anew
	@tools/gen_docs.sh

clean: ## remove build results (not the demo's data: make stop)
	rm -rf build frontend/dist
