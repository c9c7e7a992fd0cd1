# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is a private part of the collection: only its own plugins may use it.

"""The files of a target system, from the otp_* variables of its host and the templates of the role target_system.

Ansible's own lookup of templates copies all variables for each of them, and compiles each for each host, which is most of what a run
costs on the controller. Here they are compiled once, before Ansible forks.
"""

from __future__ import annotations

import re
import shlex
import typing as t
from pathlib import Path

import jinja2

from ansible_collections.erlang.otp.plugins.plugin_utils._inventory import truth

TEMPLATES = Path(__file__).parents[2] / "roles" / "target_system" / "templates"
MANAGED = "# Written by the role erlang.otp.target_system: what is changed here is changed back."

Variables = t.Mapping[str, t.Any]


def compiled() -> dict[str, jinja2.Template]:
    """The role's templates by their names, without the ending."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), trim_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined)
    environment.filters.update(
        quote=lambda value: shlex.quote(str(value)),
        regex_escape=re.escape,
        # systemd knows a percent sign as the beginning of something.
        for_systemd=lambda value: str(value).replace("%", "%%"),
    )
    return {path.stem: environment.get_template(path.name) for path in sorted(TEMPLATES.glob("*.j2"))}


COMPILED = compiled()


def options(variables: Variables) -> dict[str, t.Any]:
    """The options of otp_target_system that are made of more than one variable: files, service and environment."""
    return {"files": scripts(variables), "service": service(variables), "environment": environment(variables)}


def scripts(variables: Variables) -> list[dict[str, str]]:
    """bin/start, bin/start_erl and bin/stop, as otp_target_system takes files."""
    return [{"path": f"bin/{name}", "content": rendered(name, variables), "mode": "0755"} for name in ("start", "start_erl", "stop")]


def service(variables: Variables) -> dict[str, t.Any] | None:
    """The service with its files, as otp_target_system takes it; None where nothing is to start the node at boot."""
    manager, name = variables["otp_service_manager"], variables["otp_service_name"]
    if manager == "none":
        return None
    if manager == "sysv":
        files: list[dict[str, t.Any]] = [{"path": variables["otp_init_script"], "content": rendered("init", variables), "mode": "0755"}]
    else:
        files = [{"path": f"/etc/systemd/system/{name}.service", "content": rendered("node.service", variables)}]
        if has_epmd_unit(variables):
            files.append({"path": f"/etc/systemd/system/{name}-epmd.service", "content": rendered("epmd.service", variables)})
        optional = {"content": rendered("needrestart.conf", variables), "optional": True}
        files.append({"path": f"/etc/needrestart/conf.d/{name}.conf", **optional})
    return {"manager": manager, "name": name, "at_boot": variables["otp_start_at_boot"], "files": files}


def environment(variables: Variables) -> dict[str, t.Any]:
    """The environment variables of the node, and of whatever asks it."""
    address = variables["otp_epmd_address"]
    return {"ERL_EPMD_PORT": variables["otp_epmd_port"], **({"ERL_EPMD_ADDRESS": address} if address else {}), **variables["otp_environment"]}


def rendered(template: str, variables: Variables) -> str:
    """A template's text: of the variables, and of what is made of them here."""
    return COMPILED[template].render(
        variables,
        managed=MANAGED,
        command=command(variables),
        environment=environment(variables),
        has_epmd_unit=has_epmd_unit(variables),
        has_heart=truth(variables["otp_heart"]),
    )


def command(variables: Variables) -> str:
    """What run_erl's shell executes. The names are of bin/start's environment."""
    return f'exec "$ROOTDIR/bin/start_erl" "$ROOTDIR" "$RELDIR" "$START_ERL_DATA" {shlex.join(flags(variables))}'


def flags(variables: Variables) -> list[str]:
    """The emulator's arguments."""
    found: list[t.Any] = ["-heart"] if truth(variables["otp_heart"]) else []
    if variables["otp_node_name"]:
        found += ["-name" if truth(variables["otp_long_names"]) else "-sname", variables["otp_node_name"]]
    if has_epmd_unit(variables):
        found += ["-start_epmd", "false"]
    if variables["otp_dist_ports"]:
        ports = str(variables["otp_dist_ports"]).split("-")
        found += ["-kernel", "inet_dist_listen_min", ports[0], "inet_dist_listen_max", ports[-1]]
    for name, directory in sorted(variables["otp_boot_variables"].items()):
        found += ["-boot_var", name, directory]
    if variables["otp_console"] == "journal":
        found.append("-noinput")
    return [str(flag) for flag in (*found, *variables["otp_erl_flags"])]


def has_epmd_unit(variables: Variables) -> bool:
    """An EPMD that the node starts would be of its unit, and keep that up when the node has ended: it has a unit of its own."""
    return variables["otp_service_manager"] == "systemd" and bool(variables["otp_node_name"])
