# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read-only client nodes of a real master: created, upgraded one without the other, rolled back, crashed, and without their master.

Where OTP by itself goes wrong, it is asked first.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from client_site import Client, Master, own_network
from handler_site import IS_SECOND, NEVER, OK, Releases, files_of, kinds, on_a_new_emulator
from native_libraries import with_nif
from waiting import LIMIT, wait_until

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _node
from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import Unreachable
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom
from ansible_collections.erlang.otp.plugins.modules.otp_release_info import ARGUMENT_SPEC, describe


class HasNeedy(t.NamedTuple):
    """Releases, one of which needs a library that is nowhere."""

    packages: dict[str, str]


@pytest.fixture(scope="module")
def master(releases: Releases) -> t.Iterator[Master]:
    with own_network(), Master(releases) as master:
        yield master.start()


@pytest.fixture
def client(master: Master) -> t.Iterator[Client]:
    client = Client(master, f"c{len(master.clients)}")
    client.have()
    yield client.start()
    client.end()


def info(of: Client, **more: t.Any) -> dict[str, t.Any]:
    """What otp_release_info says, by default of the client."""
    defaults = {name: spec.get("default") for name, spec in ARGUMENT_SPEC.items()}
    way = {"node": of.name, "cookie_file": str(of.master.cookie_file), "epmd_port": of.port}
    return describe({**defaults, **way, "root": of.master.root, "client": of.name, **more})


def is_settled(client: Client) -> bool:
    return client.observe().status == "started"


def test_one_is_upgraded_and_the_other_stays(master: Master, client: Client) -> None:
    other = Client(master, "other")
    other.have()
    other.start()
    assert client.statuses() == other.statuses() == {"FIRST": "permanent"} and not client.have()["changed"]
    # Its host cannot write there.
    enter = ["nsenter", "--mount", "--target", str(client.emulator), "touch", client.tree.path("releases", "x")]
    assert b"Read-only file system" in subprocess.run(enter, stderr=subprocess.PIPE, check=False).stderr
    before = files_of(master.root)
    assert "not restarted on a release. Set otp_upgrade_method" in str(client.refused("SECOND", check_mode=True, method="restart"))
    assert "kept on hosts with Python only, and not for clients" in str(client.refused("SECOND", check_mode=True, keep_env=["counter"]))
    foreseen = client.take("SECOND", "permanent", check_mode=True, verify=[IS_SECOND])
    assert files_of(master.root) == before and foreseen["problems"] == []
    assert client.take("SECOND", "ready", check_mode=True)["way"] == "upgrade" and files_of(master.root) == before
    said = client.take("SECOND", "permanent", verify=[IS_SECOND])
    assert said["after"] == foreseen["after"] and [entry["action"] for entry in said["history"]] == ["unpack", "install", "commit"]
    assert client.call("counter", "version") == "2.0" and client.statuses() == {"SECOND": "permanent", "FIRST": "old"}
    assert other.statuses() == {"FIRST": "permanent"} and master.statuses() == {"SECOND": "unpacked", "FIRST": "permanent"}
    assert not client.take("SECOND", "permanent", verify=[IS_SECOND])["changed"] and client.have()["release"] == "SECOND"
    told = info(client)
    assert (told["running"]["release"], told["permanent"]["release"], told["disagreements"]) == ("SECOND", "SECOND", [])
    assert 0 <= told["running"]["uptime"] < 600 and told["clients"] == [] and len(told["history"]) == 3
    (mine,) = [each for each in info(client, client=None, node=None)["clients"] if each["client"] == client.name]
    assert mine["releases"] == {"SECOND": "permanent", "FIRST": "old"} and mine["permanent"] == "SECOND" and mine["type"] is None
    # The master goes its own way; what the client has is not removed from under it.
    with pytest.raises(OtpError, match=re.escape(f"is one of client nodes: {client.name} (permanent)")):
        master.take("SECOND", "absent")
    other.end()
    back_and_without(client)


def test_native_code_that_the_host_of_the_master_cannot_load(releases: Releases, tmp_path: Path) -> None:
    """A client has a host of its own, where it may be loaded."""
    needy = with_nif(releases.packages["SECOND"], tmp_path / "needy", "STUB_1", tmp_path / "nowhere")
    with own_network(), Master(HasNeedy({**releases.packages, "SECOND": needy})) as master:
        client = Client(master.start(), "needy")
        client.have()
        client.start()
        with pytest.raises(OtpError, match="this host lacks what native code of the release needs"):
            master.take("SECOND", "unpacked")
        client.take("SECOND", "permanent", verify=[IS_SECOND])
        assert client.statuses() == {"SECOND": "permanent", "FIRST": "old"} and master.statuses()["FIRST"] == "permanent"
        # There it still is not for the master's node.
        with pytest.raises(OtpError, match="this host lacks what native code of the release needs"):
            master.take("SECOND", "permanent")


def test_the_modules_in_a_play(client: Client, tmp_path: Path) -> None:
    """What there is to change is foreseen, done, and then nothing more."""
    way = {"cookie_file": str(client.master.cookie_file), "epmd_port": client.port}
    where = {"root": client.master.root, "client": client.name}
    have = {"erlang.otp.otp_release_client": {**where, "masters": [client.master.name], "mode": "0600", "epmd_port": client.port}}
    gone = {"erlang.otp.otp_release_client": {**where, "state": "absent", "epmd_port": client.port}}
    package = client.master.releases.packages["SECOND"]
    take = {"erlang.otp.otp_release_handler": {**where, **way, "release": "SECOND", "package": package, "verify": [IS_SECOND]}}
    tell = {"erlang.otp.otp_release_info": {**where, **way, "node": client.name}}
    tasks: list[dict[str, t.Any]] = [{**have, "check_mode": True}, have, take, take, tell, {**gone, "ignore_errors": True}]
    kept = [{**task, "register": f"said{number}"} for number, task in enumerate(tasks)]
    names = ", ".join(f"said{number}" for number in range(len(tasks)))
    keep = {"ansible.builtin.copy": {"content": f"{{{{ [{names}] | to_json }}}}", "dest": f"{tmp_path}/said.json"}}
    play = {"hosts": "localhost", "gather_facts": False, "vars": {"ansible_python_interpreter": sys.executable}, "tasks": [*kept, keep]}
    Path(tmp_path, "play.yml").write_text(json.dumps([play]))
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-vvv", "--diff", "play.yml"]
    said = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False, cwd=tmp_path)
    assert said.returncode == 0 and "COOKIEOFTESTS" not in said.stdout, said.stdout
    foreseen, done, upgraded, nothing, told, refused = json.loads(Path(tmp_path, "said.json").read_text())
    assert foreseen["actions"] == done["actions"] != []
    assert upgraded["after"]["releases"] == {"SECOND": "permanent", "FIRST": "old"} and upgraded["changed"] and not nothing["changed"]
    assert told["running"]["release"] == "SECOND" and told["running"]["name"] == client.name
    assert refused["failed"] and f"client {client.name} runs, so its directory" in refused["msg"]


def back_and_without(client: Client) -> None:
    """Back by the relup, while it runs; then the other release is removed, first from the client."""
    pid = client.observe().pid
    assert client.take("FIRST", "permanent", package=False)["after"]["permanent"] == "FIRST" and client.observe().pid == pid
    assert client.take("SECOND", "absent", check_mode=True)["changed"]
    client.take("SECOND", "absent")
    assert client.statuses() == {"FIRST": "permanent"} and not client.tree.has("releases", "SECOND")
    assert client.tree.has("lib/counter-2.0")
    client.master.take("SECOND", "absent")
    assert not client.tree.has("lib/counter-2.0") and info(client)["disagreements"] == []


def test_what_is_configured_for_a_client_alone(client: Client) -> None:
    """Its own configuration comes along to the next release, and with it what makes it a client; another one may be given."""
    client.end()
    client.have(sys_config="[{kernel, [{logger_level, error}]}, {counter, [{color, red}]}].\n")
    client.start()
    client.take("SECOND", "current")
    assert client.call("application", "get_env", Atom("counter"), Atom("color")) == (OK, Atom("red"))
    client.take("FIRST", "rebooted_old", package=False)
    given = {"sys_config": "[{counter, [{color, blue}]}].\n"}
    client.take("SECOND", "permanent", configuration=given, force=True)
    assert client.call("application", "get_env", Atom("counter"), Atom("color")) == (OK, Atom("blue"))
    assert not client.take("SECOND", "permanent", package=False, configuration=given)["changed"]
    assert client.take("SECOND", "permanent", package=False, configuration={"sys_config": "[{counter, [{color, grey}]}].\n"})["changed"]
    # It is a client still, and after a start too.
    client.end()
    client.start()
    assert client.call("application", "get_env", Atom("sasl"), Atom("client_directory")) == (OK, client.tree.client_directory)
    assert client.statuses() == {"SECOND": "permanent", "FIRST": "old"}


def test_what_is_not_verified_is_taken_back(client: Client) -> None:
    client.call("counter", "count")
    error = client.refused("SECOND", verify=[NEVER], verify_timeout=2.0)
    assert error.result["rolled_back"] and client.call("counter", "state") == ("1.0", 1)
    assert kinds(client.refused("SECOND")) == ["failed_before"]


def test_a_crash_before_the_commit(client: Client) -> None:
    client.take("SECOND", "current")
    before = client.observe().incarnation
    client.kill()
    wait_until(lambda: client.observe().incarnation != before and is_settled(client), "heart has started the client again")
    error = client.refused("SECOND")
    assert "and the node is back on release FIRST" in str(error) and kinds(error) == ["failed_before"] and error.result["rolled_back"]
    assert client.statuses() == {"SECOND": "unpacked", "FIRST": "permanent"}
    assert client.take("SECOND", "permanent", force=True)["after"]["permanent"] == "SECOND"
    # Committed, it is what boots; and an old release is booted, if nothing else leads back.
    os.unlink(client.tree.path("releases", "SECOND", "relup"))
    assert "Release FIRST is old here and can be booted instead: set otp_allow_restart" in str(client.refused("FIRST", "ready", package=False))
    assert client.take("FIRST", "ready", package=False, allow_restart=True)["way"] == "reboot"
    assert client.take("FIRST", "rebooted_old")["after"]["running"] == "FIRST"
    assert client.statuses() == {"SECOND": "old", "FIRST": "permanent"}


def test_on_another_emulator(master: Master, client: Client) -> None:
    """Two restarts, by which heart runs the client's own start script with the client's own data."""
    on_a_new_emulator(master, "RESTARTS")
    assert kinds(client.refused("RESTARTS", package=False)) == ["restart"]
    said = client.take("RESTARTS", "permanent", package=False, allow_restart=True)
    assert said["restarted"] and client.statuses() == {"RESTARTS": "permanent", "FIRST": "old"} and master.statuses()["FIRST"] == "permanent"
    assert client.tree.has("releases", "new_start_erl.data") and info(client)["disagreements"] == []


def test_its_master_is_down(master: Master, client: Client) -> None:
    path = f"{master.root}/releases/SECOND/SECOND.rel"
    master.take("SECOND", "unpacked")
    _node.stop(master.root)
    before = files_of(master.root)
    try:
        assert client.operate("set_unpacked", path, []) == (Atom("error"), (Atom("no_master"), path))
        for check_mode in (True, False):
            error = client.refused("SECOND", check_mode=check_mode)
            assert f"the client {client.name} cannot reach its master {master.name}" in str(error) and kinds(error) == ["master"]
        assert files_of(master.root) == before and client.statuses() == {"FIRST": "permanent"}
    finally:
        master.start()
    assert client.take("SECOND", "current")["after"]["running"] == "SECOND"
    _node.stop(master.root)
    try:
        # Between the installation and the commit.
        assert client.operate("make_permanent", "SECOND")[0] == Atom("error")
        assert kinds(client.refused("SECOND")) == ["master"] and client.statuses() == {"SECOND": "current", "FIRST": "permanent"}
    finally:
        master.start()
    assert client.take("SECOND", "permanent")["after"]["permanent"] == "SECOND"


def test_it_started_without_its_master(master: Master, client: Client) -> None:
    """release_handler makes up a release without libraries, keeps that when the master is back, and writes it over RELEASES."""
    client.take("SECOND", "permanent")
    releases = Path(client.tree.path("releases", "RELEASES"))
    before = releases.read_bytes()
    client.end()
    _node.stop(master.root)
    client.boot()
    wait_until(lambda: is_settled(client), "the client has started")
    master.start()
    assert [(known.version, known.libraries) for known in client.observe().releases] == [("SECOND", ())]
    master.take("CRASHES", "unpacked")
    assert client.operate("set_unpacked", f"{master.root}/releases/CRASHES/CRASHES.rel", [])[0] == OK
    assert b'{release,"COUNTER","SECOND",undefined,[],permanent}' in releases.read_bytes() and b"FIRST" not in releases.read_bytes()
    releases.write_bytes(before)
    os.rmdir(client.tree.path("releases", "CRASHES"))
    # Ours has it read RELEASES first.
    assert client.take("FIRST", "permanent", package=False, check_mode=True)["actions"][0].endswith("so that it reads RELEASES")
    assert client.take("FIRST", "permanent", package=False)["after"]["releases"] == {"SECOND": "old", "FIRST": "permanent"}
    assert b"[]" not in releases.read_bytes() and info(client)["disagreements"] == []


def test_start_erl_data_is_missing(client: Client) -> None:
    data = Path(client.tree.path("releases", "start_erl.data"))
    content = data.read_bytes()
    client.take("SECOND", "current")
    data.unlink()
    kind, (_where, *reason) = client.operate("make_permanent", "SECOND")
    assert kind == Atom("error") and Atom("enoent") in reason[0][1] and client.statuses()["SECOND"] == "current"
    error = client.refused("SECOND")
    assert kinds(error) == ["missing_file"] and "start_erl.data is missing: no release can be committed without it" in str(error)
    assert client.have()["actions"] == [f"write {data}"] and data.read_bytes() == content
    assert client.take("SECOND", "permanent")["after"]["permanent"] == "SECOND"


def test_a_client_that_is_down(client: Client) -> None:
    """otp_release_client switches it to another release while it is down, and refuses that while it runs."""
    client.master.take("SECOND", "unpacked")
    with pytest.raises(OtpError, match="upgrade it, by the playbook erlang.otp.upgrade"):
        client.have(release="SECOND", runs=lambda: True)
    client.take("SECOND", "permanent")
    assert not client.have(release="SECOND", runs=lambda: True)["changed"]
    error = client.refused("BARE")
    assert kinds(error) == ["no_way"] and "stop the client, and give it the release (otp_release and the playbook erlang.otp.clients" in str(error)
    with pytest.raises(OtpError, match="or stop it first"):
        client.have(release="BARE", runs=lambda: True)
    client.end()
    wait_until(lambda: not answers(client), "the client is down")
    error = client.refused("BARE")
    assert f"client {client.name} cannot be reached" in str(error) and "otp_release_client can switch it to another release" in str(error)
    assert not client.take("BARE", "permanent", down="skip")["changed"]
    assert client.have(release="BARE")["changed"] and not client.have(release="BARE")["changed"]
    assert client.start().statuses() == {"BARE": "permanent", "SECOND": "old", "FIRST": "old"} and info(client)["disagreements"] == []


def answers(client: Client) -> bool:
    try:
        client.observe()
    except Unreachable:
        return False
    return True


def test_a_node_that_is_no_client(master: Master) -> None:
    client = Client(master, "nobody")
    with pytest.raises(OtpError, match="is not a client here: create its directory"):
        client.take("SECOND", "permanent")
    assert (info(client)["installed"], info(client)["running"]["answers"]) == (False, False)
    client.have()
    error = client.refused("SECOND", address=master.address)
    assert kinds(error) == ["no_client"] and f"the node {master.name} is not a client" in str(error)
    # With its directory, by its own name.
    assert client.start().take("SECOND", "permanent")["after"]["permanent"] == "SECOND"
