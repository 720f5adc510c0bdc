# make results   set up, run config.yaml, end with results/report.html
# make test      set up, run every check: format, lint, types, workflow, tests
# make format    let the formatters rewrite the code

PYTHON ?= python3
VENV ?= .venv
CORES ?= all

BIN := $(VENV)/bin
RULES := Snakefile $(wildcard workflow/rules/*.smk)

.PHONY: results test format
.DELETE_ON_ERROR:

results: $(VENV)/installed
	$(BIN)/snakemake --cores $(CORES)

test: $(VENV)/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/snakefmt --check $(RULES)
	$(BIN)/mypy
	$(BIN)/python -m pytest -n auto --dist worksteal

format: $(VENV)/installed
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/snakefmt $(RULES)

# The exact versions of requirements.txt, then this package, which is run from here and not copied.
$(VENV)/installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --requirement requirements.txt
	$(BIN)/pip install --quiet --no-deps --editable .
	touch $@
