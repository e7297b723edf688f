PYTHON ?= python3

.PHONY: setup demo check check-slow bench

setup demo check check-slow bench:
	$(PYTHON) dev.py $@
