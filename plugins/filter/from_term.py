# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter from_term."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError

DOCUMENTATION = r"""
name: from_term
short_description: The text of an Erlang term as plain data
version_added: 0.1.0
author:
  - The erlang.otp authors
description:
  - Reads one term as C(file:consult/1) does. The full stop at its end may be missing.
  - The data is in the forms of P(erlang.otp.to_term#filter), which makes the same term of it again. A list of C({key,Value}) with atoms for
    keys, none of them twice, becomes a mapping.
positional: _input
options:
  _input:
    description: The text.
    type: str
    required: true
seealso:
  - plugin: erlang.otp.to_term
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show what an application says about itself
  ansible.builtin.debug:
    # {"description": "A telephone exchange", "vsn": "1.0", "modules": [{"$atom": "exchange_app"}, ...], ...}
    msg: "{{ (lookup('ansible.builtin.file', 'ebin/exchange.app') | erlang.otp.from_term)['$tuple'][2] }}"
"""

RETURN = r"""
_value:
  description: The data.
  type: raw
"""


def from_term(text: t.Any) -> t.Any:
    if not isinstance(text, str):
        raise AnsibleFilterError(f"from_term needs a text, not {type(text).__name__}")
    # Here, as every fork of Ansible loads all filters of the collection for any of them.
    from ansible_collections.erlang.otp.plugins.module_utils._terms import plain_data as _data
    from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import parse_one

    try:
        return _data.from_term(parse_one(text))
    except OtpError as error:
        raise AnsibleFilterError(f"from_term: {error}") from error


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Callable]:
        return {"from_term": from_term}
