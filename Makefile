# `make train`, `make test`, `make ui`, `make docs`: each installs what it needs into .venv first.
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
ARGS   ?=
# Of pyproject.toml; with `dev,ray,text` no test is skipped for a missing package.
EXTRAS ?= dev

.PHONY: train architecture audit faults fuzz soak test test-slow test-lowest coverage docs notebooks ui lint clean

train: $(VENV)/.installed
	$(BIN)/twotower train $(ARGS)

ui: $(VENV)/.installed
	$(BIN)/twotower ui $(ARGS)

test: $(VENV)/.installed-dev lint
	$(BIN)/pytest -n auto --dist worksteal -m "not slow" $(ARGS)

# What `make test` leaves out: real servers, killed processes, large files.
test-slow: $(VENV)/.installed-dev
	$(BIN)/pytest -n auto --dist worksteal -m slow $(ARGS)

# Every check that causes a fault, see docs/reliability.md.
faults: $(VENV)/.installed-dev
	$(BIN)/pytest -n auto --dist worksteal tests/faults $(ARGS)

# 5,000 damaged input files.
fuzz: $(VENV)/.installed-dev
	TWOTOWER_FUZZ=5000 $(BIN)/pytest -q tests/faults/test_broken_files.py -k damaged $(ARGS)

# 50 runs each that SIGKILL, SIGTERM and Ctrl-C stop at random moments, up to three times; some 15 minutes.
soak: $(VENV)/.installed-dev
	TWOTOWER_SOAK=50 $(BIN)/pytest -q tests/faults/test_single_run_resumes.py -k random $(ARGS)

# The fast part of the tests with the lowest versions that pyproject.toml allows, in an environment of
# its own. Their deprecation warnings are not errors. Saved views in the MLflow UI need the tested version.
LOWEST_VENV  ?= .venv-lowest
LOWEST_TESTS ?= tests/running/test_experiment.py tests/tracking tests/training/test_trainer.py \
	tests/split/test_split_choices.py tests/evaluation/test_metrics_equal_replay.py \
	tests/dataset/test_log_file.py tests/sweeping/test_run_trial.py

test-lowest: $(LOWEST_VENV)/.installed
	$(LOWEST_VENV)/bin/pytest -n auto --dist worksteal -W default \
		--ignore tests/tracking/test_ui.py $(LOWEST_TESTS) $(ARGS)

$(LOWEST_VENV)/.installed: pyproject.toml constraints-lowest.txt
	$(PYTHON) -m venv $(LOWEST_VENV)
	$(LOWEST_VENV)/bin/pip install --constraint constraints-lowest.txt --editable . \
		pytest pytest-xdist hypothesis
	touch $@

# The versions of constraints.txt against known vulnerabilities. It fails, too, if the source of advisories
# (pypi or osv) cannot be reached or does not know a package.
AUDIT_SOURCE ?= osv
AUDITED      ?= constraints.txt

audit: $(VENV)/.installed-dev
	$(BIN)/pip-audit --strict --no-deps --disable-pip --requirement $(AUDITED) \
		--vulnerability-service $(AUDIT_SOURCE) $(ARGS)

# The documentation site, in build/docs. Warnings are errors.
docs: $(VENV)/.installed-docs
	$(BIN)/sphinx-build -W --keep-going -q -b html -d build/doctrees docs build/docs $(ARGS)

# The packages from the bottom up, their lines and what each imports.
architecture: $(VENV)/.installed-dev
	$(BIN)/pytest -q -s tests/test_architecture.py -k few $(ARGS)

# The notebooks of examples/, with their output.
notebooks: $(VENV)/.installed-dev
	cd examples && PATH=$(abspath $(BIN)):$$PATH PYTHONWARNINGS=ignore jupyter execute --inplace *.ipynb
	rm -rf examples/outputs

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

$(VENV)/.installed-docs: $(VENV)/.installed
	$(BIN)/pip install --constraint constraints.txt --editable ".[docs]"
	touch $@

clean:
	rm -rf $(VENV) $(LOWEST_VENV) build dist .mypy_cache .pytest_cache .ruff_cache .coverage
