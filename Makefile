# The verbs of development. `make help` lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo dev test check format snapshots freeze dashboards bench

help: ## List the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv with everything that development needs (PYTHON=python3.12 picks another)

demo: $(STAMP) ## Run the whole store once on the embedded PostgreSQL, with real traffic
	@$(BIN)/observatory-store demo $(ARGS)

dev: $(STAMP) ## Serve from a private PostgreSQL until Ctrl-C (ARGS="--data-dir D --port P")
	@$(BIN)/observatory-store dev $(ARGS)

test: $(STAMP) ## Run every test that this machine can run (ARGS="-k name tests/otlp")
	@$(BIN)/python -m pytest $(ARGS)

check: $(STAMP) ## Check lint, format, types and import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## Format the code and mend what lint can mend
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

snapshots: $(STAMP) ## Take the catalogue of each edition anew, which `schema verify` compares with
	@OBSERVATORY_WRITE_SNAPSHOTS=1 $(BIN)/python -m pytest -q tests/schema/test_verify.py -k snapshots

freeze: $(STAMP) ## Release the migrations as they are: none of them may be edited from then on
	@$(BIN)/python -c 'from observatory_store.schema.source import read_migrations as read; \
		print(*(f"{one.checksum}  {one.id}" for one in read()), sep="\n")' > migrations/released.txt

dashboards: $(STAMP) ## Build grafana/dashboards from grafana/queries
	@$(BIN)/python grafana/build.py

bench: $(STAMP) ## Run the benchmark (ARGS="--help" tells its parts)
	@$(BIN)/python -m bench $(ARGS)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "make: $(PYTHON) is missing or older than Python 3.11; name another: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "make: $(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Setting up $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]' -c constraints.txt
	@touch $@
