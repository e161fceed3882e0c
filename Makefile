# `make train`, `make test`, `make ui`: each installs what it needs into .venv first.
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
ARGS   ?=
# Of pyproject.toml; with `dev,ray,text` no test is skipped for a missing package.
EXTRAS ?= dev

.PHONY: train test coverage ui lint clean

train: $(VENV)/.installed
	$(BIN)/twotower train $(ARGS)

ui: $(VENV)/.installed
	$(BIN)/twotower ui $(ARGS)

test: $(VENV)/.installed-dev lint
	$(BIN)/pytest -n auto --dist worksteal $(ARGS)

coverage: ARGS += --cov --cov-report=term
coverage: test

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --constraint constraints.txt --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/pip install --constraint constraints.txt --editable ".[$(EXTRAS)]"
	touch $@

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .coverage
