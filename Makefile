# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

help:
	@echo "make demo     three nodes on this machine: deployed, running under heart, upgraded and rolled back"
	@echo "make check    lint, types and unit tests"
	@echo "make test     everything; or some steps of it: make test STEPS='unit sanity'"
	@echo "make test-full"
	@echo "              the slow steps as well, and make faults (hours)"
	@echo "make test-ansible ANSIBLE_CORE='~=2.20.0'"
	@echo "              sanity, unit and integration tests with another ansible-core"
	@echo "make mutations"
	@echo "              take rules out of the code, one at a time: a test must miss each (long); or: make mutations WORDS=files.py"
	@echo "make fuzz     changed inputs to the parsers of what is not trusted, for minutes; or: make fuzz SECONDS=3600 TARGETS='etf tar'"
	@echo "make faults   disturb each change that a run makes to a file system, one in each run (long)"
	@echo "make format   format the Python files with ruff"
	@echo "make docs     the documentation as HTML, in build/docs"
	@echo "make picture  draw docs/upgrade.svg again, from a real run"
	@echo "make setup    install what all of these need; they also do it themselves"
	@echo "make clean    remove what they made in this directory"

setup:
	@.ci/setup

demo:
	@.ci/setup demo
	@.venv/bin/python examples/demo/demo.py

picture:
	@.ci/setup demo
	@.venv/bin/python examples/demo/picture.py docs/upgrade.svg

check:
	@.ci/setup check
	@.ci/test check

test: setup
	@.ci/test $(STEPS)

test-full: setup faults
	@OTP_TESTS=full .ci/test full

test-ansible:
	@.ci/setup check
	@.ci/test-ansible '$(ANSIBLE_CORE)'

mutations: setup
	@.venv/bin/python tests/mutations.py $(WORDS)

fuzz:
	@.ci/setup check
	@.venv/bin/python tests/fuzz/fuzz.py --seconds $(or $(SECONDS),300) $(TARGETS)

faults: setup
	@OTP_FAULTS=all .venv/bin/pytest -n auto tests/real/test_faults.py tests/real/test_two_at_once.py

format:
	@.ci/setup check
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

docs:
	@.ci/setup docs
	@.ci/docs
	@echo "build/docs/index.html"

clean:
	rm -rf build .venv .venv-* .ansible .mypy_cache .pytest_cache .ruff_cache .hypothesis tests/output
	find . -name __pycache__ -prune -exec rm -rf {} +
	$(MAKE) -C examples/exchange clean

.PHONY: help setup demo picture check test test-full test-ansible mutations fuzz faults format docs clean
