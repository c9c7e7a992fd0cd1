# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release that is to be absent: what goes with it, what stays, and what is refused.

Rules: a removal is alone in its tree; the permanent release stays; RELEASES forgets the release before its directories go; the names are flushed.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import lock
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.file_calls import FileCalls
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.install_host import Host, second
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import release_members, tree, write_package

ENTRY = '[{release,"OTHER","OTHER","15.2.7",[{pea,"2.0","%s"}],old}].'
CLIENTS = [
    ("clients/a", ENTRY % "lib/pea-2.0", ["lib/pea-2.0", "erts-15.2.7"]),
    ("clients/a", ENTRY % "%(root)s/lib/pea-2.0", ["lib/pea-2.0", "erts-15.2.7"]),
    ("clients/type/b", ENTRY % "lib/pea-2.0", ["lib/pea-2.0"]),
    ("clients/type/b", ENTRY % "%(root)s/clients/type/lib/pea-2.0", []),
]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_absent_removes_what_no_other_release_uses(host: Host) -> None:
    host.run(host.package())
    before = tree(host.root)
    host.run(second(host))
    result = host.remove("SECOND")
    assert set(tree(host.root)) == set(before)
    assert result["status"] is None and len(host.actions) == 2
    host.remove("SECOND")
    assert host.actions == []


def test_absent_removes_the_rel_beside_releases(host: Host) -> None:
    """Unless another release has one of the same name, as in the test above."""
    members = release_members("SECOND")
    for name in [name for name in members if name.endswith(".rel")]:
        members[name.replace("system", "second")] = members.pop(name)
    host.run(host.package())
    host.run(write_package(host.directory / "other.tar.gz", members))
    assert (host.root / "releases/second.rel").exists()
    host.remove("SECOND")
    assert sorted(path.name for path in (host.root / "releases").glob("*.rel")) == ["system.rel"]


def test_absent_keeps_shared_libraries(host: Host) -> None:
    host.run(host.package())
    host.run(host.package("SECOND"))
    host.remove("SECOND")
    assert (host.root / "lib/pea-1.0").is_dir() and (host.root / "erts-13.1.5").is_dir()


@pytest.mark.parametrize(("client", "entries", "kept"), CLIENTS)
def test_absent_keeps_what_clients_use(host: Host, client: str, entries: str, kept: list[str]) -> None:
    """What a client knows under another version, or by paths of its own. A machine type has its ERTS in its own root directory."""
    host.run(host.package())
    host.run(second(host))
    (host.root / client / "releases").mkdir(parents=True)
    (host.root / client / "releases/RELEASES").write_text(entries % {"root": host.root})
    host.remove("SECOND")
    assert [path for path in ("lib/pea-2.0", "erts-15.2.7") if (host.root / path).is_dir()] == kept


def test_absent_refuses_what_a_client_has(host: Host) -> None:
    host.run(host.package())
    host.run(second(host))
    for client, status in (("c1@h", "old"), ("c2@h", "permanent")):
        (host.root / f"clients/{client}/releases").mkdir(parents=True)
        (host.root / f"clients/{client}/releases/RELEASES").write_text(f'[{{release,"SYSTEM","SECOND","15.2.7",[],{status}}}].')
    before = tree(host.root)
    with pytest.raises(OtpError, match=re.escape("is one of client nodes: c1@h (old), c2@h (permanent). Upgrade them to another release")):
        host.remove("SECOND")
    assert tree(host.root) == before
    # Of a machine type's client it is another release that has the version.
    (host.root / "clients/arm").mkdir()
    for client in ("c1@h", "c2@h"):
        (host.root / "clients" / client).rename(host.root / "clients/arm" / client)
    host.remove("SECOND")


def test_absent_refuses_what_a_client_of_the_type_has(host: Host) -> None:
    host.run(host.package())
    host.run(second(host))
    (host.root / "c1@h/releases").mkdir(parents=True)
    shutil.copy(host.root / "releases/RELEASES", host.root / "c1@h/releases")
    with pytest.raises(OtpError, match=re.escape("is one of client nodes: c1@h (unpacked)")):
        host.remove("SECOND")


def test_absent_refuses(host: Host) -> None:
    host.run(host.package())
    host.run(second(host))
    for version, keywords, message in (
        ("FIRST", {}, "is permanent. Make another release permanent first."),
        ("SECOND", {"name": "OTHER"}, "is one of SYSTEM, not of OTHER"),
        ("..", {}, "is not a version"),
        ("", {}, "is not a version"),
    ):
        before = tree(host.root)
        with pytest.raises(OtpError, match=re.escape(message)):
            host.remove(version, **keywords)
        assert tree(host.root) == before


def test_absent_refuses_when_an_entry_is_incomplete(host: Host) -> None:
    host.run(host.package())
    host.run(second(host))
    (host.root / "releases/RELEASES").write_bytes(
        b'[{release,"SYSTEM","FIRST","13.1.5",[],permanent},{release,"SYSTEM","SECOND","15.2.7",[{kernel,"8.5.3","lib/kernel-8.5.3"}],old}].'
    )
    with pytest.raises(OtpError, match="does not say which libraries release FIRST uses"):
        host.remove("SECOND")


def test_another_run_is_waited_for(host: Host) -> None:
    host.run(host.package())
    host.run(second(host))
    with lock(str(host.root / ".lock")), pytest.raises(OtpError, match=f"locked by process {os.getpid()}"):
        host.remove("SECOND", lock_timeout=0.0)
    assert (host.root / "releases/SECOND").is_dir()


def test_releases_forgets_it_before_its_directories_go_and_names_are_flushed(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.run(host.package())
    host.run(second(host))
    calls = FileCalls(monkeypatch)
    host.remove("SECOND")
    renamed = [call[1] for call in calls.named("rename")]
    assert renamed[0] == "RELEASES" and len(renamed) > 1
    last = max(index for index, call in enumerate(calls.done) if call[0] == "rename")
    assert {call[1] for call in calls.done[last:] if call[0] == "flush"} >= {"releases", "lib", "root"}
