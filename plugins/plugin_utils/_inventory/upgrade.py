# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with the variables of an upgrade; and hosts of an inventory that are one system."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.plugin_utils._package.facts import release_of

Variables = t.Mapping[str, t.Any]

HOOKS = ("before", "gate", "committed", "failed", "after")
GATES = ("rpc", "url", "command")
OF_GATES = {*GATES, "name", "status"}


def upgrade(variables: Variables) -> t.Iterator[str]:
    """Sentences, each with the variable at fault and the way out."""
    yield from hooks(variables.get("otp_hooks") or {})
    yield from gates(variables.get("otp_gates") or [])
    yield from check_release(str(variables.get("otp_upgrade_to") or ""), os.path.expanduser(str(variables.get("otp_package") or "")))


def hooks(given: t.Any) -> t.Iterator[str]:
    for name, path in given.items():
        if name not in HOOKS:
            yield f"otp_hooks has {name!r}: the hooks are {', '.join(HOOKS)}."
        elif not os.path.isabs(str(path)):
            yield f"otp_hooks.{name} is {path!r}: give an absolute path on the controller, such as {{{{ inventory_dir }}}}/{os.path.basename(str(path))}."
        elif not os.path.isfile(path):
            yield f"otp_hooks.{name} is {path!r}, which is not a file on the controller."


def gates(given: t.Any) -> t.Iterator[str]:
    if not all(isinstance(gate, t.Mapping) for gate in given):
        yield f"otp_gates must be a list of mappings, each with one of {', '.join(GATES)}."
        return
    for gate in given:
        if len([kind for kind in GATES if kind in gate]) != 1 or set(gate) - OF_GATES:
            yield f"otp_gates has a gate with {', '.join(gate) or 'nothing'}: it must have one of {', '.join(GATES)}, and may have name, and status for a url."


def check_release(version: str, package: str) -> t.Iterator[str]:
    """Whether the package has the requested release."""
    if not version or not os.path.isfile(package):
        return
    try:
        found = release_of(package)["version"]
    except OtpError as error:
        yield f"otp_package: {error}"
        return
    if found != version:
        yield (
            f"otp_upgrade_to is {version!r}, and otp_package is {package!r}, which has release {found}: correct one of them;"
            " with an empty otp_package a node changes to a release that it already has."
        )


def shared_systems(hosts: t.Iterable[Variables]) -> t.Iterator[str]:
    """Hosts that are one and the same root directory of one machine. hosts: their variables, as of hostvars."""
    seen: dict[tuple[str, str, str], str] = {}
    for host in hosts:
        name, root = str(host["inventory_hostname"]), str(host.get("otp_root") or "")
        address = "this machine" if host.get("ansible_connection") == "local" else str(host.get("ansible_host") or name)
        if host.get("otp_master"):
            # Its root directory is its master's.
            continue
        key = address, str(host.get("ansible_port") or 22), os.path.normpath(f"{host.get('otp_destdir') or ''}/{root}")
        if root and seen.setdefault(key, name) != name:
            yield f"otp_root: the hosts {seen[key]} and {name} are one system, {root} on {address}. Give each a different root directory, or remove one."
