# `make help` lists the targets. Everything is prepared on demand: a fresh machine needs git, make and Python 3.11.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := setup

PYTHON ?= python3
VENV := $(CURDIR)/.venv
BIN := $(VENV)/bin
API := apps/api
REQUIREMENTS := $(API)/requirements
export PATH := $(BIN):$(PATH)
export UV_LINK_MODE ?= copy
unexport PYTHONPATH

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# -- Environment ------------------------------------------------------------------------------------------------

.PHONY: setup
setup: $(VENV)/.ready ## Make the virtual environment; afterwards .venv/bin/topcoin works

$(VENV)/.uv: $(REQUIREMENTS)/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "TopCoin needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { echo "This Python cannot make virtual environments; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "==> installing uv"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@

$(VENV)/.ready: $(VENV)/.uv $(REQUIREMENTS)/dev.txt $(API)/pyproject.toml
	@echo "==> installing the locked requirements"
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes $(REQUIREMENTS)/dev.txt $(REQUIREMENTS)/uv.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable $(API)
	@touch $@

.PHONY: lock
lock: $(VENV)/.uv ## Resolve the requirements anew (writes requirements/*.txt)
	@cd $(API) && compile="$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11" \
	  && $$compile requirements/uv.in -o requirements/uv.txt \
	  && $$compile pyproject.toml -o requirements/runtime.txt \
	  && $$compile pyproject.toml --group dev -o requirements/dev.txt

# -- Running ----------------------------------------------------------------------------------------------------

.PHONY: dev
dev: setup ## Run everything for development: database, demo data, API; Ctrl-C stops it
	@exec topcoin dev

.PHONY: seed
seed: migrate ## Make the demo data, or what is missing of it
	@topcoin seed

# -- Gates and tests --------------------------------------------------------------------------------------------

.PHONY: check
check: setup ## Quick gates: format, lint, types, imports
	@cd $(API) && echo "==> ruff" && ruff format --check --quiet . && ruff check --quiet .
	@cd $(API) && echo "==> import-linter" && lint-imports --no-cache > $(VENV)/imports.log || { cat $(VENV)/imports.log; exit 1; }
	@cd $(API) && echo "==> pyright" && pyright --warnings

.PHONY: format
format: setup ## Format the sources and mend what ruff can mend
	@cd $(API) && ruff format . && ruff check --fix .

.PHONY: test
test: check ## Every gate and every test, as CI runs them
	@cd $(API) && echo "==> pytest" && pytest --cov=topcoin --cov-branch --cov-report=
	@cd $(API) && echo "==> coverage" && report=$(VENV)/coverage.log core='topcoin/kernel/*,topcoin/ledger/*' \
	  && worst_first="coverage report --sort=cover --skip-covered --show-missing" \
	  && { $$worst_first --include="$$core" --fail-under=95 > $$report \
	    && $$worst_first --omit="$$core" --fail-under=85 > $$report \
	    || { cat $$report; exit 1; }; }

.PHONY: soak
soak: setup ## The long fault and property tests (an hour or so)
	@cd $(API) && HYPOTHESIS_PROFILE=soak TOPCOIN_SOAK_ROUNDS=200 pytest tests/faults tests/ledger/test_laws.py --timeout=7200

# -- Database ---------------------------------------------------------------------------------------------------

.PHONY: migrate
migrate: setup ## Bring the database to the newest revision
	@topcoin migrate

# -- Benchmarks: each prints ratios against a reference measured in the same run ----------------------------------

.PHONY: bench
bench: setup ## All benchmarks, into bench/results/<date>.md
	@mkdir -p $(API)/bench/results
	@cd $(API) && for area in ledger candles http; do \
	  echo "## $$area"; echo; python bench/bench_$$area.py; echo; \
	done | tee bench/results/$$(date -u +%F).md

.PHONY: bench-ledger
bench-ledger: setup ## Posting beside COPY and pgbench, verification
	@cd $(API) && python bench/bench_ledger.py

.PHONY: bench-candles
bench-candles: setup ## Import beside COPY, reads in a large table
	@cd $(API) && python bench/bench_candles.py

.PHONY: bench-http
bench-http: setup ## Reading over HTTP beside a bare endpoint
	@cd $(API) && python bench/bench_http.py

# -- Cleaning ---------------------------------------------------------------------------------------------------

.PHONY: clean
clean: ## Remove the virtual environment and caches (not the data in .topcoin)
	rm -rf $(VENV) $(API)/.pytest_cache $(API)/.ruff_cache $(API)/.hypothesis $(API)/.coverage*
	find $(API) -name __pycache__ -prune -exec rm -rf {} +
