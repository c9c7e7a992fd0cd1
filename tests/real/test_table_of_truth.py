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

HOSTS = ("ada", "bob", "cyd", "dan", "eve", "fay", "gus", "hal", "ivy", "joe")
AT_ONCE: dict[str, t.Any] = {"otp_serial": "100%", "otp_max_fail_percentage": 100}


@pytest.fixture(scope="module")
def site(releases: Releases) -> t.Iterator[Fleet]:
    with fleet(Path(tempfile.mkdtemp(prefix="otp-truth-")), HOSTS, releases) as site:
        make_more_packages(site)
        yield site


def make_more_packages(site: Fleet) -> None:
    """One for another machine type, one that is damaged near its end, and one that does not boot."""
    site.packages["MACHINE"] = with_changes(site, "FIRST", "MACHINE", of_another_machine)
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
    site.small("gus")
    of_hosts = {
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
        **dict.fromkeys(("ada", "bob", "cyd", "dan", "ivy", "joe"), "changed"),
        **dict.fromkeys(("eve", "fay", "gus", "hal"), "failed"),
    }


def test_deploy_to_hosts_with_a_system(site: Fleet) -> None:
    old = site.facts()
    os.kill(int(old["ivy"].pid), signal.SIGKILL)
    site.stop("ivy")
    of_hosts = {
        "bob": {"otp_sys_config": {"counter": {"size": 2}}, "otp_cookie": "newcookie"},
        "dan": {"otp_state": "stopped"},
        "eve": {"otp_sys_config": {"counter": {"size": 2}}, "otp_state": "present"},
        "joe": {"otp_package": site.packages["SECOND"], "otp_heart": False, "otp_sys_config": {"counter": {"size": 1}}},
    }
    site.write(of_hosts, otp_package=site.packages["FIRST"])
    outcomes = site.drive("deploy", code=2, cookies={"bob": "newcookie"})
    assert outcomes == {
        **dict.fromkeys(("ada", "dan"), "unchanged"),
        **dict.fromkeys(("bob", "cyd", "eve", "fay", "hal", "ivy", "joe"), "changed"),
        "gus": "failed",
    }


def test_upgrades(site: Fleet) -> None:
    unreachable = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": free_port()}
    of_hosts = {
        "ada": site.of("SECOND"),
        "bob": {**site.of("RESTARTS"), "otp_allow_restart": True},
        "cyd": site.of("RESTARTS"),
        "dan": {**site.of("SECOND"), "otp_down": "offline"},
        "eve": {**site.of("SECOND"), "otp_down": "skip"},
        "fay": {**site.of("BARE"), "otp_allow_restart": True},
        "gus": site.of("SECOND"),
        "hal": {**site.of("SECOND"), "otp_sys_config_template": str(site.directory / "bad.config")},
        "ivy": {**site.of("SECOND"), **unreachable},
        "joe": site.of("SECOND"),
    }
    site.write(of_hosts)
    outcomes = site.drive("upgrade", code=2, **AT_ONCE)
    assert outcomes == {
        **dict.fromkeys(("ada", "bob", "dan", "fay", "joe"), "done"),
        **dict.fromkeys(("cyd", "gus", "hal", "ivy"), "refused"),
        "eve": "down, left alone",
    }


def test_upgrades_with_gates_and_hooks(site: Fleet) -> None:
    """ada, bob, dan, fay and joe have been upgraded, and dan was started; eve is down."""
    hook = site.directory / "hook.yml"
    hook.write_text("- name: Work\n  ansible.builtin.command: 'true'\n")
    (Path(site.root("hal")) / "releases/RELEASES").rename(site.directory / "RELEASES")
    restart(site, "hal")
    of_hosts = {
        "bob": {**site.of("FIRST"), "otp_package": ""},
        "cyd": {**site.of("RESTARTS"), "otp_allow_restart": True, "otp_hooks": {"before": str(hook), "after": str(hook)}},
        "dan": {**site.of("SECOND"), "otp_down": "offline"},
        "eve": {**site.of("SECOND"), "otp_down": "offline"},
        "fay": {**site.of("SECOND"), "otp_upgrade_method": "hot"},
        "gus": site.of("SECOND"),
        "hal": site.of("SECOND"),
        "ivy": {**site.of("SECOND"), "otp_cookie": "notthiscookie"},
        "joe": {**site.of("BARE"), "otp_upgrade_method": "restart"},
    }
    site.write(of_hosts)
    gates = [{"command": "true"}, {"rpc": {"module": "counter", "function": "version", "expect": "_"}}]
    outcomes = site.drive("upgrade", "--limit", "!ada", code=2, otp_gates=gates, **AT_ONCE)
    assert outcomes == {
        "dan": "unchanged",
        **dict.fromkeys(("cyd", "eve"), "done"),
        **dict.fromkeys(("bob", "fay", "gus", "hal", "ivy", "joe"), "refused"),
    }


def test_the_way_out_of_a_start_without_releases(site: Fleet) -> None:
    site.write({"hal": {"otp_package": site.packages["FIRST"]}})
    site.stop("hal")
    site.play("deploy", "--limit", "hal")
    assert "counter-1.0" in (Path(site.root("hal")) / "releases/RELEASES").read_text()


@pytest.mark.one_of(2)
@pytest.mark.parametrize(("most", "others"), [(100, "done"), (50, "not reached")])
def test_batches(site: Fleet, most: int, others: str) -> None:
    """cyd has no way to the release."""
    site.write(dict.fromkeys(site.hosts, site.of("SECOND")))
    some = {"otp_serial": 1, "otp_gates": [{"command": "true"}], "otp_max_fail_percentage": most}
    assert site.drive("upgrade", "--limit", "cyd,hal,ivy", code=2, **some) == {"cyd": "refused", "hal": others, "ivy": others}


def test_rollbacks(site: Fleet) -> None:
    site.stop("dan")
    site.evaluate("hal", 'release_handler:install_release("FIRST")')
    site.write({"bob": {"otp_allow_restart": True}, "eve": {"otp_down": "offline"}, "fay": {"otp_upgrade_method": "restart"}})
    outcomes = site.drive("rollback", code=2, **AT_ONCE)
    assert outcomes == {
        **dict.fromkeys(("ada", "bob", "eve", "fay", "hal", "ivy", "joe"), "done"),
        **dict.fromkeys(("cyd", "dan", "gus"), "refused"),
    }


def test_what_nobody_foresees(site: Fleet) -> None:
    """ada, bob, fay, hal, ivy and joe run FIRST."""
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
    }
    site.write(of_hosts)
    outcomes = site.run("upgrade", "--limit", ",".join(of_hosts), code=2, **AT_ONCE)
    assert outcomes == {**dict.fromkeys(of_hosts, "rolled back"), "hal": "failed"}


def started_again(site: Fleet, host: str) -> contextlib.AbstractContextManager[None]:
    """Kill the node, and wait until heart has started it again."""
    pid = site.facts()[host].pid
    os.kill(int(pid), signal.SIGKILL)
    wait_until(lambda: site.facts()[host].pid not in ("", pid), "heart has started the node again")
    return contextlib.nullcontext()


def with_its_name(site: Fleet, host: str) -> contextlib.AbstractContextManager[None]:
    """Stop the node. Another one, which has nothing to do with the system, takes its name."""
    site.stop(host)
    return site.emulator(host, None)


def second_emulator(site: Fleet, host: str) -> contextlib.AbstractContextManager[None]:
    """Of the same system, and with another name."""
    return site.emulator("second", Path(site.root(host)))


@pytest.mark.one_of(3)
@pytest.mark.parametrize(("host", "happens", "outcome"), [("ivy", with_its_name, "refused"), ("ada", second_emulator, "done"), ("bob", started_again, "done")])
def test_who_else_runs_here(site: Fleet, host: str, happens: t.Callable[[Fleet, str], contextlib.AbstractContextManager[None]], outcome: str) -> None:
    site.write({host: site.of("SECOND")})
    with happens(site, host):
        assert site.drive("upgrade", "--limit", host, code=2 if outcome == "refused" else 0, **AT_ONCE) == {host: outcome}
