# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan for a client node.

Rules: files of a client that mounts its directory are on the master, and belong to the master's user; without a disk, they are on its own host.
The cookie is where the node looks for it. A node that runs is stopped only when it is to be; one with older files has a warning, or restarts later.
The role gives the filter every variable that it reads.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.erlang.otp.plugins.filter.client_plan import FilterModule
from ansible_collections.erlang.otp.plugins.plugin_utils._clients import client_plan as _client_plan
from ansible_collections.erlang.otp.plugins.plugin_utils._clients import master_plan as _master_plan

client_plan = FilterModule().filters()["client_plan"]
ROLE = Path(__file__).parents[5] / "roles" / "clients"

# As the role gives them: a task that has not run has an empty result.
VARIABLES: dict[str, t.Any] = {
    "inventory_hostname": "line1",
    "ansible_play_hosts_all": ["line1"],
    "otp_root": "/srv/x",
    "otp_user": "exchange",
    "otp_home": "/home/x",
    "otp_node_name": "x@line1",
    "otp_service_manager": "none",
    "otp_service_name": "x",
    "otp_state": "started",
    "otp_restart_on_change": False,
    "otp_start_at_boot": True,
    "otp_master": "north",
    "otp_master_address": "10.0.0.1",
    "otp_client_type": "",
    "otp_client_loader": "efile",
    "otp_client_state": "present",
    "otp_client_home": "",
    "otp_client_run_dir": "/run/x",
    "otp_client_log_dir": "/log/x",
    "otp_clients_prune": False,
    "otp_static_emulator": False,
    "_otp_master_user": "erlang",
    **{result: {} for result in (*_client_plan.RESULTS, "_otp_status_result", "_otp_clients_result", "_otp_info_result")},
}
DISK_LESS = {"otp_client_loader": "inet", "otp_static_emulator": True}
DOWN: dict[str, t.Any] = {"_otp_status_result": {"stdout_lines": []}}
RUNS = {"_otp_status_result": {"stdout_lines": ["heart 13 12", "emulator 12 boot 700"]}}
OLD = {"changed": True, "outdated": ["/srv/x/bin/start"]}


def plan(**given: t.Any) -> dict[str, t.Any]:
    return client_plan({**VARIABLES, **given})


def test_the_role_gives_what_the_filter_reads() -> None:
    assert yaml.safe_load((ROLE / "vars" / "main.yml").read_text())["_otp_client_known"] == list(VARIABLES)
    read: set[str] = set()

    class Recording(dict):
        def __getitem__(self, name: str) -> t.Any:
            read.add(name)
            return super().__getitem__(name)

    _master_plan.master_plan(Recording(VARIABLES), {"north": {}})
    for given in ({}, DISK_LESS, RUNS, {**RUNS, "_otp_client": OLD}, {"otp_service_manager": "systemd"}):
        _client_plan.client_plan(Recording({**VARIABLES, **given}))
    assert read == set(VARIABLES)
    with pytest.raises(AnsibleFilterError, match="lacks a variable: 'otp_root'"):
        client_plan({})


@pytest.mark.parametrize(
    ("kind", "root", "directory"), [("", "/srv/x", "/srv/x/clients/x@line1"), ("arm64", "/srv/x/clients/arm64", "/srv/x/clients/arm64/x@line1")]
)
def test_a_machine_type_has_a_separate_root(kind: str, root: str, directory: str) -> None:
    found = plan(otp_client_type=kind)
    assert (found["root"], found["directory"], found["home"]) == (root, directory, directory)


def test_a_mounted_directory_is_written_on_the_master() -> None:
    found = plan()
    assert found["keep_in"] == found["directory"] and found["files_host"] == "north" and found["scripts"]["hosts"] == []
    own_bin = "/srv/x/clients/x@line1/bin"
    assert found["files"] == [
        {"name": "environment", "path": f"{own_bin}/environment", "mode": "0400", "owner": "erlang"},
        {"name": "stop", "path": f"{own_bin}/stop", "mode": "0755", "owner": "erlang"},
    ]
    assert (found["cookie_host"], found["cookie_owner"]) == ("north", "erlang")


def test_a_cookie_elsewhere_is_on_the_own_host() -> None:
    found = plan(otp_client_home="/var/own")
    assert (found["home"], found["cookie_host"], found["cookie_owner"], found["files_host"]) == ("/var/own", "line1", "exchange", "north")


@pytest.mark.parametrize(("given", "home"), [("", "/home/x"), ("/srv/x/clients/x@line1", "/srv/x/clients/x@line1")])
def test_without_a_disk_all_is_on_the_own_host(given: str, home: str) -> None:
    found = plan(**DISK_LESS, otp_client_home=given, _otp_client={"erts_version": "15.2"})
    assert found["scripts"] == {
        "root": "/srv/x",
        "directory": "/srv/x/clients/x@line1",
        "home": home,
        "run_dir": "/run/x",
        "log_dir": "/log/x",
        "static": True,
        "erts_version": "15.2",
        "hosts": ["10.0.0.1"],
    }
    assert [file["name"] for file in found["files"]] == ["environment", "stop", "start_erl.data", "start"]
    assert {file["name"]: file["mode"] for file in found["files"]}["start_erl.data"] == "0644"
    assert found["keep_in"] == "/srv/x/clients/x@line1/bin" and found["files_host"] == "line1" and {file["name"]: file["owner"] for file in found["files"]} == {
        "environment": "exchange", "stop": None, "start_erl.data": None, "start": None,
    }  # fmt: skip
    assert (found["home"], found["cookie_host"], found["cookie_owner"]) == (home, "line1", "exchange")
    assert found["programs"][0] == "/srv/x/bin/epmd" and found["programs"][-1] == "/srv/x/erts-15.2/bin/erlexec"
    assert {(entry["path"], entry["mode"], entry["owner"]) for entry in found["directories"]} == {
        (home, "0750", "exchange"),
        *((path, "0755", None) for path in ("/srv/x/bin", "/srv/x/erts-15.2/bin", "/srv/x/clients/x@line1/bin")),
    }


def test_a_static_client_has_the_file_that_names_its_emulator() -> None:
    assert [file["name"] for file in plan(otp_static_emulator="true")["files"]] == ["environment", "stop", "start_erl.data"]
    assert [file["name"] for file in plan(otp_static_emulator="false")["files"]] == ["environment", "stop"]


def test_units_only_for_systemd() -> None:
    assert plan()["units"] == []
    assert plan(otp_service_manager="systemd")["units"] == [{"name": "x.service", "file": "node.service"}, {"name": "x-epmd.service", "file": "epmd.service"}]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, set()),
        ({**DOWN}, {"is_down", "starts"}),
        ({**RUNS}, {"runs"}),
        ({**DOWN, "_otp_client": {"changed": True}}, {"is_down", "starts"}),
        ({**RUNS, "_otp_client": OLD}, {"runs", "warnings"}),
        ({**RUNS, "_otp_files_result": {"results": [{}, OLD]}}, {"runs", "warnings"}),
        ({**RUNS, "_otp_units_result": {"changed": True}}, {"runs"}),
        ({**RUNS, "_otp_client": OLD, "otp_restart_on_change": "false"}, {"runs", "warnings"}),
        ({**RUNS, "_otp_client": OLD, "otp_restart_on_change": "true"}, {"runs", "restarts"}),
        ({**RUNS, "otp_restart_on_change": True}, {"runs"}),
        ({"otp_state": "stopped"}, set()),
        ({"otp_state": "stopped", **RUNS}, {"runs", "stops"}),
        ({"otp_state": "stopped", **RUNS, "_otp_client": OLD, "otp_restart_on_change": True}, {"runs", "stops"}),
        ({**RUNS, "_otp_start_result": {"unreachable": True}}, {"runs", "is_lost"}),
        ({**RUNS, "_otp_files_result": {"results": [{"unreachable": True}]}}, {"runs", "is_lost"}),
        ({"otp_state": "stopped", "otp_service_manager": "systemd"}, {"stops"}),
        ({**DOWN, "otp_service_manager": "systemd"}, {"is_down", "starts"}),
    ],
)
def test_what_follows_for_the_node(given: dict[str, t.Any], expected: set[str]) -> None:
    found = plan(**given)
    found["restarts"] = found["system"]["node"].get("to_restart")
    assert {name for name in ("runs", "is_down", "is_lost", "stops", "starts", "warnings", "restarts") if found[name]} == expected
    assert all("x@line1 was started before" in warning for warning in found["warnings"])


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        ({**DOWN}, True),
        ({**RUNS}, False),
        ({**DOWN, "otp_state": "stopped"}, False),
        ({**RUNS, "otp_state": "stopped"}, True),
        ({**DOWN, "otp_state": "present"}, False),
        ({**DOWN, "otp_client_state": "absent"}, False),
        ({"_otp_status_result": {}}, False),
    ],
)
def test_in_check_mode_a_node_that_is_in_another_state_would_change(given: dict[str, t.Any], changed: bool) -> None:
    assert plan(**given)["system"]["changed"] is changed


def test_a_client_in_the_table_has_what_other_hosts_have() -> None:
    written = {"changed": True, "before": "FIRST", "release": "SECOND", "outdated": ["/srv/x/bin/start"]}
    found = plan(**RUNS, _otp_client=written, otp_service_manager="systemd")
    node = {"running": True, "pid": 12, "outdated": ["/srv/x/bin/start"]}
    assert (found["emulator"], found["pid"]) == ("12 boot 700", 12)
    assert found["system"] == {
        "changed": True, "before": "FIRST", "pending": None, "release": {"version": "SECOND"}, "at_boot": "systemd", "node": node,
    }  # fmt: skip
    assert plan(otp_state="present")["system"]["node"]["state"] == "not asked"
    assert plan(otp_client_state="absent", _otp_client={"changed": True})["system"]["is_removed"]


def test_what_the_filter_refuses() -> None:
    with pytest.raises(AnsibleFilterError, match="needs a mapping"):
        client_plan([])
    with pytest.raises(AnsibleFilterError, match="not a machine type"):
        plan(otp_client_type="../x")
