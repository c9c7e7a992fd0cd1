# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: a second run changes nothing, and check mode changes nothing and reports the same; a package that is needed is requested before
anything is changed; which release is permanent never changes, and a running node is never restarted; a running node gets its new cookie.
"""

from __future__ import annotations

import os

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._install.outcome import PackageNeeded
from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _node
from ansible_collections.erlang.otp.plugins.module_utils._node import service as _service
from ansible_collections.erlang.otp.plugins.module_utils._target_system import node_state as _node_state
from ansible_collections.erlang.otp.plugins.module_utils._target_system import system as _system
from ansible_collections.erlang.otp.plugins.module_utils._target_system.system import System
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import pid_file
from ansible_collections.erlang.otp.tests.real.authority import Authority
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils._target_system.target_host import SCRIPT, Host, configuration, running


@pytest.fixture
def host(tmp_path, monkeypatch):
    return Host(tmp_path, monkeypatch)


def test_first_all_and_then_nothing(host):
    result, actions, dummy = host.settle()
    assert result["release"] == {"name": "SYSTEM", "version": "FIRST"} and result["pending"] is None
    assert result["node"] == {
        "name": "a@localhost",
        "running": True,
        "pid": 1001,
        "outdated": [],
        "status": "started",
        "release": "FIRST",
        "releases": [{"name": "SYSTEM", "version": "FIRST", "status": "permanent"}],
    }
    assert actions[-1] == "start the node a@localhost"
    again, actions, system = host.settle()
    assert result["before"] is None
    assert (again, actions, system.warnings, system.diff) == ({**result, "before": "FIRST"}, [], [], [])
    assert os.stat(host.root + "/run/pipe").st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("text", "arguments", "has_epmd"),
    [
        (None, "-start_epmd false\n-erl_epmd_port 9100\n", False),
        (None, "# -start_epmd false\n-erl_epmd_port 9100\n", True),
        ("[{kernel,[{erl_epmd_node_listen_port,9100}]}].\n", "-start_epmd false\n", False),
    ],
)
def test_a_unit_of_epmd_where_the_release_needs_one(host, monkeypatch, text, arguments, has_epmd):
    written = []
    monkeypatch.setattr(_system, "ensure_service", lambda service, changes: written.append(service) or [])
    files = tuple(_service.ServiceFile(f"/etc/systemd/system/exchange{suffix}.service", "", 0o644) for suffix in ("", "-epmd"))
    host.node = host.node._replace(service=_service.Service("systemd", "exchange", False, files))
    monkeypatch.setattr(_service, "is_run_by", lambda service, pid: True)
    host.settle(configuration=configuration(text, arguments), state="present")
    assert [len(service.files) == 2 for service in written] == [has_epmd]


def test_no_configuration_is_read_where_there_is_no_unit_of_epmd(host, monkeypatch):
    host.settle()
    monkeypatch.setattr(_system, "Files", lambda directory: pytest.fail("it is read"))
    dummy, actions, system = host.settle()
    assert actions == []
    service = _service.Service("sysv", "exchange", False, (_service.ServiceFile("/etc/init.d/exchange", "", 0o755),))
    system.options = system.options._replace(node=host.node._replace(service=service))
    assert system.service_of_release() == service


def test_a_release_without_ssl_is_refused_before_anything_is_done(host):
    files = Authority().issue("localhost")
    package = {"package": host.packages["FIRST"], "checksum": None, "release": {"version": "FIRST", "applications": {"kernel": "1"}}}
    with pytest.raises(OtpError, match="release FIRST has no application ssl"):
        host.settle(tls=files, package=package)
    assert not os.path.exists(host.root)


def test_epmd_that_has_ended_is_started_again(host):
    host.settle()
    host.has_no_epmd = True
    assert host.settle()[1] == ["start EPMD, which has ended while the node a@localhost runs"] and host.starts == 1
    assert host.settle()[1] == []


def test_check_mode_touches_nothing_and_tells_the_same(host, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    result, told, dummy = host.settle(check_mode=True)
    assert sorted(tmp_path.rglob("*")) == before and host.pid is None
    assert result["node"] == {"name": "a@localhost", "running": True, "outdated": []}
    dummy, done, dummy = host.settle()
    assert told[0] == done[0] and told[-1] == done[-1] and len(told) >= 8
    assert host.settle(check_mode=True)[1] == []


def test_a_package_that_is_needed_is_asked_for_before_anything_is_touched(host, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    package = {"package": None, "checksum": "sha256:" + 64 * "0", "release": None}
    with pytest.raises(PackageNeeded):
        host.settle(package=package)
    assert sorted(tmp_path.rglob("*")) == before
    host.settle()
    with pytest.raises(PackageNeeded):
        host.settle(package=package, state="stopped")
    assert host.pid is not None


def test_without_a_package_and_a_release_nothing_is_changed(host, monkeypatch):
    monkeypatch.setattr(System, "ensure_owner", lambda self: pytest.fail("the service user is created"))
    host.pid = 1000
    for state in ("started", "stopped"):
        with pytest.raises(OtpError, match="no release is installed below .* set otp_package"):
            host.settle(version=None, state=state)
    assert host.pid == 1000


def test_check_mode_says_so_as_well(host):
    with pytest.raises(OtpError, match="no release is installed below .* set otp_package"):
        host.settle(version=None, check_mode=True)


def test_without_a_package_the_permanent_release_stays(host):
    host.settle()
    result, actions, dummy = host.settle(version=None)
    assert result["release"] == {"name": "SYSTEM", "version": "FIRST"} and actions == []


def test_another_release_waits_while_the_node_runs(host):
    host.settle()
    result, actions, dummy = host.settle(version="SECOND")
    assert result["pending"].startswith("release SECOND is installed, but FIRST is permanent") and host.pid == 1001
    assert result["node"]["release"] == "FIRST" and actions
    again, actions, dummy = host.settle(version="SECOND")
    assert again["pending"] == result["pending"] and actions == []


@pytest.mark.parametrize("check_mode", [True, False])
def test_another_release_waits_on_a_stopped_system_too(host, check_mode):
    host.settle()
    result, actions, dummy = host.settle(version="SECOND", state="stopped", check_mode=check_mode)
    assert actions[0] == "stop the node a@localhost" and result["node"] == {"name": "a@localhost", "running": False}
    assert result["pending"] == "release SECOND is installed, but FIRST is permanent: upgrade the node to it, with otp_down=offline, because it is down"
    with open(host.root + "/releases/start_erl.data") as file:
        assert file.read().split()[1] == "FIRST"
    result, actions, dummy = host.settle(version="SECOND", check_mode=check_mode)
    assert result["pending"].endswith("upgrade the node to it") and not any("permanent" in action for action in actions)
    if not check_mode:
        assert result["node"]["release"] == "FIRST"


def test_present_leaves_the_node_as_it_is(host):
    assert host.settle(state="present")[0]["node"] == {"name": "a@localhost", "running": False}
    assert host.starts == 0
    host.settle()
    assert host.settle(state="present")[0]["node"]["pid"] == 1001


def test_a_running_node_gets_a_new_cookie_before_its_file_has_it(host):
    host.settle()
    for check_mode in (True, False):
        dummy, actions, system = host.settle(cookie="another", check_mode=check_mode)
        assert [action.split(" /")[0] for action in actions] == ["give the running node a@localhost its new cookie", "write the cookie to"]
        assert not system.warnings and host.pid == 1001 and (host.cookie, host.in_file) == (("secret", "secret") if check_mode else ("another", "another"))
    assert host.settle(cookie="another")[1] == []
    # A run that ended before it wrote the file.
    host.cookie = "third"
    dummy, actions, system = host.settle(cookie="third")
    assert [action.split(" /")[0] for action in actions] == ["write the cookie to"] and not system.warnings
    # A node without a name, or that is down, gets it at its next start.
    host.pid = None
    assert "give" not in str(host.settle(cookie="fourth")[1]) and host.cookie == "fourth"


@pytest.mark.parametrize("changed", ["script", "sys.config", "vm.args", "cookie"])
def test_a_node_that_runs_without_a_change_is_told_until_it_is_restarted(host, changed):
    host.settle()
    # It answers to neither cookie.
    host.cookie = "foreign" if changed == "cookie" else None
    wanted = {
        "script": {"files": (SCRIPT._replace(content="#!/bin/sh\n# other\n"),)},
        "sys.config": {"configuration": configuration("[{pea,[]}].\n")},
        "vm.args": {"configuration": configuration(arguments="+K true\n")},
        "cookie": {"cookie": "another"},
    }[changed]
    for check_mode, is_written in ((True, True), (False, True), (False, False)):
        dummy, actions, system = host.settle(check_mode=check_mode, **wanted)
        assert len(actions) == is_written and "otp_restart_on_change" in system.warnings[0] and host.pid == 1001
        assert ("upgrade" in system.warnings[0]) == (changed == "sys.config")
    said, actions, system = host.settle(restart_on_change=True, **wanted)
    assert actions == [] and host.pid == 1001 and "earlier version" not in str(system.warnings)
    assert len(said["node"]["outdated"]) == 1 and said["node"]["to_restart"]


def test_a_start_that_waits_for_a_hook(host):
    said, actions, dummy = host.settle(defer_start=True)
    assert said["node"] == {"name": "a@localhost", "running": False, "to_start": True} and host.pid is None and actions
    assert host.settle(defer_start=True, check_mode=True)[0]["node"]["running"]
    assert host.settle()[0]["node"]["pid"] == 1001


def test_configuration_that_an_upgrade_has_loaded_is_no_change(host):
    host.settle()
    later = os.stat(pid_file(host.root)).st_mtime_ns + 10**9
    os.utime(host.root + "/releases/FIRST/sys.config", ns=(later, later))
    assert host.settle()[2].warnings
    os.utime(host.root + "/releases/start_erl.data", ns=(later, later))
    assert not host.settle()[2].warnings


def test_a_cookie_among_the_flags_of_the_release_is_left_out(host):
    dummy, dummy, system = host.settle(configuration=configuration(arguments="-setcookie abc\n"))
    assert "-setcookie" in system.warnings[0] and "abc" not in system.warnings[0]


def test_a_running_node_that_does_not_answer(host):
    host.settle()
    host.silence = "refused"
    for check_mode in (True, False):
        with pytest.raises(_node.NoAnswer):
            host.settle(check_mode=check_mode)
    assert "does not answer: refused" in host.settle(state="present")[2].warnings[0]


def test_what_is_current_is_what_runs(host):
    host.settle()
    host.answer = running(("FIRST", "permanent"), ("SECOND", "current"))
    assert host.settle()[0]["node"]["release"] == "SECOND"


def test_a_node_that_its_unit_has_not_started(host, monkeypatch):
    host.settle()
    for is_its, warnings in ((False, 1), (True, 0)):
        monkeypatch.setattr(_node_state._service, "is_run_by", lambda service, pid, its=is_its: its)
        system = host.settle(check_mode=True)[2]
        system.node.node = host.node._replace(service=_node_state._service.Service("systemd", "exchange", False, ()))
        system.node.ensure(set())
        assert len([text for text in system.warnings if "was not started by exchange.service" in text and "erlang.otp.restart" in text]) == warnings
