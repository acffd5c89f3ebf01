# `make demo` and `make test` are all a newcomer needs; both make their own environment first.

PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell command -v $(name) 2>/dev/null)))
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test lint format types imports tests laws load soak record live coverage bench bench-decoders fuzz notebooks build constraints clean

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

# A file of tests stays in one process, which shares its emulator.
tests: $(VENV)/.dev
	@$(BIN)/python -m pytest -n auto --dist loadfile --benchmark-disable

# The same tests on new inputs for every property; what fails here gets a test of its own.
laws: $(VENV)/.dev
	@$(BIN)/python -m pytest -n auto --dist loadfile --benchmark-disable --hypothesis-profile=searching

# Cassettes, from the hosted gateway with LOWCODEAPI_API_TOKEN set, from the emulator without.
record: $(VENV)/.dev
	@$(BIN)/python tests/cassettes/record.py

# A smoke suite against the hosted gateway; costs a few cents.
live: $(VENV)/.dev
	@test -n "$$LOWCODEAPI_API_TOKEN" || { echo "make live talks to the hosted gateway: set LOWCODEAPI_API_TOKEN"; exit 1; }
	@$(BIN)/python -m pytest tests/live -rs

coverage: $(VENV)/.dev
	@$(BIN)/coverage run -m pytest && $(BIN)/coverage report

# Looks for inputs that break the readers, for FUZZ_SECONDS (60); not part of `make test`.
fuzz: $(VENV)/.dev
	@$(PIP) 'atheris>=3,<4' && $(BIN)/python fuzz/run.py

# What reading a stream costs beyond reading its JSON.
bench-decoders: $(VENV)/.dev
	@$(BIN)/python benchmarks/decoders.py

# Everybody side by side, in an environment of its own; QUICK=1 for less than two minutes.
bench: $(VENV)-bench/.done
	@$(VENV)-bench/bin/python benchmarks/bench.py --write $(if $(QUICK),--quick)

# Runs the notebooks and keeps what they give: against the emulator, or with
# LOWCODEAPI_API_TOKEN set against the hosted gateway.
notebooks: $(VENV)/.dev
	@$(BIN)/python notebooks/making.py

# 1,000 calls, 500 streams and 64 threads at once, with and without faults.
load: $(VENV)/.dev
	@LOAD=full $(BIN)/python -m pytest tests/load

# Mixed traffic with faults for SOAK_SECONDS (default 600); figures in benchmarks/results.
soak: $(VENV)/.dev
	@$(BIN)/python -m benchmarks.soak

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

$(VENV)-bench/.done: $(VENV)/bin/python pyproject.toml constraints.txt benchmarks/peers.txt
	@echo "Installing the packages and their peers ..."
	@$(PYTHON) -m venv $(VENV)-bench
	@$(VENV)-bench/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all]' -r benchmarks/peers.txt
	@touch $@

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing the packages ..."
	@$(PIP) -c constraints.txt -e '.[all]'
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing the packages and the development tools ..."
	@$(PIP) -c constraints.txt -e '.[dev]'
	@touch $(VENV)/.demo $@
