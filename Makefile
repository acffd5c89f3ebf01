# `make demo` and `make test` are all a newcomer needs; both make their own environment first.

PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell command -v $(name) 2>/dev/null)))
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
SUITE := -m pytest -n auto --dist loadfile --benchmark-disable
TOOLS := $(VENV)-tools/bin
# Versions of Python for test-wheels, by name or by path; those that are not there are skipped.
PYTHONS ?= python3.11 python3.12 python3.13

.PHONY: demo test lint format types imports tests laws load soak record live coverage bench bench-decoders fuzz notebooks docs docs-serve \
	test-floors test-newest test-wheels build audit workflows constraints clean

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
	@$(BIN)/python $(SUITE)

# The same tests on new inputs for every property; what fails here gets a test of its own.
laws: $(VENV)/.dev
	@$(BIN)/python $(SUITE) --hypothesis-profile=searching

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
	@$(VENV)-bench/bin/python benchmarks/bench.py $(if $(QUICK),--quick,--write)
	@$(if $(QUICK),true,$(VENV)-bench/bin/python benchmarks/sizes.py --write)

# Runs the notebooks and keeps what they give: against the emulator, or with
# LOWCODEAPI_API_TOKEN set against the hosted gateway.
notebooks: $(VENV)/.dev
	@$(BIN)/python notebooks/making.py

# The documentation site, into `site`; a warning is an error. (Quiet, it would overlook them.)
docs: $(VENV)-docs/.done
	@NO_MKDOCS_2_WARNING=1 $(VENV)-docs/bin/mkdocs build --strict

# The same while it is written, at http://127.0.0.1:8000.
docs-serve: $(VENV)-docs/.done
	@NO_MKDOCS_2_WARNING=1 $(VENV)-docs/bin/mkdocs serve

# 1,000 calls, 500 streams and 64 threads at once, with and without faults; 50,000 calls with aborts.
load: $(VENV)/.dev
	@LOAD=full $(BIN)/python -m pytest tests/load tests/transport/test_chaos.py

# Mixed traffic with faults for SOAK_SECONDS (default 600); figures in benchmarks/results.
soak: $(VENV)/.dev
	@$(BIN)/python -m benchmarks.soak

# The tests on the oldest versions that pyproject.toml allows.
test-floors: $(VENV)-tools/.done
	@$(TOOLS)/uv venv --quiet --clear --no-python-downloads --python $(PYTHON) $(VENV)-floors
	@$(TOOLS)/python scripts/floors.py > $(VENV)-floors/floors.txt
	@$(TOOLS)/uv pip install --quiet --python $(VENV)-floors -c $(VENV)-floors/floors.txt -e '.[dev]'
	@$(VENV)-floors/bin/python $(SUITE)

# The tests on the newest versions there are, whatever constraints.txt says.
test-newest: $(VENV)-tools/.done
	@$(TOOLS)/uv venv --quiet --clear --no-python-downloads --python $(PYTHON) $(VENV)-newest
	@$(TOOLS)/uv pip install --quiet --refresh --python $(VENV)-newest -e '.[dev]'
	@$(VENV)-newest/bin/python $(SUITE)

# The wheel with each extra alone, in a fresh environment of each of PYTHONS.
test-wheels: $(VENV)/.dev $(VENV)-tools/.done
	@UV=$(abspath $(TOOLS)/uv) PYTHONS="$(PYTHONS)" $(BIN)/python -m pytest tests/distribution/test_installs.py -rs

# Wheel and source archive, as they are published.
build: $(VENV)-tools/.done
	@rm -rf dist
	@$(TOOLS)/python -m build
	@$(TOOLS)/twine check --strict dist/*

# Known weaknesses of what a user's install brings (asks a service on the internet), and its list
# of parts (dist/sbom.json).
audit: $(VENV)-tools/.done
	@$(TOOLS)/uv venv --quiet --clear --no-python-downloads --python $(PYTHON) $(VENV)-audit
	@$(TOOLS)/uv pip install --quiet --python $(VENV)-audit '.[all]'
	@mkdir -p dist
	@$(TOOLS)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible -o dist/sbom.json $(VENV)-audit/bin/python
	@$(TOOLS)/uv pip freeze --python $(VENV)-audit --exclude xai-lowcode > $(VENV)-audit/parts.txt
	@$(TOOLS)/pip-audit --strict --progress-spinner off --no-deps --disable-pip -r $(VENV)-audit/parts.txt

# What watches over .github.
workflows: $(VENV)-tools/.done
	@$(TOOLS)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(TOOLS)/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/[!c]*.yml
	@$(TOOLS)/check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	@$(TOOLS)/zizmor --quiet --offline .github/workflows

# The set of versions that the tests were last seen to pass with.
constraints: $(VENV)/.dev
	@$(BIN)/python -m pip freeze --exclude-editable | grep -v ' @ ' > constraints.txt

clean:
	rm -rf $(VENV) $(VENV)-* dist build

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; install it, or say: make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than Python 3.11; say: make PYTHON=/path/to/python"; exit 1; }
	@echo "Making an environment in $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

$(VENV)-bench/.done: $(VENV)/bin/python pyproject.toml constraints.txt benchmarks/peers.txt
	@echo "Installing the packages and their peers ..."
	@$(PYTHON) -m venv $(VENV)-bench
	@$(VENV)-bench/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all]'
	@$(VENV)-bench/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/peers.txt
	@touch $@

# Tools that look at the distribution from outside, so that they bring nothing into it.
$(VENV)-tools/.done: scripts/tools.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; say: make PYTHON=/path/to/python"; exit 1; }
	@echo "Installing the tools ..."
	@$(PYTHON) -m venv $(VENV)-tools
	@$(TOOLS)/python -m pip install --quiet --disable-pip-version-check -r scripts/tools.txt
	@touch $@

$(VENV)-docs/.done: $(VENV)/bin/python pyproject.toml
	@echo "Installing what makes the site ..."
	@$(PYTHON) -m venv $(VENV)-docs
	@$(VENV)-docs/bin/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	@touch $@

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing the packages ..."
	@$(PIP) -c constraints.txt -e '.[all]'
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing the packages and the development tools ..."
	@$(PIP) -c constraints.txt -e '.[dev]'
	@touch $(VENV)/.demo $@
