# One command per intention; each sets up what it needs in .venv.
PYTHON ?= python3
VENV   := .venv
EXAMPLES ?= 5000
RUN    := $(VENV)/bin/python
# All cores; who is done first takes over what still waits for another.
PYTEST := $(RUN) -m pytest --quiet --numprocesses auto --dist worksteal
# Many tests start Python anew: what it compiles is kept, whatever the shell says.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint types check thorough matrix fuzz generate keras bench mutants trust peers docs build release clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Two stamps, so that the demo does not wait for the tools of development.
$(VENV)/installed: pyproject.toml
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	@$(RUN) -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/developing: $(VENV)/installed
	@$(RUN) -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

setup: $(VENV)/developing ## make .venv with everything that development needs

demo: $(VENV)/installed ## train the house-price neuron, say what happened, draw its graph
	@$(RUN) -m tinygrad_edu

test: $(VENV)/developing ## run the fast tests, doctests and code blocks of the docs
	@$(PYTEST)

lint: $(VENV)/developing ## check style and formatting
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .

types: $(VENV)/developing ## check types, strictly
	@$(RUN) -m mypy

check: lint types test ## lint, types, tests; CI also tests the page and the site

thorough: $(VENV)/developing ## the slow tests too
	@$(PYTEST) --thorough

matrix: $(VENV)/developing ## use it in every place that this machine has, on each Python
	@$(RUN) tests/matrix.py $(PARTS)

fuzz: $(VENV)/developing ## try random files, names and states for long; EXAMPLES=N
	@$(PYTEST) tests/test_fuzz.py tests/test_state_machine.py --examples $(EXAMPLES)

generate: $(VENV)/developing ## write the files that are made from the table
	@$(RUN) -m tests.generate

keras: $(VENV)/developing ## run scripts of users on Keras, where installed, and here
	@$(RUN) -W ignore -m tests.keras_cases

bench: $(VENV)/developing ## measure speed and memory against the peers that are installed
	@$(RUN) -m tests.bench

mutants: $(VENV)/developing ## put small errors into the source: do the tests notice each?
	@$(RUN) -m tests.mutants

trust: $(VENV)/developing ## measure anew the figures of docs/trust.md, in half an hour
	@$(RUN) -m tests.trust

peers: $(VENV)/developing ## install PyTorch and JAX, and measure beside them
	@$(RUN) -m pip install --quiet --disable-pip-version-check --editable '.[peers]'
	@$(RUN) -m tests.trust accuracy peers

# With npm, its code blocks run in the browser.
docs: $(VENV)/developing ## build the site, the book and the reference, in site/
	@$(RUN) -m sphinx -q -W --keep-going docs site && echo site/index.html

build: $(VENV)/developing ## make the sdist and the wheel in dist/
	@rm -rf dist
	@$(RUN) -m build --outdir dist .
	@$(RUN) -m twine check --strict dist/*

release: check build ## check and build this version, and tag it
	@$(RUN) -m tests.release --tag

clean: ## remove what the other targets made
	rm -rf $(VENV) dist build site docs/_extra .pytest_cache .mypy_cache .ruff_cache .hypothesis one-neuron.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
