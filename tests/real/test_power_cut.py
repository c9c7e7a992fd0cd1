# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The power of the host cut at each write: what boots then is one of the releases, whole, and the next run comes to its end."""

from __future__ import annotations

import collections
import tarfile
import typing as t
from pathlib import Path

import pytest
from handler_site import Releases, System, disagreements
from power import Disk

from ansible_collections.erlang.otp.plugins.module_utils._config.configure import configure_release
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._handler import node_upgrade as _node_upgrade
from ansible_collections.erlang.otp.plugins.module_utils._handler.request import HandlerError
from ansible_collections.erlang.otp.plugins.module_utils._install import steps as _install_steps
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom
from ansible_collections.erlang.otp.plugins.module_utils._tree.record import STAGING

VERSIONS = {"FIRST": "1.0", "SECOND": "2.0"}
# What flushes in another way, and what has release_handler write.
MORE = ((_install_steps, "flush_file_systems"), (_node_upgrade.release_handler, "call_release_handler"))


@pytest.fixture
def disk(tmp_path) -> t.Iterator[Disk]:
    with Disk(tmp_path) as disk:
        yield disk


def boot(system: System) -> str:
    """Start it as a host does that has power again; the release that runs, with all that belongs to it."""
    system.start()
    running = system.observe()
    assert running.permanent == running.current and len(running.releases) in (1, 2)
    assert system.call("counter", "version") == VERSIONS[running.current]
    return running.current


def go_on(system: System, release: str, state: str, **more: t.Any) -> None:
    """The next run. A release that was not committed when the power was cut may be why: it is refused once."""
    try:
        system.take(release, state, **more)
    except HandlerError as refusal:
        assert "and not committed; the emulator ended" in str(refusal)
        system.take(release, state, force=True, **more)


def left_over(system: System) -> list[str]:
    """What no run that has come to its end leaves."""
    return [str(path) for path in Path(system.root).rglob("*") if path.suffix in (".new", ".saved") or path.name == STAGING]


def test_while_a_running_node_comes_to_a_release(releases: Releases, disk: Disk, record_property: t.Callable[[str, str], None]) -> None:
    with System(releases, within=disk.path) as system:
        system.start()
        with disk.cut_after_each_call(*MORE):
            system.take("SECOND", "permanent")
        system.cut()
        booted: collections.Counter[str] = collections.Counter()
        for _number in disk.after_each_cut():
            booted[boot(system)] += 1
            go_on(system, "SECOND", "permanent")
            assert system.statuses() == {"SECOND": "permanent", "FIRST": "old"} and disagreements(system) == [] and left_over(system) == []
            system.cut()
    assert set(booted) == set(VERSIONS)
    record_property("figure", f"power cut during an upgrade, {booted.total()} states of the disk: {dict(booted)} booted, each came to SECOND then")


def test_while_the_release_before_is_removed(releases: Releases, disk: Disk) -> None:
    with System(releases, within=disk.path) as system:
        system.start().take("SECOND", "permanent")
        with disk.cut_after_each_call(*MORE):
            system.take("FIRST", "absent", package=False)
        system.cut()
        for _number in disk.after_each_cut():
            assert boot(system) == "SECOND"
            system.take("FIRST", "absent", package=False)
            assert system.statuses() == {"SECOND": "permanent"} and disagreements(system) == [] and left_over(system) == []
            system.cut()


def test_while_a_system_that_is_down_comes_to_a_release(releases: Releases, disk: Disk) -> None:
    with System(releases, within=disk.path) as system:
        with disk.cut_after_each_call(*MORE):
            system.take("SECOND", "permanent", transport="offline")
        booted: set[str] = set()
        for _number in disk.after_each_cut():
            booted.add(boot(system))
            system.cut()
            system.take("SECOND", "permanent", transport="offline")
            assert disagreements(system) == [] and left_over(system) == []
    assert booted == set(VERSIONS)


def test_while_it_is_configured(releases: Releases, disk: Disk) -> None:
    with System(releases, within=disk.path) as system:

        def configure() -> None:
            configure_release(
                directory=f"{system.root}/releases/FIRST", sys_config="[{counter,[{lines,2}]}].\n", vm_args="-counter more 1\n", changes=Changes()
            )

        with disk.cut_after_each_call(*MORE):
            configure()
        said: list[t.Any] = []
        for _number in disk.after_each_cut():
            boot(system)
            said.append(system.call("application", "get_env", Atom("counter"), Atom("lines")))
            system.cut()
            configure()
            assert left_over(system) == []
    assert [said[0], said[-1]] == [Atom("undefined"), (Atom("ok"), 2)] and len(set(said)) == 2


def test_while_the_first_release_is_installed(releases: Releases, disk: Disk) -> None:
    root = str(disk.path / "exchange")

    def install() -> dict[str, t.Any]:
        return install_release(root=root, package=releases.packages["FIRST"], changes=Changes())

    with disk.cut_after_each_call(*MORE):
        install()
    for _number in disk.after_each_cut():
        assert install()["status"] == "permanent"
        with tarfile.open(releases.packages["FIRST"]) as package:
            for member in package:
                file = package.extractfile(member)
                if file is not None and member.name != "releases/start_erl.data":
                    assert Path(root, member.name).read_bytes() == file.read()
