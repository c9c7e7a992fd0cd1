#!/usr/bin/python
# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: otp_rpc
short_description: Call a function in a running node
version_added: 0.1.0
description:
  - Calls one function of a running Erlang node and returns its result, as data and as text.
  - A distributed node is called as other nodes call it, as a hidden node that is not in C(nodes(\)). A node that is not distributed is called
    through the pipes of C(run_erl). Both work without an Erlang installation on the host.
  - Fails if the node cannot be reached, if the function raises an exception or does not answer in time, and if its result does not match
    O(expect). To wait for a result, use C(retries) and C(delay) of the task.
  - The distribution protocol is spoken to nodes of Erlang/OTP 23 and later. A node of the host of the task that is distributed over TLS is called over TLS,
    with the certificate and the key that its C(-ssl_dist_optfile) has for a client.
author:
  - The erlang.otp authors (@erlang-otp)
extends_documentation_fragment:
  - erlang.otp._attributes
  - erlang.otp._node
attributes:
  check_mode:
    support: partial
    details:
      - The module cannot know what a function changes. In check mode it skips the call, except with O(read_only=true) or C(check_mode=false).
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - The function is called each time.
options:
  transport:
    description:
      - V(auto) is V(distribution) when O(node) is given, and V(pipe) otherwise. It is V(pipe) as well for a node that is distributed over TLS with files that
        are not for others, if O(pipe_dir) is given.
    type: str
    choices: [auto, distribution, pipe]
    default: auto
  force:
    description: Call through the pipes even if C(to_erl) is attached to the console.
    type: bool
    default: false
  module:
    description: The module of the function.
    type: str
    required: true
  function:
    description: The function.
    type: str
    required: true
  arguments:
    description:
      - The arguments of the function, one element for each.
      - A string is the text of an Erlang term; V(info) is an atom, V("info") with its quotes a string, V({a,1}) a tuple. The filter
        P(erlang.otp.to_term#filter) makes such a text from a variable.
      - >-
        Anything else is plain data, as for that filter. A number is a number, V(true) the atom, C({$binary: text}) a binary.
    type: list
    elements: raw
    default: []
  timeout:
    description: How many seconds to wait for the answer. After that the task fails, and the call may continue in the node.
    type: float
    default: 30.0
  expect:
    description:
      - The result that the function must return. The task fails on any other result.
      - As for O(arguments), a string is the text of an Erlang term, and anything else is plain data. In a text, C(_) matches any term,
        and a map any map that has at least these keys. V({ok,_,[]}) is a tuple of three elements, of which the second does not matter.
    type: raw
  expect_nodes:
    description:
      - The names of nodes that the result must have, in any order. The function must return a list; the task fails if one of them is not in it.
    type: list
    elements: str
  text:
    description:
      - Whether lists of integers in the result are strings if all of them are printable characters of Unicode.
      - By default, they are if all of them are printable characters of Latin-1, as C(io_lib:printable_latin1_list/1) says. Any other list stays a list,
        because in Erlang a string is a list of integers, and V([945,946]) may be numbers.
    type: bool
    default: false
  read_only:
    description: Whether the function only reads. The task is then never C(changed), and makes the call in check mode too.
    type: bool
    default: false
seealso:
  - module: erlang.otp.otp_release_info
  - plugin: erlang.otp.to_term
    plugin_type: filter
"""

EXAMPLES = r"""
- name: List the releases of the node
  erlang.otp.otp_rpc:
    node: exchange@north
    cookie_file: /srv/exchange/home/.erlang.cookie
    module: release_handler
    function: which_releases
    read_only: true
  register: releases

- name: Wait until the service takes calls
  erlang.otp.otp_rpc:
    node: exchange@north
    cookie: "{{ exchange_cookie }}"
    module: exchange
    function: status
    expect: "{running,_}"
    read_only: true
  register: status
  until: status is success
  retries: 30
  delay: 1

- name: Check that the node is connected with the others
  erlang.otp.otp_rpc:
    node: exchange@north
    module: erlang
    function: nodes
    expect_nodes: [exchange@south, exchange@west]
    read_only: true

- name: Show fewer log messages
  erlang.otp.otp_rpc:
    node: exchange@north
    module: logger
    function: set_primary_config
    arguments: [level, warning]
    expect: ok

- name: Drain a node that is not distributed
  erlang.otp.otp_rpc:
    pipe_dir: /srv/exchange/run
    module: exchange
    function: drain
    arguments:
      - "{{ inventory_hostname | erlang.otp.to_term }}"
      - $map: [[{$atom: seconds}, 10]]
"""

RETURN = r"""
result:
  description:
    - >-
      The result as data, in the forms of the filter P(erlang.otp.from_term#filter). A list of printable characters is a string, see
      O(text). A pid, port, reference or local fun is C({$opaque: text}).
  returned: when the function has returned
  type: raw
  sample: {"$tuple": [{"$atom": "running"}, 12]}
text:
  description: The result as the text of an Erlang term.
  returned: when the function has returned
  type: str
  sample: "{running,12}"
node:
  description: The name that the node reports. Empty if it was called through the pipes.
  returned: when the node was reached
  type: str
  sample: exchange@north
raised:
  description: The exception that the function raised.
  returned: when the function raised one
  type: dict
  contains:
    class:
      description: V(error), V(exit) or V(throw).
      type: str
      sample: error
    reason:
      description: The reason, as the text of an Erlang term.
      type: str
      sample: "{badmatch,5}"
    stacktrace:
      description: The entries of the stack trace, as text. Empty if the node does not report one.
      type: list
      elements: str
      sample: ["{exchange,status,0,[{file,\"exchange.erl\"},{line,12}]}"]
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import Raised, name_of, shortened
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import ADDRESS_ARGUMENTS, address_of, connect
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import format_term
from ansible_collections.erlang.otp.plugins.module_utils._terms.patterns import as_pattern, as_term, matches
from ansible_collections.erlang.otp.plugins.module_utils._terms.plain_data import from_term, latin1_strings
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom

ARGUMENT_SPEC = {
    **ADDRESS_ARGUMENTS,
    "transport": {"type": "str", "choices": ["auto", "distribution", "pipe"], "default": "auto"},
    "force": {"type": "bool", "default": False},
    "module": {"type": "str", "required": True},
    "function": {"type": "str", "required": True},
    "arguments": {"type": "list", "elements": "raw", "default": []},
    "timeout": {"type": "float", "default": 30.0},
    "expect": {"type": "raw"},
    "expect_nodes": {"type": "list", "elements": "str"},
    "text": {"type": "bool", "default": False},
    "read_only": {"type": "bool", "default": False},
}
ARGUMENT_RULES: dict = {
    "mutually_exclusive": [("cookie", "cookie_file")],
    "required_one_of": [("node", "pipe_dir")],
    "required_if": [("transport", "distribution", ("node",)), ("transport", "pipe", ("pipe_dir",))],
}


def call(params: dict, result: dict) -> None:
    """Make the call and put into the result what it gives. Raises OtpError."""
    arguments = [as_term(value, name=f"arguments[{number}]") for number, value in enumerate(params["arguments"])]
    expected = None if params["expect"] is None else as_pattern(params["expect"], name="expect")
    address = address_of(params, "transport", "force")
    deadline = time.monotonic() + params["timeout"]
    with connect(address, timeout=params["timeout"]) as node:
        result["node"] = node.node
        try:
            value = node.call(params["module"], params["function"], arguments, timeout=max(0.001, deadline - time.monotonic()))
        except Raised as raised:
            result["raised"] = {
                "class": raised.kind,
                "reason": format_term(raised.reason),
                "stacktrace": [format_term(entry) for entry in raised.stacktrace],
            }
            raise
    shown = value if params["text"] else latin1_strings(value)
    result["result"] = from_term(shown)
    result["text"] = format_term(shown)
    if expected is not None and not matches(expected, value):
        what = name_of(params["module"], params["function"], arguments)
        raise OtpError(f"{what} returned {shortened(value)}, which is not as expected: {shortened(expected)}")
    missing = [name for name in params["expect_nodes"] or [] if Atom(name) not in (value if isinstance(value, list) else [])]
    if missing:
        what = name_of(params["module"], params["function"], arguments)
        raise OtpError(f"{what} returned {shortened(value)}, which lacks {', '.join(missing)}")


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True, **ARGUMENT_RULES)
    if module.check_mode and not module.params["read_only"]:
        module.exit_json(changed=False, skipped=True, msg="Not called in check mode. Set read_only if the function changes nothing.")
    result: dict = {"changed": not module.params["read_only"]}
    try:
        call(module.params, result)
    except OtpError as error:
        module.fail_json(msg=str(error), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
