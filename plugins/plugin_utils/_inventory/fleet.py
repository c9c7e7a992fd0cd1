# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Problems of the hosts of an inventory, each named once; and hosts that are one system."""

from __future__ import annotations

import os
import typing as t

Variables = t.Mapping[str, t.Any]

# How a host is reached: two hosts behind different jump hosts, or in different containers, may have one address.
WAYS = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args", "ansible_ssh_executable")


def of_hosts(hosts: t.Iterable[Variables]) -> t.Iterator[str]:
    """What is wrong with the variables of single hosts, each sentence once. hosts: as of hostvars, with _otp_problems where there are some."""
    found: dict[str, list[str]] = {}
    for host in hosts:
        for problem in host.get("_otp_problems") or []:
            found.setdefault(problem, []).append(str(host["inventory_hostname"]))
    for problem, names in found.items():
        yield f"{', '.join(names)}: {problem}"


def shared_systems(hosts: t.Iterable[Variables]) -> t.Iterator[str]:
    """Hosts that are one and the same root directory of one machine. hosts: their variables, as of hostvars."""
    seen: dict[tuple[str, ...], str] = {}
    for host in hosts:
        name, root = str(host["inventory_hostname"]), str(host.get("otp_root") or "")
        if host.get("otp_master"):
            # Its root directory is its master's.
            continue
        address, *way = machine(host)
        system = seen.setdefault((address, *way, os.path.normpath(f"{host.get('otp_destdir') or ''}/{root}")), name)
        if root and system != name:
            yield f"otp_root: the hosts {system} and {name} are one system, {root} on {address}. Give each a different root directory, or remove one."


def machine(host: Variables) -> tuple[str, ...]:
    """The address of the host, and how it is reached."""
    connection = str(host.get("ansible_connection") or "ssh").removeprefix("ansible.builtin.")
    if connection == "local":
        return ("this machine",)
    return (str(host.get("ansible_host") or host["inventory_hostname"]), connection, str(host.get("ansible_port") or 22), *(str(host.get(way)) for way in WAYS))
