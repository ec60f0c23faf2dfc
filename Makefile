# sslrun: `make demo` trains and measures on the embedded digits; `make test` passes the tests. Both set up first.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
DEMO := runs/demo
SLURM := ../shared/tools
unexport PYTHONDONTWRITEBYTECODE # with it, each of the suite's many processes compiles torch and all the rest anew
XDIST := -n 2 --dist loadgroup
TIER := slow or real or recovery or services

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.PHONY: setup
setup: $(VENV)/.installed ## make .venv and install the locked versions into it

$(VENV)/.installed: pyproject.toml requirements.lock
	@if command -v uv >/dev/null 2>&1; then \
	  { test -x $(BIN)/python || uv venv --quiet --python $(PYTHON) $(VENV); } && \
	  uv pip install --compile-bytecode --python $(BIN)/python -r requirements.lock && uv pip install --python $(BIN)/python --no-deps -e . ; \
	else \
	  { test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); } && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check uv && \
	  $(BIN)/uv pip install --compile-bytecode --python $(BIN)/python -r requirements.lock && \
	  $(BIN)/uv pip install --python $(BIN)/python --no-deps -e . ; \
	fi
	@touch $@

.PHONY: demo
demo: setup ## pretrain on the embedded digits, probe, print the table and the report's path
	@rm -rf $(DEMO)
	@$(BIN)/sslrun pretrain experiment=digits/simclr run.dir=$(DEMO)/pretrain
	@$(BIN)/sslrun probe encoder=$(DEMO)/pretrain run.dir=$(DEMO)/probe

.PHONY: test
test: setup ## the tests, within 10 minutes on 2 cores
	OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest $(XDIST) -m "not slow and not real and not recovery and not slurm and not services"

.PHONY: test-all
test-all: setup ## all tiers: also real data and recovery
	OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest $(XDIST)

.PHONY: test-slow
test-slow: setup ## only the tiers that `make test` leaves out; TIER="recovery" for one of them
	OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest $(XDIST) -m "$(TIER)"

.PHONY: test-slurm
test-slurm: setup ## the tests against a real SLURM, started on this machine for them; needs root
	@if [ "$$(id -u)" != 0 ] || [ ! -f $(SLURM)/start-slurm.sh ]; then \
	  echo "skipped: needs root and $(SLURM)/start-slurm.sh"; exit 0; \
	fi; \
	bash $(SLURM)/start-slurm.sh && { \
	  OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest -m slurm tests/slurm; code=$$?; \
	  bash $(SLURM)/stop-slurm.sh; exit $$code; }

.PHONY: check
check: setup ## lint, format, types, import order
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

.PHONY: format
format: setup ## format and sort imports
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: lock
lock: ## resolve requirements.lock anew
	uv pip compile --quiet --no-emit-index-url --no-annotate --no-header --python-version 3.11 --universal --extra dev pyproject.toml -o requirements.lock

.PHONY: clean
clean: ## remove .venv and caches; runs stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
