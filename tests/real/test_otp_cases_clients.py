# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""OTP's cases client1 and client2: a client goes through the releases of the case upgrade; and one of two masters is not there."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from case_site import ERTS, Cases
from client_site import Client, Master, own_network
from handler_site import OK, files_of, kinds
from waiting import wait_until

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
from ansible_collections.erlang.otp.plugins.module_utils._install.remove import remove_release
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom, as_text


@pytest.fixture(scope="module")
def master(upgrade_cases: Cases) -> t.Iterator[Master]:
    with own_network(), Master(upgrade_cases, first="P1G") as master:
        yield master.start()


def reboot(client: Client) -> None:
    """As an operator does it; and wait for the release that boots."""
    before = client.observe().incarnation
    client.call("init", "reboot")
    wait_until(lambda: client.observe().incarnation != before and client.observe().status == "started", "the client has rebooted")


def script_id(client: Client) -> str:
    return as_text(client.call("init", "script_id")[1])


def erts_of(client: Client) -> str:
    """The version of the ERTS whose programs the node runs."""
    return Path(as_text(client.call("os", "getenv", "BINDIR"))).parent.name.partition("-")[2]


def lies_there(client: Client, *names: str) -> list[bool]:
    return [client.tree.shared.has(name) for name in names]


def test_client1(master: Master) -> None:
    """OTP: a client of another type goes through all that the case upgrade goes through, by set_unpacked and install_file; it cannot
    unpack or remove; set_removed removes nothing, and the master in the end what nobody uses. Here by otp_release_handler."""
    root = f"{master.root}/clients/type1"
    install_release(root=root, package=master.releases.packages["P1G"], changes=Changes(), flush=False)
    client = Client(master, "client1", machine_type="type1")
    client.have()
    client.start()
    for function, argument in (("unpack_release", "P1H"), ("remove_release", "P1G")):
        assert client.operate(function, argument) == (Atom("error"), Atom("client_node"))
    # Lost by a reboot, as it was not committed; then committed.
    client.take("P1H", "current")
    reboot(client)
    assert client.statuses() == {"P1H": "unpacked", "P1G": "permanent"}
    client.take("P1H", "permanent", force=True)
    reboot(client)
    assert client.statuses() == {"P1H": "permanent", "P1G": "old"} and script_id(client) == "P1H"
    # Another version of the application.
    client.take("P1I", "current")
    assert as_text(client.call("a", "version")) == "1.1" and client.call("application", "get_env", Atom("a"), Atom("key2")) == (OK, Atom("newval2"))
    with pytest.raises(OtpError, match="has no release P1X: give its package"):
        client.take("P1X", "current", package=False)
    reboot(client)
    assert client.statuses() == {"P1I": "unpacked", "P1H": "permanent", "P1G": "old"}
    to_another_erts_and_back(client)
    removed(client)


def to_another_erts_and_back(client: Client) -> None:
    """As in the case upgrade."""
    assert client.take("P2A", "current", allow_restart=True)["restarted"]
    assert script_id(client) == "__new_emulator__P1H" and erts_of(client) == ERTS
    assert client.statuses() == {"P2A": "current", "P1I": "unpacked", "P1H": "permanent", "P1G": "old"}
    client.take("P1I", "permanent", package=False, allow_restart=True, force=True)
    assert script_id(client) == "P1I" and erts_of(client) != ERTS
    assert client.statuses() == {"P2A": "old", "P1I": "permanent", "P1H": "old", "P1G": "old"}
    client.take("P2A", "permanent", package=False, allow_restart=True)
    reboot(client)
    assert script_id(client) == "P2A" and erts_of(client) == ERTS
    assert client.statuses() == {"P2A": "permanent", "P1I": "old", "P1H": "old", "P1G": "old"}


def removed(client: Client) -> None:
    """Back to the first release; the client forgets the others, and then its type's root directory has them no more."""
    client.take("P1H", "rebooted_old")
    assert script_id(client) == "P1H" and erts_of(client) != ERTS
    client.take("P2A", "absent")
    client.take("P1I", "absent")
    assert lies_there(client, "lib/a-1.0", "lib/a-1.1", f"erts-{ERTS}") == [True, True, True]
    for version in ("P2A", "P1I"):
        remove_release(root=client.tree.root, version=version, changes=Changes())
    assert lies_there(client, "lib/a-1.0", "lib/a-1.1", f"erts-{ERTS}") == [True, False, False]
    client.take("P1G", "rebooted_old")
    assert Atom("a") not in [each[0] for each in client.call("application", "loaded_applications")]
    client.take("P1H", "absent")
    remove_release(root=client.tree.root, version="P1H", changes=Changes())
    assert lies_there(client, "lib/a-1.0", "releases/P1H") == [False, False] and client.statuses() == {"P1G": "permanent"}
    assert client.master.statuses() == {"P1G": "permanent"}


def test_client2(master: Master) -> None:
    """OTP: one of two masters is not there; set_unpacked says so, and nothing has changed. Here nothing is tried."""
    nobody = "nobody@10.77.0.1"
    client = Client(master, "client2")
    client.have(masters=(master.name, nobody))
    client.start()
    master.take("P1H", "unpacked")
    before = files_of(master.root)
    path = f"{master.root}/releases/P1H/P1H.rel"
    assert client.operate("set_unpacked", path, []) == (Atom("error"), (Atom("bad_masters"), [Atom(nobody)]))
    assert client.operate("check_install_release", "P1H") == (Atom("error"), (Atom("no_such_release"), "P1H"))
    error = client.refused("P1H")
    assert kinds(error) == ["master"] and f"cannot reach its master {nobody}" in str(error)
    assert client.statuses() == {"P1G": "permanent"}
    assert {name: content for name, content in files_of(master.root).items() if "/client2@" in name} == {
        name: content for name, content in before.items() if "/client2@" in name
    }
