# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Client nodes without a disk, which boot from the master's boot server; with a static emulator and without; and machine types."""

from __future__ import annotations

import re
import socket
import typing as t
from pathlib import Path

import pytest
from client_site import DISKLESS, HERE, Client, Master, own_network
from handler_site import IS_SECOND, NEVER, OK, Releases, kinds
from waiting import wait_until

from ansible_collections.erlang.otp.plugins.module_utils._build.otp import find_otp
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
from ansible_collections.erlang.otp.plugins.module_utils._install.remove import remove_release
from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import Raised, Unreachable
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom

BOOT_SERVER = 4368


@pytest.fixture(scope="module")
def master(releases: Releases) -> t.Iterator[Master]:
    with own_network(), Master(releases) as master:
        master.start()
        assert master.call("erl_boot_server", "start", [DISKLESS])[0] == OK
        yield master


@pytest.fixture
def static(master: Master) -> t.Iterator[Client]:
    client = Client(master, f"d{len(master.clients)}", diskless=True, static=True)
    client.have()
    yield client.start()
    client.end()


def boot_server_answers() -> bool:
    """Whether the boot server answers somebody at this address who looks for it, with the right ERTS."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HERE, 0))
        probe.settimeout(0.5)
        probe.sendto(b"EBOOTQ" + find_otp(None).erts_version.encode(), (HERE, BOOT_SERVER))
        try:
            return probe.recv(100).startswith(b"EBOOTR")
        except socket.timeout:
            return False


def datagrams() -> int:
    """How many have arrived in this network: the nodes in it use UDP only to look for a boot server."""
    names, values = (line.split() for line in Path("/proc/thread-self/net/snmp").read_text().splitlines() if line.startswith("Udp: "))
    return int(dict(zip(names, values))["InDatagrams"])


def test_who_is_not_on_the_list_gets_nothing(master: Master) -> None:
    assert not boot_server_answers()
    assert master.call("erl_boot_server", "add_slave", HERE) == OK
    wait_until(boot_server_answers, "the boot server answers")
    assert master.call("erl_boot_server", "delete_slave", HERE) == OK
    assert not boot_server_answers()
    # And a node that asks for all that it needs does not come up, until it is on the list.
    master.call("erl_boot_server", "delete_slave", DISKLESS)
    client = Client(master, "stranger", diskless=True, static=True)
    client.have()
    arrived = datagrams()
    client.boot()
    wait_until(lambda: datagrams() > arrived + 1, "the node has asked the boot server again, as it had no answer", running=client.process)
    with pytest.raises(Unreachable):
        client.observe()
    client.end()
    assert master.call("erl_boot_server", "add_slave", DISKLESS) == OK
    assert client.start().statuses() == {"FIRST": "permanent"}
    client.end()


def test_a_static_client_is_upgraded_and_boots_what_is_permanent(static: Client) -> None:
    boot, config = (Path(static.tree.path("releases", name)) for name in ("start.boot", "sys.config"))
    foreseen = static.take("SECOND", "permanent", check_mode=True)
    said = static.take("SECOND", "permanent", verify=[IS_SECOND])
    assert said["after"] == foreseen["after"] and static.statuses() == {"SECOND": "permanent", "FIRST": "old"}
    for path in (boot, config):
        assert path.read_bytes() == Path(static.tree.path("releases", "SECOND", path.name)).read_bytes()
    assert config.stat().st_mode & 0o777 == 0o640 and not static.tree.has("releases", "start_erl.data")
    assert not static.have()["changed"]
    static.end()
    assert static.start().statuses() == {"SECOND": "permanent", "FIRST": "old"} and static.call("counter", "version") == "2.0"
    # Back by heart, which starts it from the boot server again.
    said = static.take("FIRST", "rebooted_old")
    assert said["restarted"] and static.call("counter", "version") == "1.0" and static.statuses() == {"SECOND": "old", "FIRST": "permanent"}
    assert boot.read_bytes() == Path(static.tree.path("releases", "FIRST", "start.boot")).read_bytes()
    error = static.refused("SECOND", verify=[NEVER], verify_timeout=2.0)
    assert error.result["rolled_back"] and static.call("counter", "version") == "1.0"


def test_a_static_client_restarts_no_emulator(static: Client) -> None:
    static.take("RESTARTS", "unpacked")
    # OTP 25 has no answer to that: its release_handler ends.
    with pytest.raises(Raised, match="case_clause,static_emulator"):
        static.operate("install_release", "RESTARTS")
    wait_until(lambda: static.statuses() == {"RESTARTS": "unpacked", "FIRST": "permanent"}, "release_handler is back")
    error = static.refused("RESTARTS", allow_restart=True)
    assert kinds(error) == ["static_emulator"] and "restart_emulator" in str(error)
    assert static.statuses() == {"RESTARTS": "unpacked", "FIRST": "permanent"} and static.call("counter", "version") == "1.0"
    # The way out.
    static.end()
    static.have(release="RESTARTS")
    assert static.start().statuses() == {"RESTARTS": "permanent", "FIRST": "old"}


def test_a_diskless_client_cannot_read_what_a_restart_needs(master: Master) -> None:
    client = Client(master, "d", diskless=True)
    client.have()
    client.start_with_data()
    error = client.refused("RESTARTS", allow_restart=True)
    assert kinds(error) == ["diskless_restart"] and "cannot read the new_start_erl.data" in str(error)
    assert client.take("SECOND", "permanent")["after"]["permanent"] == "SECOND"
    client.end()


def test_two_machine_types(master: Master) -> None:
    """Each has a root directory of its own, below that of the master."""
    root = f"{master.root}/clients/box"
    client, neighbour = Client(master, "b", machine_type="box"), Client(master, "n")
    with pytest.raises(OtpError, match=re.escape(f"{root} is not the root directory of a target system")):
        client.have()
    install_release(root=root, package=master.releases.packages["FIRST"], changes=Changes(), flush=False)
    client.have()
    neighbour.have()
    assert client.start().statuses() == neighbour.start().statuses() == {"FIRST": "permanent"}
    assert client.observe().root == root and client.call("code", "lib_dir", Atom("counter")).startswith(root)
    foreseen = client.take("SECOND", "permanent", check_mode=True)
    assert not client.tree.has("lib/counter-2.0")
    said = client.take("SECOND", "permanent")
    assert said["after"] == foreseen["after"] and client.statuses() == {"SECOND": "permanent", "FIRST": "old"}
    assert client.call("code", "lib_dir", Atom("counter")) == f"{root}/lib/counter-2.0"
    assert neighbour.statuses() == {"FIRST": "permanent"} and "SECOND" not in neighbour.statuses()
    for version in ("FIRST", "SECOND"):
        with pytest.raises(OtpError, match=re.escape(client.name) if version == "SECOND" else "is permanent"):
            remove_release(root=root, version=version, changes=Changes(), may_run=True)
    client.end()
    assert client.start().statuses() == {"SECOND": "permanent", "FIRST": "old"}
    assert client.have(state="absent", check_mode=True)["changed"]
