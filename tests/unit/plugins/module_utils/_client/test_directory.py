# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The directory of a client on its master, without nodes.

Rules: a client keeps what it has, its release above all; a client that runs is neither switched to another release nor removed; check mode
predicts; an interrupted run is finished by the next; files torn by a power cut are repaired while the client is down; one run at a time.
"""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._client.directory import ClientRequest, ensure_client
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import lock
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
from ansible_collections.erlang.otp.plugins.module_utils._tree.client_tree import ClientTree, read_section
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.install_host import Host, second
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import tree as all_of

NODE = "c1@10.0.0.2"
WANTED: dict[str, t.Any] = {"client": NODE, "masters": ("m@10.0.0.1",), "start_script": "#!/bin/sh\n"}


def files_of(root: Path) -> dict[str, t.Any]:
    """All below the root directory but what locks a client."""
    return {path: content for path, content in all_of(root).items() if not path.endswith(".handler.lock")}


class Master(Host):
    """A root directory with two releases, FIRST permanent."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.run(self.package())
        self.run(second(self))

    def have(self, *, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
        changes = Changes(check_mode=check)
        result = ensure_client(ClientRequest(root=str(self.root), **{**WANTED, **options}), changes)
        self.actions = changes.actions
        return result

    def fails(self, message: str, **options: t.Any) -> None:
        before = files_of(self.root)
        for check in (True, False):
            with pytest.raises(OtpError, match=re.escape(message)):
                self.have(check=check, **options)
        assert files_of(self.root) == before

    @property
    def client(self) -> ClientTree:
        return ClientTree(str(self.root), NODE)

    def text(self, *names: str) -> str:
        return Path(self.client.path(*names)).read_text()


@pytest.fixture
def master(tmp_path: Path) -> Master:
    return Master(tmp_path)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["-proto_dist", "inet_tls"], "-proto_dist inet_tls has it speak TLS, and a client speaks to its master without. Take the flag out of its vm.args,"),
        (["-start_epmd", "false", "-erl_epmd_port", "9100"], "-start_epmd false has it do without EPMD, and a client asks EPMD for the node of its master."),
    ],
)
def test_a_master_that_is_out_of_reach_as_it_runs(master: Master, emulator: t.Any, flags: list[str], message: str) -> None:
    """Wherever its flags are from. After its restart without them the client is made."""
    process = emulator(master.root, "-sname", "m@localhost", *flags)
    master.fails(message)
    process.kill()
    process.wait()
    emulator(master.root, "-sname", "m@localhost", "-proto_dist", "inet6_tcp")
    assert master.have()["release"] == "FIRST"


def test_a_new_client(master: Master) -> None:
    foreseen = master.have(check=True)
    actions = master.actions
    assert not (master.root / "clients").exists()
    made = master.have()
    assert made == foreseen and master.actions == actions
    assert (made["release"], made["erts_version"], made["root"]) == ("FIRST", "13.1.5", str(master.root))
    home = Path(made["client_directory"])
    assert home == master.root / "clients" / NODE
    found = sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file() and path.suffix != ".lock")
    own = [f"releases/FIRST/{name}" for name in ("start.boot", "sys.config", "system.rel")]
    assert found == ["bin/start", *own, "releases/RELEASES", "releases/start_erl.data"]
    assert master.text("releases", "start_erl.data") == "13.1.5 FIRST\n" and (home / "bin/start").stat().st_mode & 0o777 == 0o755
    assert read_section(Path(master.client.path("releases", "FIRST", "sys.config")).read_bytes(), source="x")["client_directory"] == str(home)
    ((entry),) = master.client.releases() or []
    assert entry.status == "permanent" and all(library.directory.startswith(f"{master.root}/lib/") for library in entry.libraries)
    master.have()
    assert master.actions == []


def test_what_it_has_stays(master: Master) -> None:
    master.have(sys_config="[{kernel, []}].")
    before = files_of(master.root)
    master.have(start_script=None)
    assert master.actions == [] and files_of(master.root) == before
    changed = master.have(sys_config="[{kernel, [{logger_level, info}]}].", start_script="#!/bin/sh\nexit\n")
    assert [action.rpartition("/")[2] for action in master.actions] == ["sys.config", "start"]
    assert [Path(diff["after_header"]).name for diff in changed["diff"]] == ["sys.config", "start", NODE]


def test_what_release_handler_wrote_stays(master: Master) -> None:
    """It ends start_erl.data without a newline."""
    master.have()
    data = Path(master.client.path("releases", "start_erl.data"))
    data.write_text(data.read_text().rstrip("\n"))
    master.have()
    assert master.actions == []


def test_an_interrupted_run_is_finished(master: Master) -> None:
    master.have()
    before = files_of(master.root)
    for name in ("releases/start_erl.data", "releases/FIRST/start.boot", "bin/start", "releases/RELEASES"):
        Path(master.client.path("releases"), "..", name).resolve().unlink()
        master.have()
        assert files_of(master.root) == before


def test_another_release_while_the_node_is_down(master: Master) -> None:
    master.have(sys_config="[{kernel, [{logger_level, info}]}].")
    master.fails(f"client {NODE} runs release FIRST, not SECOND: upgrade it", release="SECOND", runs=lambda: True)
    master.have(release="FIRST", runs=lambda: True)
    foreseen = master.have(release="SECOND", check=True)
    actions = master.actions
    assert master.have(release="SECOND") == foreseen and master.actions == actions
    assert {entry.version: entry.status for entry in master.client.releases() or []} == {"SECOND": "permanent", "FIRST": "old"}
    assert master.text("releases", "start_erl.data") == "15.2.7 SECOND\n" and "logger_level" in master.text("releases", "SECOND", "sys.config")
    # Without a release it keeps the one that it has, whatever is permanent for the master.
    assert master.have()["release"] == "SECOND" and master.actions == []
    master.have(release="FIRST")
    assert {entry.version: entry.status for entry in master.client.releases() or []} == {"SECOND": "old", "FIRST": "permanent"}


def test_static(master: Master) -> None:
    master.have(static_emulator=True)
    assert not master.client.has("releases", "start_erl.data") and "static_emulator,true" in master.text("releases", "sys.config")
    assert master.text("releases", "sys.config") == master.text("releases", "FIRST", "sys.config")
    start = master.client.start_erl_data()
    assert start is not None and start.release_version == "FIRST"
    master.have(static_emulator=True)
    assert master.actions == []
    master.have(static_emulator=True, release="SECOND", sys_config="[{kernel, []}].")
    assert "kernel" in master.text("releases", "sys.config")
    boot = Path(master.client.path("releases", "start.boot"))
    assert boot.read_bytes() == Path(master.client.path("releases", "SECOND", "start.boot")).read_bytes()
    master.have()
    assert not boot.exists() and master.text("releases", "start_erl.data") == "15.2.7 SECOND\n"
    assert "static_emulator" not in master.text("releases", "SECOND", "sys.config")


@pytest.mark.parametrize("static", [False, True])
def test_torn_by_a_power_cut_of_the_master(master: Master, static: bool) -> None:
    master.have(static_emulator=static)
    before = files_of(master.root)
    releases = Path(master.client.path("releases", "RELEASES"))
    Path(f"{releases}.saved").write_bytes(releases.read_bytes())
    releases.write_bytes(b"")
    master.fails("RELEASES: has no term", static_emulator=static, runs=lambda: True)
    foreseen = master.have(static_emulator=static, check=True)
    assert releases.read_bytes() == b"" and master.have(static_emulator=static) == foreseen
    assert files_of(master.root) == before


def test_one_run_at_a_time(master: Master) -> None:
    master.have()
    with lock(master.client.path(".handler.lock")), pytest.raises(OtpError, match="is locked by process"):
        master.have(lock_timeout=0.1)


def test_a_machine_type(master: Master) -> None:
    master.fails("is not the root directory of a target system: install a release there", machine_type="arm64")
    install_release(root=f"{master.root}/clients/arm64", package=master.package(), changes=Changes(), flush=False)
    made = master.have(machine_type="arm64")
    assert made["client_directory"] == f"{master.root}/clients/arm64/{NODE}" and made["root"] == f"{master.root}/clients/arm64"
    ((entry),) = ClientTree(str(master.root), NODE, "arm64").releases() or []
    assert entry.libraries[0].directory.startswith(f"{master.root}/clients/arm64/lib/")


def test_absent(master: Master) -> None:
    before = files_of(master.root)
    master.have(state="absent")
    assert master.actions == []
    master.have()
    master.fails(f"client {NODE} runs, so its directory", state="absent", runs=lambda: True)
    master.have(state="absent", masters=(), check=True)
    assert len(master.actions) == 1
    master.have(state="absent", masters=())
    assert {path: content for path, content in files_of(master.root).items() if path != "clients"} == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"client": "c1"}, "client 'c1' is not the name of a node"),
        ({"client": "../../etc@h"}, "is not the name of a node"),
        ({"machine_type": ".."}, "is not a machine type"),
        ({"masters": ()}, "masters is empty"),
        ({"masters": ("m@h/..",)}, "is not the name of a node"),
        ({"release": "../FIRST"}, "is not a version"),
        ({"release": "THIRD"}, "has no release THIRD: install it below"),
        ({"start_script": None}, "bin/start is missing, and start_script is not given"),
        ({"sys_config": "[{sasl, [{masters, [x@h]}]}]."}, "the given sys_config: the parameter masters of sasl"),
        ({"sys_config": "nonsense"}, "the given sys_config"),
    ],
)
def test_what_is_refused(master: Master, options: dict[str, t.Any], message: str) -> None:
    master.fails(message, **options)


def test_no_master_there(tmp_path: Path) -> None:
    with pytest.raises(OtpError, match="is not the root directory of a target system"):
        ensure_client(ClientRequest(root=str(tmp_path), **WANTED), Changes())


def test_an_incomplete_release(master: Master) -> None:
    (master.root / "releases/SECOND/start.boot").unlink()
    master.fails("is incomplete: releases/SECOND/start.boot is missing", release="SECOND")
