# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Systems that were unpacked by hand and started by their own scripts, of rebar3, of mix and of OTP's own systools, taken over while they run.

The tests are in the order of the guide "Taking over what runs", whose playbooks they run.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml
from test_packages import Packages
from upgrade_site import Run
from waiting import LIMIT, wait_until

from ansible_collections.erlang.otp.plugins.module_utils._build.applications import RequestedApplication
from ansible_collections.erlang.otp.plugins.module_utils._build.build import build_release
from ansible_collections.erlang.otp.plugins.module_utils._build.inputs import Options
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _node
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator

HOSTS = ("tele", "shop", "plain")
COOKIE = "tele_cookie"
GUIDE = Path(__file__).parents[2] / "docs/docsite/rst/guide_take_over.rst"
CHANGED = re.compile(r"^changed: \[(\w+)\] => (\{.*\})$", re.MULTILINE)


class ByHand(Packages):
    """Hosts with systems that nothing of the collection has made. Each has the cookie of relx's template, which is in its vm.args."""

    def write(self) -> None:
        self.hosts = (*HOSTS, "conf")
        super().write()
        self.hosts = HOSTS
        inventory = yaml.safe_load(self.inventory.read_text())
        del inventory["otp"]["hosts"]["conf"]
        inventory["otp"]["hosts"]["plain"] = {"otp_root": self.root("plain"), "otp_package": f"{self.directory}/plain/plain.tar.gz", "otp_node_name": "plain"}
        self.inventory.write_text(yaml.safe_dump(inventory))

    def environment_by_hand(self) -> dict[str, str]:
        home = self.directory / "by-hand"
        return {**os.environ, "HOME": str(home), "ERL_EPMD_PORT": str(self.epmd_port), "RELEASE_COOKIE": COOKIE, "HEART_COMMAND": "false"}

    def run(self, *command: str) -> None:
        said = subprocess.run(command, env=self.environment_by_hand(), cwd=self.directory, text=True, capture_output=True, timeout=LIMIT, check=False)
        assert said.returncode == 0, said.stdout + said.stderr

    def unpack(self, host: str, package: str) -> None:
        Path(self.root(host)).mkdir(exist_ok=True)
        self.run("tar", "xzf", package, "-C", self.root(host))

    def make_plain(self) -> None:
        """A release of OTP's own applications: by systools for the host, in which there is neither an appup nor bin, and by the collection."""
        built = self.directory / "plain"
        (self.directory / "of-otp").mkdir()
        applications = tuple(map(RequestedApplication, ("kernel", "stdlib", "sasl")))
        build_release(Options(str(built), name="plain", version="1", applications=applications, sys_config="[].\n"), Changes())
        for name in ("plain.rel", "plain.tar.gz"):
            shutil.copy(built / name, self.directory / "of-otp")
        os.rename(self.directory / "of-otp/plain.tar.gz", self.directory / "plain.tar.gz")
        (self.directory / "of-otp/sys.config").write_text("[].\n")
        make = 'ok = systools:make_script("plain"), ok = systools:make_tar("plain", [{erts, code:root_dir()}]), halt().'
        subprocess.run(["erl", "-noshell", "-eval", make], cwd=self.directory / "of-otp", check=True, capture_output=True, timeout=LIMIT)

    def start_by_hand(self) -> None:
        (self.directory / "by-hand").mkdir()
        for host in ("tele", "shop"):
            self.unpack(host, f"{host}-0.1.0.tar.gz")
            self.run(f"{self.root(host)}/bin/{host}", "daemon")
        self.unpack("plain", "of-otp/plain.tar.gz")
        (erts,) = Path(self.root("plain")).glob("erts-*")
        Path(self.root("plain"), "releases/start_erl.data").write_text(f"{erts.name[len('erts-') :]} 1")
        releases = f"{self.root('plain')}/releases/1"
        flags = ("-heart", "-sname", "plain", "-setcookie", COOKIE, "-boot", f"{releases}/start", "-config", f"{releases}/sys", "-noinput")
        places = {"ROOTDIR": self.root("plain"), "BINDIR": f"{erts}/bin", "EMU": "beam", "PROGNAME": "erl"}
        nothing = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.Popen([erts / "bin/erlexec", *flags], env={**self.environment_by_hand(), **places}, start_new_session=True, **nothing)
        for host in HOSTS:
            wait_until(lambda host=host: self.answers(host), f"{host} has started")

    def answers(self, host: str) -> bool:
        try:
            return _node.ask(self.node(host), cookie=COOKIE).status == "started"
        except _node.NoAnswer:
            return False

    def node(self, host: str) -> _node.Node:
        return super().node(host)._replace(name=host)

    def actions(self, run: Run) -> dict[str, list[str]]:
        """What the module says that it does, or would do."""
        return {host: json.loads(result)["actions"] for host, result in CHANGED.findall(run.output)}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, template_packages: Path) -> t.Iterator[ByHand]:
    site = ByHand(tmp_path_factory.mktemp("by-hand"), HOSTS)
    site.cookie = COOKIE
    site.write()
    # The hosts share it, and what one of them has made no other one makes.
    (site.directory / "home").mkdir(0o750)
    (site.directory / "home/.erlang.cookie").write_text(COOKIE)
    (site.directory / "home/.erlang.cookie").chmod(0o400)
    for package in template_packages.glob("*.tar.gz"):
        shutil.copy(package, site.directory)
    site.make_plain()
    with site.at_work():
        site.start_by_hand()
        yield site


@pytest.fixture(scope="module")
def pids(site: ByHand) -> dict[str, int | None]:
    return site.pids()


def test_the_guide_has_these_commands() -> None:
    text = GUIDE.read_text()
    for command in ("deploy -i hosts.yml --check --diff", "deploy -i hosts.yml\n", "status", "upgrade", "restart"):
        assert f"$ ansible-playbook erlang.otp.{command}" in text


def test_another_cookie_is_refused_and_nothing_is_changed(site: ByHand, pids: dict[str, int | None]) -> None:
    run = site.play("deploy", "--limit", "tele", code=2, v="0.1.0", otp_cookie="another")
    said = " ".join(run.output.split())
    assert f"It was started with -sname tele, and does not answer as tele: The node tele@{os.uname().nodename} refuses the cookie" in said
    assert f"which is in {site.root('tele')}/releases/0.1.0/vm.args" in said and site.pids() == pids
    assert not Path(site.root("tele"), "releases/0.1.0/package.json").exists() and not Path(site.root("tele"), "run").exists()


def test_taken_over_as_check_mode_has_said(site: ByHand, pids: dict[str, int | None]) -> None:
    said = site.actions(site.play("deploy", "--check", "--diff", "-v", v="0.1.0"))
    assert not any(Path(site.root(host), "run/emulator.pid").exists() for host in HOSTS)
    run = site.play("deploy", "-v", v="0.1.0")
    assert said.keys() == {*HOSTS} and site.pids() == pids
    for host in HOSTS:
        # A directory in the package is one of its files.
        foretold, done = ([action for action in actions[host] if not action.endswith("/log")] for actions in (said, site.actions(run)))
        assert foretold == done, "\n".join(("", *foretold, "", *done))
    # relx has a RELEASES in its package.
    assert {host for host in HOSTS if any(action.startswith("restart release_handler") for action in said[host])} == {"shop", "plain"}
    assert {host for host in HOSTS if any(action.startswith("have heart of the node") for action in said[host])} == {"plain"}
    for host in HOSTS:
        assert run.rows[host][4] == f"running, pid {pids[host]}" and site.script(host, "pid") == (0, str(pids[host]))
        (known,) = _node.ask(site.node(host)).releases
        assert known.status == "permanent" and any(library.startswith("kernel-") for library in known.libraries)
    assert "tele: it runs without heart until its next restart" in run.output and "plain: it runs without heart" not in run.output
    # A second emulator would have the name of the first.
    assert site.script("tele", "start")[0] == 1


def test_managed_from_then_on(site: ByHand, pids: dict[str, int | None]) -> None:
    assert site.play("deploy", v="0.1.0").changed == dict.fromkeys(HOSTS, 0)
    run = site.play("status", v="0.1.0")
    assert [run.rows[host][2] for host in HOSTS] == ["0.1.0", "0.1.0", "1"] and site.pids() == pids
    assert '"shop, tele: the node runs without heart, which bin/start' in run.output


def test_heart_starts_it_by_bin_start(site: ByHand, pids: dict[str, int | None]) -> None:
    site.kill("plain")
    assert site.variables_of("plain")["START_ERL_DATA"] == f"{site.root('plain')}/releases/start_erl.data"
    assert "-setcookie" not in Path(f"/proc/{find_emulator(site.root('plain'))}/cmdline").read_text()


def test_the_next_upgrade_is_hot(site: ByHand, pids: dict[str, int | None]) -> None:
    run = site.play("upgrade", "--limit", "tele,shop", v="0.2.0", otp_upgrade_to="0.2.0", otp_serial="100%")
    assert [run.rows[host][-2:] for host in ("tele", "shop")] == [["done", "-"]] * 2
    assert site.call("tele", "tele_app", "hello") == site.call("shop", "Elixir.Shop", "hello") == Atom("moon")
    for host in ("tele", "shop"):
        site.apply(host, "0.1.0", "absent")
        assert find_emulator(site.root(host)) == pids[host] and site.releases(host) == {("0.2.0", "permanent")}
        assert not Path(site.root(host), f"lib/{host}-0.1.0").exists() and list(Path(site.root(host), "lib").glob("kernel-*"))


def test_restarted_under_heart(site: ByHand, pids: dict[str, int | None]) -> None:
    assert site.play("restart", "--limit", "tele,shop", v="0.2.0", otp_serial="100%").rows["tele"][-2] == "done"
    for host in ("tele", "shop"):
        assert find_emulator(site.root(host)) != pids[host] and _node.ask(site.node(host)).heart
