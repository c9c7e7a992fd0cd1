# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release is its version and its content, on nodes under heart.

Rules: the same version with other content takes the place of one that failed, and the node runs it; where it runs it stays; an installation counts
when the node runs the code of the package; a relup counts where it was made from what the host has.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from handler_site import CHANGES, Releases, System, kinds, refused
from release_workshop import MINIMAL, Workshop

from ansible_collections.erlang.otp.plugins.module_utils._build.otp import find_otp
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.checksum import sha256
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._handler.local import apply_local
from ansible_collections.erlang.otp.plugins.module_utils._handler.request import Request
from ansible_collections.erlang.otp.plugins.module_utils._install.outcome import PackageNeeded

FORGETS = '{"2.4", [{"1.0", []}], [{"1.0", []}]}.\n'


class Rebuilt(Releases):
    """The releases, and packages of releases that were built again: CRASHES without its fault."""

    def __init__(self, directory: Path, releases: Releases) -> None:
        self.workshop = Workshop(directory, find_otp(None))
        self.packages = dict(releases.packages)
        self.rebuild("CRASHES", "2.2", "repaired")
        # An appup that forgets the module: the node would keep its old code, under the new version.
        self.rebuild("FORGETS", "2.4", "forgets", appup=FORGETS)
        # BARE has no relup.
        self.rebuild("BARE", "2.3", "led")
        # Of another FIRST than the one that the nodes run.
        self.application("1.0", CHANGES % "0.9")
        rel = self.workshop.rel(*MINIMAL, "counter-1.0", stem="FIRST", name="COUNTER", version="FIRST")
        other = self.workshop.build(rel=rel, sys_config="[].\n", output_dir=str(directory / "other"))["package"]
        self.rebuild("ELSEWHERE", "2.5", "elsewhere", earlier=other)

    def rebuild(self, release: str, counter: str, name: str, *, appup: str = "", earlier: str = "") -> None:
        directory = self.application(counter, CHANGES % counter)
        if appup:
            (directory / "ebin/counter.appup").write_text(appup)
        rel = self.workshop.rel(*MINIMAL, f"counter-{counter}", stem=release, name="COUNTER", version=release)
        first = [earlier or self.packages["FIRST"]]
        options = {"sys_config": "[].\n", "upgrade_from": first, "downgrade_to": first, "output_dir": str(self.workshop.directory / name)}
        self.packages[name] = self.workshop.build(rel=rel, **options)["package"]


@pytest.fixture(scope="module")
def rebuilt(releases: Releases, tmp_path_factory: pytest.TempPathFactory) -> Rebuilt:
    return Rebuilt(tmp_path_factory.mktemp("rebuilt"), releases)


def test_a_release_that_failed_is_replaced_by_the_one_of_the_package(rebuilt: Rebuilt) -> None:
    """Before, force ran the old, broken release once more."""
    with System(rebuilt).start() as system:
        refused(system, "CRASHES")
        assert system.statuses()["FIRST"] == "permanent"
        # The controller asks first, without the package.
        with pytest.raises(PackageNeeded):
            known = {"checksum": f"sha256:{sha256(rebuilt.packages['repaired'])}"}
            apply_local(Request(root=system.root, release="CRASHES", state="ready", address=system.address, package=known, force=True), Changes())
        predicted = system.take("CRASHES", "permanent", package_of="repaired", check_mode=True, force=True)
        assert any("remove release CRASHES" in action for action in predicted["actions"])
        result = system.take("CRASHES", "permanent", package_of="repaired", force=True)
        assert result["after"]["running"] == result["after"]["permanent"] == "CRASHES"
        assert system.call("counter", "version") == "2.2" and system.statuses()["CRASHES"] == "permanent"
        # It runs here, so the other content does not take its place.
        with pytest.raises(OtpError, match=r"has another .*lib/counter-2.2.* Release CRASHES runs or boots here"):
            system.take("CRASHES", "permanent")
        assert not system.take("CRASHES", "permanent", package_of="repaired")["changed"]


def test_a_node_that_keeps_old_code_is_taken_back(rebuilt: Rebuilt) -> None:
    """Before, the upgrade said done, and the node ran the old code under the new version."""
    with System(rebuilt).start() as system:
        error = refused(system, "FORGETS", package_of="forgets")
        assert "the node does not run what release FORGETS is: the code of counter in the node is not that of the package" in str(error)
        assert error.result["rolled_back"] and error.result["after"]["running"] == error.result["after"]["permanent"] == "FIRST"
        assert system.call("counter", "version") == "1.0" and system.statuses()["FIRST"] == "permanent"


def test_a_relup_from_another_package_is_refused_before_anything_is_installed(rebuilt: Rebuilt) -> None:
    with System(rebuilt).start() as system:
        for check_mode in (False, True):
            error = refused(system, "ELSEWHERE", package_of="elsewhere", check_mode=check_mode)
            assert kinds(error) == ["other_package"]
            assert "made from another release FIRST than this host has: here it has another lib/counter-1.0" in str(error)
        assert system.statuses() == {"FIRST": "permanent", "ELSEWHERE": "unpacked"}
        assert "with FIRST in otp_upgrade_from" in str(refused(system, "BARE"))
        # The way out of both.
        assert system.take("BARE", "permanent", package_of="led")["after"]["permanent"] == "BARE"
