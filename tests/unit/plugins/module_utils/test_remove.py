# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release that is to be absent: what goes with it, what stays, and what is refused."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._errors import OtpError
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.install_host import Host, second
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import release_members, tree, write_package


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


def test_absent_keeps_what_clients_use(host: Host) -> None:
    host.run(host.package())
    host.run(second(host))
    for client in ("clients/a", "clients/type/b"):
        (host.root / client / "releases").mkdir(parents=True)
        shutil.copy(host.root / "releases/RELEASES", host.root / client / "releases")
        host.remove("SECOND")
        assert (host.root / "lib/pea-2.0").is_dir() and (host.root / "erts-15.2.7").is_dir()
        shutil.rmtree(host.root / "clients")
        host.run(second(host))


def test_absent_refuses(host: Host) -> None:
    host.run(host.package())
    host.run(second(host))
    for version, keywords, message in (
        ("FIRST", {}, "is permanent: make another one permanent first"),
        ("SECOND", {"name": "OTHER"}, "is one of SYSTEM, not of OTHER"),
        ("..", {}, "is not the version of a release"),
        ("", {}, "is not the version of a release"),
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
