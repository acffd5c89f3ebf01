# `make demo` and `make test` are all a newcomer needs; both make their own environment first.

PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell command -v $(name) 2>/dev/null)))
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test lint format types imports tests record live coverage bench-decoders build constraints clean

demo: $(VENV)/.demo
	@$(BIN)/python examples/demo.py

test: lint types imports tests

lint: $(VENV)/.dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

format: $(VENV)/.dev
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: $(VENV)/.dev
	@$(BIN)/mypy

imports: $(VENV)/.dev
	@$(BIN)/lint-imports

tests: $(VENV)/.dev
	@$(BIN)/python -m pytest

# Cassettes, from the hosted gateway with LOWCODEAPI_API_TOKEN set, from the emulator without.
record: $(VENV)/.dev
	@$(BIN)/python tests/cassettes/record.py

# A smoke suite against the hosted gateway; costs a few cents.
live: $(VENV)/.dev
	@test -n "$$LOWCODEAPI_API_TOKEN" || { echo "make live talks to the hosted gateway: set LOWCODEAPI_API_TOKEN"; exit 1; }
	@$(BIN)/python -m pytest tests/live -rs

coverage: $(VENV)/.dev
	@$(BIN)/coverage run -m pytest && $(BIN)/coverage report

# What reading a stream costs beyond reading its JSON.
bench-decoders: $(VENV)/.dev
	@$(BIN)/python benchmarks/decoders.py

build: $(VENV)/.dev
	@$(PIP) build && $(BIN)/python -m build

# The set of versions that the tests were last seen to pass with.
constraints: $(VENV)/.dev
	@$(BIN)/python -m pip freeze --exclude-editable | grep -v ' @ ' > constraints.txt

clean:
	rm -rf $(VENV) dist build

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; install it, or say: make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than Python 3.11; say: make PYTHON=/path/to/python"; exit 1; }
	@echo "Making an environment in $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing the packages ..."
	@$(PIP) -c constraints.txt -e '.[all]'
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing the packages and the development tools ..."
	@$(PIP) -c constraints.txt -e '.[dev]'
	@touch $(VENV)/.demo $@
