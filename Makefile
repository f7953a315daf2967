# What a developer does here. Everything runs in .venv, which is made at first use and brought up to date when the requirements change.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The first Python of 3.11 or newer that can make virtual environments; another one: make PYTHON=/path/to/python
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python; do \
	"$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)
BIN := .venv/bin
STAMP := .venv/.installed
WHERE := -c 'import sys; print(sys.base_prefix)'
UV := 0.13.9
LOCK := uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links --no-strip-extras

.PHONY: help
help:  ## Show what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(STAMP)  ## Run the exporter against a simulated account: no credentials, nothing kept
	@$(BIN)/runtype-exporter demo

.PHONY: test
test: $(STAMP)  ## Run the tests; some of them: make test ARGS="tests/ledger -k adoption"; with coverage: make test COVERAGE=--cov
	$(BIN)/pytest --numprocesses=auto --dist=worksteal --durations=10 $(COVERAGE) $(ARGS)

.PHONY: lint
lint: $(STAMP)  ## Check style and formatting
	$(BIN)/ruff check
	$(BIN)/ruff format --check

.PHONY: format
format: $(STAMP)  ## Repair style and formatting, as far as a program can
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

.PHONY: types
types: $(STAMP)  ## Check types
	$(BIN)/mypy

.PHONY: docs
docs: $(STAMP)  ## Write the generated pages
	$(BIN)/python -m tools.generate_docs

.PHONY: install
install: $(STAMP)  ## Make .venv, ready to use

.PHONY: lock
lock:  ## Resolve the requirements again, for every supported Python
	rm -rf build/lock
	$(PYTHON) -m venv build/lock
	build/lock/bin/pip install --quiet uv==$(UV)
	build/lock/bin/$(LOCK) --output-file requirements.txt pyproject.toml
	build/lock/bin/$(LOCK) --output-file requirements-dev.txt --constraint requirements.txt --extra dev pyproject.toml

# A Python that is too old, or Debian's without python3-venv, fails here with the remedy and not halfway through.
# An environment of another Python is cleared: made over, it would keep its old interpreter.
$(STAMP): requirements-dev.txt pyproject.toml
	@if [ -z "$(PYTHON)" ] || ! "$(PYTHON)" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		echo "No Python of 3.11 or newer that can make virtual environments$(if $(PYTHON), ($(PYTHON) cannot))." >&2; \
		echo "Debian and Ubuntu: apt-get install python3-venv. Elsewhere: install Python 3.11 or newer, or name one: make PYTHON=/path/to/python" >&2; \
		exit 1; \
	fi
	@"$(PYTHON)" -m venv $$([ "$$($(BIN)/python $(WHERE) 2>/dev/null)" = "$$("$(PYTHON)" $(WHERE))" ] || echo --clear) .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
