# The commands of this project. They need make and Python 3.11 to 3.13, and nothing else:
#   make demo           train four small agents, print one table, draw one picture (at most 5 minutes)
#   make test           lint, types, tests
#   make test-slow      all tests, with those that `make test` leaves out: every call's shapes, 2,000 examples a property
#   make test-matrix    the tests on the oldest and newest gymnasium and numpy that can be installed
#   make test-clients   other libraries on the built wheel, each in an environment of its own: about an hour
#   make labs           run all labs with small budgets
#   make explorer       build explorer/explorer.html: trained experts to watch and to cut off
#   make figures        run all labs with full budgets, in three minutes, for the figures that `make docs` then shows
#   make docs           build the documentation into site/, to be read from disk
#   make format         rewrite the code as `make test` wants it
#   make clean          remove all that these commands made
# PYTHON=python3.12 chooses another interpreter, WORKERS=8 the number of test processes, CLIENTS="sb3 torchrl" libraries.

PYTHON ?= python3
WORKERS ?= 2

VENV := .venv
PIP := $(VENV)/bin/pip --disable-pip-version-check --quiet
CODE := badger_envs badger_agents baselines leaderboards tests benchmarks paper examples explorer labs tools

.PHONY: demo test test-slow test-matrix test-clients labs explorer figures docs format clean python
.NOTPARALLEL:
.DELETE_ON_ERROR:

demo: $(VENV)/.runtime
	$(VENV)/bin/badger demo

test: export OMP_NUM_THREADS := 1
test: $(VENV)/.dev
	$(VENV)/bin/ruff check $(CODE)
	$(VENV)/bin/ruff format --check $(CODE)
	$(VENV)/bin/mypy
	$(VENV)/bin/pytest -n $(WORKERS)

test-slow: export OMP_NUM_THREADS := 1
test-slow: export HYPOTHESIS_PROFILE := slow
test-slow: $(VENV)/.dev
	$(VENV)/bin/pytest -n $(WORKERS) -m "slow or not slow" --jaxtyping-packages=badger_agents,baselines,beartype.beartype

test-matrix: python
	PYTHON="$(PYTHON)" WORKERS="$(WORKERS)" .ci/test-matrix

test-clients: python
	$(PYTHON) tests/clients/run.py $(CLIENTS)

labs: export OMP_NUM_THREADS := 1
labs: $(VENV)/.dev
	$(VENV)/bin/pytest -n $(WORKERS) -m "slow or not slow" tests/labs/test_smoke.py

explorer: $(VENV)/.runtime
	$(VENV)/bin/python -m explorer.build

figures: $(VENV)/.dev
	$(VENV)/bin/badger labs draw runs/figures

docs: export OMP_NUM_THREADS := 1
docs: export NO_MKDOCS_2_WARNING := 1
docs: $(VENV)/.docs
	$(VENV)/bin/python -m explorer.build
	$(VENV)/bin/python -m mkdocs build --strict
	@echo "Read site/index.html"

format: $(VENV)/.dev
	$(VENV)/bin/ruff check --fix $(CODE)
	$(VENV)/bin/ruff format $(CODE)

clean:
	rm -rf $(VENV) .venv-matrix build dist site explorer/explorer.html *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
	    echo "$(PYTHON) is not Python 3.11, 3.12 or 3.13 (it says: $$($(PYTHON) --version 2>&1))."; \
	    echo "Install one of them and name it, for example: make PYTHON=python3.12 $(MAKECMDGOALS)"; \
	    exit 1; } >&2

# One virtual environment, a stamp each for: made; what runs is installed; what tests; what builds the documentation.
# setuptools comes first, pinned like the rest, so that the build needs no environment of its own.
$(VENV)/.made: | python
	$(PYTHON) -m venv --clear $(VENV)
	touch $@

$(VENV)/.runtime: $(VENV)/.made pyproject.toml constraints.txt
	@echo "Installing into $(VENV): a minute or a few, depending on the network"
	$(PIP) install --constraint constraints.txt --upgrade setuptools
	$(PIP) install --constraint constraints.txt --no-build-isolation --editable '.[boards]'
	touch $@

$(VENV)/.dev: $(VENV)/.made pyproject.toml constraints.txt
	@echo "Installing into $(VENV): a minute or a few, depending on the network"
	$(PIP) install --constraint constraints.txt --upgrade setuptools
	$(PIP) install --constraint constraints.txt --no-build-isolation --editable '.[dev]'
	touch $(VENV)/.runtime $@

$(VENV)/.docs: $(VENV)/.made pyproject.toml constraints.txt
	@echo "Installing into $(VENV): a minute or a few, depending on the network"
	$(PIP) install --constraint constraints.txt --upgrade setuptools
	$(PIP) install --constraint constraints.txt --no-build-isolation --editable '.[docs]'
	touch $(VENV)/.runtime $@
