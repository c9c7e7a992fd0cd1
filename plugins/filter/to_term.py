# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter to_term."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError

DOCUMENTATION = r"""
name: to_term
short_description: Plain data as the text of an Erlang term
version_added: 0.1.0
author:
  - The erlang.otp authors
description:
  - Makes text that C(file:consult/1) reads, from data as it is in an inventory. Add the full stop at the end yourself.
  - A string is an Erlang string, a number a number, a list a list. V(true), V(false) and V(null) are the atoms C(true), C(false) and
    C(undefined).
  - A mapping is a list of C({key,Value}) with atoms for keys, as in C(sys.config).
  - >-
    What plain data does not have is a mapping with one key. C({$atom: info}) is the atom C(info), C({$tuple: [1, 2]}) the tuple C({1,2}),
    C({$binary: text}) the binary C(<<"text">>), C({$map: [[key, value]]}) the map C(#{"key" => "value"}), and C({$term: "{10,77,0,2}"})
    is the term of that text.
positional: _input, width
options:
  _input:
    description: The data.
    type: raw
    required: true
  width:
    description: The length from which on lines are broken.
    type: int
    default: 80
seealso:
  - plugin: erlang.otp.from_term
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Configure a release from the inventory
  erlang.otp.otp_release_config:
    root: /opt/exchange
    # [{kernel,[{logger_level,info}]},{exchange,[{port,7000},{greeting,<<"hello">>}]}].
    sys_config: "{{ config | erlang.otp.to_term }}.\n"
  vars:
    config:
      kernel:
        logger_level: {$atom: info}
      exchange:
        port: 7000
        greeting: {$binary: hello}
"""

RETURN = r"""
_value:
  description: The text, without a full stop.
  type: str
"""


def to_term(data: t.Any, width: int = 80) -> str:
    # Here, as every fork of Ansible loads all filters of the collection for any of them.
    from ansible_collections.erlang.otp.plugins.module_utils._terms import plain_data as _data
    from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import format_term

    try:
        return format_term(_data.to_term(data), width=width)
    except OtpError as error:
        raise AnsibleFilterError(f"to_term: {error}") from error


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Callable]:
        return {"to_term": to_term}
