# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check mode says what the run says; and what a table says is what the nodes and the kernel say.

Each host is in a situation of its own, by its variables. The tests stand in the order of a fleet's life, and share one site.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import tarfile
import tempfile
import typing as t
from pathlib import Path

import pytest
from handler_site import Releases
from truth_site import Fleet, fleet
from waiting import free_port, wait_until

HOSTS = ("ada", "bob", "cyd", "dan", "eve", "fay", "gus", "hal", "ivy", "joe", "kim")
AT_ONCE: dict[str, t.Any] = {"otp_serial": "100%", "otp_max_fail_percentage": 100}


@pytest.fixture(scope="module")
def site(releases: Releases) -> t.Iterator[Fleet]:
    with fleet(Path(tempfile.mkdtemp(prefix="otp-truth-")), HOSTS, releases) as site:
        make_more_packages(site)
        yield site


def make_more_packages(site: Fleet) -> None:
    """One for another machine type, those of the same content and of other content, one that does not boot, and one that is damaged near its end."""
    site.packages["MACHINE"] = with_changes(site, "FIRST", "MACHINE", of_another_machine)
    for release in ("FIRST", "SECOND", "RESTARTS"):
        site.packages[f"{release} AGAIN"] = with_changes(site, release, f"{release} AGAIN", lambda name, content: content)
        site.packages[f"{release} CHANGED"] = with_changes(site, release, f"{release} CHANGED", lambda name, content: content.replace(b"Counts", b"counts"))
    site.packages["UNBOOTABLE"] = with_changes(site, "BARE", "UNBOOTABLE", lambda name, content: b"" if name.endswith("/counter.beam") else content)
    content = bytearray(Path(site.packages["SECOND"]).read_bytes())
    content[-1000] ^= 0xFF
    site.packages["DAMAGED"] = str(site.directory / "DAMAGED.tar.gz")
    Path(site.packages["DAMAGED"]).write_bytes(content)


def with_changes(site: Fleet, release: str, name: str, change: t.Callable[[str, bytes], bytes]) -> str:
    """A package with the content of that of the release, changed; its path."""
    path = f"{site.directory}/{name}.tar.gz"
    with tarfile.open(site.packages[release]) as old, tarfile.open(path, "w:gz", compresslevel=1, format=tarfile.GNU_FORMAT) as new:
        for member in old:
            content = change(member.name, t.cast("t.IO[bytes]", old.extractfile(member)).read()) if member.isfile() else b""
            member.size = len(content)
            new.addfile(member, io.BytesIO(content))
    return path


def restart(site: Fleet, host: str) -> None:
    """As by hand."""
    site.stop(host)
    site.start(host)


def of_another_machine(name: str, content: bytes) -> bytes:
    return content[:18] + b"\xb7\x00" + content[20:] if content.startswith(b"\x7fELF") else content


def test_deploy_to_hosts_with_nothing(site: Fleet) -> None:
    (site.directory / "bad.config").write_text("[{kernel, [}].\n")
    site.disk("gus", 4)
    of_hosts = {
        "ada": {"otp_sys_config": {"counter": {"size": 1}}},
        "cyd": {"otp_state": "present"},
        "dan": {"otp_state": "stopped"},
        "eve": {"otp_package": site.packages["MACHINE"]},
        "fay": {"otp_package": site.packages["DAMAGED"]},
        "hal": {"otp_sys_config_template": str(site.directory / "bad.config")},
        "joe": {"otp_sys_config": {"counter": {"size": 1}}, "otp_heart": False},
    }
    site.write(of_hosts, otp_package=site.packages["FIRST"])
    outcomes = site.drive("deploy", code=2)
    assert outcomes == {
        **dict.fromkeys(("ada", "bob", "cyd", "dan", "ivy", "joe", "kim"), "changed"),
        **dict.fromkeys(("eve", "fay", "gus", "hal"), "failed"),
    }


def test_deploy_to_hosts_with_a_system(site: Fleet) -> None:
    """Somebody has changed the configuration of ada and the cookie of joe by hand, and works in a shell of ada; gus has got a larger disk.

    The node of kim has written into a library, as some do; what dan boots is of another package of the same version.
    """
    written = Path(site.root("kim"), "lib/counter-1.0/priv/written")
    written.parent.mkdir()
    written.touch()
    os.kill(int(site.facts()["ivy"].pid), signal.SIGKILL)
    site.stop("ivy")
    site.disk("gus", 48)
    Path(site.root("ada"), "releases/FIRST/sys.config").write_text("[{counter, [{size, 9}]}].\n")
    cookie = Path(site.node("joe").cookie_file)
    cookie.chmod(0o600)
    cookie.write_text("byhand")
    of_hosts = {
        "ada": {"otp_sys_config": {"counter": {"size": 1}}},
        "bob": {"otp_sys_config": {"counter": {"size": 2}}, "otp_cookie": "newcookie"},
        "dan": {"otp_state": "stopped", "otp_package": site.packages["FIRST CHANGED"]},
        "eve": {"otp_package": site.packages["MACHINE"]},
        "kim": {"otp_package": site.packages["FIRST AGAIN"]},
        "joe": {"otp_package": site.packages["SECOND"], "otp_heart": False, "otp_sys_config": {"counter": {"size": 1}}},
    }
    site.write(of_hosts, otp_package=site.packages["FIRST"])
    outcomes = site.drive("deploy", code=2, cookies={"bob": "newcookie"}, during=second_emulator(site, "ada"))
    assert outcomes == {
        **dict.fromkeys(("ada", "bob", "cyd", "fay", "gus", "hal", "ivy", "joe", "kim"), "changed"),
        **dict.fromkeys(("dan", "eve"), "failed"),
    }
    assert "lib/counter-1.0/ebin/counter.app differs. A library" in site.notes["dan"]
    assert site.notes["ada"].startswith(f"a second emulator runs the system below {site.root('ada')} (process ")


def test_upgrades(site: Fleet) -> None:
    """eve has no system."""
    unreachable = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": free_port()}
    site.stop("kim")
    of_hosts = {
        "ada": site.of("SECOND"),
        "bob": {**site.of("RESTARTS"), "otp_allow_restart": True},
        "cyd": site.of("RESTARTS"),
        "dan": {**site.of("SECOND"), "otp_down": "offline"},
        "eve": site.of("SECOND"),
        "fay": {**site.of("BARE"), "otp_allow_restart": True},
        "gus": site.of("SECOND"),
        "hal": {**site.of("SECOND"), "otp_sys_config_template": str(site.directory / "bad.config")},
        "ivy": {**site.of("SECOND"), **unreachable},
        "joe": site.of("SECOND"),
        "kim": {**site.of("SECOND"), "otp_down": "skip"},
    }
    site.write(of_hosts)
    outcomes = site.drive("upgrade", code=2, during=site.full("gus"), **AT_ONCE)
    assert outcomes == {
        **dict.fromkeys(("ada", "bob", "dan", "fay", "joe"), "done"),
        **dict.fromkeys(("cyd", "eve", "gus", "hal", "ivy"), "refused"),
        "kim": "down, left alone",
    }


def test_upgrades_with_gates_and_hooks(site: Fleet) -> None:
    """ada, bob, dan, fay and joe have been upgraded, and dan was started; kim is down. What ada and dan run, and cyd has, comes in another package."""
    hook = site.directory / "hook.yml"
    hook.write_text("- name: Work\n  ansible.builtin.command: 'true'\n")
    (Path(site.root("hal")) / "releases/RELEASES").rename(site.directory / "RELEASES")
    restart(site, "hal")
    site.stop("gus")
    hooks = {"otp_hooks": {"before": str(hook), "after": str(hook)}}
    of_hosts = {
        "ada": {**site.of("SECOND"), "otp_package": site.packages["SECOND CHANGED"]},
        "bob": {**site.of("FIRST"), "otp_package": ""},
        "cyd": {**site.of("RESTARTS"), "otp_package": site.packages["RESTARTS CHANGED"], "otp_allow_restart": True, **hooks},
        "dan": {**site.of("SECOND"), "otp_package": site.packages["SECOND AGAIN"], "otp_down": "offline"},
        "fay": {**site.of("SECOND"), "otp_upgrade_method": "hot"},
        "gus": site.of("SECOND"),
        "hal": site.of("SECOND"),
        "ivy": {**site.of("SECOND"), "otp_cookie": "notthiscookie"},
        "joe": {**site.of("BARE"), "otp_upgrade_method": "restart"},
        "kim": {**site.of("SECOND"), "otp_down": "offline"},
    }
    site.write(of_hosts)
    gates = [{"command": "true"}, {"rpc": {"module": "counter", "function": "version", "expect": "_"}}]
    outcomes = site.drive("upgrade", "--limit", ",".join(of_hosts), code=2, otp_gates=gates, **AT_ONCE)
    assert outcomes == {
        "dan": "unchanged",
        **dict.fromkeys(("cyd", "kim"), "done"),
        **dict.fromkeys(("ada", "bob", "fay", "gus", "hal", "ivy", "joe"), "refused"),
    }
    assert "Release SECOND runs or boots here, so it is not replaced" in site.notes["ada"]


def test_ways_out_by_deploy(site: Fleet) -> None:
    """hal was started without RELEASES; ivy runs and does not answer; eve has no system, and no package."""
    of_hosts = {"eve": {"otp_package": ""}, "gus": {"otp_package": site.packages["SECOND"]}, "ivy": {"otp_start_timeout": 1}}
    site.write(of_hosts, otp_package=site.packages["FIRST"])
    site.stop("hal")
    outcomes = site.drive("deploy", "--limit", "eve,gus,hal,ivy", code=2, during=site.other_cookie("ivy"))
    assert outcomes == {"eve": "failed", "gus": "changed", "hal": "changed", "ivy": "failed"}
    assert "set otp_package, or put a host into the group otp_builders" in site.notes["eve"]
    assert "counter-1.0" in (Path(site.root("hal")) / "releases/RELEASES").read_text()


def test_epmd_has_ended(site: Fleet) -> None:
    site.write(otp_package=site.packages["FIRST"])
    assert site.drive("deploy", "--limit", "eve,ivy", during=site.without_epmd()) == {"eve": "changed", "ivy": "changed"}


@pytest.mark.one_of(2)
@pytest.mark.parametrize(("most", "of_ivy"), [(40, "not reached"), (50, "done")])
def test_batches(site: Fleet, most: int, of_ivy: str) -> None:
    """cyd has no way to the release."""
    site.write(dict.fromkeys(site.hosts, site.of("SECOND")))
    some = {"otp_serial": 2, "otp_gates": [{"command": "true"}], "otp_max_fail_percentage": most}
    outcomes = site.drive("upgrade", "--limit", "cyd,hal,ivy,joe", code=2, **some)
    assert outcomes == {"cyd": "refused", "hal": "held back" if most < 50 else "done", "ivy": of_ivy, "joe": "not reached" if most < 50 else "unchanged"}


def test_rollbacks(site: Fleet) -> None:
    """What ada runs is not committed; hal and ivy have gone to SECOND, or stayed."""
    site.stop("dan")
    site.evaluate("ada", 'release_handler:install_release("FIRST")')
    is_there = site.facts()["hal"].runs == "SECOND"
    site.write({"bob": {"otp_allow_restart": True}, "fay": {"otp_upgrade_method": "restart"}})
    outcomes = site.drive("rollback", code=2, **AT_ONCE)
    assert outcomes == {
        **dict.fromkeys(("ada", "bob", "fay", "joe", "kim"), "done"),
        **dict.fromkeys(("cyd", "dan", "eve", "gus"), "refused"),
        **dict.fromkeys(("hal", "ivy"), "done" if is_there else "refused"),
    }
    # To what was permanent; and then to the release before that.
    assert site.facts()["ada"].runs == "SECOND"
    assert "so set otp_upgrade_to to one of those that are installed: SECOND" in site.notes["gus"]
    assert site.run("rollback", "--limit", "gus", otp_upgrade_to="SECOND") == {"gus": "done"}
    assert site.drive("rollback", "--limit", "ada", **AT_ONCE) == {"ada": "done"} and site.facts()["ada"].runs == "FIRST"


def test_what_nobody_foresees(site: Fleet) -> None:
    """ada, bob, fay, hal, ivy and joe run FIRST; kim is down, and boots it."""
    site.stop("kim")
    kill = "sh -c 'kill -9 $(cat {{ otp_root }}/run/emulator.pid)'"
    stop = site.directory / "stop.yml"
    stop.write_text("- name: Stop\n  ansible.builtin.command: '{{ otp_root }}/bin/stop'\n")
    fail = site.directory / "fail.yml"
    fail.write_text("- name: Fail\n  ansible.builtin.fail:\n    msg: it is raining\n")
    of_hosts = {
        "ada": site.of("CRASHES"),
        "joe": {**site.of("SECOND"), "otp_gates": [{"command": "false"}]},
        "fay": {**site.of("SECOND"), "otp_hooks": {"committed": str(fail)}},
        "hal": {**site.of("SECOND"), "otp_hooks": {"before": str(stop)}},
        "ivy": {**site.of("SECOND"), "otp_gates": [{"command": kill}]},
        "bob": {**site.of("UNBOOTABLE"), "otp_upgrade_to": "BARE", "otp_upgrade_method": "restart"},
        "kim": {**site.of("UNBOOTABLE"), "otp_upgrade_to": "BARE", "otp_down": "offline"},
    }
    site.write(of_hosts)
    outcomes = site.run("upgrade", "--limit", ",".join(of_hosts), code=2, **AT_ONCE)
    assert outcomes == {**dict.fromkeys(of_hosts, "rolled back"), "hal": "failed"}


@contextlib.contextmanager
def second_emulator(site: Fleet, host: str) -> t.Iterator[None]:
    """Of the same system, and with another name."""
    with site.emulator("second", Path(site.root(host))):
        yield


@contextlib.contextmanager
def with_its_name(site: Fleet, host: str) -> t.Iterator[None]:
    """Another node, which has nothing to do with the system, takes the name of one that is down."""
    with site.emulator(host, None):
        yield


def test_who_else_runs_here(site: Fleet) -> None:
    """heart has started bob again; another node has the name of ivy; kim has been rolled back from its release; nothing says which one eve is to run."""
    pid = site.facts()["bob"].pid
    os.kill(int(pid), signal.SIGKILL)
    site.stop("ivy")
    wait_until(lambda: site.facts()["bob"].pid not in ("", pid), "heart has started the node again")
    of_hosts = {
        **dict.fromkeys(("ada", "bob", "ivy"), site.of("SECOND")),
        "kim": {**site.of("UNBOOTABLE"), "otp_upgrade_to": "BARE", "otp_down": "offline"},
    }
    site.write(of_hosts)
    with with_its_name(site, "ivy"):
        outcomes = site.drive("upgrade", "--limit", ",".join((*of_hosts, "eve")), code=2, during=second_emulator(site, "ada"), **AT_ONCE)
    assert outcomes == {"ada": "done", "bob": "done", "eve": "refused", "ivy": "refused", "kim": "refused"}
    assert "no release to change to is known: set otp_upgrade_to to its version" in site.notes["eve"]
    assert "a second emulator runs the system below" in site.notes["ada"] and site.notes["kim"].startswith("release BARE failed on this host at ")


def test_restarts_and_what_was_named_as_the_way_out(site: Fleet) -> None:
    """What ada runs is not committed; ivy is down."""
    site.evaluate("ada", 'release_handler:install_release("FIRST")')
    site.write(dict.fromkeys(("ada", "eve"), site.of("FIRST")))
    outcomes = site.drive("restart", "--limit", "ada,bob,ivy", code=2, **AT_ONCE)
    assert outcomes == {"ada": "refused", "bob": "done", "ivy": "refused"}
    assert "commit it by the playbook erlang.otp.upgrade" in site.notes["ada"] and "start it, by the playbook erlang.otp.start" in site.notes["ivy"]
    assert site.drive("upgrade", "--limit", "ada,eve", **AT_ONCE) == {"ada": "done", "eve": "unchanged"}
    assert site.drive("start", "--limit", "ivy") == {"ivy": "done"}
    assert site.run("restart", "--limit", "ada,ivy", **AT_ONCE) == {"ada": "done", "ivy": "done"}


def test_what_the_operator_leaves_out(site: Fleet) -> None:
    """ada runs FIRST, with heart. What decides on a word is what the node was found to run."""
    limit = ("--limit", "ada")
    site.write({"ada": {**site.of("SECOND"), "otp_gates": [{"command": "true"}]}})
    assert site.step("upgrade", *limit, without=["Commit the release"]) == {"ada": "lost"}
    ada = site.facts()["ada"]
    assert (ada.runs, ada.permanent) == ("SECOND", "FIRST") and "was left out (--step)" in site.notes["ada"]
    back = ["Roll back while the node runs", "Reboot the node into the release before"]
    assert site.step("upgrade", *limit, without=back, otp_gates=[{"command": "false"}]) == {"ada": "failed"}
    assert "and the rollback failed: none of its tasks was run" in site.notes["ada"] and site.facts()["ada"] == ada
    assert site.step("upgrade", *limit, without=back[:1], otp_gates=[{"command": "false"}]) == {"ada": "rolled back"}
    assert site.step("deploy", *limit, without=["Ensure the target system"], code=0) == {"ada": "not reached"}
    site.write({"ada": {"otp_gates": [{"command": "true"}]}})
    changed = {"otp_restart_on_change": True, "otp_environment": {"ERL_EPMD_PORT": site.epmd_port, "MORE": 1}, "otp_package": site.packages["FIRST"]}
    assert site.step("deploy", *limit, without=["Commit", "Change the node until it is committed"], **changed) == {"ada": "lost"}
    assert site.run("deploy", *limit, **changed) == {"ada": "restarted"}
