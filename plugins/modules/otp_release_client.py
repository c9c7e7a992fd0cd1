#!/usr/bin/python
# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: otp_release_client
short_description: Directory of a disk-less or read-only client node
version_added: 0.1.0
description:
  - Ensures, on a master, the directory C($ROOT/clients/NODE) from which a client node runs. It has its own C(RELEASES), C(start_erl.data),
    C(sys.config), boot scripts and C(bin/start), so each client has its own release. Libraries and ERTS are those of C($ROOT).
  - The path of C($ROOT) must be the same on the client and on its masters.
  - An existing client keeps its release, which M(erlang.otp.otp_release_handler) changes.
  - In C(sys.config) the module sets the parameters of C(sasl) that make the node a client, C(masters), C(client_directory), C(start_prg) and
    C(static_emulator). It changes nothing else there.
author:
  - The erlang.otp authors (@erlang-otp)
extends_documentation_fragment:
  - erlang.otp._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Shows C(sys.config), C(bin/start) and the releases. Set C(no_log) or C(diff=false) for the task if C(sys.config) has secrets.
  idempotent:
    support: full
options:
  root:
    description: The root directory of the master's system, C($ROOT), by the path that master and client use.
    type: path
    required: true
  client:
    description: The name of the client node, C(NAME@HOST).
    type: str
    required: true
  type:
    description: The machine type of the client, if it differs from the master's. The client's root directory is then C($ROOT/clients/TYPE),
      in which M(erlang.otp.otp_release_install) has installed libraries, ERTS and releases, and its directory is C($ROOT/clients/TYPE/NODE).
    type: str
  state:
    description: V(absent) removes the directory with everything in it. This is refused unless the node is known to be down, see O(stopped).
    type: str
    choices: [present, absent]
    default: present
  release:
    description:
      - The version of the client's release, which must be installed in the client's root directory.
      - Without it, a client keeps its release, and a new one gets the permanent release of the root directory.
      - A client with another release changes to this one while it is down. This is refused unless it is known to be down, see O(stopped).
    type: str
  masters:
    description: The names of the master nodes, which write the client's files. All of them must be up to change its releases. Required for
      O(state=present).
    type: list
    elements: str
    default: []
  static_emulator:
    description:
      - Whether the client can never start another emulator, such as one that boots over the network.
      - It then boots C(releases/start.boot) with C(releases/sys.config), which follow its permanent release, and has no C(start_erl.data). Upgrades that
        restart the emulator are refused.
    type: bool
    default: false
  start_script:
    description: The content of C(bin/start), which C(heart) runs on the client under the same path. With V(static_emulator=false) its argument
      is the path of a C(start_erl.data). Required for a new client.
    type: str
  sys_config:
    description: The content of C(sys.config) for the client's release, as Erlang terms. Without it, the file stays as it is, and that of a new
      client has only what makes it a client.
    type: str
  owner:
    description: The name or number of the user who owns the files. The node of the master must be able to write them. The default is the
      owner of C(releases) in the client's root directory.
    type: str
  group:
    description: The name or number of the group of the files. The default is as for O(owner).
    type: str
  mode:
    description: The permissions of C(sys.config), octal, V("0400") to V("0777"). The file may have secrets.
    type: str
    default: "0640"
  stopped:
    description:
      - Set it if the client's host shows that the node is stopped, or does not exist any more.
      - Otherwise C(epmd) on that host is asked before something is changed for which the node must be down. If C(epmd) does not answer, nothing is
        changed.
    type: bool
    default: false
  emulator:
    description:
      - What identifies the emulator that runs, as the client's host says (C(bin/stop status)). The files that it was started with are then
        kept when they are replaced, see M(erlang.otp.otp_client_node). By default nothing is kept.
    type: str
    default: ''
  restart_on_change:
    description: Whether a restart follows. If not, what is kept of files that the client has read since is forgotten.
    type: bool
    default: false
  host:
    description: The address of the client's host, to ask C(epmd) there. The default is the host in its name.
    type: str
  epmd_port:
    description: The port of C(epmd). The default is the variable C(ERL_EPMD_PORT) in the environment of the task, or V(4369).
    type: int
  lock_timeout:
    description: How many seconds to wait for another run that works on the same root directory.
    type: float
    default: 60.0
seealso:
  - module: erlang.otp.otp_release_handler
  - module: erlang.otp.otp_release_info
  - module: erlang.otp.otp_release_install
  - name: Releases
    description: The chapter of the OTP documentation, with disk-less and read-only clients.
    link: https://www.erlang.org/doc/system/release_structure.html
"""

EXAMPLES = r"""
- name: Ensure the directory of a read-only client, with the master's release
  erlang.otp.otp_release_client:
    root: /srv/exchange
    client: line1@10.0.0.11
    masters: [exchange@10.0.0.1]
    start_script: "{{ lookup('ansible.builtin.template', 'start.sh.j2') }}"
    sys_config: "[{kernel, [{logger_level, warning}]}].\n"

- name: Ensure that of a disk-less client of another machine type
  erlang.otp.otp_release_client:
    root: /srv/exchange
    client: box1@10.0.0.21
    type: arm64
    masters: [exchange@10.0.0.1]
    static_emulator: true
    start_script: "{{ lookup('ansible.builtin.template', 'start.sh.j2') }}"

- name: Remove the directory of a client
  erlang.otp.otp_release_client:
    root: /srv/exchange
    client: line1@10.0.0.11
    state: absent
"""

RETURN = r"""
client_directory:
  description: The directory of the client.
  returned: success
  type: str
  sample: /srv/exchange/clients/line1@10.0.0.11
root:
  description: The root directory of the client's system, C($ROOT) or C($ROOT/clients/TYPE).
  returned: success
  type: str
  sample: /srv/exchange
release:
  description: The version of its release. Null if it is absent.
  returned: success
  type: str
  sample: "1.0"
erts_version:
  description: The ERTS of its release. Null if it is absent.
  returned: success
  type: str
  sample: 13.1.5
before:
  description: The version of the release that it had before. Null if it had none.
  returned: success
  type: str
outdated:
  description: The files that O(emulator) runs without a change of, or that it was restarted with before and that were not committed.
  returned: success
  type: list
  elements: str
actions:
  description: What was done, or would be done in check mode, as sentences.
  returned: always
  type: list
  elements: str
  sample: [write /srv/exchange/clients/line1@10.0.0.11/bin/start]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.erlang.otp.plugins.module_utils._client.directory import ClientRequest, ensure_client
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import group_number, parse_mode, user_number
from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import CallError
from ansible_collections.erlang.otp.plugins.module_utils._node.epmd import default_port, is_registered

ARGUMENT_SPEC: dict = {
    "root": {"type": "path", "required": True},
    "client": {"type": "str", "required": True},
    "type": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "release": {"type": "str"},
    "masters": {"type": "list", "elements": "str", "default": []},
    "static_emulator": {"type": "bool", "default": False},
    "start_script": {"type": "str"},
    "sys_config": {"type": "str"},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "str", "default": "0640"},
    "stopped": {"type": "bool", "default": False},
    "emulator": {"type": "str", "default": ""},
    "restart_on_change": {"type": "bool", "default": False},
    "host": {"type": "str"},
    "epmd_port": {"type": "int"},
    "lock_timeout": {"type": "float", "default": 60.0},
}
# How many seconds to wait for epmd.
EPMD_TIMEOUT = 5.0


def runs(params: dict) -> bool:
    """Whether the node runs: as the caller knows, or as epmd on the client's host says. Raises OtpError if that has no answer."""
    if params["stopped"]:
        return False
    name, _at, host = params["client"].partition("@")
    try:
        return is_registered(name, params["host"] or host, port=params["epmd_port"] or default_port(), timeout=EPMD_TIMEOUT)
    except CallError as error:
        raise OtpError(
            f"it is not known whether client {params['client']} runs, and this changes only one that is down: {str(error).rstrip('.')}."
            " If its host shows that it is stopped, set stopped."
        ) from None


def request_of(params: dict) -> ClientRequest:
    """The module's parameters as a request. Raises OtpError."""
    return ClientRequest(**{name: params[name] for name in ClientRequest._fields if name in params})._replace(
        machine_type=params["type"] or "",
        masters=tuple(params["masters"]),
        uid=user_number(params["owner"]),
        gid=group_number(params["group"]),
        mode=parse_mode(params["mode"]),
        runs=lambda: runs(params),
    )


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    changes = Changes(check_mode=module.check_mode)
    try:
        result = ensure_client(request_of(module.params), changes)
    except OtpError as error:
        module.fail_json(msg=str(error), actions=changes.actions)
    module.exit_json(changed=changes.changed, actions=changes.actions, **result)


if __name__ == "__main__":
    main()
