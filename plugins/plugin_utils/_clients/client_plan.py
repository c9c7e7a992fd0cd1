# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role clients does for one client: where its files are, on which host and whose, and what follows for its node. Plain data in and out."""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._tree.client_tree import ClientTree

Variables = t.Mapping[str, t.Any]

# A disk-less client has these of the master, and of its ERTS. The role checks for the last one, which is written last.
SCRIPTS = ("epmd", "run_erl", "to_erl")
# The results of the tasks of the role that change something.
TASKS = ("files", "units", "group", "user", "root", "programs", "cookie", "stop", "start", "unit_stop", "unit_start", "gone")
RESULTS = ("_otp_client", *(f"_otp_{task}_result" for task in TASKS))
PROGRAMS = ("beam.smp", "erl_child_setup", "inet_gethost", "heart", "epmd", "erlexec")


def client_plan(variables: Variables) -> dict[str, t.Any]:
    """The plan for a client. The documentation of the filter client_plan has the variables and the result. Raises OtpError for an invalid name."""
    tree = ClientTree(variables["otp_root"], variables["otp_node_name"], variables["otp_client_type"])
    return {"root": tree.root, "directory": tree.client_directory, **files(variables, tree), **units(variables), **node(variables)}


def files(variables: Variables, tree: ClientTree) -> dict[str, t.Any]:
    """The files of the client that otp_release_client does not write. They are on the master or, without a disk, on the client's host."""
    own_host, master, master_user = variables["inventory_hostname"], variables["otp_master"], variables["_otp_master_user"]
    has_disk = variables["otp_client_loader"] != "inet"
    home = variables["otp_client_home"] or (tree.client_directory if has_disk else variables["otp_home"])
    is_cookie_mounted = has_disk and home == tree.client_directory
    is_static = variables["otp_static_emulator"]
    erts = variables["_otp_client"].get("erts_version") or ""
    # The environment first: bin/start reads it.
    modes = {"environment": "0400", "stop": "0755", **({"start_erl.data": "0644"} if is_static else {}), **({} if has_disk else {"start": "0755"})}
    # Without a disk, only root can change what its user runs.
    owner = master_user if has_disk else None
    own_bin, erts_bin = f"{tree.client_directory}/bin", f"{tree.root}/erts-{erts}/bin"
    return {
        "scripts": {
            "root": tree.root,
            "directory": tree.client_directory,
            "home": home,
            "run_dir": variables["otp_client_run_dir"],
            "log_dir": variables["otp_client_log_dir"],
            "static": is_static,
            "erts_version": erts,
            "hosts": [] if has_disk else [variables["otp_master_address"]],
        },
        "files": [
            {"name": name, "path": f"{own_bin}/{name}", "mode": mode, "owner": variables["otp_user"] if name == "environment" and not has_disk else owner}
            for name, mode in modes.items()
        ],
        # Below the directory only root can change what is run, where the host has no mount of it.
        "keep_in": tree.client_directory if has_disk else own_bin,
        "files_host": master if has_disk else own_host,
        "home": home,
        "cookie_host": master if is_cookie_mounted else own_host,
        "cookie_owner": master_user if is_cookie_mounted else variables["otp_user"],
        "directories": [
            # First: own_bin may be in it.
            {"path": home, "mode": "0750", "owner": variables["otp_user"]},
            *({"path": path, "mode": "0755", "owner": None} for path in (f"{tree.root}/bin", erts_bin, own_bin)),
        ],
        "programs": [*(f"{tree.root}/bin/{name}" for name in SCRIPTS), *(f"{erts_bin}/{name}" for name in PROGRAMS)],
    }


def units(variables: Variables) -> dict[str, t.Any]:
    """The units of the node and of its EPMD."""
    name = variables["otp_service_name"]
    found = [{"name": f"{name}.service", "file": "node.service"}, {"name": f"{name}-epmd.service", "file": "epmd.service"}]
    return {"units": found if variables["otp_service_manager"] == "systemd" else []}


def node(variables: Variables) -> dict[str, t.Any]:
    """What follows for the node, from what its host has so far."""
    state, status = variables["otp_state"], variables["_otp_status_result"]
    processes = status.get("stdout_lines") or []
    emulator = next((line.partition(" ")[2] for line in processes if line.startswith("emulator ")), "")
    number = emulator.partition(" ")[0]
    pid = int(number) if number.isdecimal() else None
    # Not where its host was not asked (--start-at-task, --step).
    is_down = "stdout_lines" in status and not processes
    written = (variables["_otp_client"], *(variables["_otp_files_result"].get("results") or []))
    outdated = sorted({path for result in written for path in result.get("outdated") or []})
    warning = (
        f"{variables['otp_node_name']} was started before its scripts or its configuration changed: restart it, by the playbook erlang.otp.restart or with"
        " otp_restart_on_change."
    )
    restarts = variables["otp_restart_on_change"] and state == "started"
    return {
        "emulator": emulator,
        "pid": pid,
        "is_lost": any(is_unreachable(variables[result]) for result in (*RESULTS, "_otp_status_result")),
        "runs": bool(processes),
        "is_down": is_down,
        # systemd also stops a unit whose node does not answer.
        "stops": state == "stopped" and (bool(processes) or variables["otp_service_manager"] == "systemd"),
        "starts": state == "started" and is_down,
        "warnings": [warning] if outdated and not restarts and state == "started" else [],
        # In check mode no command says so.
        "system": system(variables, pid, outdated, restarts=restarts, is_other=is_down if state == "started" else state == "stopped" and bool(processes)),
    }


def is_unreachable(result: Variables) -> bool:
    return any(each.get("unreachable") for each in (result, *(result.get("results") or [])))


def system(variables: Variables, pid: int | None, outdated: list[str], *, restarts: bool, is_other: bool) -> dict[str, t.Any]:
    """The row of the client in the table of the filter deploy_state: what otp_target_system returns for other hosts.

    is_other: whether the node was not in its state when its host was asked.
    """
    client, state = variables["_otp_client"], variables["otp_state"]
    changed = any(variables[result].get("changed") for result in RESULTS)
    if variables["otp_client_state"] == "absent":
        return {"is_removed": True, "changed": changed, "before": None, "node": {}}
    return {
        "changed": changed or is_other,
        "before": client.get("before"),
        "pending": None,
        "release": {"version": client.get("release")},
        "at_boot": "systemd" if variables["otp_service_manager"] == "systemd" and variables["otp_start_at_boot"] else None,
        "node": {
            "running": state == "started",
            "pid": pid if state != "stopped" else None,
            "outdated": outdated,
            **({"to_restart": True} if outdated and restarts else {}),
            **({"state": "not asked"} if state == "present" else {}),
        },
    }
