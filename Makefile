# `make demo` and `make test` create the virtual environment they need.

PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3.14 python3,$(shell command -v $(name) 2>/dev/null)))
# Interpreters for test-wheels, by name or path; missing ones are skipped.
PYTHONS ?= python3.11 python3.12 python3.13 python3.14
# Test paths for tests, test-floors, test-newest and test-random.
TESTS ?= tests

VENV ?= .venv
BIN := $(VENV)/bin
TOOLS := $(VENV)-tools/bin
SCRATCH := $(VENV)-scratch
BENCH := $(VENV)-bench
CLUSTER := $(VENV)-cluster

PIP := -m pip install --quiet --disable-pip-version-check
INSTALL := $(BIN)/python $(PIP) -c constraints.txt
UV_INSTALL = $(TOOLS)/uv pip install --quiet --python $(SCRATCH)
# Many tests wait for processes, timeouts and the other side of a connection: a worker more than CPUs.
WORKERS ?= $(shell $(BIN)/python -c 'import os; print((os.cpu_count() or 1) + 1)')
# Workers, and the processes that tests start, would otherwise compile everything anew.
tests test-random test-floors test-newest: export PYTHONDONTWRITEBYTECODE :=
# loadfile: the tests of one file share an emulator. tests/conftest.py orders the files.
PYTEST = -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --benchmark-disable $(if $(FAST),-m "not slow") $(TESTS)

.DEFAULT_GOAL := help
.PHONY: help demo test lint format types imports tests test-random test-floors test-newest test-wheels \
	test-cluster coverage load scale soak fuzz bench bench-decoders record live notebooks docs docs-serve \
	build audit workflows constraints tools clean scratch

help: ## List the targets
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r target text; do printf '%-15s %s\n' "$$target" "$$text"; done

demo: $(VENV)/.demo ## Run examples/demo.py against the emulator
	@$(BIN)/python examples/demo.py

test: lint types imports tests ## Run all checks: lint, types, import contracts, tests

lint: $(VENV)/.dev ## Check format and lint
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

format: $(VENV)/.dev ## Format, and fix what the linter can fix
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: $(VENV)/.dev ## Check types with mypy
	@$(BIN)/mypy

imports: $(VENV)/.dev ## Check the import contracts
	@$(BIN)/lint-imports

tests: $(VENV)/.dev ## Run the tests; FAST=1 skips the slow ones, TESTS=tests/core selects a path, WORKERS=2 sets the processes
	@$(BIN)/python $(PYTEST)

test-random: $(VENV)/.dev ## Run the tests with random, and more, inputs for each property
	@$(BIN)/python $(PYTEST) --hypothesis-profile=random

test-floors: scratch ## Run the tests with the oldest versions that pyproject.toml allows
	@$(UV_INSTALL) --resolution lowest-direct -e '.[all]' --group dev
	@$(SCRATCH)/bin/python $(PYTEST)

test-newest: scratch ## Run the tests with the newest versions, without constraints.txt
	@$(UV_INSTALL) --refresh -e '.[all]' --group dev
	@$(SCRATCH)/bin/python $(PYTEST)

test-wheels: $(VENV)/.dev $(VENV)-tools/.done ## Install the wheel with each extra on each of PYTHONS and try it
	@UV=$(abspath $(TOOLS)/uv) PYTHONS="$(PYTHONS)" $(BIN)/python -m pytest tests/distribution/test_installs.py -rs

test-cluster: $(CLUSTER)/.done ## Run the tests with Dask, Ray and a Redis server
	@$(CLUSTER)/bin/python -m pytest tests/load/test_cluster.py -rs

coverage: $(VENV)/.dev ## Measure the coverage of the tests
	@$(BIN)/coverage run -m pytest && $(BIN)/coverage report

load: $(VENV)/.dev ## Run the load tests at full size
	@LOAD=full $(BIN)/python -m pytest tests/load tests/transport/test_chaos.py

scale: $(VENV)/.dev ## Send 20,000 prompts with faults and a kill; check each response and the cost
	@$(BIN)/python -m benchmarks.scale

soak: $(VENV)/.dev ## Run mixed traffic with faults for SOAK_SECONDS (600)
	@$(BIN)/python -m benchmarks.soak

fuzz: $(VENV)/.dev ## Fuzz the parsers for FUZZ_SECONDS (60)
	@$(BIN)/python $(PIP) 'atheris>=3' && $(BIN)/python fuzz/run.py

bench: $(BENCH)/.done ## Benchmark against the alternatives; QUICK=1 for under two minutes
	@$(BENCH)/bin/python -m benchmarks.bench $(if $(QUICK),--quick,--write)
	@$(if $(QUICK),true,$(BENCH)/bin/python -m benchmarks.sizes --write)

bench-decoders: $(VENV)/.dev ## Benchmark the stream decoders
	@$(BIN)/python -m benchmarks.decoders

record: $(VENV)/.dev ## Record the VCR cassettes; from the hosted gateway if LOWCODEAPI_API_TOKEN is set
	@$(BIN)/python tests/cassettes/record.py

live: $(VENV)/.dev ## Run the smoke tests against the hosted gateway (costs a few cents)
	@test -n "$$LOWCODEAPI_API_TOKEN" || { echo "make live sends requests to the hosted gateway: set LOWCODEAPI_API_TOKEN"; exit 1; }
	@$(BIN)/python -m pytest tests/live -rs

notebooks: $(VENV)/.dev ## Run the notebooks and store their outputs; from the hosted gateway if LOWCODEAPI_API_TOKEN is set
	@$(BIN)/python notebooks/making.py

# With --quiet, mkdocs would not count its warnings.
docs: $(VENV)/.docs ## Build the documentation site, strictly, and test its search (needs Chromium and chromedriver)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@$(BIN)/python docs/searching.py site

docs-serve: $(VENV)/.docs ## Serve the documentation site at http://127.0.0.1:8000
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs serve

build: $(VENV)-tools/.done ## Build the wheel and the source archive
	@rm -rf dist
	@$(TOOLS)/python -m build
	@$(TOOLS)/twine check --strict dist/*

audit: scratch ## Check users' dependencies for known vulnerabilities (online) and write dist/sbom.json
	@$(UV_INSTALL) '.[all]'
	@mkdir -p dist
	@$(TOOLS)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible -o dist/sbom.json $(SCRATCH)/bin/python
	@$(TOOLS)/uv pip freeze --python $(SCRATCH) --exclude xai-lowcode > $(SCRATCH)/requirements.txt
	@$(TOOLS)/pip-audit --strict --progress-spinner off --no-deps --disable-pip -r $(SCRATCH)/requirements.txt

workflows: $(VENV)-tools/.done ## Check the files of .github
	@$(TOOLS)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(TOOLS)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	@$(TOOLS)/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/[!c]*.yml
	@$(TOOLS)/check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	@$(TOOLS)/zizmor --quiet --offline .github

constraints: $(VENV)/.docs ## Write the installed versions to constraints.txt
	@$(BIN)/python -m pip freeze --all --exclude-editable --exclude setuptools | grep -v ' @ ' > constraints.txt

tools: $(VENV)-tools/.done ## Write scripts/tools.txt, with hashes, from scripts/tools.in
	@$(TOOLS)/uv pip compile --quiet --upgrade --generate-hashes --universal --python-version 3.11 --no-header --no-annotate -o scripts/tools.txt scripts/tools.in

clean: ## Remove the virtual environments and build results
	rm -rf $(VENV) $(VENV)-* dist build

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is required. Install it, or run: make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than Python 3.11. Run: make PYTHON=/path/to/python"; exit 1; }
	@echo "Creating the virtual environment $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

# Dependency groups need pip 25.1; the pip that Python brings may be older.
$(VENV)/.pip: $(VENV)/bin/python constraints.txt
	@$(INSTALL) pip
	@touch $@

$(VENV)/.demo: $(VENV)/.pip pyproject.toml
	@echo "Installing the packages ..."
	@$(INSTALL) -e '.[all]'
	@touch $@

$(VENV)/.dev: $(VENV)/.pip pyproject.toml
	@echo "Installing the packages and the development tools ..."
	@$(INSTALL) -e '.[all]' --group dev
	@touch $(VENV)/.demo $@

$(VENV)/.docs: $(VENV)/.dev
	@echo "Installing the documentation tools ..."
	@$(INSTALL) --group docs
	@touch $@

# The alternatives bring dependencies of their own.
$(BENCH)/.done: $(VENV)/.pip pyproject.toml
	@echo "Installing the packages and their alternatives ..."
	@$(PYTHON) -m venv $(BENCH)
	@$(BENCH)/bin/python $(PIP) -c constraints.txt pip
	@$(BENCH)/bin/python $(PIP) -c constraints.txt -e '.[all]'
	@$(BENCH)/bin/python $(PIP) --group bench
	@touch $@

# Dask and Ray are too large for the development environment.
$(CLUSTER)/.done: $(VENV)/.pip pyproject.toml
	@echo "Installing the packages, Dask, Ray and Redis ..."
	@$(PYTHON) -m venv $(CLUSTER)
	@$(CLUSTER)/bin/python $(PIP) -c constraints.txt pip
	@$(CLUSTER)/bin/python $(PIP) -c constraints.txt -e '.[all]' --group dev
	@$(CLUSTER)/bin/python $(PIP) --group cluster
	@touch $@

# Release tools, and uv for the environments that are not .venv.
$(VENV)-tools/.done: scripts/tools.txt | $(VENV)/bin/python
	@echo "Installing the release tools ..."
	@$(PYTHON) -m venv $(VENV)-tools
	@$(TOOLS)/python $(PIP) --require-hashes -r scripts/tools.txt
	@touch $@

scratch: $(VENV)-tools/.done
	@$(TOOLS)/uv venv --quiet --clear --no-python-downloads --python $(PYTHON) $(SCRATCH)
