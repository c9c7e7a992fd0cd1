# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Client nodes in an inventory: hosts with otp_master. Problems of their variables, and the clients of a master's boot server.

OTP system documentation, "Releases", Disk-Less and/or Read-Only Clients; erl_boot_server(3), which knows its clients by IPv4 addresses.
"""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._formats.distribution_flags import distribution_of, problem_for_clients
from ansible_collections.erlang.otp.plugins.module_utils._formats.vm_args import words
from ansible_collections.erlang.otp.plugins.module_utils._tree.names import is_machine_type
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.specs import typed

Variables = t.Mapping[str, t.Any]
# Where erlexec looks for more arguments.
ERL_FLAGS = ("ERL_AFLAGS", "ERL_FLAGS", "ERL_ZFLAGS")


def client(variables: Variables) -> t.Iterator[str]:
    """Sentences, each with the variable, what is wrong, and what to do. variables: those of one host, with the roles' defaults."""
    kind = str(variables.get("otp_client_type") or "")
    if kind and not is_machine_type(kind):
        yield f"otp_client_type is {kind!r}: it is a directory's name, of letters, digits and any of '._+-', such as arm64."
    if not variables.get("otp_master"):
        return
    if "@" not in str(variables.get("otp_node_name") or ""):
        yield "otp_node_name has no host: a client node is called from its master, and needs a name such as exchange@north."
    if variables.get("otp_service_manager") == "sysv":
        yield "otp_service_manager is sysv: a client node supports systemd or none; with none, call bin/start in a script of the host."
    if not variables.get("otp_epmd", True):
        yield "otp_epmd is false: a client node is called from its master, which asks EPMD for it. Do not set it."
    if variables.get("otp_dist_tls"):
        yield "otp_dist_tls is set: a client node is called from its master without TLS. Remove it for this host."
    for name, problem in flags_out_of_reach({**variables, "otp_vm_args": ""}):
        yield f"{name}: {problem}, and it is called from there. Take the flag out for this host."
    if variables.get("otp_client_loader") == "inet" and not variables.get("otp_static_emulator", True):
        yield "otp_static_emulator is false: a client without a disk always has a static emulator. Do not set it."


def client_problems(hostvars: t.Mapping[str, Variables], hosts: t.Iterable[str]) -> t.Iterator[str]:
    """Problems between clients, their masters and each other. hosts: those that become clients."""
    seen: dict[tuple[str, str], str] = {}
    for host in hosts:
        own = hostvars[host]
        name = str(own.get("otp_master") or "")
        if not name:
            yield f"{host}: otp_master is not set: give the inventory's name of the host whose system the client runs from."
            continue
        if name not in hostvars:
            yield f"{host}: otp_master is {name!r}, which is not a host of the inventory."
            continue
        master = hostvars[name]
        if master.get("otp_master"):
            yield f"{host}: otp_master is {name!r}, which is itself a client of {master['otp_master']}."
            continue
        for variable in ("otp_root", "otp_cookie"):
            if own.get(variable) != master.get(variable):
                yield f"{host}: {variable} differs from that of its master {name}: set the same value for both."
        if "@" not in str(master.get("otp_node_name") or ""):
            yield f"{host}: its master {name} has no otp_node_name with a host: a client writes its releases through the node of its master."
        if not typed({"otp_epmd": master.get("otp_epmd", True)})[0].get("otp_epmd"):
            yield f"{host}: its master {name} has otp_epmd false, and a client asks EPMD for the node of its master: remove otp_epmd for {name}."
        if master.get("otp_dist_tls"):
            yield f"{host}: its master {name} has otp_dist_tls, and a client speaks to the node of its master without TLS: remove otp_dist_tls for {name}."
        for variable, problem in flags_out_of_reach(master):
            yield f"{host}: {variable} of its master {name}: {problem}. Take the flag out for {name}, and restart its node."
        node = str(own.get("otp_node_name"))
        other = seen.setdefault((name, node), host)
        if other != host:
            yield f"{host}: otp_node_name is {node}, like that of {other}: each client of a master needs a different name."
        if own.get("otp_client_loader") == "inet":
            yield from check_disk_less(host, own, name, master)


def flags_out_of_reach(variables: Variables) -> t.Iterator[tuple[str, str]]:
    """The variables whose flags put the node out of reach between client and master, with the reason. What its package says is found on the master."""
    given = variables.get("otp_environment") or {}
    texts = {"otp_vm_args": variables.get("otp_vm_args"), **{f"otp_environment.{name}": given.get(name) for name in ERL_FLAGS}}
    arguments = {name: words(str(text or "").encode("utf-8", "surrogateescape")) for name, text in texts.items()}
    arguments["otp_erl_flags"] = [str(flag) for flag in variables.get("otp_erl_flags") or []]
    for name, flags in arguments.items():
        if problem := problem_for_clients(distribution_of(flags)):
            yield name, problem


def check_disk_less(host: str, own: Variables, name: str, master: Variables) -> t.Iterator[str]:
    """Problems of a client without a disk: in its variables, and in those of its master."""
    if not typed({"otp_boot_server": master.get("otp_boot_server", False)})[0].get("otp_boot_server"):
        yield f"{host}: it boots from its master {name}: set otp_boot_server to true for the master."
    if not client_address(own):
        yield f"{host}: otp_client_address is not set: give the IPv4 address from which it reaches its master; the boot server knows it only by that."
    if not first_ipv4(own.get("otp_master_address"), master.get("ansible_host"), name):
        yield f"{host}: otp_master_address is not set: give the IPv4 address of {name}, because a client without a disk boots before it can resolve names."


def boot_server_clients(hostvars: t.Mapping[str, Variables], master: str, hosts: t.Collection[str] | None = None) -> list[str]:
    """The IPv4 addresses of the master's clients without a disk, in order, each once. hosts: those that may be absent; None: all."""
    found = set()
    for host, variables in hostvars.items():
        is_absent = variables.get("otp_client_state") == "absent" and (hosts is None or host in hosts)
        if variables.get("otp_master") == master and variables.get("otp_client_loader") == "inet" and not is_absent:
            found.add(client_address(variables))
    return sorted(filter(None, found), key=ipaddress.IPv4Address)


def client_address(variables: Variables) -> str:
    """The client's IPv4 address as its master sees it: otp_client_address, or the address that Ansible uses; empty if there is none."""
    return first_ipv4(variables.get("otp_client_address"), variables.get("ansible_host"), variables.get("inventory_hostname"))


def first_ipv4(*values: t.Any) -> str:
    """The first of the values that is not empty, when it is an IPv4 address; otherwise empty."""
    value = str(next(filter(None, values), ""))
    try:
        ipaddress.IPv4Address(value)
    except ValueError:
        return ""
    return value
