# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet to which only signed packages go: two nodes of this machine, a builder whose packages the controller signs, and the ways around a signature.

The check of the inventory refuses a package before any host is asked. Ways around are tried without that check, where the task that brings the package
refuses it. Then the same package goes, signed.
"""

from __future__ import annotations

import functools
import http.server
import json
import os
import shutil
import subprocess
import threading
import typing as t
from pathlib import Path

import pytest
import yaml
from upgrade_site import BIN, Site, bring_exchange
from waiting import LIMIT

from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import checksum
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils.signers import Signers

HOSTS = ("north", "south")
NO_CHECK = ("--skip-tags", "preflight")


class Signed(Site):
    """Its variables allow packages of one signer, whose key the builder's variables name."""

    def __init__(self, directory: Path, signers: Signers) -> None:
        super().__init__(directory, HOSTS)
        self.signers = signers
        self.key = str(signers.directory / "anna")

    def write_inventory(self, release: str, *earlier: str, **more: t.Any) -> None:
        super().write_inventory(release, *earlier, **more)
        inventory = yaml.safe_load(self.inventory.read_text())
        inventory["all"]["vars"] |= {"otp_allowed_signers": str(self.signers.allowed), "otp_revoked_keys": str(self.signers.revoked)}
        inventory["all"]["children"]["otp_builders"]["hosts"]["builder"] |= {"otp_sign_key": self.key}
        self.inventory.write_text(yaml.safe_dump(inventory))

    @property
    def packages(self) -> Path:
        return self.directory / ".packages"

    def state(self) -> t.Any:
        """Of the hosts: what an attempt could change."""
        files = {str(path): path.stat().st_mtime_ns for host in HOSTS for path in Path(self.root(host)).glob("releases/**/*")}
        return self.pids(), files, [sorted(os.listdir(f"{self.root(host)}/lib")) for host in HOSTS]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Signed]:
    """Nodes that run release FIRST, and a signed package of SECOND, with a thin one."""
    signers = Signers(tmp_path_factory.mktemp("keys"))
    site = Signed(tmp_path_factory.mktemp("signed"), signers)
    with site.at_work():
        bring_exchange(site.directory / "exchange-source")
        site.write_inventory("FIRST")
        site.play("deploy")
        site.write_inventory("SECOND", "FIRST")
        site.play("upgrade", "--tags", "build")
        yield site


@pytest.fixture
def package(site: Signed, tmp_path: Path) -> Path:
    """Of SECOND, without a signature."""
    return Path(shutil.copy(site.packages / "exchange-SECOND.tar.gz", tmp_path))


def refused(site: Signed, playbook: str, message: str, *arguments: str, **variables: t.Any) -> str:
    before = site.state()
    said = " ".join(site.play(playbook, *arguments, code=2, **variables).output.split())
    assert message in said, said
    assert site.state() == before
    return said


def test_what_is_built_is_signed_once(site: Signed) -> None:
    names = ["exchange-FIRST.tar.gz", "exchange-SECOND-thin.tar.gz", "exchange-SECOND.tar.gz"]
    assert sorted(path.name for path in site.packages.glob("*.gz")) == names
    signatures = {name: (site.packages / f"{name}.sig").stat().st_ino for name in names}
    assert site.play("upgrade", "--tags", "build").changed == {"builder": 0, "north": 0, "south": 0}
    assert {name: (site.packages / f"{name}.sig").stat().st_ino for name in names} == signatures


def unsigned(dummy: Signers, package: Path) -> str:
    return f"package {package} is not signed: there is no {package}.sig"


def by_another(signers: Signers, package: Path) -> str:
    signers.sign(package, "other")
    return f"package {package} was signed with the key SHA256:"


def revoked(signers: Signers, package: Path) -> str:
    signers.sign(package, "gone")
    return f"package {package} was signed by gone@example.com with the key SHA256:"


def too_late(signers: Signers, package: Path) -> str:
    signers.sign(package, "late")
    return f"package {package} was signed with the key SHA256:"


def by_one_for_something_else(signers: Signers, package: Path) -> str:
    signers.sign(package, "git")
    return f"package {package} was signed with the key SHA256:"


def one_byte(signers: Signers, package: Path) -> str:
    signers.sign(package)
    content = bytearray(package.read_bytes())
    content[-9] ^= 1
    package.write_bytes(content)
    return f"package {package} is not what anna@example.com signed"


def of_another_release(signers: Signers, package: Path) -> str:
    other = package.with_name("other.tar.gz")
    other.write_bytes(b"other")
    signers.sign(other)
    shutil.copy(f"{other}.sig", f"{package}.sig")
    return f"package {package} is not what anna@example.com signed"


def for_something_else(signers: Signers, package: Path) -> str:
    signers.sign(package, namespace="git")
    return f"package {package}: its signature {package}.sig is for another namespace than erlang.otp"


BAD = [unsigned, by_another, revoked, too_late, by_one_for_something_else, one_byte, of_another_release, for_something_else]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.__name__)
def test_a_package_that_is_not_signed_is_refused_by_name(site: Signed, package: Path, bad: t.Callable[[Signers, Path], str]) -> None:
    message = bad(site.signers, package)
    said = refused(site, "upgrade", message, otp_package=str(package), otp_upgrade_to="SECOND")
    # By the check of the inventory, once for the fleet.
    assert f"north, south: {message}" in said


WAYS: dict[str, tuple[str, dict[str, t.Any]]] = {
    "force": ("upgrade", {"otp_force": True, "otp_allow_restart": True}),
    "with its checksum": ("upgrade", {"otp_package_checksum": True}),
    "by a restart": ("upgrade", {"otp_upgrade_method": "restart", "otp_allow_restart": True}),
    "offline": ("upgrade", {"otp_down": "offline"}),
    "in Ansible's own way": ("upgrade", {"otp_stdin_transport": False}),
    "by deploy": ("deploy", {"otp_restart_on_change": True}),
    "an image": ("image", {"otp_destdir": True}),
    "a box": ("provision", {"otp_hosts": "otp"}),
    "as a thin one": ("upgrade", {"otp_package": "exchange-SECOND-thin.tar.gz"}),
}


@pytest.mark.parametrize("way", WAYS)
def test_no_way_around(site: Signed, package: Path, tmp_path: Path, way: str) -> None:
    playbook, variables = WAYS[way]
    if "otp_package" in variables:
        package = Path(shutil.copy(site.packages / variables["otp_package"], tmp_path))
    variables = {**variables, "otp_package": str(package)}
    if playbook == "upgrade":
        variables["otp_upgrade_to"] = "SECOND"
    if "otp_package_checksum" in variables:
        variables["otp_package_checksum"] = checksum(str(package))
    if "otp_destdir" in variables:
        variables["otp_destdir"] = f"{tmp_path}/{{{{ inventory_hostname }}}}"
    if way == "offline":
        site.stop("south")
    try:
        refused(site, playbook, f"package {package} is not signed", *NO_CHECK, **variables)
    finally:
        if way == "offline":
            site.start("south")
    assert not (tmp_path / "north").exists()


def test_a_thin_package_is_signed_itself(site: Signed) -> None:
    """The hosts know its base, so it would be sent in the place of the full one."""
    thin = site.packages / "exchange-SECOND-thin.tar.gz"
    signature = Path(f"{thin}.sig")
    kept = signature.read_bytes()
    given = site.package("SECOND")
    try:
        for bad in (None, "other", "gone"):
            signature.unlink(missing_ok=True)
            if bad:
                site.signers.sign(thin, bad)
            refused(site, "upgrade", f"package {thin} {'was' if bad else 'is not'} signed", *(() if bad else NO_CHECK), **given)
    finally:
        signature.write_bytes(kept)


def test_a_relup_is_made_from_signed_packages(site: Signed) -> None:
    """What is in an earlier package decides what the relup does to a node."""
    first = site.packages / "exchange-FIRST.tar.gz"
    kept = first.read_bytes()
    site.write_inventory("THIRD", "FIRST")
    try:
        first.write_bytes(kept[:-1] + b"\1")
        refused(site, "upgrade", f"package {first} is not what anna@example.com signed")
        assert not list(site.packages.glob("*THIRD*"))
    finally:
        first.write_bytes(kept)
        site.write_inventory("SECOND", "FIRST")


def test_a_builder_has_the_rule_of_the_hosts(site: Signed) -> None:
    """Signers that are those of the group of the hosts only: packages would go to the builder as they are, and a relup be made from them."""
    site.write_inventory("THIRD", "FIRST")
    inventory = yaml.safe_load(site.inventory.read_text())
    rule = {name: inventory["all"]["vars"].pop(name) for name in ("otp_allowed_signers", "otp_revoked_keys")}
    inventory["all"]["children"]["otp"]["vars"] |= rule
    site.inventory.write_text(yaml.safe_dump(inventory))
    for arguments in ((), NO_CHECK):
        refused(site, "upgrade", "otp_allowed_signers is set for north, south, and not for builder", *arguments)
    assert not list(site.packages.glob("*THIRD*"))
    # As the message says, for all.
    inventory["all"]["children"]["otp_builders"]["vars"] = rule
    site.inventory.write_text(yaml.safe_dump(inventory))
    site.play("upgrade", "--tags", "build")
    for path in site.packages.glob("*THIRD*"):
        path.unlink()
    site.write_inventory("SECOND", "FIRST")


def test_what_is_built_without_a_key_is_refused_before_any_host(site: Signed) -> None:
    site.write_inventory("THIRD", "SECOND")
    third = site.packages / "exchange-THIRD.tar.gz"
    refused(site, "upgrade", f"package {third} is not signed", otp_sign_key="")
    site.signers.sign(third, "other")
    refused(site, "upgrade", f"package {third} was signed with the key", otp_sign_key="")
    for path in site.packages.glob("*THIRD*"):
        path.unlink()
    site.write_inventory("SECOND", "FIRST")


def test_a_package_on_the_host_is_refused(site: Signed, package: Path) -> None:
    site.signers.sign(package)
    options = json.dumps({"root": "{{ otp_root }}", "package": str(package), "remote_src": True})
    before = site.state()
    command = [BIN / "ansible", "-i", site.inventory, "otp", "-m", "erlang.otp.otp_release_install", "-a", options]
    done = subprocess.run(command, env=site.environment(), text=True, capture_output=True, timeout=LIMIT, check=False)
    said = " ".join(done.stdout.split())
    assert done.returncode == 2 and said.count("is on the host (remote_src), where its signature is not verified") >= 2, done.stdout + done.stderr
    assert site.state() == before


class Mirror(http.server.SimpleHTTPRequestHandler):
    """Serves a directory; package names that were asked for once are answered with another package."""

    later: t.ClassVar[dict[str, bytes]] = {}
    asked: t.ClassVar[list[str]] = []

    def log_message(self, *dummy: t.Any) -> None:
        pass

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path in self.later and self.asked.count(self.path) > 1:
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.later[self.path])))
            self.end_headers()
            self.wfile.write(self.later[self.path])
        else:
            super().do_GET()


@pytest.fixture
def url(package: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[str]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    Mirror.asked.clear()
    Mirror.later.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Mirror, directory=str(package.parent))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/{package.name}"
        server.shutdown()
        thread.join()


def test_a_mirror(site: Signed, package: Path, url: str) -> None:
    given = {"otp_package": url, "otp_upgrade_to": "SECOND"}
    for arguments in ((), NO_CHECK):
        refused(site, "upgrade", f"package {url} is not signed: there is no {url}.sig", *arguments, **given, otp_package_checksum=checksum(str(package)))
    site.signers.sign(package, "other")
    refused(site, "upgrade", f"package {url} was signed with the key", **given)
    site.signers.sign(package)
    refused(site, "upgrade", "and sha256:" + 64 * "0" + " was expected", *NO_CHECK, **given, otp_package_checksum="sha256:" + 64 * "0")
    # The controller gets what is signed, and the hosts get something else.
    Mirror.asked.clear()
    Mirror.later[f"/{package.name}"] = (site.packages / "exchange-FIRST.tar.gz").read_bytes()
    before = site.pids()
    said = " ".join(site.play("upgrade", code=2, **given).output.split())
    assert f"and {checksum(str(package))[len('sha256:') :]} was expected: it is damaged, or another package" in said
    assert site.pids() == before and not list(Path(site.root("north")).glob("releases/SECOND/*"))


def test_the_signed_package_goes_from_a_mirror_and_as_a_thin_one(site: Signed, package: Path, url: str) -> None:
    site.signers.sign(package)
    pids = site.pids()
    run = site.play("upgrade", "--limit", "north", otp_package=url, otp_upgrade_to="SECOND")
    assert run.rows["north"][:2] + run.rows["north"][-2:] == ["FIRST", "SECOND", "done", "-"]
    # Once for the run, and once for the host.
    assert Mirror.asked == [f"/{package.name}.sig", f"/{package.name}", f"/{package.name}"]
    run = site.play("upgrade")
    assert run.rows["south"][-2] == "done" and site.pids() == pids
    assert '"full"' in Path(site.root("south"), "releases/SECOND/package.json").read_text()
    assert site.ask("south", "version") == "version 2.0"
    # No package is sent.
    assert site.play("rollback").rows["north"][-2] == "done" and site.pids() == pids


def test_a_release_that_is_there_already(site: Signed) -> None:
    """Its package is refused all the same, and verify takes nothing from one that is not signed."""
    for path in site.packages.glob("*.sig"):
        path.unlink()
    refused(site, "upgrade", f"package {site.packages}/exchange-SECOND.tar.gz is not signed", *NO_CHECK, **site.package("SECOND"))
    changed = Path(site.root("south"), "lib/exchange-1.0/ebin/exchange_switch.beam")
    changed.write_bytes(Path(site.root("south"), "lib/exchange-2.0/ebin/exchange_switch.beam").read_bytes())
    before = changed.read_bytes()
    said = refused(site, "verify", "release SECOND is not verified: package", otp_repair=True)
    assert "release FIRST is not verified: package" in said and changed.read_bytes() == before
