# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A version that arrives as a number is another one. Only the controller sees that: the module's argument spec makes a text of it."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail

from ansible_collections.erlang.otp.plugins.module_utils._tree.names import number_problem


def refuse_numbers(arguments: t.Mapping[str, t.Any]) -> None:
    """Raise AnsibleActionFail if the version of a release in a task's arguments is not a text."""
    for name in ("version", "release"):
        if problem := number_problem(name, arguments.get(name)):
            raise AnsibleActionFail(problem)
