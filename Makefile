# make results   set up, run config.yaml, end with results/report.html
# make quick     while you work: lint, and the tests that need no snakemake (a few minutes)
# make test      set up, run every check: format, lint, types, workflow, tests
# make lint      format and lint alone, in seconds: needs no full set-up
# make format    let the formatters rewrite the code
# make docs      the documentation as a site, in docs/_build/html; warnings are errors
# make lock      write requirements.txt anew from pyproject.toml; UPGRADE=--upgrade for the newest versions
# make clean     remove what the checks and the set-up left; results stay

PYTHON ?= python3
VENV ?= .venv
LINT_VENV ?= .venv-lint
CORES ?= all
UPGRADE ?=

BIN := $(VENV)/bin
LINT := $(LINT_VENV)/bin
SCHEMA := $(LINT)/check-jsonschema --quiet --builtin-schema vendor.
RULES := Snakefile workflow/Snakefile $(wildcard workflow/rules/*.smk)
TEXTS := breakeven snakemake_logger_plugin_breakeven workflow tests benchmarks docs config $(wildcard *.md)
# one worker more than there are cores: the night on Slurm mostly waits
WORKERS := $(shell $(PYTHON) -c 'import os; print(len(getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count()))(0)) + 1)')
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

.PHONY: results quick test lint format types tests unit docs lock lock-check clean
.DELETE_ON_ERROR:

results: $(VENV)/installed
	$(BIN)/snakemake --cores $(CORES)

quick: lint unit

test: lint lock-check types tests

tests: $(VENV)/installed
	$(PYTEST)

lint: $(LINT_VENV)/installed
	$(LINT)/ruff check
	$(LINT)/ruff format --check
	$(LINT)/snakefmt --check $(RULES)
	$(LINT)/codespell $(TEXTS)
	$(SCHEMA)github-workflows .github/workflows/*
	$(SCHEMA)github-issue-forms .github/ISSUE_TEMPLATE/*.yml
	$(SCHEMA)citation-file-format CITATION.cff

format: $(LINT_VENV)/installed
	$(LINT)/ruff check --fix
	$(LINT)/ruff format
	$(LINT)/snakefmt $(RULES)

types: $(VENV)/installed
	$(BIN)/mypy

unit: $(VENV)/installed
	$(PYTEST) --ignore tests/workflow --ignore tests/slurm

# Each time anew, in minutes: what the pages of the reference are made from is no file that Sphinx watches.
docs: $(VENV)/installed
	@echo "Figures are drawn and an example study is run: two minutes the first time, on two cores"
	@$(BIN)/sphinx-build --fail-on-warning --keep-going --fresh-env --quiet docs docs/_build/html
	@echo "The site is in docs/_build/html/index.html"

# Versions that are pinned already stay. torch has no local version (2.13.0, not 2.13.0+cpu): pip takes the CPU build where it
# finds one, else PyPI's.
COMPILE := $(LINT)/uv pip compile --quiet pyproject.toml --extra bert --extra umap --extra docs --extra lint --extra test \
	--python-version 3.11 --no-annotate --custom-compile-command "make lock"

lock: $(LINT_VENV)/installed
	$(COMPILE) $(UPGRADE) --output-file requirements.txt

# requirements.txt is what `make lock` would write: complete, nothing more, in versions that pyproject.toml admits.
lock-check: $(LINT_VENV)/installed
	cp requirements.txt $(LINT_VENV)/requirements.txt
	$(COMPILE) --output-file $(LINT_VENV)/requirements.txt
	diff requirements.txt $(LINT_VENV)/requirements.txt

clean:
	rm -rf $(VENV) $(LINT_VENV) .pytest_cache .mypy_cache .ruff_cache build docs/_build *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +

# The exact versions of requirements.txt, then this package, which is run from here and not copied. uv takes half a minute, pip
# two; uv does not read pip's settings, so it is told where pip looks for wheels. Where it fails, pip does it.
WHEELS = $(PIP_FIND_LINKS) $(shell $(PYTHON) -m pip config get global.find-links 2>/dev/null)
$(VENV)/installed: requirements.txt pyproject.toml
	@echo "Set-up, once: the packages of requirements.txt go into $(VENV), which takes half a minute to five"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --constraint requirements.txt uv
	@$(BIN)/uv pip install --compile-bytecode --python $(BIN)/python $(addprefix --find-links ,$(sort $(WHEELS))) \
		--requirement requirements.txt >$(VENV)/uv.log 2>&1 || { echo "... uv could not (see $(VENV)/uv.log): now with pip" && \
		$(BIN)/pip install --progress-bar on --requirement requirements.txt; }
	@echo "... breakeven itself, which runs from here and is not copied"
	@$(BIN)/pip install --quiet --no-deps --editable .
	@touch $@
	@echo "... done. To use it in this shell: source $(VENV)/bin/activate"

$(LINT_VENV)/installed: requirements.txt
	@echo "Set-up, once: formatters and linters go into $(LINT_VENV)"
	@$(PYTHON) -m venv $(LINT_VENV)
	@$(LINT)/pip install --quiet --constraint requirements.txt check-jsonschema codespell ruff snakefmt uv
	@touch $@
