#!/usr/bin/python
# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: otp_release_verify
short_description: Verify the installed files and the loaded code of a target system
version_added: 0.1.0
description:
  - Compares every file of every release that C(RELEASES) lists with the packages on the controller, and the modules that the node has loaded with the files of
    its release. It finds files that were changed, removed or added, other modes and owners, and modules that were exchanged in a shell of the node.
  - The records of the host do not count, because they belong to the user of the node. Packages count, and with C(otp_allowed_signers) only those that are
    signed. A release of which the controller has no package is not verified, and RV(releases) says why.
  - Of BEAM files the code counts, of resource files the term, and of all other files each byte. Files that the host makes are not compared. These are
    C(sys.config), but see O(given_config), C(vm.args), scripts in C(bin), C(RELEASES), C(start_erl.data), relups and appups. The playbook
    C(erlang.otp.verify) compares configuration and scripts with the inventory.
  - It fails only if the system cannot be read. What it finds is in RV(drift).
author:
  - The erlang.otp authors (@erlang-otp)
extends_documentation_fragment:
  - erlang.otp._attributes
  - erlang.otp._node
  - erlang.otp._claim
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  root:
    description: The root directory of the system, C($ROOT).
    type: path
    required: true
  packages:
    description:
      - Packages on the controller, and directories there that have them as C(NAME-VERSION.tar.gz). The first one of a release counts.
      - Thin packages do not count, because they are not whole.
    type: list
    elements: str
    required: true
  repair:
    description:
      - Whether to put back what the packages have, that is, files that are missing, or differ in content, mode or owner.
      - What is in no package stays, and so does what the node has loaded. Restart the node then.
    type: bool
    default: false
  given_config:
    description:
      - Whether C(sys.config) is made by something else than the package, such as C(otp_sys_config). It is not compared then.
      - Otherwise that of a package without C(sys.config.src) is compared, as those of mix are.
    type: bool
    default: true
  ignore:
    description: Patterns of paths below O(root), and of names of modules, that do not count, such as files that an application writes into its C(priv).
    type: list
    elements: str
    default: []
  timeout:
    description: How many seconds to wait for each answer of the node.
    type: float
    default: 30.0
  package:
    description: The package from which files are put back. Set by the action plugin, not for use in a task.
    type: path
  _manifests:
    description: What is in the packages, by the version of the release. Set by the action plugin, not for use in a task.
    type: dict
  _restore:
    description: The version of the release in O(package). Set by the action plugin, not for use in a task.
    type: str
notes:
  - Of a box without Python (C(otp_box)), C(sha256sum) there says what the files are, and the controller compares. Files larger than 4 MiB that are not those of
    the package are different, even if only what does not count differs.
  - The node itself says what it has loaded. So the module finds what was done by hand, and not a node that was made to answer falsely.
seealso:
  - module: erlang.otp.otp_release_info
  - module: erlang.otp.otp_package_signature
"""

EXAMPLES = r"""
- name: Verify the system and its node
  erlang.otp.otp_release_verify:
    root: /srv/exchange
    packages: ["{{ inventory_dir }}/.packages"]
    node: exchange@north
    cookie_file: /srv/exchange/home/.erlang.cookie
  register: verified
  failed_when: verified.drift | length > 0 or verified.node.error is not none

- name: Put back what was changed
  erlang.otp.otp_release_verify:
    root: /srv/exchange
    packages: ["{{ inventory_dir }}/.packages"]
    repair: true
"""

RETURN = r"""
releases:
  description: The releases that C(RELEASES) lists.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name of the release.
      type: str
      sample: exchange
    version:
      description: Its version.
      type: str
      sample: "1.0"
    is_permanent:
      description: Whether it boots next.
      type: bool
    package:
      description: The package on the controller.
      type: str
      sample: /home/anna/fleet/.packages/exchange-1.0.tar.gz
    is_known:
      description: Whether its files were compared.
      type: bool
    left_out:
      description: The variables of boot scripts whose libraries the package has, and which are outside of O(root). They are not compared.
      type: list
      elements: str
    reason:
      description: Why they were not. Empty if they were.
      type: str
      sample: the controller has no package of it
drift:
  description: What is not as the packages have it, after a repair. At most 1000 of files, and of modules.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: V(changed), V(missing), V(added), V(mode) or V(owner) of a file; V(module) in the node.
      type: str
      sample: changed
    path:
      description: The path below O(root), or the name of the module.
      type: str
      sample: lib/exchange-1.0/ebin/exchange_switch.beam
    text:
      description: A sentence.
      type: str
      sample: lib/exchange-1.0/ebin/exchange_switch.beam is not that of the package
node:
  description: The node.
  returned: success
  type: dict
  contains:
    pid:
      description: The emulator's process. Null if the system does not run.
      type: int
    modules:
      description: How many loaded modules were compared. Null if none.
      type: int
    error:
      description: Why the node was not compared, although it runs.
      type: str
to_restore:
  description: In check mode with O(repair), the releases whose packages would be sent. Empty after a repair.
  returned: success
  type: list
  elements: str
actions:
  description: What was done, or in check mode would be done, as sentences.
  returned: success
  type: list
  elements: str
  sample: [put back /srv/exchange/lib/exchange-1.0/ebin/exchange_switch.beam]
held_by:
  description: The run that has marked the system.
  returned: when the system is refused because of it
  type: dict
  sample: {operator: alice@laptop, run: 4711-99-0a1b2c3d, doing: restarting the node, since: "2026-01-31T12:00:00Z", until: "2026-01-31T13:00:00Z"}
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import as_owner
from ansible_collections.erlang.otp.plugins.module_utils._drift.verify import Request, installed_releases, verify
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import ADDRESS_ARGUMENTS, address_of
from ansible_collections.erlang.otp.plugins.module_utils._tree.mark import CLAIM_ARGUMENTS, Held, claim_of
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

ARGUMENT_SPEC = {
    "root": {"type": "path", "required": True},
    "packages": {"type": "list", "elements": "str", "required": True},
    "repair": {"type": "bool", "default": False},
    "given_config": {"type": "bool", "default": True},
    "ignore": {"type": "list", "elements": "str", "default": []},
    **ADDRESS_ARGUMENTS,
    "timeout": {"type": "float", "default": 30.0},
    "package": {"type": "path"},
    "_manifests": {"type": "dict"},
    "_restore": {"type": "str"},
    **CLAIM_ARGUMENTS,
}
ARGUMENT_RULES: dict = {"mutually_exclusive": [("cookie", "cookie_file")]}


def describe(params: dict, changes: Changes, *, destdir: str = "", **of_a_box: t.Any) -> dict:
    """What the module returns; needs_manifests names the releases if it is not known what their packages have. Raises OtpError.

    destdir: the directory of the copy of a box, for which Request has more.
    """
    with as_owner(params["root"], destdir):
        tree = Tree(params["root"], destdir)
        if params["_manifests"] is None:
            return {"needs_manifests": [{"name": entry.name, "version": entry.version} for entry in installed_releases(tree)]}
        address = address_of(params) if params["node"] or params["pipe_dir"] else None
        same = {name: params[name] for name in ("given_config", "ignore", "timeout", "repair", "package")}
        return verify(tree, Request(params["_manifests"], address, restore=params["_restore"], claim=claim_of(params), **same, **of_a_box), changes)


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True, **ARGUMENT_RULES)
    changes = Changes(check_mode=module.check_mode)
    try:
        result = describe(module.params, changes)
    except Held as error:
        module.fail_json(msg=str(error), actions=changes.actions, changed=changes.changed, held_by=error.result["held_by"])
    except OtpError as error:
        module.fail_json(msg=str(error), actions=changes.actions, changed=changes.changed)
    module.exit_json(changed=changes.changed, actions=changes.actions, **result)


if __name__ == "__main__":
    main()
