# The ways in. The first target that is called sets up .venv, of this checkout and with exact versions; later calls find
# it ready. On a fresh machine that takes Python 3.11 or newer (with venv) and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
KADAM := $(BIN)/kadam
READY := $(VENV)/.ready
TORCH := $(VENV)/.torch
PEERS := benchmarks/.peers
RUN := runs/digits
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help setup torch demo test check fuzz format faults floors conformance bench bench-peers clean

help:  ## show what there is to make
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

setup: $(READY)  ## set up .venv and no more

$(READY): pyproject.toml requirements-dev.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit(f"Kadam needs Python 3.11 or newer, \
	and $(PYTHON) is {v[0]}.{v[1]}. Fix: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	@echo "== Setting up $(VENV): this happens once, and again when the locked versions change"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install -r requirements-dev.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q src  # as pip does for a wheel; where PYTHONDONTWRITEBYTECODE is set nobody else does
	@touch $@
	@echo "== $(VENV) is ready"

torch: $(TORCH)  ## add PyTorch to .venv, so that the tests can compare with it

$(TORCH): $(READY) requirements-torch.lock
	@echo "== Adding PyTorch to $(VENV), the reference of the comparisons"
	@$(PIP) install -r requirements-torch.lock
	@touch $@

demo: $(READY)  ## two lessons, then a network that learns to read handwritten digits
	@echo; echo "== Lesson 1"; echo
	@$(KADAM) run -m kadam.lessons.linear_fit
	@echo; echo "== Lesson 2"; echo
	@$(KADAM) run -m kadam.lessons.forward_and_loss
	@echo; echo "== Real data: a convolutional network learns to read handwritten digits"; echo
	@$(KADAM) run examples/digits_cnn.py --out $(RUN)
	@echo; echo "== The saved network, loaded and tested by another program"; echo
	@$(KADAM) run examples/check_digits.py --out $(RUN) --at-least 0.98

test: $(READY)  ## the tests; what compares with PyTorch is skipped without `make torch`
	@$(BIN)/python -m pytest -rs -n auto $(ARGS)

check: $(READY)  ## style, types and floors
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest tests/test_layers.py

fuzz: $(TORCH)  ## random training programs on Kadam and on PyTorch, until they differ; ARGS="--seconds 600"
	@$(BIN)/python tests/random_training.py $(ARGS)

format: $(READY)  ## put the code into its form
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

faults: $(READY)  ## programs with known faults, and healthy ones, through `kadam diagnose`; ARGS="sorted mode"
	@$(BIN)/python faults/run.py $(ARGS)

floors: $(READY)  ## lines of code per floor
	@$(BIN)/python tests/floors.py

conformance: $(TORCH)  ## PyTorch's own sample inputs against Kadam; ARGS="--only linalg.qr --engine native --kind op"
	@$(BIN)/python -m conformance $(ARGS)

bench: $(TORCH)  ## Kadam beside PyTorch, and beside JAX after `make bench-peers`; ARGS=--quick, ARGS="cnn gpt"
	@$(BIN)/python benchmarks/bench.py $(ARGS)

bench-peers: $(PEERS)/.ready  ## set up JAX in an environment of its own, for `make bench`

$(PEERS)/.ready: benchmarks/requirements-peers.lock
	@echo "== Setting up $(PEERS)"
	@$(PYTHON) -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip -qq --disable-pip-version-check install -r benchmarks/requirements-peers.lock
	@touch $@

clean:  ## remove what make has made
	rm -rf $(VENV) $(PEERS) runs benchmarks/results/latest.* .pytest_cache .mypy_cache .ruff_cache
