# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The packages of test_packages as rebar3 and Elixir of Debian 13 make them, on hosts that are a root of it: these run its emulators and its Python."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest
import yaml
from template_packages import Templates
from terminal import Terminal
from test_packages import SECRET, Packages
from waiting import LIMIT

from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom

# By default, the scenario packages of molecule has to do.
pytestmark = pytest.mark.full
# What .ci/setup has unpacked.
ROOT = Path(__file__).parents[2] / "build/debian13"
HOSTS = ("tele", "conf")
# Runs a command in the root, with the processes and the network of this machine. /tmp is that of this machine as well.
ENTER = """\
#!/bin/sh
exec unshare --mount --propagation private /bin/sh -ec '
    root=$1
    shift
    for place in dev proc tmp etc; do mount --rbind "/$place" "$root/$place"; done
    exec chroot "$root" /bin/sh -c "cd \\"\\$0\\" 2>/dev/null; exec \\"\\$@\\"" "$PWD" "$@"
' - {root} {program}"$@"
"""


class Debian13(Packages):
    """Hosts that are a root of Debian 13."""

    def write(self) -> None:
        super().write()
        inventory = yaml.safe_load(self.inventory.read_text())
        # Of the python here, only the bytecode would be another one.
        inventory["otp"]["vars"] |= {"ansible_python_interpreter": self.enter("python", "/usr/bin/python3 "), "ansible_remote_tmp": f"{self.directory}/tmp"}
        # A parameter that this OTP has.
        direct = f"-start_epmd false\n-kernel erl_epmd_node_listen_port {self.ports['tele']}\n"
        inventory["otp"]["hosts"]["tele"]["otp_vm_args"] = direct
        self.inventory.write_text(yaml.safe_dump(inventory))

    def enter(self, name: str, program: str = "") -> str:
        """A script that runs a command there."""
        script = self.directory / name
        if not script.exists():
            script.write_text(ENTER.format(root=ROOT, program=program))
            script.chmod(0o755)
        return str(script)

    def environments(self) -> dict[str, list[t.Any]]:
        """This Elixir sets ansi_enabled itself when it starts, and each hot upgrade takes away what an application has set."""
        return {name: [pair for pair in pairs if pair[0] != Atom("ansi_enabled")] for name, pairs in super().environments().items()}

    def run(self, host: str, *words: str) -> str:
        """What bin/NAME writes."""
        command = [self.enter("enter"), f"{self.root(host)}/bin/{host}", *words]
        said = subprocess.run(command, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False)
        assert said.returncode == 0, said.stdout
        return said.stdout.strip()


@pytest.fixture(scope="module")
def site() -> t.Iterator[Debian13]:
    assert ROOT.is_dir(), "there is no Debian 13: run .ci/setup"
    site = Debian13(Path(tempfile.mkdtemp(prefix="otp-debian13-", dir="/tmp")), HOSTS)
    templates = Templates(site.directory, (site.enter("enter"),))
    with site.at_work():
        for make in (templates.tele, templates.conf):
            make()
        site.write()
        yield site


def test_deployed_as_they_are(site: Debian13) -> None:
    assert site.play("deploy", v="0.1.0").changed == {"tele": 1, "conf": 1}
    assert site.play("deploy", v="0.1.0").changed == {"tele": 0, "conf": 0}
    rows = site.play("status", v="0.1.0").rows
    assert all(rows[host][0] == "running" and rows[host][1].endswith("0.1.0") for host in HOSTS)
    assert site.call("tele", "erlang", "system_info", Atom("otp_release")) == "27"
    assert site.call("conf", "Elixir.System", "version").startswith(b"1.18.")
    with socket.create_connection(("127.0.0.1", site.ports["tele"]), LIMIT):
        pass
    assert site.run("tele", "ping") == site.run("conf", "ping") == "pong"


def test_upgraded_by_a_restart_and_while_they_run(site: Debian13) -> None:
    run = site.play("upgrade", v="0.2.0", otp_upgrade_to="0.2.0", otp_upgrade_method="restart", otp_serial="100%")
    assert [run.rows[host][-2] for host in HOSTS] == ["done"] * 2
    pids, booted = site.pids(), site.environments()
    site.play("rollback", v="0.1.0", otp_serial="100%")
    assert site.settings() == {"built": Atom("true"), "secret": SECRET.encode(), "level": b"low"} and site.told() == ([], [], [Atom("added")])
    site.play("upgrade", v="0.2.0", otp_upgrade_to="0.2.0", otp_serial="100%")
    assert site.environments() == booted and site.call("tele", "tele_app", "hello") == Atom("moon") and site.pids() == pids
    assert site.call("conf", "Elixir.Conf", "answer") == 2, "by the protocol of the new release"


def test_commands(site: Debian13) -> None:
    assert site.run("tele", "eval", "X = tele_app:hello(), {X}.") == "{moon}" and site.run("tele", "rpc", "lists", "seq", "[1, 2]") == "[1,2]"
    assert site.run("conf", "eval", "IO.inspect {node(), System.version()}").startswith('{:nonode@nohost, "1.18.')
    assert site.run("conf", "rpc", "IO.inspect Conf.answer()") == "2"
    for host, typed in (("tele", "1000 + 234."), ("conf", "1000 + 234")):
        with Terminal(site.enter("enter"), f"{site.root(host)}/bin/{host}", "remote") as terminal:
            terminal.expect(f"({host}@")
            terminal.type(f"{typed}\r")
            terminal.expect("1234")
