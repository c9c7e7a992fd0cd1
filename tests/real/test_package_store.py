# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A controller without memory: each job has a fresh checkout, and takes from the package store what an earlier one has built and signed.

The tests are in the order of the life of one node: from a directory to SECOND, from a web server to THIRD.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from ssh_host import ssh_host
from upgrade_site import BIN, Site, bring_exchange
from waiting import LIMIT

from ansible_collections.erlang.otp.plugins.module_utils._package.read import read_upgrade_paths
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils.package_server import Server
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils.signers import Signers

TOKEN = "c0ffee-of-the-store"
NAMES = ["exchange-{0}.cdx.json", "exchange-{0}.cdx.json.sig", "exchange-{0}.tar.gz", "exchange-{0}.tar.gz.sig"]


class Jobs(Site):
    """The inventory is in a checkout, which the next job does not have. store: the variables of the package store."""

    def __init__(self, directory: Path, signers: Signers) -> None:
        super().__init__(directory, ["north"])
        self.signers = signers
        self.store: dict[str, t.Any] = {}

    @property
    def checkout(self) -> Path:
        return self.directory / "checkout"

    @property
    def inventory(self) -> Path:
        return self.checkout / "inventory.yml"

    @property
    def packages(self) -> Path:
        return self.checkout / ".packages"

    def next_job(self, release: str) -> None:
        """A fresh checkout, in which the builder makes the release."""
        shutil.rmtree(self.checkout, ignore_errors=True)
        self.checkout.mkdir()
        self.write_inventory(release)
        inventory = yaml.safe_load(self.inventory.read_text())
        signers = {"otp_allowed_signers": str(self.signers.allowed), "otp_revoked_keys": str(self.signers.revoked)}
        inventory["all"]["vars"] |= {**self.store, **signers}
        here = {"otp_sign_key": str(self.signers.directory / "anna"), "otp_sbom": True, "otp_build_dir": f"{self.checkout}/build"}
        inventory["all"]["children"]["otp_builders"]["hosts"]["builder"] |= here
        self.inventory.write_text(yaml.safe_dump(inventory))

    def play(self, playbook: str, *arguments: str, **more: t.Any) -> t.Any:
        run = super().play(playbook, *arguments, **more)
        assert TOKEN not in run.output
        return run

    def refused(self, playbook: str, *arguments: str, **variables: t.Any) -> str:
        """What is said, while nothing changes."""
        before = self.pids(), self.releases("north")
        said = " ".join(self.play(playbook, *arguments, code=2, **variables).output.split())
        assert (self.pids(), self.releases("north")) == before
        return said


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Jobs]:
    """A node that runs FIRST, which a job has built that is gone."""
    site = Jobs(tmp_path_factory.mktemp("jobs"), Signers(tmp_path_factory.mktemp("keys")))
    store = tmp_path_factory.mktemp("store")
    site.store = {"otp_package_store": str(store)}
    with site.at_work():
        bring_exchange(site.directory / "exchange-source")
        site.next_job("FIRST")
        site.play("deploy")
        yield site


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("web"), f"Bearer {TOKEN}")
    with server.at_work():
        yield server


def stored(directory: Path, release: str) -> list[str]:
    """The names of the files of the package, each of which is below the digits that sha256sum says."""
    files = [*(directory / f"exchange-{release}").glob("*/*")]
    said = subprocess.run(["sha256sum", *files], check=True, capture_output=True, text=True, timeout=LIMIT).stdout
    assert [line[:12] for line in said.splitlines()] == [path.parent.name for path in files]
    return sorted(path.name for path in files)


def upgraded(site: Jobs, before: str, after: str, *arguments: str) -> None:
    """The node goes without a restart, by a relup from the package of an earlier job."""
    pids, calls = site.pids(), site.ask("north", "calls")
    run = site.play("upgrade", *arguments)
    assert run.rows["north"][:2] + run.rows["north"][-2:] == [before, after, "done", "-"]
    assert site.pids() == pids and site.ask("north", "calls") == calls
    assert {*read_upgrade_paths(str(site.packages / f"exchange-{after}.tar.gz"))[1]} == {before}


def test_a_directory(site: Jobs) -> None:
    store = Path(site.store["otp_package_store"])
    assert stored(store, "FIRST") == [name.format("FIRST") for name in NAMES]
    site.next_job("SECOND")
    upgraded(site, "FIRST", "SECOND")
    assert {path.name for path in site.packages.glob("exchange-FIRST.*")} == {name.format("FIRST") for name in NAMES}
    # The next job builds the same, and finds it there.
    before = {path: path.stat().st_mtime_ns for path in store.glob("**/*")}
    site.next_job("SECOND")
    site.play("deploy", "--tags", "build")
    assert {path: path.stat().st_mtime_ns for path in store.glob("**/*")} == before


def test_a_web_server_with_a_credential(site: Jobs, server: Server) -> None:
    """Packages move there from the directory, by hand; then only the server is left."""
    shutil.rmtree(site.store["otp_package_store"])
    site.store = {"otp_package_store": server.url, "otp_package_store_options": {"headers": {"Authorization": server.credential}}}
    arguments = {
        "store": server.url,
        "url_options": site.store["otp_package_store_options"],
        "directory": str(site.packages),
        "put": ["exchange-SECOND.tar.gz"],
    }
    module = [site.programs / "ansible", "localhost", "-m", "erlang.otp.otp_package_store", "-a", json.dumps(arguments)]
    said = subprocess.run(module, env=site.environment(), check=True, capture_output=True, text=True, timeout=LIMIT).stdout
    assert '"put": [\n        "exchange-SECOND.tar.gz"' in said and TOKEN not in said
    assert stored(server.directory, "SECOND") == [name.format("SECOND") for name in NAMES]
    # One byte of the package from which the relup is made.
    site.next_job("THIRD")
    (package,) = server.directory.glob("exchange-SECOND/*/exchange-SECOND.tar.gz")
    content = package.read_bytes()
    package.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    said = site.refused("upgrade")
    assert f"/exchange-SECOND/{package.parent.name}/exchange-SECOND.tar.gz is not what was put there: its sha256 is " in said
    assert not (server.directory / "exchange-THIRD").exists()
    package.write_bytes(content)
    upgraded(site, "SECOND", "THIRD", "-vvv")
    assert {credential for _method, _path, credential in server.asked} == {server.credential}
    assert stored(server.directory, "THIRD") == [name.format("THIRD") for name in NAMES]


def test_a_job_that_builds_nothing(site: Jobs) -> None:
    """A slice of a fleet takes the package by its name; and verify takes those of what is installed."""
    site.next_job("THIRD")
    given = {"otp_package": str(site.packages / "exchange-THIRD.tar.gz"), "otp_upgrade_to": "THIRD"}
    run = site.play("upgrade", "--limit", "north", **given)
    assert run.changed == {"north": 1} and sorted(path.name for path in site.packages.glob("*")) == [name.format("THIRD") for name in NAMES]
    site.next_job("THIRD")
    site.play("verify")
    assert {path.name for path in site.packages.glob("*.gz")} == {"exchange-SECOND.tar.gz", "exchange-THIRD.tar.gz"}
    site.next_job("THIRD")
    back = site.play("rollback")
    assert back.rows["north"][:2] + back.rows["north"][-2:] == ["THIRD", "SECOND", "done", "-"] and not site.packages.exists()


@pytest.mark.full
def test_another_host(tmp_path: Path) -> None:
    """By SSH, as the user who logs in, whatever ansible_become says. Of two builds of one version with other content the second one is refused by name."""
    with ssh_host() as host:
        store = host.directory / "store"
        store.mkdir()
        shutil.chown(store, host.login)
        builder = {
            "otp_release_name": "exchange",
            "otp_release_version": "FIRST",
            "otp_release_applications": ["sasl"],
            "otp_release_erts": "false",
            "otp_build_dir": f"{tmp_path}/checkout/build",
            "otp_package_store": f"ssh://depot{store}",
        }
        hosts = {"depot": host.variables(), "builder": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, **builder}}

        def job(**more: t.Any) -> subprocess.CompletedProcess[str]:
            shutil.rmtree(tmp_path / "checkout", ignore_errors=True)
            (tmp_path / "checkout").mkdir()
            (tmp_path / "checkout/inventory.json").write_text(json.dumps({"all": {"hosts": hosts}}))
            (tmp_path / "checkout/build.yml").write_text("[{hosts: builder, gather_facts: false, roles: [{role: erlang.otp.release}]}]")
            command = [BIN / "ansible-playbook", "-i", tmp_path / "checkout/inventory.json", tmp_path / "checkout/build.yml", "-e", json.dumps(more)]
            return subprocess.run(command, env=os.environ, cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT, check=False)

        built = job()
        assert built.returncode == 0, built.stdout + built.stderr
        assert stored(store, "FIRST") == ["exchange-FIRST.tar.gz"]
        before = {path: (path.stat().st_ino, path.owner()) for path in store.glob("**/*")}
        assert {owner for _inode, owner in before.values()} == {host.login}
        found = job()
        assert found.returncode == 0 and (tmp_path / "checkout/.packages/exchange-FIRST.tar.gz").exists(), found.stdout
        refused = job(otp_release_sys_config="[{sasl, [{errlog_type, error}]}].\n")
        said = " ".join(refused.stdout.split() + refused.stderr.split())
        assert refused.returncode != 0 and "release exchange FIRST has been built before, with other content" in said and "sys.config" in said, said
        assert {path: (path.stat().st_ino, path.owner()) for path in store.glob("**/*")} == before
