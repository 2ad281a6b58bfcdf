# Everything runs in .venv, which is made here when it is missing. Needed: Python >= 3.11 and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test test-browser lint typecheck bench drill corpus docs ci clean
.DEFAULT_GOAL := test

# Where it is set, every process of the tests compiles everything anew.
unexport PYTHONDONTWRITEBYTECODE

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: $(STAMP)  ## The whole story: break, diagnose, repair, prove, report
	$(BIN)/doctor demo

test: $(STAMP)  ## All tests, on real servers that they start themselves
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-browser: $(STAMP)  ## The HTML report in a real Chromium, which is installed where that is allowed; pictures in build/browser
	$(BIN)/python -m tests.browser

lint: $(STAMP)  ## Style, import directions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

typecheck: $(STAMP)
	$(BIN)/mypy

bench: $(STAMP)  ## Measurements, as ratios within one run
	$(BIN)/python -m tests.bench

drill: $(STAMP)  ## Every fault, every pair that can hold together: docs/drill.md. It takes an hour; `doctor drill … --resume` goes on
	$(BIN)/doctor drill --pairs 10000 --jobs 2 --output docs/drill.md

corpus: $(STAMP)  ## Every check on the code of others, downloaded once, and on what is broken in it on purpose
	$(BIN)/python -m tests.corpus

docs: $(STAMP)  ## Write the documents anew that the program writes itself
	$(BIN)/python -m tests.documents

ci: lint typecheck test demo  ## What CI runs

clean:
	rm -rf $(VENV) .corpus build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
