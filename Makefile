# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

help:
	@echo "make demo    three nodes on this machine, from a release to running under heart, upgraded and taken back"
	@echo "make test    everything; or some of it: make test STEPS='unit sanity'"
	@echo "make check   what takes seconds: lint, types, unit tests"
	@echo "make format  let ruff format the Python files"
	@echo "make docs    HTML into build/docs"
	@echo "make setup   install what all of these need (they call it themselves)"
	@echo "make clean   remove what they made in this directory"

setup:
	@.ci/setup

demo:
	@.ci/setup demo
	@.venv/bin/python examples/demo/demo.py

test: setup
	@.ci/test $(STEPS)

check: setup
	@.ci/test check

format: setup
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

docs: setup
	@.ci/docs
	@echo "build/docs/index.html"

clean:
	rm -rf build .venv .venv-floor .ansible .mypy_cache .pytest_cache .ruff_cache .hypothesis tests/output
	find . -name __pycache__ -prune -exec rm -rf {} +
	$(MAKE) -C examples/exchange clean

.PHONY: help setup demo test check format docs clean
