# One command each: `make serve` runs Bellwether, `make test` proves it.
PYTHON ?= python3
VENV   ?= .venv
# Another wheel index for torch: CPU-only or a certain CUDA build (see README, "Choosing a torch build").
TORCH_INDEX ?=
# One more than there are cores: many tests wait for a server that they have started.
TEST_WORKERS ?= $(shell $(PYTHON) -c 'import os; print(len(os.sched_getaffinity(0)) + 1 if hasattr(os, "sched_getaffinity") else "auto")')

BIN     := $(VENV)/bin
# Modules are compiled when they are first used: most of what comes with torch never is.
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet --no-compile

.PHONY: serve demo demo-wipe test lint types contracts lock screenshots clean
.DELETE_ON_ERROR:

serve: $(VENV)/.installed
	@exec $(BIN)/python manage.py serve

# Shows drift and loss of quality being caught, in about two minutes; demo-wipe removes it all.
demo: $(VENV)/.installed
	@exec $(BIN)/python manage.py demo $(DEMO)

demo-wipe: $(VENV)/.installed
	@exec $(BIN)/python manage.py demo --wipe

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

contracts: $(VENV)/.installed-dev
	$(BIN)/lint-imports

$(BIN)/python:
	@echo "[1/3] creating the virtual environment in $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Bellwether needs Python 3.11 or newer; name one with: make PYTHON=python3.11 serve")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.torch: requirements/torch.txt | $(BIN)/python
	@echo "[2/3] installing torch (the largest download; a minute or more)"
	@$(INSTALL) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) -r requirements/torch.txt
	@touch $@

$(VENV)/.installed: requirements.txt $(VENV)/.torch
	@echo "[3/3] installing the other pinned packages"
	@$(INSTALL) --require-hashes -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements/dev.txt $(VENV)/.installed
	@echo "installing the packages that tests and checks need"
	@$(INSTALL) --require-hashes -r requirements/dev.txt
	@touch $@

# Rewrites the pinned files from the .in files.
LOCK := uv pip compile --quiet --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links
lock:
	$(LOCK) requirements/core.in -o requirements.txt
	$(LOCK) requirements/postgres.in -c requirements.txt -o requirements/postgres.txt
	$(LOCK) requirements/redis.in -c requirements.txt -o requirements/redis.txt
	$(LOCK) requirements/s3.in -c requirements.txt -o requirements/s3.txt
	$(LOCK) requirements/signing.in -c requirements.txt -o requirements/signing.txt
	$(LOCK) requirements/batch.in -c requirements.txt -o requirements/batch.txt
	$(LOCK) requirements/notify.in -c requirements.txt -o requirements/notify.txt
	$(LOCK) requirements/dev.in -o requirements/dev.txt

# Pictures of every page into docs/images/dashboard; needs Chromium.
screenshots: $(VENV)/.installed-dev
	$(BIN)/python -m tests.browser.screenshots

clean:
	rm -rf $(VENV) .venv-clients .mypy_cache .pytest_cache .ruff_cache
