#!/usr/bin/python
# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: otp_node
short_description: Start, stop and restart the node of a target system
version_added: 0.1.0
description:
  - Starts, stops or restarts the node of a system that M(erlang.otp.otp_target_system) has installed, by its service or C(bin/start).
  - It writes no file of the system. A restart after M(erlang.otp.otp_target_system) has changed the node's files is a trial. If the node does not boot, or
    does not pass O(verify), the files that it was started with before are put back, it is started with them, and the module fails.
  - The playbooks C(erlang.otp.restart), C(erlang.otp.start) and C(erlang.otp.stop) use it, and so does C(erlang.otp.deploy) with C(otp_restart_on_change).
author:
  - The erlang.otp authors (@erlang-otp)
extends_documentation_fragment:
  - erlang.otp._attributes
  - erlang.otp._claim
  - erlang.otp._service
  - erlang.otp._calls
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: partial
    details:
      - O(state=restarted) restarts the node each time, unless O(only_changed=true).
options:
  root:
    description: The root directory of the system, C($ROOT).
    type: path
    required: true
  state:
    description:
      - V(started), the node runs. V(stopped), it does not run, and nothing starts it again before the host boots.
      - V(restarted), it is stopped and started, and answers.
      - V(restored), the files that it was started with before a change of them are back, it runs with them, and answers. Without such files it only runs.
      - V(committed), these files are forgotten.
    type: str
    choices: [started, stopped, restarted, restored, committed]
    default: started
  only_changed:
    description: Whether to restart only a node that has not read its files since they changed, or whose restart with them was not committed.
    type: bool
    default: false
  commit:
    description: Whether to forget the earlier files when the node has passed O(verify). V(false), if more gates follow.
    type: bool
    default: true
  down:
    description: What to do if the node to restart is down. V(fail), fail; otherwise leave it down.
    type: str
    choices: [fail, skip, offline]
    default: fail
  user:
    description: The service user.
    type: str
    default: erlang
  home:
    description: The home directory of the service user, which has the cookie file. The default is C(/var/lib/) and the name of the user.
    type: path
  node_name:
    description: The name of the node, C(NAME@HOST). Empty for a node that is not distributed.
    type: str
    default: ''
  environment:
    description: Environment variables that are needed to reach the node, such as C(ERL_EPMD_PORT).
    type: dict
    default: {}
  pipe_dir:
    description: The directory of run_erl's pipes. The default is C(run/pipe) in O(root).
    type: path
  run_dir:
    description: The directory of the emulator's pid file. The default is C(run) in O(root). Only a box without Python needs it.
    type: path
  log_dir:
    description: The directory of run_erl's logs and of crash dumps. The default is C(log) in O(root).
    type: path
  start_timeout:
    description: How many seconds the node may take to boot and to answer.
    type: int
    default: 60
  hold:
    description: For how many seconds after this task the system is this run's alone, as of M(erlang.otp.otp_release_handler). V(0) gives it back.
    type: float
  _only_asks:
    description: Whether only to predict what would be done, and to mark the system if that is something. Set by the role, not for use in a task.
    type: bool
    default: false
  _role_variables:
    description:
      - Variables of the role, from which the action plugin renders O(service) and O(environment).
      - An option that is not given has the value of the variable with its name after C(otp_). Set by the role, not for use in a task.
    type: dict
  _has_steps:
    description: Whether hooks and gates follow. Set by the role, not for use in a task.
    type: bool
notes:
  - A node that is not distributed cannot answer. It counts as started when its emulator has run for three seconds.
  - Run it as root or as the service user.
seealso:
  - module: erlang.otp.otp_target_system
  - module: erlang.otp.otp_release_handler
"""

EXAMPLES = r"""
- name: Restart the exchange, and go back if it does not take calls
  erlang.otp.otp_node:
    root: /srv/exchange
    user: exchange
    node_name: exchange@localhost
    state: restarted
    verify:
      - module: exchange_switch
        function: version
        expect: _
  become: true

- name: Stop the exchange
  erlang.otp.otp_node:
    root: /srv/exchange
    user: exchange
    state: stopped
  become: true
"""

RETURN = r"""
way:
  description: What was done, or would be done in check mode.
  returned: always
  type: str
  sample: restart
release:
  description: The release that boots; null if the node is stopped.
  returned: success
  type: str
  sample: FIRST
before:
  description: The node before, with C(running) (the release that it runs, null if it is down, C(?) if it does not answer), C(permanent) and C(pid).
  returned: always
  type: dict
  sample: {running: FIRST, permanent: FIRST, pid: 4711}
after:
  description: The node afterwards, like RV(before).
  returned: success, not in check mode
  type: dict
outdated:
  description: The files that the node had not read since they changed, or that it was restarted with before and that were not committed.
  returned: always
  type: list
  elements: str
  sample: [/srv/exchange/releases/FIRST/sys.config]
restarted:
  description: Whether the node was restarted, or in check mode would be.
  returned: always
  type: bool
rolled_back:
  description: Whether the node runs with the files that it was started with before.
  returned: always
  type: bool
unreachable_seconds:
  description: How many seconds the node did not answer during a restart. Null without a restart.
  returned: always
  type: float
  sample: 1.3
actions:
  description: What was done, or would be done in check mode, a sentence each.
  returned: always
  type: list
  elements: str
  sample: ["stop the node exchange@localhost", "start the node exchange@localhost"]
held:
  description: Whether the system is this run's after the task.
  returned: always
  type: bool
held_by:
  description: The run that has marked the system.
  returned: when the system is refused because of it
  type: dict
  sample: {operator: alice@laptop, run: 4711-99-0a1b2c3d, doing: restarting the node, since: "2026-01-31T12:00:00Z", until: "2026-01-31T13:00:00Z"}
ended:
  description: When the task ended, in seconds since 1970 by the controller's clock.
  returned: always
  type: float
  sample: 1767225600.5
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import CHECK
from ansible_collections.erlang.otp.plugins.module_utils._node.verify import as_checks
from ansible_collections.erlang.otp.plugins.module_utils._target_system.node_change import NodeError, NodeRequest, change_node
from ansible_collections.erlang.otp.plugins.module_utils._target_system.options import SERVICE, node_of, service_manager
from ansible_collections.erlang.otp.plugins.module_utils._tree.mark import CLAIM_ARGUMENTS, Held, claim_of

ARGUMENT_SPEC = {
    "root": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["started", "stopped", "restarted", "restored", "committed"], "default": "started"},
    "only_changed": {"type": "bool", "default": False},
    "commit": {"type": "bool", "default": True},
    "down": {"type": "str", "choices": ["fail", "skip", "offline"], "default": "fail"},
    "user": {"type": "str", "default": "erlang"},
    "home": {"type": "path"},
    "node_name": {"type": "str", "default": ""},
    "environment": {"type": "dict", "default": {}},
    "pipe_dir": {"type": "path"},
    "run_dir": {"type": "path"},
    "log_dir": {"type": "path"},
    "service": SERVICE,
    "start_timeout": {"type": "int", "default": 60},
    "verify": {"type": "list", "elements": "dict", "default": [], "options": CHECK},
    "verify_timeout": {"type": "float", "default": 30.0},
    "_role_variables": {"type": "dict"},
    "hold": {"type": "float"},
    "_only_asks": {"type": "bool", "default": False},
    "_has_steps": {"type": "bool"},
    **CLAIM_ARGUMENTS,
}


def request_of(params: dict, *, init: str = "") -> NodeRequest:
    """The module's parameters as a request. init: of a box. Raises OtpError."""
    given = {name: params[name] for name in ("state", "only_changed", "commit", "down", "start_timeout", "verify_timeout", "hold")}
    pipe_directory = params["pipe_dir"] or f"{params['root']}/run/pipe"
    node = node_of(params, service_manager(params["service"], init=init))
    return NodeRequest(
        node=node, pipe_directory=pipe_directory, verify=as_checks(params["verify"]), claim=claim_of(params), only_asks=params["_only_asks"], **given
    )


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    changes = Changes(check_mode=module.check_mode)
    try:
        result = change_node(request_of(module.params), changes)
    except (NodeError, Held) as error:
        module.fail_json(msg=str(error), actions=changes.actions, changed=changes.changed, **error.result)
    except OtpError as error:
        module.fail_json(msg=str(error), actions=changes.actions, changed=changes.changed)
    module.exit_json(changed=changes.changed, actions=changes.actions, **result)


if __name__ == "__main__":
    main()
