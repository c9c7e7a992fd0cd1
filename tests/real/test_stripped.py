# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stripped releases on a real node: up and back without a restart; and what becomes of one whose modules were stripped of their attributes as well."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

import pytest
from handler_site import CHANGES, IS_SECOND, Releases, System, kinds, refused
from release_workshop import MINIMAL, Workshop, content
from waiting import LIMIT

from ansible_collections.erlang.otp.plugins.module_utils._build.otp import find_otp
from ansible_collections.erlang.otp.plugins.module_utils._formats.beam import lacks_chunk
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Refused, call_release_handler

STRIPS = '{ok, _} = beam_lib:strip_files(["%s/ebin/counter.beam"]), halt().'


class Stripped(Releases):
    """FIRST, SECOND and AFTER are stripped by the build, and the counter of BARE by beam_lib:strip_files/1. Relups lead from each to the next."""

    def __init__(self, directory: Path) -> None:
        self.workshop = Workshop(directory, find_otp(None))
        self.packages: dict[str, str] = {}
        self.build("FIRST", "1.0", strip=True)
        self.build("SECOND", "2.0", "FIRST", strip=True)
        self.build("BARE", "3.0", "FIRST")
        self.build("AFTER", "4.0", "BARE", strip=True)

    def build(self, release: str, counter: str, *earlier: str, **options: t.Any) -> None:
        application = self.application(counter, CHANGES % counter)
        numbers = ("1.0", "3.0")
        way = ", ".join(f'{{"{number}", [{{update, counter, {{advanced, []}}}}]}}' for number in numbers if number != counter)
        (application / "ebin/counter.appup").write_text(f'{{"{counter}", [{way}], [{way}]}}.\n')
        if release == "BARE":
            subprocess.run(["erl", "-noshell", "-eval", STRIPS % application], check=True, timeout=LIMIT)
        rel = self.workshop.rel(*MINIMAL, f"counter-{counter}", stem=release, name="COUNTER", version=release)
        packages = tuple(self.packages[name] for name in earlier)
        given = {"sys_config": "[].\n", "output_dir": str(self.workshop.directory / release), "upgrade_from": packages, "downgrade_to": packages}
        self.packages[release] = self.workshop.build(rel=rel, **given, **options)["package"]


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Stripped:
    return Stripped(tmp_path_factory.mktemp("stripped"))


def module_of(releases: Stripped, release: str, counter: str) -> bytes:
    return content(releases.packages[release], f"lib/counter-{counter}/ebin/counter.beam")


def test_a_stripped_release_is_upgraded_and_taken_back_without_a_restart(releases: Stripped) -> None:
    for module in (module_of(releases, "FIRST", "1.0"), module_of(releases, "SECOND", "2.0")):
        assert lacks_chunk(module, b"CInf") and not lacks_chunk(module, b"Attr")
    with System(releases) as system:
        system.start()
        pid = system.pid
        system.count()
        assert system.take("SECOND", "permanent", check_mode=True)["problems"] == []
        system.take("SECOND", "permanent", verify=[IS_SECOND])
        assert system.call("counter", "state") == ("2.0", 1)
        system.take("FIRST", "permanent", package=False)
        assert system.call("counter", "state") == ("1.0", 1) and system.pid == pid


@pytest.mark.parametrize("is_unpacked", [False, True], ids=["in its package", "unpacked"])
def test_a_node_whose_modules_lack_their_attributes_is_restarted(releases: Stripped, is_unpacked: bool) -> None:
    """As what version 0.1.0 has stripped."""
    assert lacks_chunk(module_of(releases, "BARE", "3.0"), b"Attr")
    with System(releases, first="BARE") as system:
        system.start()
        if is_unpacked:
            system.take("AFTER", "unpacked")
            # Of a box the files are not read, and its release_handler is asked alone.
            with system.connect() as node, pytest.raises(Refused) as answer:
                call_release_handler(node, "check_install_release", ["AFTER"], timeout=LIMIT)
            assert answer.value.lacks_attributes
        for check_mode in (True, False):
            for state in ("ready", "permanent"):
                error = refused(system, "AFTER", state, check_mode=check_mode, is_read=True)
                assert kinds(error) == ["attributes"] and "set otp_upgrade_method (option method) to restart" in str(error)
                assert "the modules of lib/counter-3.0 were stripped of their attributes" in str(error)
        assert "set otp_allow_restart" in str(refused(system, "AFTER", method="auto", is_read=True))
        pid = system.pid
        assert system.take("AFTER", "ready", method="auto", allow_restart=True, check_mode=True, is_read=True)["way"] == "restart"
        system.take("AFTER", "permanent", method="restart" if is_unpacked else "auto", allow_restart=not is_unpacked)
        assert system.pid != pid and system.call("counter", "version") == "4.0"


def test_a_release_without_attributes_is_refused_once_it_is_unpacked(releases: Stripped) -> None:
    with System(releases) as system:
        system.start()
        error = refused(system, "BARE")
        assert kinds(error) == ["attributes"] and "lib/counter-3.0" in str(error) and system.statuses()["FIRST"] == "permanent"
