# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages of rebar3 and mix, as their templates make them: deployed, killed, upgraded by a restart, rolled back, upgraded while they run, removed.

The tests are in the order of the life of three systems, which they share. The inventory has no name of a node.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml
from upgrade_site import Run, Site
from waiting import LIMIT, wait_until

from ansible_collections.erlang.otp.plugins.module_utils._build.applications import RequestedApplication
from ansible_collections.erlang.otp.plugins.module_utils._build.inputs import Options, read_sources
from ansible_collections.erlang.otp.plugins.module_utils._build.otp import find_otp
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._handler.local import apply_local
from ansible_collections.erlang.otp.plugins.module_utils._handler.request import HandlerError, Request
from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _node
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress, connect
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import evaluate
from ansible_collections.erlang.otp.plugins.module_utils._node.verify import Check
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom
from ansible_collections.erlang.otp.plugins.module_utils._tree.previous import Previous
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator
from ansible_collections.erlang.otp.plugins.module_utils._tree.resolved_config import put_in_place
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

HOSTS = ("tele", "shop", "conf")
SECRET = "a very private value"
# A process that calls the application as often as it can, and counts.
CALLER = """
Loop = fun Again(Calls, Unset, Failed) ->
    receive {count, From} -> From ! {counted, Calls, Unset, Failed} after 0 -> ok end,
    case catch 'Elixir.Conf':answer() of
        {'EXIT', Reason} -> Again(Calls + 1, Unset, [Reason | lists:sublist(Failed, 4)]);
        unset -> Again(Calls + 1, Unset + 1, Failed);
        _ -> Again(Calls + 1, Unset, Failed)
    end
end,
true = erlang:register(caller, erlang:spawn(fun() -> Loop(0, 0, []) end)),
ok.
"""
COUNT = "caller ! {count, self()}, receive {counted, Calls, Unset, Failed} -> exit(whereis(caller), kill), {Calls, Unset, Failed} end."


class Packages(Site):
    """Hosts with the names of their releases, and of their nodes."""

    def node(self, host: str) -> _node.Node:
        return super().node(host)._replace(name=host)

    def write(self) -> None:
        """An inventory with what a newcomer has to give."""
        hosts = {host: {"otp_root": self.root(host), "otp_package": f"{self.directory}/{host}-{{{{ v }}}}.tar.gz"} for host in self.hosts}
        hosts["conf"]["otp_environment_secrets"] = {"CONF_SECRET": SECRET}
        everywhere = {"otp_user": "root", "otp_home": f"{self.directory}/home", "otp_cookie": self.cookie}
        guards = {name: int(LIMIT) for name in ("otp_start_timeout", "otp_restart_timeout", "otp_upgrade_timeout")}
        everywhere |= {"otp_environment": {"ERL_EPMD_PORT": self.epmd_port}, "otp_service_manager": "none", **guards}
        connection = {"ansible_connection": "local", "ansible_python_interpreter": str(self.programs / "python")}
        self.inventory.write_text(yaml.safe_dump({"otp": {"hosts": hosts, "vars": {**connection, **everywhere}}}))

    def address(self, host: str) -> NodeAddress:
        return NodeAddress(node=host, cookie_file=f"{self.directory}/home/.erlang.cookie", epmd_port=self.epmd_port)

    def variables_of(self, host: str) -> dict[str, str]:
        """That of the emulator which runs."""
        text = Path(f"/proc/{find_emulator(self.root(host))}/environ").read_text()
        return dict(line.partition("=")[::2] for line in text.split("\0"))

    def kill(self, host: str) -> None:
        """Kill the emulator, and wait until heart has started another one, which has booted."""
        pid = find_emulator(self.root(host))
        assert pid
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: find_emulator(self.root(host)) not in (None, pid), "heart has started the emulator again")
        _node.wait_until_answering(self.node(host), timeout=LIMIT)

    def apply(self, host: str, release: str, state: str, **options: t.Any) -> dict[str, t.Any]:
        return apply_local(Request(root=self.root(host), release=release, state=state, address=self.address(host), **options), Changes())

    def evaluate(self, text: str) -> t.Any:
        """The value of Erlang expressions in the node conf."""
        with connect(self.address("conf"), timeout=LIMIT) as node:
            return evaluate(node, text, timeout=LIMIT)

    def environments(self) -> dict[str, list[t.Any]]:
        """What conf's applications are configured with. kernel adds to its own when it boots."""
        return {name: sorted(self.call("conf", "application", "get_all_env", Atom(name)), key=repr) for name in ("conf", "elixir", "logger", "sasl")}

    def settings(self) -> dict[str, t.Any]:
        """What runtime.exs of conf has read, and what was built."""
        return {key.name: value for key, value in self.call("conf", "application", "get_all_env", Atom("conf"))}

    def told(self) -> t.Any:
        """What config_change/3 of conf was told last."""
        return self.call("conf", "Elixir.Conf", "told")

    def set_variable(self, name: str, value: str | None) -> None:
        """As deploy changes otp_environment."""
        path = Path(self.root("conf"), "bin/environment")
        Previous(Tree(self.root("conf"))).keep(str(path))
        lines = [line for line in path.read_text().splitlines() if not line.startswith(f"{name}=")]
        path.write_text("".join(f"{line}\n" for line in sorted([*lines, *([] if value is None else [f"{name}={value}"])])))

    def files_with_secrets(self) -> set[str]:
        """Those of conf. Only its user can read them."""
        root = Path(self.root("conf"))
        # Elixir writes a binary as its bytes.
        forms = (SECRET.encode(), ",".join(map(str, SECRET.encode())).encode())
        found = {path: path.read_bytes() for path in root.rglob("*") if stat.S_ISREG(path.lstat().st_mode)}
        having = [path for path, text in found.items() if any(form in re.sub(rb"[\n ]", b"", text) or form in text for form in forms)]
        assert all(path.stat().st_mode & 0o077 == 0 for path in having)
        return {str(path.relative_to(root)) for path in having}

    def script(self, host: str, verb: str) -> tuple[int, str]:
        """What bin/NAME answers."""
        said = subprocess.run([f"{self.root(host)}/bin/{host}", verb], text=True, capture_output=True, timeout=LIMIT, check=False)
        return said.returncode, said.stdout.strip()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, template_packages: Path) -> t.Iterator[Packages]:
    site = Packages(tmp_path_factory.mktemp("packages"), HOSTS)
    for package in template_packages.glob("*.tar.gz"):
        shutil.copy(package, site.directory)
    site.write()
    with site.at_work():
        yield site


@pytest.fixture(scope="module")
def foretold(site: Packages) -> Run:
    return site.play("deploy", "--check", "-v", v="0.1.0")


@pytest.fixture(scope="module")
def deployed(site: Packages, foretold: Run) -> Run:
    return site.play("deploy", "-v", v="0.1.0")


def actions(run: Run, host: str) -> list[str]:
    """What is done on the host, but for the directory that all hosts of this test share."""
    (result,) = re.findall(rf"^changed: \[{host}\] => ({{.*}})$", run.output, re.MULTILINE)
    return [sentence for sentence in json.loads(result)["actions"] if "/home" not in sentence]


def test_check_mode_says_what_the_run_does(foretold: Run, deployed: Run) -> None:
    assert not [host for host in HOSTS if actions(foretold, host) != actions(deployed, host)]
    assert len([sentence for sentence in actions(deployed, "tele") if sentence.startswith("keep ")]) == 2


def test_deployed_as_they_are(site: Packages, deployed: Run) -> None:
    assert deployed.changed == {"tele": 1, "shop": 1, "conf": 1}
    assert "has -sname tele, which the variables of this host decide" in deployed.output.replace("\n", " ")
    assert site.play("deploy", v="0.1.0").changed == {"tele": 0, "shop": 0, "conf": 0}
    rows = site.play("status", v="0.1.0").rows
    for host in HOSTS:
        assert rows[host][0] == "running" and rows[host][1].endswith("0.1.0") and rows[host][-1].startswith(f"{host}@")
    # Embedded mode: all modules are loaded, and Elixir's protocols are the consolidated ones.
    for host in HOSTS:
        assert site.call(host, "code", "get_mode") == Atom("embedded")


def test_what_mix_has_compiled_is_not_built_again(site: Packages, deployed: Run, template_packages: Path, tmp_path: Path) -> None:
    """Its protocols belong to no application. mix has them in its package."""
    paths = (f"{template_packages}/shop/_build/prod/lib/shop/ebin", "/usr/lib/elixir/lib/*/ebin")
    applications = (RequestedApplication("sasl"), RequestedApplication("shop"))
    options = Options(output_dir=str(tmp_path), name="shop", version="1", applications=applications, code_path=paths)
    with pytest.raises(OtpError, match="prod/lib/shop is what mix has compiled.* Have mix make the package"):
        read_sources(options, find_otp(None))
    # The way out: mix has made the package that runs.
    assert site.call("shop", "Elixir.Shop", "hello") == Atom("world")
    assert "/releases/0.1.0/consolidated/" in site.call("shop", "code", "which", Atom("Elixir.Enumerable"))


def test_scripts(site: Packages, deployed: Run) -> None:
    for host in HOSTS:
        pid = find_emulator(site.root(host))
        assert site.script(host, "status") == (0, f"running, pid {pid}, release 0.1.0 is permanent")
        assert site.script(host, "ping") == (0, "pong") and site.script(host, "pid") == (0, str(pid))
        assert site.script(host, "versions") == (0, "0.1.0 permanent")
        # That of the package is kept, and is not a program.
        assert not os.access(f"{site.root(host)}/bin/{host}.orig", os.X_OK)
        said = subprocess.run([f"{site.root(host)}/bin/erl", "-noshell", "-eval", "halt(3)."], timeout=LIMIT, check=False)
        assert said.returncode == 3
    assert {path.name for path in Path(site.root("tele"), "bin").glob("tele*")} == {"tele", "tele.orig", "tele-0.1.0.orig"}


def test_config_providers_run_at_each_start(site: Packages, deployed: Run) -> None:
    site.kill("conf")
    assert site.settings() == {"built": Atom("true"), "secret": SECRET.encode(), "level": b"low"}


def test_upgraded_by_a_restart(site: Packages, deployed: Run) -> None:
    run = site.play("upgrade", v="0.2.0", otp_upgrade_to="0.2.0", otp_upgrade_method="restart", otp_serial="100%")
    assert [run.rows[host][-2] for host in HOSTS] == ["done"] * 3
    assert site.call("tele", "tele_app", "hello") == site.call("shop", "Elixir.Shop", "hello") == Atom("moon")
    assert site.variables_of("shop")["RELEASE_VSN"] == "0.2.0" and site.variables_of("shop")["RELEASE_ROOT"] == site.root("shop")
    # The name of the node was left out of this vm.args as well; scripts that the package has brought are no programs.
    assert "-sname" not in Path(site.root("tele"), "releases/0.2.0/vm.args").read_text()
    assert not [path.name for path in Path(site.root("tele"), "bin").glob("tele-*") if path.suffix != ".orig"]


def test_secrets_of_config_providers_are_in_one_place(site: Packages, deployed: Run) -> None:
    site.kill("conf")
    assert site.call("conf", "application", "get_env", Atom("conf"), Atom("secret")) == (Atom("ok"), SECRET.encode())
    assert site.files_with_secrets() == {"bin/environment", "run/conf-0.2.0.runtime.config"}


def test_rolled_back_and_upgraded_while_they_run(site: Packages, deployed: Run) -> None:
    pids, booted = site.pids(), site.environments()
    run = site.play("rollback", v="0.1.0", otp_serial="100%")
    assert [run.rows[host][-2:] for host in HOSTS] == [["done", "-"]] * 3
    assert site.pids() == pids and site.call("shop", "Elixir.Shop", "hello") == Atom("world")
    assert site.settings() == {"built": Atom("true"), "secret": SECRET.encode(), "level": b"low"}
    assert site.told() == ([], [], [Atom("added")])
    run = site.play("upgrade", v="0.2.0", otp_upgrade_to="0.2.0", otp_serial="100%")
    assert [run.rows[host][-2:] for host in HOSTS] == [["done", "-"]] * 3
    assert site.pids() == pids and site.call("tele", "tele_app", "hello") == site.call("shop", "Elixir.Shop", "hello") == Atom("moon")
    assert site.environments() == booted
    assert site.call("conf", "application", "get_env", Atom("kernel"), Atom("start_distribution")) == (Atom("ok"), Atom("true"))


def test_config_providers_at_a_hot_upgrade_with_callers(site: Packages, deployed: Run) -> None:
    pid = find_emulator(site.root("conf"))
    site.evaluate(CALLER)
    for level in ("high", "higher"):
        site.apply("conf", "0.1.0", "permanent", method="hot")
        assert "/releases/0.1.0/consolidated/" in site.call("conf", "code", "which", Atom("Elixir.Conf.Show"))
        assert site.call("conf", "Elixir.Conf", "answer") == Atom("any")
        site.set_variable("CONF_LEVEL", level)
        site.apply("conf", "0.2.0", "permanent", method="hot")
        assert site.told() == ([(Atom("level"), level.encode())], [(Atom("added"), b"new")], [])
        assert site.call("conf", "Elixir.Conf", "answer") == 2
    calls, unset, failed = site.evaluate(COUNT)
    assert calls > 100 and failed == [] and unset * 20 < calls and find_emulator(site.root("conf")) == pid
    assert site.files_with_secrets() == {"bin/environment", ".previous/bin/environment", "run/conf-0.2.0.runtime.config"}


def test_config_providers_that_fail(site: Packages, deployed: Run) -> None:
    settings = site.settings()
    site.set_variable("CONF_SECRET", None)
    refusal = 'config providers of release 0.1.0 fail: .*environment variable "CONF_SECRET" because it is not set. Nothing has changed'
    with pytest.raises(HandlerError, match=refusal):
        site.apply("conf", "0.1.0", "current", method="hot")
    site.set_variable("CONF_SECRET", SECRET)
    # The way back has the configuration of the release that it goes to.
    with pytest.raises(HandlerError, match="release 0.2.0 was installed again"):
        check = Check("erlang", "is_atom", [1], Atom("true"))
        site.apply("conf", "0.1.0", "current", method="hot", force=True, verify=(check,), verify_timeout=0.1)
    assert site.settings() == settings and site.call("conf", "Elixir.Conf", "answer") == 2
    left = [path.name for path in Path(site.root("conf")).rglob("*") if "hot" in path.name or path.name == "sys.config.built"]
    assert left == []


def test_a_crash_after_the_old_release_is_removed(site: Packages, deployed: Run) -> None:
    settings = site.settings()
    for host in HOSTS:
        site.apply(host, "0.1.0", "absent")
        assert not Path(site.root(host), "releases/0.1.0").exists() and not Path(site.root(host), f"lib/{host}-0.1.0").exists()
        if host == "conf":
            # As a run leaves it that is killed in a hot upgrade.
            put_in_place(Tree(site.root(host)), "0.2.0", f"{site.root(host)}/run/0.2.0.hot.runtime.config")
        site.kill(host)
        assert site.releases(host) == {("0.2.0", "permanent")}
    assert site.variables_of("shop")["RELEASE_VSN"] == "0.2.0"
    assert site.settings() == settings and not Path(site.root("conf"), "releases/0.2.0/sys.config").is_symlink()
    site.set_variable("CONF_LEVEL", None)
    assert site.play("deploy", v="0.2.0").changed == {"tele": 0, "shop": 0, "conf": 0}


def test_values_for_config_providers(site: Packages, deployed: Run) -> None:
    """They are in the environment; a configuration that is given would take the place of that which names the providers."""
    of_conf = {"v": "0.2.0", "otp_restart_on_change": True}
    refused = site.play("deploy", "--limit", "conf", code=2, otp_sys_config={"conf": {"level": "high"}}, **of_conf)
    assert "give the values in otp_environment" in refused.output
    # That way out.
    run = site.play("deploy", "--limit", "conf", otp_environment={"ERL_EPMD_PORT": site.epmd_port, "CONF_LEVEL": "high"}, **of_conf)
    assert run.rows["conf"][3] == "restarted" and site.settings()["level"] == b"high"
