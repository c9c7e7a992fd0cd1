# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node goes from another OTP to the one at hand, and back, each time by a relup that starts the emulator of the other one.

``OTP_TREES`` (separated by colons) names such Erlang/OTP systems; the one at hand under another number is one in any case.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from handler_site import CHANGES, Releases, System, refused
from other_otp import TREES, other_otp
from release_workshop import MINIMAL, Workshop, erl
from waiting import LIMIT, wait_until

from ansible_collections.erlang.otp.plugins.module_utils._build.otp import Otp, find_otp
from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _node
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator


class TwoOtps(Releases):
    """FIRST is on the other OTP, and made by it; SECOND is on the one at hand."""

    def __init__(self, directory: Path, tree: str) -> None:
        self.workshop = Workshop(directory, find_otp(None))
        self.packages: dict[str, str] = {}
        self.other = other_otp(tree, self.workshop.otp, directory / "renumbered")
        self.build("FIRST", "1.0", self.other)
        self.build("SECOND", "2.0", self.workshop.otp, "FIRST")
        self.build("PLAIN", "2.1", self.workshop.otp, "FIRST", option="no_long_atoms")

    def build(self, release: str, counter: str, otp: Otp, *earlier: str, option: str = "debug_info") -> None:
        application = self.application(counter, CHANGES % counter)
        compiled = f'{{ok, _}} = compile:file("{application}/src/counter", [{option}, {{outdir, "{application}/ebin"}}]), halt().'
        # The compiler of a newer OTP makes code that an older one does not load.
        erl(Path(otp.root), otp, "-boot", f"{otp.root}/bin/no_dot_erlang", "-eval", compiled)
        rel = Workshop(self.workshop.directory, otp).rel(*MINIMAL, f"counter-{counter}", stem=release, name="COUNTER", version=release)
        packages = tuple(self.packages[name] for name in earlier)
        given = {"sys_config": "[].\n", "output_dir": str(self.workshop.directory / release), "upgrade_from": packages, "downgrade_to": packages}
        self.packages[release] = self.workshop.build(rel=rel, otp_root=otp.root, **given)["package"]


@pytest.fixture(scope="module", params=TREES)
def releases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TwoOtps:
    return TwoOtps(tmp_path_factory.mktemp("otps"), request.param)


def runs(system: System) -> tuple[str, str]:
    """The version of ERTS, and that of the application, as the node says."""
    return system.call("erlang", "system_info", Atom("version")), system.call("counter", "version")


def versions(releases: TwoOtps) -> tuple[str, str]:
    """Of ERTS, as a node on the other OTP and one on that at hand say; one that is only renumbered says its real version."""
    there = releases.workshop.otp if "renumbered" in releases.other.root else releases.other
    return there.erts_version, releases.workshop.otp.erts_version


def test_up_and_back_and_up_for_good(releases: TwoOtps) -> None:
    there, here = versions(releases)
    first, second = (there, "1.0"), (here, "2.0")
    with System(releases) as system:
        system.start()
        assert runs(system) == first
        assert "restart" in str(refused(system, "SECOND")) and runs(system) == first
        foretold = system.take("SECOND", "permanent", allow_restart=True, method="auto", check_mode=True)
        done = system.take("SECOND", "permanent", allow_restart=True, method="auto")
        assert runs(system) == second and foretold["changed"] and done["changed"]
        # The programs beside the emulator, which heart starts after a crash.
        pid = system.pid
        os.kill(pid, signal.SIGKILL)
        wait_for_another(system, pid)
        assert runs(system) == second
        system.take("FIRST", "permanent", allow_restart=True, method="auto")
        assert runs(system) == first and system.statuses() == {"FIRST": "permanent", "SECOND": "old"}
        system.take("SECOND", "permanent", allow_restart=True, method="auto")
        system.take("FIRST", "absent")
        assert runs(system) == second and [path.name for path in Path(system.root).glob("erts-*")] == [f"erts-{releases.workshop.otp.erts_version}"]


def wait_for_another(system: System, pid: int) -> None:
    """Heart has started another emulator, which answers."""
    wait_until(lambda: find_emulator(system.root) not in (None, pid), "heart has started the emulator again")
    _node.wait_until_answering(system.node, timeout=LIMIT)


def test_by_the_relup(releases: TwoOtps) -> None:
    """release_handler of an OTP older than 28 cannot read what a newer one compiles, unless it is asked to compile it as before."""
    there, here = versions(releases)
    with System(releases) as system:
        system.start()
        if int(there.partition(".")[0]) < 16 <= int(here.partition(".")[0]):
            message = str(refused(system, "SECOND", allow_restart=True))
            assert "were compiled by OTP 28 or newer" in message and "set otp_upgrade_method (option method) to restart; or compile" in message
        system.take("PLAIN", "permanent", allow_restart=True)
        assert runs(system) == (here, "2.1")
        system.take("FIRST", "permanent", allow_restart=True)
        assert runs(system) == (there, "1.0")
