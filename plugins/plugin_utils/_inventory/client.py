# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Client nodes in an inventory: hosts that name a master. What is wrong with their variables, and whom a master's boot server answers."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._tree.names import is_machine_type

Variables = t.Mapping[str, t.Any]

CHOICES = {"otp_client_loader": ("efile", "inet"), "otp_client_state": ("present", "absent")}
PATHS = ("otp_client_home", "otp_client_run_dir", "otp_client_log_dir", "otp_client_unit_dir")


def client(variables: Variables) -> t.Iterator[str]:
    """Sentences, each with the variable at fault and the way out. variables: those of one host, with the roles' defaults."""
    for name, choices in CHOICES.items():
        value = variables.get(name, choices[0])
        if value not in choices:
            yield f"{name} is {value!r}: it must be {' or '.join(choices)}."
    kind = str(variables.get("otp_client_type") or "")
    if kind and not is_machine_type(kind):
        yield f"otp_client_type is {kind!r}: it is a directory's name, of letters, digits and any of '._+-', such as arm64."
    for name in PATHS:
        path = str(variables.get(name) or "/")
        if not path.startswith("/"):
            yield f"{name} is {path!r}: it must be an absolute path."
    if variables.get("otp_master"):
        yield from of_client(variables)


def of_client(variables: Variables) -> t.Iterator[str]:
    if not variables.get("otp_node_name"):
        yield "otp_node_name is not set: a client node is asked by its master, and needs a name, such as exchange@north."
    if variables.get("otp_service_manager") == "sysv":
        yield "otp_service_manager is sysv: a client node has a systemd unit, or none; then have the host's own script call bin/start."
    if variables.get("otp_client_loader") == "inet" and str(variables.get("otp_static_emulator", True)).lower() in ("false", "no"):
        yield "otp_static_emulator is false: a client without a disk boots what its master has in one place, and so its emulator is static. Leave it out."


def client_problems(hostvars: t.Mapping[str, Variables], hosts: t.Iterable[str]) -> t.Iterator[str]:
    """What does not fit between clients, their masters and each other. hosts: those that are to be clients."""
    seen: dict[tuple[str, str], str] = {}
    for host in hosts:
        mine = hostvars[host]
        name = str(mine.get("otp_master") or "")
        if not name:
            yield f"{host}: otp_master is not set: give the inventory's name of the host whose system the client runs from."
            continue
        if name not in hostvars:
            yield f"{host}: otp_master is {name!r}, and the inventory has no such host."
            continue
        master = hostvars[name]
        if master.get("otp_master"):
            yield f"{host}: otp_master is {name!r}, which is a client itself, of {master['otp_master']}."
            continue
        for variable in ("otp_root", "otp_cookie"):
            if mine.get(variable) != master.get(variable):
                yield f"{host}: {variable} is not that of its master {name}: a client has the same, so set it for both."
        if not master.get("otp_node_name"):
            yield f"{host}: its master {name} has no otp_node_name: a client writes its releases by way of its master's node."
        node = str(mine.get("otp_node_name"))
        other = seen.setdefault((name, node), host)
        if other != host:
            yield f"{host}: otp_node_name is {node}, as of {other}: each client of a master has a name of its own."
        if mine.get("otp_client_loader") == "inet":
            yield from without_disk(host, mine, name, master)


def without_disk(host: str, mine: Variables, name: str, master: Variables) -> t.Iterator[str]:
    """What a client without a disk needs beyond others, of itself and of its master."""
    if str(master.get("otp_boot_server", False)).lower() not in ("true", "yes"):
        yield f"{host}: it boots from its master {name}: set otp_boot_server to true for that."
    if not client_address(mine):
        yield f"{host}: otp_client_address is not set: give the IPv4 address from which it reaches its master, which is all that the boot server knows it by."
    if not first_ipv4(mine.get("otp_master_address"), master.get("ansible_host"), name):
        yield f"{host}: otp_master_address is not set: give the IPv4 address of {name}, as a client without a disk boots before it knows names."


def boot_server_clients(hostvars: t.Mapping[str, Variables], master: str, hosts: t.Collection[str] | None = None) -> list[str]:
    """The IPv4 addresses of the master's clients without a disk, in order, each once. hosts: those that may be absent; None: all."""
    found = set()
    for host, variables in hostvars.items():
        is_absent = variables.get("otp_client_state") == "absent" and (hosts is None or host in hosts)
        if variables.get("otp_master") == master and variables.get("otp_client_loader") == "inet" and not is_absent:
            found.add(client_address(variables))
    return sorted(filter(None, found), key=ipaddress.IPv4Address)


def client_address(variables: Variables) -> str:
    """The client's IPv4 address as its master sees it: what the inventory says, or that by which Ansible reaches the host; or empty."""
    return first_ipv4(variables.get("otp_client_address"), variables.get("ansible_host"), variables.get("inventory_hostname"))


def first_ipv4(*values: t.Any) -> str:
    """The first of the values that is not empty, when it is an IPv4 address; otherwise empty."""
    value = str(next(filter(None, values), ""))
    try:
        ipaddress.IPv4Address(value)
    except ValueError:
        return ""
    return value
