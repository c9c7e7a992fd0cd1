# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with the variables of the service, the console and the ports of a target system."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.erlang.otp.plugins.plugin_utils._inventory import names

PORTS = range(1, 65536)
# What run_erl takes.
LOG_GENERATIONS = range(2, 1001)
LOG_MAX_SIZE = range(1000, 2**31)


def service(variables: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """Sentences, each with the variable at fault and the way out."""
    manager = str(variables.get("otp_service_manager", "auto"))
    name = str(variables.get("otp_service_name", ""))
    if manager != "none" and name and not names.SERVICE.fullmatch(name):
        yield f"otp_service_name is {name!r}: give the service a name of letters, digits and any of '._-', such as exchange."
    script = str(variables.get("otp_init_script", ""))
    if manager in ("auto", "sysv") and script:
        yield from names.paths({"otp_init_script": script})
        if not names.SERVICE.fullmatch(os.path.basename(script)):
            yield f"otp_init_script is {script!r}: give the script a name of letters, digits and any of '._-', such as /etc/init.d/exchange."
    lines = variables.get("otp_unit_lines") or []
    for line in lines:
        # A backslash at the end would make the next line a part of this one.
        if not re.fullmatch(r"[A-Z][A-Za-z]+=.*(?<!\\)", str(line)) or not str(line).isprintable():
            yield f"otp_unit_lines has {line!r}: give lines for the section [Service], such as MemoryMax=2G, without a backslash at the end."
    if variables.get("otp_console") == "journal" and not variables.get("otp_node_name"):
        yield "otp_console is journal and otp_node_name is empty: the node could not be called at all. Set otp_node_name, or otp_console to run_erl."
    yield from numbers(variables)
    yield from epmd_variables(variables)
    ports = str(variables.get("otp_dist_ports") or "")
    yield from distribution_ports(ports)
    if not variables.get("otp_epmd", True) and not ports.isdecimal():
        yield "otp_epmd is false, so that other nodes must know the port: set otp_dist_ports to one port, such as 9100, on all of them."


def numbers(variables: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    for name, allowed in (("otp_epmd_port", PORTS), ("otp_log_generations", LOG_GENERATIONS), ("otp_log_max_size", LOG_MAX_SIZE)):
        value = variables.get(name, allowed[0])
        if value not in allowed:
            yield f"{name} is {value}: it must be a number from {allowed[0]} to {allowed[-1]}."


def epmd_variables(variables: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """What is also in the unit of EPMD."""
    given = variables.get("otp_environment") or {}
    for name, value in (("otp_epmd_address", variables.get("otp_epmd_address")), ("otp_environment.ERL_EPMD_ADDRESS", given.get("ERL_EPMD_ADDRESS"))):
        if value and not re.fullmatch(r"[0-9A-Fa-f.:]+(,[0-9A-Fa-f.:]+)*", str(value)):
            yield f"{name} is {value!r}: give IP addresses, separated by commas, such as 10.0.0.1."
    port = str(given.get("ERL_EPMD_PORT", PORTS[0]))
    if not (port.isdigit() and int(port) in PORTS):
        yield f"otp_environment.ERL_EPMD_PORT is {port!r}: it must be a number from {PORTS[0]} to {PORTS[-1]}."


def distribution_ports(text: str) -> t.Iterator[str]:
    if not text:
        return
    found = re.fullmatch(r"(\d+)(?:-(\d+))?", text)
    ports = [int(port) for port in found.groups() if port] if found else []
    if not ports or ports != sorted(ports) or not all(port in PORTS for port in ports):
        yield f"otp_dist_ports is {text!r}: give a port, such as 9100, or the first and the last, as 9100-9105."
