# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""playbooks/deploy.yml, as an operator runs it: two hosts of this machine, a service user, heart, and no Erlang but their own.

The tests stand in the order of a system's life, from nothing to stopped, and share one site.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest
from deploy_site import HOSTS, Run, Site
from upgrade_site import bring_exchange
from waiting import LIMIT, free_port, wait_until

from ansible_collections.erlang.otp.plugins.module_utils._build.otp import find_otp
from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _node
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator, is_emulator


@pytest.fixture(scope="module")
def site() -> t.Iterator[Site]:
    # pytest's own directories are closed to other users.
    directory = Path(tempfile.mkdtemp(prefix="otp-deploy-"))
    directory.chmod(0o755)
    site = Site(directory)
    bring_exchange(directory / "exchange-source")
    site.write_inventory()
    epmd = subprocess.Popen(["epmd", "-address", "127.0.0.1", "-port", str(site.epmd_port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield site
    finally:
        for host in HOSTS:
            _node.stop(site.root(host))
        epmd.terminate()
        epmd.wait(LIMIT)
        subprocess.run(["userdel", site.user], check=False, capture_output=True)
        shutil.rmtree(directory)


@pytest.fixture(scope="module")
def deployed(site: Site) -> Run:
    """The first deploy, with all that Ansible can be made to say."""
    if site.deployed is None:
        site.deployed = site.deploy("-vv", "--diff")
    return site.deployed


def wait_for_another(site: Site, host: str, pid: int) -> int:
    def found() -> int | None:
        now = find_emulator(site.root(host))
        return now if now != pid else None

    return wait_until(found, "heart has started the emulator again")


def test_a_misspelt_variable_ends_the_run_before_any_host_is_touched(site: Site) -> None:
    run = site.deploy(code=2, otp_nodename="x", otp_cokie="x")
    assert "otp_nodename is not a variable of erlang.otp: did you mean otp_node_name?" in run.output
    assert "otp_cokie is not a variable of erlang.otp: did you mean otp_cookie?" in run.output
    assert "Build the release package" not in run.output
    assert not os.path.exists(site.root("north"))


def test_check_mode_on_fresh_hosts_tells_all_and_touches_nothing(site: Site) -> None:
    run = site.deploy("--check", "--diff")
    for host in HOSTS:
        assert run.changed[host] == 1
        assert run.results[host]["actions"][-1] == f"start the node {site.node(host).name}"
        assert f"create the system user {site.user}" in run.results[host]["actions"]
        assert f"+ROOTDIR={site.root('north')}" in run.output
        assert not os.path.exists(site.root(host)) and not os.path.exists(site.home(host))
    assert site.user not in {entry.pw_name for entry in pwd.getpwall()}
    assert site.cookie not in run.output


def test_tags_select_parts_of_a_run(site: Site) -> None:
    package = site.directory / ".packages" / "exchange-FIRST.tar.gz"
    tasks = ("Check the variables before any host is changed", "Build the release package", "Bring the package to the controller", "Ensure the target system")

    def parts(run: Run) -> list[bool]:
        """Which of the tasks did run."""
        return [bool(re.search(rf"^TASK \[[^\]]*{task}\]", run.output, re.MULTILINE)) for task in tasks]

    run = site.deploy("--tags", "preflight")
    assert parts(run) == [True, False, False, False] and set(run.changed.values()) == {0} and not package.exists()
    assert "did you mean otp_node_name?" in site.deploy("--tags", "preflight", code=2, otp_nodename="x").output
    run = site.deploy("--tags", "build")
    assert parts(run) == [True, True, True, False] and run.changed["builder"] > 0 and package.exists()
    for skipped in ("install", "configure", "start"):
        run = site.deploy("--skip-tags", skipped)
        assert parts(run) == [True, True, True, False] and set(run.changed.values()) == {0}
    assert site.user not in {entry.pw_name for entry in pwd.getpwall()} and not any(os.path.exists(site.root(host)) for host in HOSTS)
    # The part for the hosts alone needs a package.
    run = site.deploy("--tags", "install", "--check", otp_package=str(package))
    assert parts(run) == [True, False, False, True] and run.changed["north"] == run.changed["south"] == 1


def test_the_nodes_run_and_answer(site: Site, deployed: Run) -> None:
    for host in HOSTS:
        result = deployed.results[host]
        assert result["changed"] and result["transferred"] and result["pending"] is None
        assert result["release"] == {"name": "exchange", "version": "FIRST"}
        assert result["node"]["running"] and result["node"]["release"] == "FIRST"
        assert [known[:3] for known in _node.ask(site.node(host)).releases] == [("exchange", "FIRST", "permanent")]
        assert site.ask(host, "version") == "version 1.0"
    assert re.search(r"north +- +FIRST +\d+\.\d +changed +running, pid \d+ +-", deployed.output)


def test_all_belongs_to_the_service_user_and_runs_as_it(site: Site, deployed: Run) -> None:
    user = pwd.getpwnam(site.user)
    for host in HOSTS:
        paths = [os.path.join(path, name) for path, names, files in os.walk(site.root(host)) for name in names + files]
        assert not {path for path in paths if os.lstat(path).st_uid != user.pw_uid}
        status = Path(f"/proc/{deployed.results[host]['node']['pid']}/status").read_text()
        assert re.search(r"^Uid:\t(\d+)\t\1\t\1\t\1$", status, re.MULTILINE).group(1) == str(user.pw_uid)  # type: ignore[union-attr]


def test_the_nodes_use_no_erlang_of_the_host(site: Site, deployed: Run) -> None:
    for host in HOSTS:
        process = Path(f"/proc/{deployed.results[host]['node']['pid']}")
        for name in ("maps", "cmdline", "environ"):
            assert find_otp(None).root.encode() not in (process / name).read_bytes()
        assert os.readlink(process / "exe").startswith(site.root(host) + "/erts-")


def test_the_flags_of_inventory_and_release_reach_the_emulator(site: Site, deployed: Run) -> None:
    process = Path(f"/proc/{deployed.results['south']['node']['pid']}")
    words, variables = ((process / name).read_bytes().decode().split("\0") for name in ("cmdline", "environ"))
    of_inventory = (["-kernel", "inet_dist_use_interface", "{127,0,0,1}"], ["-mode", "interactive"], ["-heart"])
    for expected in (*of_inventory, ["-otptest", "a flag", "with spaces"], ["-P", "100000"]):
        assert any(words[index : index + len(expected)] == expected for index in range(len(words))), words
    assert {"HEART_BEAT_TIMEOUT=30", "ERL_EPMD_ADDRESS=127.0.0.1"} <= set(variables)


def test_which_releases_agrees_with_the_info_module(site: Site, deployed: Run) -> None:
    for host in HOSTS:
        said = site.ansible("ansible", host, "-m", "erlang.otp.otp_release_info", "-a", json.dumps({"root": site.root(host)}))
        assert said.returncode == 0, said.stdout
        info = json.loads(said.stdout[said.stdout.index("{") :])
        on_disk = {(release["name"], release["version"], release["status"]) for release in info["releases"]}
        assert on_disk == {known[:3] for known in _node.ask(site.node(host)).releases}


def test_a_second_deploy_changes_and_sends_nothing(site: Site, deployed: Run) -> None:
    run = site.deploy("--diff")
    assert run.changed == {"builder": 0, "north": 0, "south": 0}
    for host in HOSTS:
        assert run.results[host]["actions"] == [] and run.results[host]["transferred"] is False
        assert run.results[host]["node"]["pid"] == deployed.results[host]["node"]["pid"]
    assert re.search(r"south +FIRST +FIRST +\d+\.\d +unchanged +running, pid \d+ +-", run.output)


def test_the_cookie_is_in_a_file_of_the_service_user_and_nowhere_else(site: Site, deployed: Run) -> None:
    assert site.cookie not in deployed.output
    for process in Path("/proc").glob("[0-9]*"):
        try:
            assert site.cookie.encode() not in (process / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            pass
    with_cookie = []
    for path in (path for host in HOSTS for path in Path(site.root(host)).parent.rglob("*")):
        if path.is_file() and not path.is_symlink() and site.cookie.encode() in path.read_bytes():
            with_cookie.append(str(path))
            assert path.stat().st_mode & 0o777 == 0o400 and path.owner() == site.user
    assert sorted(with_cookie) == sorted(f"{site.home(host)}/.erlang.cookie" for host in HOSTS)


def test_start_refuses_beside_a_running_node_and_as_another_user(site: Site, deployed: Run) -> None:
    start = f"{site.root('south')}/bin/start"
    refused = site.as_user(start)
    assert refused.returncode == 1
    assert f"the node is already running (pid {deployed.results['south']['node']['pid']})" in refused.stdout
    as_root = subprocess.run([start], text=True, stderr=subprocess.PIPE, timeout=LIMIT, check=False)
    assert as_root.returncode == 1 and f"only user {site.user} can start the node" in as_root.stderr


@pytest.mark.parametrize("host", HOSTS)
def test_heart_brings_a_killed_emulator_back(site: Site, deployed: Run, host: str) -> None:
    pid = t.cast(int, find_emulator(site.root(host)))
    os.kill(pid, signal.SIGKILL)
    another = wait_for_another(site, host, pid)
    assert _node.wait_until_answering(site.node(host), timeout=LIMIT)[0] == another
    assert site.ask(host, "version") == "version 1.0"
    assert site.deploy("--limit", host).changed[host] == 0


def test_a_changed_configuration_of_a_running_node_is_told_until_it_is_restarted(site: Site, deployed: Run) -> None:
    pid = find_emulator(site.root("north"))
    former, port = site.ports["north"], free_port()
    site.ports["north"] = port
    site.write_inventory()
    told = site.deploy("--limit", "north", "--diff")
    assert told.changed["north"] == 1 and f"-   {{port, {former}}}" in told.output and f"+   {{port, {port}}}" in told.output
    for run in (told, site.deploy("--limit", "north")):
        assert "runs with an earlier version of" in run.output and "otp_restart_on_change" in run.output
        assert run.results["north"]["node"]["pid"] == pid
    assert run.changed["north"] == 0
    restarted = site.deploy("--limit", "north", otp_restart_on_change=True)
    after, down = restarted.results["north"]["after"], restarted.results["north"]["unreachable_seconds"]
    assert after["pid"] == find_emulator(site.root("north")) != pid and down > 0
    assert re.search(rf"north +FIRST +FIRST +\d+\.\d +restarted +running, pid {after['pid']} +{down:.1f} s", restarted.output)
    assert site.ask("north", "version") == "version 1.0"
    again = site.deploy("--limit", "north", otp_restart_on_change=True)
    assert again.changed["north"] == 0 and "runs with an earlier version of" not in again.output


def test_an_undefined_variable_is_named_and_the_old_configuration_stays(site: Site, deployed: Run) -> None:
    config = Path(site.root("north"), "releases", "FIRST", "sys.config")
    before = config.read_bytes()
    failed = site.deploy("--limit", "north", code=2, otp_config_variables={"EXCHANGE_PORT": "not a number {"})
    assert "sys.config.src, line" in failed.results["north"]["msg"] and "EXCHANGE_PORT" in failed.results["north"]["msg"]
    assert config.read_bytes() == before


def test_another_release_waits_for_an_upgrade_whether_the_node_runs_or_not(site: Site, deployed: Run) -> None:
    second = {
        "otp_rel": f"{site.directory}/exchange-source/second.rel",
        "otp_code_path": [f"{site.directory}/exchange-source/2.0/ebin"],
    }
    beside = site.deploy("--limit", "builder,north", **second)
    assert beside.changed["north"] == 1 and beside.results["north"]["transferred"]
    assert beside.results["north"]["pending"].startswith("release SECOND is installed, but FIRST is permanent")
    summary = beside.output.partition("Report what runs where")[2]
    assert re.search(r"north +FIRST +FIRST +\d+\.\d +changed +running", summary) and "north: release SECOND is installed, but FIRST is permanent" in summary
    assert site.ask("north", "version") == "version 1.0"
    again = site.deploy("--limit", "builder,north", **second)
    assert again.changed["north"] == 0 and again.results["north"]["pending"]

    stopped = site.deploy("--limit", "builder,north", otp_state="stopped", **second)
    assert stopped.results["north"]["node"] == {"name": site.node("north").name, "running": False}
    assert stopped.results["north"]["pending"].endswith("upgrade the node to it, with otp_down=offline, because it is down")
    # That way out.
    said = site.ansible("ansible-playbook", "erlang.otp.upgrade", "--limit", "builder,north", "-e", json.dumps({**second, "otp_down": "offline"}))
    assert said.returncode == 0, said.stdout
    taken = site.deploy("--limit", "builder,north", **second)
    assert taken.results["north"]["pending"] is None and taken.results["north"]["transferred"] is False
    assert site.ask("north", "version") == "version 2.0"
    # With the first release in the inventory again, as after an upgrade by hand.
    site.deploy("--limit", "north", otp_state="stopped")
    back = site.deploy("--limit", "builder,north")
    assert back.results["north"]["pending"] == "release FIRST is installed, but SECOND is permanent: upgrade the node to it"
    assert site.ask("north", "version") == "version 2.0"


def test_a_node_that_crashes_at_its_start_is_told_with_its_last_words_and_stopped(site: Site, deployed: Run) -> None:
    site.deploy("--limit", "south", otp_state="stopped")
    failed = site.deploy("--limit", "south", code=2, otp_erl_flags=["-s", "nosuchmodule"])
    message = failed.results["south"]["msg"]
    assert "does not stay up" in message and "nosuchmodule" in message and f"{site.root('south')}/log/erlang.log." in message
    assert find_emulator(site.root("south")) is None
    assert site.deploy("--limit", "south").results["south"]["node"]["running"]


def test_an_application_that_cannot_start_is_told_with_its_reason(site: Site, deployed: Run) -> None:
    with socket.socket() as occupant:
        occupant.bind(("127.0.0.1", 0))
        occupant.listen()
        taken = {"otp_config_variables": {"EXCHANGE_PORT": occupant.getsockname()[1]}}
        failed = site.deploy("--limit", "south", code=2, otp_restart_on_change=True, **taken)
        assert all(word in failed.output for word in ("rolled back: ", "does not stay up", "exchange_listener", "eaddrinuse"))
        assert site.ask("south", "version") == "version 1.0"
    assert site.deploy("--limit", "south").results["south"]["node"]["running"]


def test_a_name_that_another_node_has_is_told(site: Site, deployed: Run) -> None:
    site.deploy("--limit", "south", otp_state="stopped")
    failed = site.deploy("--limit", "south", code=2, otp_node_name=site.node("north").name)
    assert "does not stay up" in failed.results["south"]["msg"] and "in use" in failed.results["south"]["msg"]
    assert find_emulator(site.root("south")) is None
    _node.wait_until_answering(site.node("north"), timeout=LIMIT)


def test_a_node_that_is_not_distributed(site: Site, deployed: Run) -> None:
    site.deploy("--limit", "south", otp_state="stopped")
    alone = {"otp_node_name": "", "otp_heart": False}
    started = site.deploy("--limit", "south", **alone)
    assert started.results["south"]["node"] == {"name": "", "running": True, "pid": find_emulator(site.root("south")), "outdated": []}
    assert site.ask("south", "version") == "version 1.0"
    assert site.deploy("--limit", "south", **alone).changed["south"] == 0


def test_stopped_by_the_playbook_and_by_hand(site: Site, deployed: Run) -> None:
    stopped = site.deploy(otp_state="stopped")
    assert stopped.changed == {"builder": 0, "north": 1, "south": 1}
    assert all(find_emulator(site.root(host)) is None for host in HOSTS)
    assert site.deploy(otp_state="stopped").changed == {"builder": 0, "north": 0, "south": 0}

    assert site.as_user(f"{site.root('south')}/bin/start").returncode == 0
    pid, dummy = _node.wait_until_answering(site.node("south"), timeout=LIMIT)
    assert site.as_user(f"{site.root('south')}/bin/stop").returncode == 0
    assert find_emulator(site.root("south")) is None and not is_emulator(pid, site.root("south"))
    assert site.as_user(f"{site.root('south')}/bin/stop").returncode == 0
