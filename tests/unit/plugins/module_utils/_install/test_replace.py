# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same version with other content.

Rules: it is replaced where it is only unpacked, or has failed; it stays, and what differs is named, where it runs, boots, or may be needed; check mode
tells the same, with the package on another host too; nothing is exchanged below a running system; what is read again is verified again.
"""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._install import replace
from ansible_collections.erlang.otp.plugins.module_utils._install.outcome import PackageNeeded
from ansible_collections.erlang.otp.plugins.module_utils._tree.history import FAILED, append, entry_of, failure_of, read
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree
from ansible_collections.erlang.otp.plugins.plugin_utils._package.facts import contents_of
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.install_host import Host
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import beam, checksum, tree

BEAM = "lib/pea-2.0/ebin/pea.beam"


class Rebuilt(Host):
    """A host with FIRST permanent and SECOND unpacked; and a package of SECOND with other content."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.run(self.package("FIRST"))
        self.second = self.package("SECOND", app_version="2.0")
        self.run(self.second)
        self.other = self.package("SECOND", app_version="2.0", more={BEAM: b"other", "lib/pea-2.0/priv/more": b"more"})
        self.tree = Tree(str(self.root))

    def fail(self) -> None:
        append(self.tree, entry_of("verify", "SECOND", outcome=FAILED, reason="ill"))


@pytest.fixture
def host(tmp_path: Path) -> Rebuilt:
    return Rebuilt(tmp_path)


def test_what_was_only_unpacked_is_replaced(host: Rebuilt) -> None:
    before = tree(host.root)
    predicted = host.run(host.other, check=True)
    assert tree(host.root) == before
    said = host.actions
    result = host.run(host.other)
    assert (predicted["release"], predicted["status"], predicted["sha256"]) == (result["release"], result["status"], result["sha256"])
    assert any("remove release SECOND" in action for action in said) and any("install release SYSTEM SECOND" in action for action in said)
    assert host.read(BEAM) == b"other" and host.statuses() == {"FIRST": "permanent", "SECOND": "unpacked"}
    host.run(None, checksum=checksum(host.other))
    assert host.actions == []
    # And back, as a file that only the other one had must not stay.
    host.run(host.second)
    assert not (host.root / "lib/pea-2.0/priv/more").exists()


@pytest.mark.parametrize("version", ["FIRST", "SECOND"])
def test_what_boots_stays_and_what_differs_is_named(host: Rebuilt, version: str) -> None:
    if version == "SECOND":
        host.run(host.second, state="permanent")
    number = "1.0" if version == "FIRST" else "2.0"
    more = {f"lib/pea-{number}/ebin/pea.beam": b"other", f"releases/{version}/start.boot": b"other"}
    other = host.package(version, app_version=number, more=more)
    message = f"has another releases/{version}, lib/pea-{number} than"
    for check in (True, False):
        host.refuses(other, message, check=check)
        host.refuses(other, f"Release {version} runs or boots here, so it is not replaced.", check=check)


def test_a_relup_is_that_of_the_last_package(host: Rebuilt) -> None:
    """It leads to the release, and is not a part of it; so also where the release boots."""
    relups = [{f"releases/SECOND/{name}": content for name in ("relup", "relup.json")} for content in (b"from FIRST", b"from FIRST and ZEROTH")]
    packages = [host.second, *(host.package("SECOND", app_version="2.0", more=more) for more in relups)]
    host.run(host.second, state="permanent")
    for package, content in [*zip(packages[1:], (b"from FIRST", b"from FIRST and ZEROTH")), (packages[1], b"from FIRST")]:
        host.run(package, check=True)
        said = host.actions
        host.run(package)
        assert said == host.actions != []
        assert host.read("releases/SECOND/relup") == host.read("releases/SECOND/relup.json") == content
        host.run(None, checksum=checksum(package))
        assert host.actions == [] and host.statuses()["SECOND"] == "permanent"


def test_what_has_run_stays_unless_it_failed(host: Rebuilt) -> None:
    host.run(host.second, state="permanent")
    host.run(host.package("THIRD", app_version="3.0"), state="permanent")
    host.refuses(host.other, "Release SECOND has run here, and a rollback may need it")
    host.fail()
    host.run(host.other)
    assert host.read(BEAM) == b"other"
    # Only the other content has failed.
    assert failure_of(read(host.tree), "SECOND") is None


def test_what_another_release_uses_stays(host: Rebuilt) -> None:
    host.run(host.package("THIRD", app_version="2.0"))
    host.refuses(host.other, "Release SECOND shares lib/pea-2.0 with other releases")
    # A library of another release is refused as ever.
    host.refuses(host.package("FOURTH", app_version="2.0", more={BEAM: b"other"}), "has another lib/pea-2.0 than")


def test_nothing_is_exchanged_below_a_system_that_runs(host: Rebuilt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replace, "emulators", lambda _tree: [os.getpid()])
    host.refuses(host.other, "upgrade the node to it, which replaces it, or stop the node")


def test_a_package_that_changes_between_its_two_readings_is_refused(host: Rebuilt, monkeypatch: pytest.MonkeyPatch) -> None:
    os.chmod(host.other, 0o666)
    changed, make_way = Path(host.second).read_bytes(), replace.make_way

    def exchange(*arguments: t.Any, **options: t.Any) -> None:
        make_way(*arguments, **options)
        Path(host.other).write_bytes(changed)

    monkeypatch.setattr(replace, "make_way", exchange)
    with pytest.raises(OtpError, match="changed while it was read"):
        host.run(host.other)
    assert host.statuses() == {"FIRST": "permanent"}


def test_check_mode_with_the_package_elsewhere(host: Rebuilt) -> None:
    facts = contents_of(host.other)
    known = {"checksum": checksum(host.other), "check": True}
    with pytest.raises(PackageNeeded):
        host.run(None, **known, release={name: facts[name] for name in facts if name != "digests"})
    host.run(None, **known, release=facts)
    assert any("remove release SECOND" in action for action in host.actions)
    host.run(host.second, state="permanent")
    host.refuses(None, "has another lib/pea-2.0 than", **known, release=facts)
    # The same content in another package.
    host.run(None, checksum="sha256:" + "0" * 64, check=True, release=contents_of(host.second))
    assert not any("remove" in action for action in host.actions)


def test_check_mode_finds_other_files_of_the_release(host: Rebuilt) -> None:
    host.run(host.second, state="permanent")
    of_the_way = ("releases/SECOND/relup", "releases/SECOND/relup.json", "lib/pea-2.0/ebin/pea.appup")
    facts = contents_of(host.package("SECOND", app_version="2.0", more=dict.fromkeys(of_the_way, b'{"SECOND",[],[]}.\n')))
    # Of the host.
    facts["digests"]["releases/SECOND/sys.config"] = "0" * 64
    known = {"checksum": "sha256:" + "0" * 64, "check": True, "release": facts}
    host.run(None, **known)
    facts["digests"]["releases/SECOND/more"] = "0" * 64
    with pytest.raises(OtpError, match="another releases/SECOND than .* there, releases/SECOND/more is missing"):
        host.run(None, **known)


def test_the_same_code_from_another_checkout_is_the_same(tmp_path: Path) -> None:
    """As a system that was unpacked by hand has it, or one that OTP's own target_system has made."""
    host = Host(tmp_path)
    of_release, appup, boot = "releases/FIRST/consolidated/x.beam", "lib/pea-1.0/ebin/pea.appup", "releases/FIRST/start_clean.boot"

    def package(place: bytes, **more: bytes) -> str:
        module = beam(AtU8=b"pea", Code=b"1", CInf=place)
        return host.package("FIRST", more={"lib/pea-1.0/ebin/pea.beam": module, of_release: module, "erts-13.1.5/bin/erl": place, **more})

    host.run(package(b"/home/a", **{appup: b"appup"}))
    host.run(package(b"/home/a", **{appup: b"corrected"}))
    assert host.read(appup) == b"appup"
    for made in ("releases/FIRST/package.json", "releases/FIRST/start_clean.boot", appup):
        (host.root / made).unlink()
    content, files = host.read("lib/pea-1.0/ebin/pea.beam"), {*tree(host.root)}
    other = package(b"/home/b", **{appup: b"appup", boot: b"clean"})
    host.run(None, checksum=checksum(other), release=contents_of(other), check=True)
    host.run(other)
    assert host.read("lib/pea-1.0/ebin/pea.beam") == content and {Path(path).name for path in {*tree(host.root)} - files} == {"package.json"}
    with pytest.raises(OtpError, match="there, lib/pea-1.0/priv/run.sh differs"):
        host.run(package(b"/home/a", **{"lib/pea-1.0/priv/run.sh": b"other"}))
