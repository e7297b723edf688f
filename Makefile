PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup check check-slow lint types test bench

setup: .venv/.installed

.venv/.installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

lint: setup
	$(BIN)/ruff check src tests rules

types: setup
	$(BIN)/mypy

test: setup
	$(BIN)/python -m pytest -n auto --quiet

check: lint types test

check-slow: check
	$(BIN)/python -m pytest -n auto --quiet -m slow

bench: setup
	$(BIN)/python -m bench
