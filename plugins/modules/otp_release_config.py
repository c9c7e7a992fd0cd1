#!/usr/bin/python
# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: otp_release_config
short_description: Configure an installed Erlang/OTP release
version_added: 0.1.0
description:
  - Writes C(sys.config) and C(vm.args) of a release into its release directory C(ROOT/releases/VSN), from C(sys.config.src) and
    C(vm.args.src) in the same directory, or from given content.
  - In the C(.src) files, C(${VAR}) and C(${VAR:-default}) are replaced as in a shell (the default counts if the variable is not defined
    or empty), and C(%VAR%) if the variable is defined. Nothing can be escaped, and values are not searched for variables.
  - Variables that are not defined are an error that names the file, the lines and all of these variables.
  - The new C(sys.config) must pass the check that the emulator makes when it starts, before anything is written. It is one list of
    C({Application,[{Parameter,Value}]}) and of names of other such files. Whether those files exist is not checked.
  - A release without C(sys.config) does not boot. Without C(sys.config), C(sys.config.src) and O(sys_config), one without parameters
    is written. A C(sys.config) without a C(sys.config.src) is checked and not changed.
  - A running node reads its configuration only when a release is installed in it, or when it starts again.
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
      - O(secrets) suppress the diff. If the content contains other secrets, or did before, set C(diff=false) or C(no_log=true) for the task.
  idempotent:
    support: full
options:
  root:
    description:
      - The root directory of the system.
    type: path
    required: true
  release:
    description:
      - The version of the release.
      - By default the permanent one, which C(releases/start_erl.data) names.
    type: str
  variables:
    description:
      - The variables for the C(.src) files. The environment of the host is not used.
      - Values are strings, numbers or booleans; the latter become V(true) and V(false).
    type: dict
    default: {}
  secrets:
    description:
      - Variables like O(variables), whose values never appear in output. They override O(variables).
    type: dict
    default: {}
  sys_config:
    description:
      - The content of C(sys.config), instead of one made from C(sys.config.src). Nothing is replaced in it.
      - The filter P(erlang.otp.to_term#filter) makes such content from variables of the inventory.
    type: str
  vm_args:
    description:
      - The content of C(vm.args), instead of one made from C(vm.args.src). Nothing is replaced in it.
    type: str
  host_flags:
    description:
      - Flags that the start script gives, such as C(-sname). They are left out of C(vm.args), because the emulator takes the first of two.
      - A parameter of an application is named as C(-kernel erl_epmd_node_listen_port). It is not left out, and refused where it excludes another flag.
    type: list
    elements: str
    default: []
  owner:
    description:
      - The name or number of the user who owns the files.
      - By default they keep their owner, and new ones get that of the release directory.
    type: str
  group:
    description:
      - The name or number of the group of the files; the default is as with O(owner).
    type: str
  mode:
    description:
      - The permissions of the files, octal, V("0400") to V("0777"). They may hold secrets.
    type: str
    default: "0640"
seealso:
  - name: Erlang/OTP config(5)
    description: The format of sys.config.
    link: https://www.erlang.org/doc/apps/kernel/config.html
"""

EXAMPLES = r"""
- name: Configure the permanent release from its sys.config.src and vm.args.src
  erlang.otp.otp_release_config:
    root: /opt/exchange
    variables:
      PORT: 7000
      NODE: "exchange@{{ inventory_hostname }}"
    secrets:
      DATABASE_PASSWORD: "{{ database_password }}"

- name: Configure a release from variables of the inventory
  erlang.otp.otp_release_config:
    root: /opt/exchange
    release: "2.0"
    sys_config: "{{ exchange_config | erlang.otp.to_term }}.\n"
    owner: root
    group: exchange
  vars:
    exchange_config:
      kernel:
        logger_level: {$atom: info}
      exchange:
        port: 7000
"""

RETURN = r"""
release:
  description: The version of the release.
  returned: success
  type: str
  sample: "2.0"
sys_config:
  description: The path of C(sys.config).
  returned: success
  type: str
  sample: /opt/exchange/releases/2.0/sys.config
vm_args:
  description: The path of C(vm.args). Null if the release does not have one.
  returned: success
  type: str
  sample: /opt/exchange/releases/2.0/vm.args
variables:
  description: The names of the variables that were replaced, with a value or with a default.
  returned: success
  type: list
  elements: str
  sample: [DATABASE_PASSWORD, NODE, PORT]
actions:
  description: What was done, or in check mode would be done, as sentences.
  returned: success
  type: list
  elements: str
  sample: [write /opt/exchange/releases/2.0/sys.config]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.erlang.otp.plugins.module_utils._config.configure import configure_release
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import as_owner
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import group_number, parse_mode, user_number
from ansible_collections.erlang.otp.plugins.module_utils._core.values import texts
from ansible_collections.erlang.otp.plugins.module_utils._tree.names import check_version
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

ARGUMENT_SPEC = {
    "root": {"type": "path", "required": True},
    "release": {"type": "str"},
    "variables": {"type": "dict", "default": {}},
    "secrets": {"type": "dict", "default": {}, "no_log": True},
    "sys_config": {"type": "str"},
    "vm_args": {"type": "str"},
    "host_flags": {"type": "list", "elements": "str", "default": []},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "str", "default": "0640"},
}


def permanent_release(tree: Tree) -> str:
    start = tree.start_erl_data()
    if start is None:
        raise OtpError(f"{tree.path('releases', 'start_erl.data')} is missing, so no release is permanent: set release")
    return start.release_version


def configure(parameters: dict, changes: Changes, *, destdir: str = "") -> dict:
    tree = Tree(parameters["root"], destdir)
    release = parameters["release"] or permanent_release(tree)
    check_version(release)
    result = configure_release(
        directory=tree.path("releases", release),
        variables=texts("variables", parameters["variables"]),
        secrets=texts("secrets", parameters["secrets"]),
        sys_config=parameters["sys_config"],
        vm_args=parameters["vm_args"],
        host_flags=parameters["host_flags"],
        uid=user_number(parameters["owner"]),
        gid=group_number(parameters["group"]),
        mode=parse_mode(parameters["mode"]),
        changes=changes,
    )
    return {"release": release, **result}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    changes = Changes(check_mode=module.check_mode)
    try:
        with as_owner(module.params["root"]):
            result = configure(module.params, changes)
    except OtpError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}")
    for warning in result.pop("warnings"):
        module.warn(warning)
    module.exit_json(changed=changes.changed, actions=changes.actions, **result)


if __name__ == "__main__":
    main()
