# What a developer types. `make` alone lists it.

PYTHON ?= python3
DEMO_PORT ?= 8000

BIN := .venv/bin
INSTALLED := .venv/installed
DEMO := build/demo
SOURCE := --database-url sqlite:///$(DEMO)/platform.sqlite --sample-repository $(DEMO)/files

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo test soak lint reference baseline bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## make .venv with the exporter and what its developers need (PYTHON=python3)

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "This needs Python 3.11 or newer: install one and name it, as in: make install PYTHON=python3.12" >&2; exit 1; }
	@[ -x $(BIN)/pip ] || $(PYTHON) -c 'import ensurepip' 2>/dev/null || \
		{ echo "Python cannot make virtual environments here: run 'sudo apt-get install python3-venv', then make again" >&2; exit 1; }
	[ -x $(BIN)/pip ] || $(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --editable '.[dev]'
	@# As pip does for what it installs: who may not write here would compile it at each start.
	$(BIN)/python -m compileall -q exporter
	@touch $@

demo: install $(DEMO)/platform.sqlite ## export made-up data and look at it in a browser (DEMO_PORT=8000)
	$(BIN)/exporter export $(SOURCE) --store $(DEMO)/site
	$(BIN)/exporter serve $(DEMO)/site --port $(DEMO_PORT)

$(DEMO)/platform.sqlite: | $(INSTALLED)
	@mkdir -p $(@D)
	$(BIN)/exporter demo $(SOURCE)

test: install ## run the tests; those on MariaDB need mariadbd, or EXPORTER_TEST_MARIADB_URL
	$(BIN)/pytest -q -n auto --dist loadgroup -m 'not soak'

soak: install ## run the long tests with real processes
	$(BIN)/pytest -q -n auto -m soak

lint: install ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

reference: install ## write docs/api.md anew from the shapes
	$(BIN)/python -m tests.support.reference

baseline: install ## at a release of the API: keep its contract, for later ones to be held to
	$(BIN)/python -m tests.support.contract

bench: install ## measure on MariaDB at 127.0.0.1; the figures go into docs/benchmarks.md
	$(BIN)/python -m tests.benchmarks

clean: ## remove what was built, but not .venv
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find exporter tests -name __pycache__ -exec rm -rf {} +
