# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tests with a real Erlang share."""

from __future__ import annotations

import collections
import fcntl
import os
import shutil
import signal
from pathlib import Path

import pytest
from case_site import Cases, make_upgrade_cases
from handler_site import Releases
from template_packages import Templates

if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    # nohup: what the tests start would inherit it, and a shell run on when its terminal is gone. It does not inherit a function.
    signal.signal(signal.SIGHUP, lambda *_: None)

# As the guide asks for, and it takes half of the time. Tests of Ansible's own way to hosts switch it off.
os.environ.setdefault("ANSIBLE_PIPELINING", "1")

# Files that take minutes begin first, so that in the end no process waits for another one.
LONG = """
    adoption box box_node client_role deploy faults hostile_box hostile_client hostile_host interrupted_upgrade odd_names packages packages_debian13 relup
    jobs relup_of_the_fleet restart table_of_truth upgrade upgrade_failing values
""".split()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The order of files; and what only OTP_TESTS=full (``make test-full``) runs.

    These are tests with the mark ``full``, unless the command names their file; and of the cases of a test with the mark ``one_of(n)`` all but every
    n-th, from the first one on or from that of its argument ``first``.
    """
    items.sort(key=lambda item: item.path.stem.partition("_")[2] not in LONG)
    if os.environ.get("OTP_TESTS") == "full":
        return
    seen: dict[str, int] = collections.Counter()
    named = {Path(argument.partition("::")[0]).resolve() for argument in config.args}
    for item in list(items):
        mark = item.get_closest_marker("one_of")
        if item.get_closest_marker("full") and item.path.resolve() not in named:
            items.remove(item)
        elif mark is not None:
            name = item.nodeid.partition("[")[0]
            if (seen[name] - mark.kwargs.get("first", 0)) % mark.args[0]:
                items.remove(item)
            seen[name] += 1


@pytest.fixture(scope="session")
def erl() -> str:
    """The path of erl."""
    path = shutil.which("erl")
    assert path, "these tests need Erlang: install erlang-base and erlang-dev, or what has erl on the path"
    return path


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what tests have counted or measured: their properties ``figure``, which come from other processes as well."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "figure":
                terminalreporter.write_line(value)


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Releases:
    """The releases of handler_site, built once. Their packages are only read."""
    return Releases(tmp_path_factory.mktemp("releases"))


@pytest.fixture(scope="session")
def upgrade_cases(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    """The releases of OTP's case upgrade, built once. Their packages are only read."""
    return make_upgrade_cases(tmp_path_factory.mktemp("upgrade"))


@pytest.fixture(scope="session")
def template_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the packages of template_packages, made once for all processes of pytest. They are only read."""
    base = tmp_path_factory.getbasetemp()
    directory = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "template-packages"
    directory.mkdir(exist_ok=True)
    with (directory / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / ".made").exists():
            templates = Templates(directory)
            for make in (templates.tele, templates.shop, templates.conf):
                make()
            (directory / ".made").touch()
    return directory
