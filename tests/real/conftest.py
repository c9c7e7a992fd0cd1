# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tests with a real Erlang share."""

from __future__ import annotations

import shutil

import pytest
from handler_site import Releases

FIGURES = pytest.StashKey[list]()


@pytest.fixture(scope="session")
def erl() -> str:
    """The path of erl."""
    path = shutil.which("erl")
    assert path, "these tests need Erlang: install erlang-base and erlang-dev, or what has erl on the path"
    return path


@pytest.fixture
def figures(pytestconfig: pytest.Config) -> list[str]:
    """What a test has counted or measured: lines, shown at the end of the run."""
    return pytestconfig.stash.setdefault(FIGURES, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the figures."""
    for line in config.stash.get(FIGURES, []):
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Releases:
    """The releases of handler_site, built once. Their packages are only read."""
    return Releases(tmp_path_factory.mktemp("releases"))
