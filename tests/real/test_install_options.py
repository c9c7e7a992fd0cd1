# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of install_release/2 and check_install_release/2 on a real node: each does what release_handler(3) says, and without it its default holds."""

from __future__ import annotations

import shutil
import typing as t
from pathlib import Path

import pytest
from handler_site import CHANGES, OK, Releases, System, refused
from release_workshop import MINIMAL, Workshop

from ansible_collections.erlang.otp.plugins.module_utils._build.otp import find_otp
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom

DOWN = 'code_change({down, _}, {_, Count}, _) -> {ok, {"1.0", Count}};\n'
# release_handler waits 5 seconds by default.
SLOW = DOWN + 'code_change(_, {_, Count}, _) -> timer:sleep(7000), {ok, {"2.0", Count}}.'
THROWS = DOWN + "code_change(_, _, _) -> throw(no_way)."
COUNTER = Atom("counter")


class Optional(Releases):
    """Release SECOND has a slow code_change, and THROWS one that fails."""

    def __init__(self, directory: Path) -> None:
        self.workshop = Workshop(directory, find_otp(None))
        self.packages: dict[str, str] = {}
        self.workshop.application("still")
        self.build("FIRST", "1.0", CHANGES % "1.0")
        self.build("SECOND", "2.0", SLOW, "FIRST")
        self.build("THROWS", "2.1", THROWS, "FIRST")

    def build(self, release: str, counter: str, code_change: str, *earlier: str) -> None:
        self.application(counter, code_change)
        rel = self.workshop.rel(*MINIMAL, f"counter-{counter}", "still-1.0", stem=release, name="COUNTER", version=release)
        packages = tuple(self.packages[name] for name in earlier)
        given = {"sys_config": "[].\n", "output_dir": str(self.workshop.directory / release), "upgrade_from": packages, "downgrade_to": packages}
        self.packages[release] = self.workshop.build(rel=rel, **given)["package"]


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Optional:
    return Optional(tmp_path_factory.mktemp("options"))


@pytest.fixture
def system(releases: Optional) -> t.Iterator[System]:
    with System(releases) as system:
        yield system.start()


def test_a_slow_code_change_needs_its_timeout(system: System) -> None:
    error = refused(system, "SECOND")
    assert "code_change_timeout of otp_install_options (option install_options)" in str(error) and "Then it ran release FIRST" in str(error)
    assert system.call("counter", "version") == "1.0"
    pid = system.pid
    system.count()
    system.take("SECOND", "permanent", force=True, install_options={"code_change_timeout": 60.0, "suspend_timeout": 60.0, "purge": None})
    assert system.pid == pid and system.call("counter", "state") == ("2.0", 1)


@pytest.mark.parametrize("update_paths", [None, False, True])
def test_paths_of_what_has_its_version_and_another_directory(system: System, update_paths: bool | None) -> None:
    system.take("SECOND", "unpacked")
    elsewhere = system.directory / "elsewhere"
    shutil.copytree(f"{system.root}/lib/still-1.0", elsewhere / "still-1.0")
    assert system.operate("set_removed", "SECOND") == OK
    rel = f"{system.root}/releases/SECOND/SECOND.rel"
    assert system.call("release_handler", "set_unpacked", rel, [(Atom("still"), "1.0", str(elsewhere))]) == (OK, "SECOND")
    system.take("SECOND", "current", package=False, install_options={"code_change_timeout": 60.0, "update_paths": update_paths})
    assert str(system.call("code", "lib_dir", Atom("still"))).startswith(str(elsewhere)) == bool(update_paths)


@pytest.mark.parametrize("action", [None, "restart", "reboot"])
def test_what_the_node_does_after_an_error(system: System, action: str | None) -> None:
    pid = system.pid
    error = refused(system, "THROWS", install_options={"error_action": action})
    assert "code_change_failed" in str(error) and error.result["rolled_back"] and error.result["restarted"]
    assert (system.pid == pid) == (action != "reboot") and system.statuses() == {"THROWS": "unpacked", "FIRST": "permanent"}


def test_a_reboot_after_an_error_needs_heart(releases: Optional) -> None:
    with System(releases, heart=False) as system:
        system.start()
        error = refused(system, "THROWS", check_mode=True, install_options={"error_action": "reboot"}, is_read=True)
        assert "runs without heart" in str(error)
        assert not system.take("THROWS", "ready", check_mode=True, install_options={"error_action": "restart"}, is_read=True)["restarted"]


def test_the_check_purges_old_code(system: System) -> None:
    system.take("SECOND", "unpacked")
    system.call("code", "load_file", COUNTER)
    for options, check_mode, is_left in (({}, False, True), ({"purge": True}, True, True), ({"purge": True}, False, False)):
        system.take("SECOND", "ready", check_mode=check_mode, install_options=options)
        assert system.call("erlang", "check_old_code", COUNTER) == Atom(str(is_left).lower())
