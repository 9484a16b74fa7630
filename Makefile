# The two commands: `make drill` and `make test`. `make` alone tells of the others.
# PYTHON names the interpreter for .venv; without it the newest python3 >= 3.11 that is found.

VENV := .venv
PY := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help drill test check unit bench lock clean

help: ## tell what there is
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

drill: $(INSTALLED) ## run the drills tagged @smoke (installs what is needed the first time)
	$(PY) -m drillbook run --tags @smoke

test: check unit ## check the code and run its tests

check: $(INSTALLED) ## ruff and mypy --strict
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

unit: $(INSTALLED) ## the tests alone
	$(PY) -m pytest tests -n 2 --dist loadfile --ignore tests/test_drills.py
	$(PY) -m pytest tests/test_drills.py

bench: $(INSTALLED) ## measure, print a table, write runs/bench.json
	$(PY) -m benchmarks

lock: $(INSTALLED) ## pin what .venv holds now, in requirements.lock
	.ci/lock $(VENV) requirements.lock

clean: ## remove .venv, caches and build leftovers; runs/ is evidence and stays
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis src/*.egg-info
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

# An editable install remembers its folder, so a copied one is not up to date. (Stamp: the folder that it was made for.)
ifneq ("$(shell cat $(INSTALLED) 2>/dev/null)","$(CURDIR)")
.PHONY: $(INSTALLED)
endif
$(INSTALLED): requirements.lock pyproject.toml .ci/make-venv
	@PYTHON='$(PYTHON)' .ci/make-venv $(VENV)
	@echo '$(CURDIR)' > $@
