# What a developer types. `make` alone lists it.

PYTHON ?= python3
DEMO_PORT ?= 8000

BIN := .venv/bin
# A group of packages is installed when this file is older than the project's requirements.
INSTALLED := .venv/installed-
LOCK := constraints.txt
DEMO := build/demo
SOURCE := --database-url sqlite:///$(DEMO)/platform.sqlite --sample-repository $(DEMO)/files
UV := $(shell command -v uv)

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: help install demo test soak coverage lint lock dist fresh pythons mysql image reference baseline bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED)dev ## make .venv with the exporter and all that its developers need (PYTHON=python3)

.venv/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "The exporter needs Python 3.11 or newer: install one and name it, as in: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
ifneq ($(UV),)
	$(UV) venv --quiet --seed --allow-existing --python $(PYTHON) .venv
else
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
		{ echo "Python cannot make virtual environments here: run 'sudo apt-get install python3-venv', then make again" >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
endif
	@touch $@

# $(INSTALLED)runtime has what an export needs alone; the others are the extras of pyproject.toml.
$(INSTALLED)%: pyproject.toml $(LOCK) .venv/pyvenv.cfg
ifneq ($(UV),)
	$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --constraint $(LOCK) --editable '.$(if $(filter-out runtime,$*),[$*])'
else
	@[ -x $(BIN)/pip ] || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint $(LOCK) --editable '.$(if $(filter-out runtime,$*),[$*])'
endif
	@# pip compiles what it installs, but not this folder: services that may not write here would compile it at each start.
	$(BIN)/python -m compileall -q exporter
	@touch $@ $(INSTALLED)runtime $(if $(filter dev,$*),$(INSTALLED)lint $(INSTALLED)test)

demo: $(INSTALLED)runtime $(DEMO)/platform.sqlite ## export made-up data and look at it in a browser (DEMO_PORT=8000)
	$(BIN)/exporter export $(SOURCE) --store $(DEMO)/site
	$(BIN)/exporter serve $(DEMO)/site --port $(DEMO_PORT)

$(DEMO)/platform.sqlite: | $(INSTALLED)runtime
	@mkdir -p $(@D)
	$(BIN)/exporter demo $(SOURCE)

test: $(INSTALLED)test ## run the tests; without MariaDB, Chromium, nginx or Apache those that need them are skipped
	$(BIN)/pytest -q -n auto --dist loadgroup -m 'not soak'

soak: $(INSTALLED)test ## run the long tests with real processes
	$(BIN)/pytest -q -n auto -m soak

coverage: $(INSTALLED)test ## run the tests and report which lines and branches they reach, subprocesses included
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q -n auto --dist loadgroup -m 'not soak'
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

lint: $(INSTALLED)lint ## check style, types, the direction of imports, shell scripts and the Dockerfile
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/shellcheck $(filter-out %.py,$(wildcard .ci/*))
	$(BIN)/hadolint Dockerfile

lock: $(INSTALLED)dev ## pin in constraints.txt what pyproject.toml newly asks for (UPGRADE=1: the newest of all)
	$(BIN)/uv pip compile --quiet --universal --all-extras --no-annotate --no-header --no-emit-index-url \
		--no-emit-find-links $(if $(UPGRADE),--upgrade) --output-file $(LOCK) pyproject.toml

dist: $(INSTALLED)dev ## build wheel and sdist into dist/, and try both in clean environments
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	.ci/try-dist dist $(PYTHON)

pythons: ## as root on Debian: run the quick tests on the Pythons of Debian trixie and sid, in chroots
	.ci/other-python trixie
	.ci/other-python sid

mysql: $(INSTALLED)test ## as root on Debian: run the tests of the database on MySQL 9 of Debian sid, in a chroot
	.ci/mysql $(BIN)/python -m pytest -q -p no:cacheprovider -n auto -m 'not soak' -k mysql

image: ## as root on Debian: carry out the Dockerfile's steps in chroots, and try the result
	.ci/image.py

fresh: ## as root on Debian: run all commands of the documents as readers on bookworm and on trixie would, in chroots
	.ci/fresh bookworm
	.ci/fresh trixie

reference: $(INSTALLED)test ## write anew docs/api.md (from the shapes), docs/exporter.1 (the help), the map in docs/design.md
	$(BIN)/python -m tests.support.reference
	$(BIN)/python -m tests.support.man
	$(BIN)/python -m tests.support.module_map

baseline: $(INSTALLED)test ## at a release of the API: keep its contract, for later ones to be held to
	$(BIN)/python -m tests.support.contract

bench: $(INSTALLED)test ## measure on MariaDB at 127.0.0.1; the figures go into docs/benchmarks.md
	$(BIN)/python -m tests.benchmarks

clean: ## remove what was built, but not .venv
	rm -rf build dist .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find exporter tests -name __pycache__ -exec rm -rf {} +
