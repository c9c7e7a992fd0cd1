# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of a run. They are in keywords of plays, such as hosts and serial, which Ansible reads without the variables of a host."""

from __future__ import annotations

import os
import re
import typing as t

from ansible import context
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.utils.vars import load_extra_vars

OF_A_RUN = ("otp_hosts", "otp_builders", "otp_serial", "otp_max_fail_percentage", "otp_stop_file")
# A batch: so many hosts, or so many of a hundred.
BATCH = re.compile(r"\d+%?", re.ASCII)

Variables = t.Mapping[str, t.Any]


def run(variables: Variables) -> t.Iterator[str]:
    """Sentences, each with the variable at fault and the way out."""
    serial, percentage = variables.get("otp_serial", 1), variables.get("otp_max_fail_percentage", 0)
    if not is_batches(serial):
        yield f'otp_serial is {serial!r}: give a number of hosts, a percentage, such as 25%, or a list of these, as JSON: -e \'{{"otp_serial": [1, "25%"]}}\'.'
    if not is_percentage(percentage):
        yield f"otp_max_fail_percentage is {percentage!r}: it must be a number from 0 to 100."
    stop = str(variables.get("otp_stop_file") or "")
    if stop and not (os.path.isabs(stop) and os.access(os.path.dirname(stop), os.W_OK | os.X_OK)):
        yield f"otp_stop_file is {stop!r}: give an absolute path, in a directory of the controller that this run can write to, and all runs beside it."


def is_batches(serial: t.Any) -> bool:
    """Whether Ansible can make batches of it."""
    sizes = serial if isinstance(serial, (list, tuple)) else [serial]
    return bool(sizes) and all(isinstance(size, (str, int)) and not isinstance(size, bool) and BATCH.fullmatch(str(size)) for size in sizes)


def is_percentage(value: t.Any) -> bool:
    try:
        return not isinstance(value, bool) and 0 <= float(value) <= 100
    except (TypeError, ValueError):
        return False


def in_the_inventory(hosts: t.Iterable[Variables], given: t.Collection[str]) -> t.Iterator[str]:
    """Variables of a run that the inventory has, where they would do half of what they say. hosts: as of hostvars; given: the names of extra variables."""
    found: dict[str, list[str]] = {}
    for host in hosts:
        for name in OF_A_RUN:
            if name in host and name not in given:
                found.setdefault(name, []).append(str(host["inventory_hostname"]))
    for name, names in found.items():
        yield f"{name} is in the inventory, of {', '.join(names)}: it belongs to a run, not to a host. Give it with -e, or as a variable of import_playbook."


def extra_variables() -> set[str]:
    """The names of the variables that -e gives; all of a run when they cannot be read here, as from an encrypted file."""
    try:
        # Ansible's options are not parsed in tests, or where another program calls its library.
        return set(load_extra_vars(DataLoader())) if context.CLIARGS.get("extra_vars") else set()
    except AnsibleError:
        return set(OF_A_RUN)
