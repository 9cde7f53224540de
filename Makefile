# Everything needs Python >= 3.11 and make, nothing else; the environment is made from the lock file.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.from-lock

help:  ## what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: $(STAMP)  ## simulate where there is no data, run every month, say what was found
	@$(BIN)/revenue-integrity run --demo-if-empty

test: $(STAMP)  ## every test; installs the programs that tests run beside Python, where it may
	@$(BIN)/python -m revenue_integrity_tests.programs
	PYTHONDONTWRITEBYTECODE= HYPOTHESIS_STORAGE_DIRECTORY=$(VENV)/.hypothesis $(BIN)/python -m pytest -n auto --dist worksteal

ui: $(STAMP)  ## Dagster UI and daemon on 127.0.0.1:3000
	@exec $(BIN)/revenue-integrity ui

bench: $(STAMP)  ## measure: CPU seconds, wall, peak memory, ratios
	@$(BIN)/python -m benchmarks

check: $(STAMP)  ## format, lint, types, which room may import which, the style of SQL
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m revenue_integrity_tests.sql_style

MINUTES ?= 60
soak: $(STAMP)  ## late lines for MINUTES beside UI and daemon, in a copy of a home: lag, runs, memory, open files
	@$(BIN)/python -m benchmarks.soak --minutes $(MINUTES)

dictionary: $(STAMP)  ## renew docs/data_dictionary.md and the checks of docs/controls.md from what is declared
	$(BIN)/python -m revenue_integrity.cli.dictionary docs

clean:  ## remove the environment and caches; the home stays
	rm -rf $(VENV) build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

lock:  ## renew requirements.lock (needs uv)
	uv pip compile --universal --generate-hashes --no-strip-extras --all-extras --no-emit-index-url \
	    --no-emit-find-links --python-version 3.11 --custom-compile-command "make lock" pyproject.toml -o requirements.lock

.PHONY: help run test ui bench soak check dictionary clean lock
