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
    state, runs = variables["otp_state"], bool(variables["_otp_status_result"].get("stdout"))
    written = ("_otp_client", "_otp_files_result", "_otp_units_result")
    is_outdated = runs and any(variables[result].get("changed") for result in written)
    # Not where its host was not asked (--start-at-task, --step).
    is_down = "stdout" in variables["_otp_status_result"] and not runs
    restarts = is_outdated and variables["otp_restart_on_change"]
    warning = f"{variables['otp_node_name']} was started before its scripts or its configuration changed: set otp_restart_on_change to restart it."
    return {
        "runs": runs,
        "is_down": is_down,
        # systemd also stops a unit whose node does not answer.
        "stops": restarts or state == "stopped" and (runs or variables["otp_service_manager"] == "systemd"),
        "starts": state == "started" and (restarts or is_down),
        "warnings": [warning] if is_outdated and not restarts and state == "started" else [],
    }
