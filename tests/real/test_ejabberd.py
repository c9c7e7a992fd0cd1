# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real world: ejabberd out of Debian's packages, stripped, as a target system of ours over SSH, while clients send messages to each other.

`make setup` unpacks the packages to build/ejabberd; their applications are the code path. The tests stand in the order of the node's life.
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
from error_blocks import check_blocks
from ssh_host import SshHost, run, ssh_host
from thin_sizes import GOAL, changed_files, gzipped
from upgrade_site import BIN, Run, run_of
from waiting import LIMIT, free_port, wait_until
from xmpp import VERSION, Session, Talk

from ansible_collections.erlang.otp.plugins.module_utils._core.checksum import sha256
from ansible_collections.erlang.otp.plugins.module_utils._formats.beam import lacks_chunk
from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _node
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator

FILES = Path(__file__).parents[2] / "build" / "ejabberd"
# There is a link to it as well.
(EJABBERD,) = {ebin.parent.resolve() for ebin in FILES.glob("usr/lib/*/ejabberd-*/ebin")}
LIBRARY = "libyaml-0.so.2"
DEBIAN, _dash, _revision = EJABBERD.name.partition("-")[2].partition("-")
HOST = "remote"


class Server:
    """The host, and ejabberd on it."""

    def __init__(self, host: SshHost) -> None:
        self.directory = host.directory
        self.host = host
        self.port = free_port()
        self.root = f"{host.directory}/srv/ejabberd"
        self.made = {"1": EJABBERD}
        self.write_inventory()

    def configuration(self) -> str:
        """ejabberd.yml, with a variable of the inventory."""
        listen = {"port": self.port, "ip": "127.0.0.1", "module": "ejabberd_c2s"}
        login = {"auth_method": ["anonymous"], "anonymous_protocol": "sasl_anon", "allow_multiple_connections": True}
        modules = {"mod_version": {"show_os": "SHOW_OS"}}
        text = yaml.safe_dump({"hosts": ["localhost"], "loglevel": "info", "listen": [listen], **login, "modules": modules})
        return text.replace("SHOW_OS", "{{ show_os | default(false) | to_json }}")

    def write_inventory(self) -> None:
        home = f"{self.directory}/srv/home"
        of_builder = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "otp_release_name": "ejabberd",
            "otp_release_applications": ["sasl", "ejabberd"],
            "otp_release_extra_files": [{"src": str(next(FILES.glob(f"usr/lib/*/{LIBRARY}")).resolve()), "dest": f"native/{LIBRARY}"}],
            "otp_build_dir": f"{self.directory}/build",
            "otp_strip": True,
        }
        of_host = {
            **self.host.variables(),
            "otp_root": self.root,
            "otp_home": home,
            "otp_user": self.host.user,
            "otp_service_manager": "none",
            "otp_node_name": f"{self.host.user}@localhost",
            "otp_cookie": "for-this-test-alone",
            "otp_environment": {"ERL_EPMD_PORT": self.host.epmd_port, "LD_LIBRARY_PATH": "{{ otp_root }}/native"},
            "otp_erl_flags": ["-kernel", "inet_dist_use_interface", "{127,0,0,1}"],
            "otp_sys_config": {
                "ejabberd": {"config": "{{ otp_root }}/etc/ejabberd.yml", "log_path": f"{home}/ejabberd.log"},
                "mnesia": {"dir": f"{home}/mnesia"},
            },
            "otp_files": [
                {
                    "path": "etc/ejabberd.yml",
                    "content": self.configuration(),
                    "on_change": {"rpc": {"module": "ejabberd_config", "function": "reload", "expect": "ok"}},
                }
            ],
        }
        groups = {"otp_builders": {"hosts": {"builder": of_builder}}, "otp": {"hosts": {HOST: of_host}}}
        (self.directory / "inventory.yml").write_text(yaml.safe_dump(groups))

    def ejabberd(self, number: str, appup: str = "") -> Path:
        """The directory of an application that is Debian's but for its version and two modules. appup: the instructions to this version and from it."""
        directory = self.directory / f"ejabberd-{number}"
        version = f"{DEBIAN}-{number}"
        shutil.copytree(EJABBERD, directory)
        resource = directory / "ebin/ejabberd.app"
        resource.write_text(resource.read_text().replace(f'"{EJABBERD.name.partition("-")[2]}"', f'"{version}"'))
        assert f'"{version}"' in resource.read_text()
        run("escript", Path(__file__).with_name("next_ejabberd.erl"), directory / "ebin", version)
        if appup:
            way = f'[{{"{EJABBERD.name.partition("-")[2]}", {appup}}}]'
            (directory / "ebin/ejabberd.appup").write_text(f'{{"{version}", {way}, {way}}}.\n')
        return directory

    def play(self, playbook: str, *arguments: str, ejabberd: Path = EJABBERD, release: str = "FIRST", **variables: t.Any) -> Run:
        path = [f"{ebin}" for ebin in sorted(FILES.glob("usr/lib/erlang/lib/*/ebin"))]
        extra = {"otp_release_version": release, "otp_code_path": [*path, f"{ejabberd}/ebin"], **variables}
        command = [f"{BIN}/ansible-playbook", "-i", f"{self.directory}/inventory.yml", f"erlang.otp.{playbook}", "-e", json.dumps(extra), *arguments]
        settings = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_PIPELINING": "1"}
        done = subprocess.run(
            command, env=settings, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False
        )
        assert done.returncode == 0, done.stdout
        check_blocks(done.stdout, 0)
        return run_of(0, done.stdout)

    def check_thin(self) -> str:
        """See that the host got the thin package of SECOND, of hardly more than the changed files. Returns the figures."""
        first, second, thin = (f"{self.directory}/.packages/ejabberd-{name}.tar.gz" for name in ("FIRST", "SECOND", "SECOND-thin"))
        record = json.loads(Path(self.root, "releases/SECOND/package.json").read_text())
        assert (record["sha256"], record["full"]) == (sha256(thin), sha256(second))
        changed = changed_files(second, first)
        size, ratio = os.path.getsize(thin), os.path.getsize(thin) / gzipped(changed)
        assert {path.rpartition("/")[2] for path in changed if path.startswith("lib/")} == {
            "ejabberd.app",
            "ejabberd.appup",
            "ejabberd_c2s.beam",
            "mod_version.beam",
        }
        assert ratio <= GOAL
        return f"ejabberd: {size} bytes thin, {ratio:.2f} times the changed files, gzipped; {os.path.getsize(second)} bytes full"

    def pid(self) -> int:
        pid = find_emulator(self.root)
        assert pid
        return pid

    def version(self, session: Session) -> tuple[str, bool]:
        """The name of the server, and whether it shows the operating system."""
        answer = session.ask(VERSION)
        return answer.findtext(".//{*}name", ""), answer.find(".//{*}os") is not None


@pytest.fixture(scope="module")
def server() -> t.Iterator[Server]:
    with ssh_host() as host:
        server = Server(host)
        try:
            yield server
        finally:
            _node.stop(server.root)


def test_stripped_deployed_and_configured_again_without_a_restart(server: Server) -> None:
    assert server.play("deploy").changed[HOST] == 1
    assert f"{server.root}/native/{LIBRARY}" in Path(f"/proc/{server.pid()}/maps").read_text()
    assert lacks_chunk(Path(server.root, "lib", EJABBERD.name, "ebin/ejabberd_c2s.beam").read_bytes(), b"Dbgi")
    with Talk(server.port) as talk:
        assert server.version(talk.sender) == ("ejabberd", False)
        for shows in (True, False):
            assert server.play("deploy", show_os=shows).changed[HOST] == 1
            assert server.version(talk.sender) == ("ejabberd", shows)
        assert talk.is_alive_on_both_sides() and talk.lost() == []


def test_a_hot_upgrade_and_a_rollback_lose_no_message(server: Server, record_property: t.Callable[[str, object], None]) -> None:
    """Each session goes through code_change, in which it tells its client. ejabberd has set how os_mon starts, which a hot upgrade would take away."""
    pid = server.pid()
    later = server.ejabberd("2", "[{update, ejabberd_c2s, {advanced, []}}, {load_module, mod_version}]")
    with Talk(server.port) as talk:
        run = server.play("upgrade", ejabberd=later, release="SECOND", otp_keep_env=["os_mon"], otp_release_base="ejabberd-FIRST.tar.gz")
        assert run.rows[HOST] == ["FIRST", "SECOND", run.rows[HOST][2], "done", "-"] and "takes away" not in run.output
        assert server.version(talk.sender) == (f"ejabberd {DEBIAN}-2", False)
        record_property("figure", server.check_thin())
        run = server.play("rollback", otp_keep_env=["os_mon"])
        assert run.rows[HOST] == ["SECOND", "FIRST", run.rows[HOST][2], "done", "-"] and "takes away" not in run.output
        assert server.version(talk.sender) == ("ejabberd", False)
        talk.another()
        assert talk.is_alive_on_both_sides() and talk.lost() == [] and talk.received() == talk.sent
        assert talk.sender.notices() == talk.receiver.notices() == [f"enters {DEBIAN}-2", f"leaves {DEBIAN}-2"]
        record_property("figure", f"ejabberd: {len(talk.sent)} messages during a hot upgrade and a rollback, none lost")
    assert server.pid() == pid


def test_another_release_by_a_restart(server: Server) -> None:
    """There is no relup. The sessions are cut, and clients connect anew."""
    pid = server.pid()
    with Talk(server.port) as talk:
        run = server.play("upgrade", ejabberd=server.ejabberd("3"), release="THIRD", otp_upgrade_method="restart")
        assert run.rows[HOST][:2] == ["FIRST", "THIRD"] and run.rows[HOST][3] == "done" and run.rows[HOST][4].endswith(" s")
        wait_until(talk.is_cut, "the sessions are cut")
    assert server.pid() != pid
    with Talk(server.port) as talk:
        assert server.version(talk.sender) == (f"ejabberd {DEBIAN}-3", False)
        assert talk.lost() == []
