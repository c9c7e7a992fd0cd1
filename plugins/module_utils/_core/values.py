# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of options and inventories as text, and values within data."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError


def texts(option: str, values: t.Mapping[str, t.Any]) -> dict[str, str]:
    """The mapping with strings for values. Raises OtpError, naming the option, for a value that is neither text, number nor boolean."""
    found = {}
    for name, value in values.items():
        if isinstance(value, bool):
            found[name] = "true" if value else "false"
        elif isinstance(value, (str, int, float)):
            found[name] = str(value)
        else:
            raise OtpError(f"{option}: the value of {name} is neither a string nor a number nor a boolean.")
    return found


def mapped(data: t.Any, change: t.Callable[[t.Any], t.Any], *, keys: bool = False) -> t.Any:
    """The data, of mappings and lists, with the result of the function in place of each single value. keys: also of each key."""
    if isinstance(data, dict):
        return {change(key) if keys else key: mapped(value, change, keys=keys) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [mapped(value, change, keys=keys) for value in data]
    return change(data)


def expanded(path: str) -> str:
    """The path with the home directory for ``~``, as Ansible does it for options of type path, for a value that may also be something else."""
    return os.path.expanduser(path)
