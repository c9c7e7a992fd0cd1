#!/usr/bin/python
# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: otp_client_node
short_description: The master's part when a client node is restarted, started or stopped
version_added: 0.1.0
description:
  - Run it on the host of the master. It says what is to be done with the node, waits for its answer, and puts the files back that the node was started with
    before. The node is started and stopped on its own host. The roles C(erlang.otp.clients) and C(erlang.otp.upgrade) use it.
  - A restart after M(erlang.otp.otp_release_client) or M(erlang.otp.otp_client_files) has changed the files of the node is a trial, until it is committed.
author:
  - The erlang.otp authors (@erlang-otp)
extends_documentation_fragment:
  - erlang.otp._attributes
  - erlang.otp._claim
  - erlang.otp._calls
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  root:
    description: The root directory of the master's system, C($ROOT).
    type: path
    required: true
  client:
    description: The name of the client node, C(NAME@HOST).
    type: str
    required: true
  type:
    description: The machine type of the client, as of M(erlang.otp.otp_release_client).
    type: str
  state:
    description:
      - V(started), V(stopped) and V(restarted) only say what is to be done, RV(way), and mark the client with O(hold) if that is something.
      - V(answering), wait until the node answers with its release, and passes O(verify).
      - V(restored), the files that it was started with before a change of them are back. V(committed), these files are forgotten.
    type: str
    choices: [started, stopped, restarted, answering, restored, committed]
    required: true
  processes:
    description: The lines of C(bin/stop status) on the client's host.
    type: list
    elements: str
    default: []
  outdated:
    description: As M(erlang.otp.otp_client_files) returns it, of the files of a client without a disk that are on its own host.
    type: list
    elements: str
    default: []
  is_newer:
    description: Likewise.
    type: bool
    default: false
  only_changed:
    description: Whether to restart only a node that runs without a change of its files, or whose restart with them was not committed.
    type: bool
    default: false
  down:
    description: What to do if the node to restart is down. V(fail), fail; otherwise leave it down.
    type: str
    choices: [fail, skip, offline]
    default: fail
  start_timeout:
    description: How many seconds the node may take to answer.
    type: int
    default: 60
  hold:
    description: For how many seconds after this task the client is this run's alone, as of M(erlang.otp.otp_release_handler). V(0) gives it back.
    type: float
  cookie:
    description: The cookie of the node. The default is that of the user who runs the module.
    type: str
  epmd_port:
    description: The port of C(epmd). The default is the variable C(ERL_EPMD_PORT) in the environment of the task, or V(4369).
    type: int
  _has_steps:
    description: Whether hooks and gates follow. Set by the role, not for use in a task.
    type: bool
seealso:
  - module: erlang.otp.otp_release_client
  - module: erlang.otp.otp_client_files
  - module: erlang.otp.otp_client_files_info
  - module: erlang.otp.otp_node
"""

EXAMPLES = r"""
- name: Wait until the client answers
  erlang.otp.otp_client_node:
    root: /srv/exchange
    client: line1@10.0.0.11
    state: answering
    cookie: "{{ exchange_cookie }}"
"""

RETURN = r"""
way:
  description: What is to be done, C(restart), C(commit) (it was restarted, and has passed no gate yet), C(start), C(stop) or C(none).
  returned: success
  type: str
  sample: restart
release:
  description: The release that boots; null if the node is to be stopped.
  returned: success
  type: str
  sample: FIRST
before:
  description: The node before, with C(running) (the release that it runs, null if it is down, C(?) if it does not answer), C(permanent) and C(pid).
  returned: success
  type: dict
  sample: {running: FIRST, permanent: FIRST, pid: 4711}
after:
  description: The node when it has answered, like RV(before).
  returned: success, with O(state=answering)
  type: dict
outdated:
  description: The files that the node runs without a change of, or that it was restarted with before and that were not committed.
  returned: success
  type: list
  elements: str
  sample: [/srv/exchange/clients/line1@10.0.0.11/releases/FIRST/sys.config]
emulator:
  description: What identifies the emulator that runs, of O(processes).
  returned: success
  type: str
restarted:
  description: Whether the node is to be restarted.
  returned: success
  type: bool
rolled_back:
  description: Whether the files that it was started with before are back.
  returned: success
  type: bool
unreachable_seconds:
  description: Always null. What the role knows of it comes from its own tasks.
  returned: success
  type: float
actions:
  description: What was done, or would be done in check mode, a sentence each.
  returned: always
  type: list
  elements: str
held:
  description: Whether this run has marked the client.
  returned: success
  type: bool
is_up:
  description: V(false), the node has not answered in time. The log on its own host says why, as M(erlang.otp.otp_client_files_info) returns it.
  returned: failure, with O(state=answering)
  type: bool
  sample: false
held_by:
  description: The mark of another run, as of M(erlang.otp.otp_node).
  returned: when the client is refused because of it
  type: dict
ended:
  description: When the task ended, in seconds since 1970 by the controller's clock.
  returned: always
  type: float
  sample: 1767225600.5
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.erlang.otp.plugins.module_utils._client.node_change import ClientNodeRequest, NotUp, change_client
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import CHECK, NodeAddress
from ansible_collections.erlang.otp.plugins.module_utils._node.verify import as_checks
from ansible_collections.erlang.otp.plugins.module_utils._tree.mark import CLAIM_ARGUMENTS, Held, claim_of

ARGUMENT_SPEC: dict = {
    "root": {"type": "path", "required": True},
    "client": {"type": "str", "required": True},
    "type": {"type": "str"},
    "state": {"type": "str", "choices": ["started", "stopped", "restarted", "answering", "restored", "committed"], "required": True},
    "processes": {"type": "list", "elements": "str", "default": []},
    "outdated": {"type": "list", "elements": "str", "default": []},
    "is_newer": {"type": "bool", "default": False},
    "only_changed": {"type": "bool", "default": False},
    "down": {"type": "str", "choices": ["fail", "skip", "offline"], "default": "fail"},
    "start_timeout": {"type": "int", "default": 60},
    "verify": {"type": "list", "elements": "dict", "default": [], "options": CHECK},
    "verify_timeout": {"type": "float", "default": 30.0},
    "hold": {"type": "float"},
    "cookie": {"type": "str", "no_log": True},
    "epmd_port": {"type": "int"},
    "_has_steps": {"type": "bool"},
    **CLAIM_ARGUMENTS,
}


def request_of(params: dict) -> ClientNodeRequest:
    """The module's parameters as a request. Raises OtpError."""
    given = {name: params[name] for name in ("root", "client", "state", "is_newer", "only_changed", "down", "start_timeout", "verify_timeout", "hold")}
    return ClientNodeRequest(
        address=NodeAddress(params["client"], cookie=params["cookie"] or "", epmd_port=params["epmd_port"] or 0),
        machine_type=params["type"] or "",
        processes=tuple(params["processes"]),
        outdated=tuple(params["outdated"]),
        verify=as_checks(params["verify"]),
        claim=claim_of(params),
        **given,
    )


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    changes = Changes(check_mode=module.check_mode)
    try:
        result = change_client(request_of(module.params), changes)
    except OtpError as error:
        more: dict = error.result if isinstance(error, (Held, NotUp)) else {}
        module.fail_json(msg=str(error), actions=changes.actions, **more)
    module.exit_json(changed=changes.changed, actions=changes.actions, **result)


if __name__ == "__main__":
    main()
