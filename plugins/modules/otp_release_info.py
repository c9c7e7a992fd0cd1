#!/usr/bin/python
# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: otp_release_info
short_description: List the releases of a target system
version_added: 0.1.0
description:
  - Lists the releases below the root directory of a target system with their status, the release that boots next, the ERTS versions,
    and the packages that are not unpacked yet. It does not matter how they were installed.
  - With O(node) or O(pipe_dir), also reports the state of the running node.
  - On a master, also lists the client nodes that have directories there. With O(client), reports on that client. Run it on the host of the master.
  - Reports where C(RELEASES), C(start_erl.data), the files and the running node disagree.
  - A damaged system is reported and does not fail the task. If the root directory does not exist, RV(installed=false).
author:
  - The erlang.otp authors (@erlang-otp)
extends_documentation_fragment:
  - erlang.otp._attributes
  - erlang.otp._attributes.info_module
  - erlang.otp._node
options:
  root:
    description: The root directory of the system, C($ROOT).
    type: path
    required: true
  destdir:
    description: A prefix of O(root), such as the directory of an image.
    type: path
    default: ""
  client:
    description:
      - The name of a client node, C(NAME@HOST), to report on. O(root) is the root directory of its master, on whose host the task runs.
      - With O(node), the client is called as well. RV(running.pid) is then a process of the host of the client.
    type: str
  type:
    description: The machine type of the client, as of M(erlang.otp.otp_release_client).
    type: str
  timeout:
    description: How many seconds to wait for the node's answer.
    type: float
    default: 5.0
  history:
    description: How many entries of the history to return, the newest.
    type: int
    default: 20
  log_dir:
    description: The directory of run_erl's logs, of which RV(reports) counts the last O(log_seconds).
    type: path
  log_seconds:
    description: For how many seconds back to count the error reports in O(log_dir).
    type: float
seealso:
  - module: erlang.otp.otp_release_handler
  - module: erlang.otp.otp_release_install
"""

EXAMPLES = r"""
- name: List what is installed
  erlang.otp.otp_release_info:
    root: /srv/exchange
  register: system

- name: List what is installed and what runs
  erlang.otp.otp_release_info:
    root: /srv/exchange
    node: exchange@north
    cookie_file: /srv/exchange/home/.erlang.cookie

- name: Stop here when files disagree
  ansible.builtin.assert:
    that: system.disagreements == []
"""

RETURN = r"""
installed:
  description: Whether there is a system, or remains of one.
  returned: always
  type: bool
permanent:
  description: The release that boots next, from C(start_erl.data). Null if that file is missing or damaged.
  returned: always
  type: dict
  sample: {release: "1.0", erts_version: 13.1.5}
  contains:
    release:
      description: Its version.
      type: str
    erts_version:
      description: The ERTS it boots on.
      type: str
releases:
  description: The releases in the order of C(RELEASES), then those that only have a directory.
  returned: always
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
    erts_version:
      description: The ERTS it runs on.
      type: str
      sample: 13.1.5
    status:
      description: V(permanent), V(unpacked), V(old) or V(tmp_current). Null when C(RELEASES) does not list it.
      type: str
      sample: permanent
    applications:
      description: The versions of its applications, by name.
      type: dict
      sample: {kernel: "8.5.3", stdlib: "4.2"}
    directory:
      description: Its release directory.
      type: str
      sample: /srv/exchange/releases/1.0
    package_sha256:
      description: The digest of the package it was installed from; for a thin package, that of the full one. Null when this collection did not install it.
      type: str
    has_relup:
      description: Whether it has a C(relup).
      type: bool
    has_sys_config:
      description: Whether it has a C(sys.config).
      type: bool
erts_versions:
  description: The versions of ERTS below the root directory.
  returned: always
  type: list
  elements: str
  sample: [13.1.5]
packages:
  description: Packages in C(releases), as C(release_handler:unpack_release/1) looks for them.
  returned: always
  type: list
  elements: dict
  contains:
    path:
      description: Where it is.
      type: str
      sample: /srv/exchange/releases/exchange-2.0.tar.gz
    size:
      description: Its size in bytes.
      type: int
disagreements:
  description: What does not fit together, one sentence each.
  returned: always
  type: list
  elements: str
  sample: ["start_erl.data boots release 1.0, RELEASES calls 2.0 permanent"]
clients:
  description: The client nodes that have directories below O(root), those of machine types last. Empty with O(client).
  returned: always
  type: list
  elements: dict
  contains:
    client:
      description: The node.
      type: str
      sample: line1@10.0.0.11
    type:
      description: Its machine type. Null if that is the master's.
      type: str
    directory:
      description: Its directory.
      type: str
      sample: /srv/exchange/clients/line1@10.0.0.11
    permanent:
      description: The version of the release that it boots next.
      type: str
      sample: "1.0"
    static_emulator:
      description: Whether it can never start another emulator.
      type: bool
    releases:
      description: The status of each release that it has, by version.
      type: dict
      sample: {"1.0": permanent}
running:
  description: The node. Null without O(node) and O(pipe_dir).
  returned: always
  type: dict
  contains:
    pid:
      description: The emulator's process. Null if the system does not run; then the rest is null or empty, except RV(running.status).
      type: int
    answers:
      description: Whether the node was reached and answered.
      type: bool
    error:
      description: Why it did not answer.
      type: str
    name:
      description: The name that the node reports. Empty if it was called through the pipes.
      type: str
      sample: exchange@north
    status:
      description: What C(init) reports, V(starting), V(started) or V(stopping). V(starting) too if heart or a script is about to start an emulator.
      type: str
    started:
      description: When the emulator was started, in UTC.
      type: str
      sample: "2026-01-31T12:00:00Z"
    uptime:
      description: How many seconds it has run.
      type: int
      sample: 86400
    erts_version:
      description: The version of its ERTS.
      type: str
      sample: 13.1.5
    release:
      description: The version of the release that runs.
      type: str
      sample: "2.0"
    permanent:
      description: The version that the node boots next.
      type: str
      sample: "1.0"
    heart:
      description: The command of C(heart), which may be empty. Null if the node runs without C(heart).
      type: str
    outdated:
      description: The files, such as C(sys.config), that were written after the emulator was started. The node has read an earlier version of them.
      type: list
      elements: str
      sample: [/srv/exchange/releases/1.0/sys.config]
    releases:
      description: The result of C(release_handler:which_releases(\)).
      type: list
      elements: dict
      sample: [{name: exchange, version: "2.0", status: current, libraries: [kernel-8.5.3]}]
history:
  description: The newest entries of the history, oldest first.
  returned: always
  type: list
  elements: dict
  contains:
    time:
      description: When it was, in UTC.
      type: str
      sample: "2026-01-31T12:00:00Z"
    action:
      description: What was done; V(unpack), V(install), V(verify), V(commit), V(reboot), V(remove), V(offline) (while the node was down),
        V(start) (the node did not start on it), or V(fall_back) (an installed release was not committed when its emulator ended).
      type: str
      sample: commit
    release:
      description: The version of the release.
      type: str
    from:
      description: The version that ran, or was permanent, before.
      type: str
    outcome:
      description: V(ok), V(failed), or V(refused) when nothing has changed.
      type: str
    reason:
      description: Why it failed.
      type: str
upgrading:
  description:
    - The run that works on the system, or that has left it without giving it back. That is, who, its process and more, what it does, since when, and
      when the mark expires. Null if there is none.
  returned: always
  type: dict
  sample: {operator: alice@laptop, run: 4711-99-0a1b2c3d, doing: restarting the node, since: "2026-01-31T12:00:00Z", until: "2026-01-31T13:00:00Z"}
failed_releases:
  description: The releases that failed on this host and are refused without force, by version.
  returned: always
  type: dict
  sample: {"3.0": {time: "2026-01-31T12:00:00Z", action: verify, reason: "exchange:status/0 returned stopped, and {running,_} was expected, for 30 s"}}
previous:
  description:
    - The version of the release that a rollback leads to. If a release is installed and not committed, or the node runs another one than the permanent
      one, it is the permanent one, otherwise the one below that in the history of upgrades. Null if unknown.
    - Rollbacks do not count. After upgrades from 1.0 to 2.0 to 3.0 and a rollback to 2.0, it is 1.0.
  returned: always
  type: str
  sample: "1.0"
reports:
  description:
    - The error reports in the logs of C(run_erl) of the last O(log_seconds). They are lines with which a report of the level error or above begins, as
      the handlers of OTP and of Elixir write them; those of crashes and of supervisors are such. Null without O(log_dir).
  returned: always
  type: dict
  sample: {count: 2, last: "=CRASH REPORT==== 31-Jan-2026::12:00:00.123456 ==="}
  contains:
    count:
      description: How many there are.
      type: int
    last:
      description: The first line of the newest one. Null if there is none.
      type: str
uncommitted:
  description:
    - The entry of the history for a release that was installed, and has been neither committed nor rolled back since. Null otherwise.
    - If another release runs, the emulator has ended meanwhile, and the node fell back to its permanent release.
  returned: always
  type: dict
  sample: {time: "2026-01-31T12:00:00Z", action: install, release: "2.0", from: "1.0", outcome: ok, reason: ""}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import as_owner
from ansible_collections.erlang.otp.plugins.module_utils._info.target import describe_clients, describe_target, read_target, read_tree
from ansible_collections.erlang.otp.plugins.module_utils._info.target_node import describe_history, describe_mark, describe_node
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import ADDRESS_ARGUMENTS, address_of
from ansible_collections.erlang.otp.plugins.module_utils._tree.client_tree import ClientTree

ARGUMENT_SPEC = {
    "root": {"type": "path", "required": True},
    "destdir": {"type": "path", "default": ""},
    **ADDRESS_ARGUMENTS,
    "client": {"type": "str"},
    "type": {"type": "str"},
    "timeout": {"type": "float", "default": 5.0},
    "history": {"type": "int", "default": 20},
    "log_dir": {"type": "path"},
    "log_seconds": {"type": "float"},
}
ARGUMENT_RULES: dict = {
    "mutually_exclusive": [("cookie", "cookie_file")],
    "required_by": {"type": "client"},
    "required_together": [("log_dir", "log_seconds")],
}


def describe(params: dict) -> dict:
    """What the module returns. Raises OtpError."""
    with as_owner(params["root"], params["destdir"] or ""):
        found = _describe(params)
    return dict(found, reports=_reports(params) if params["log_dir"] else None)


def _reports(params: dict) -> dict:
    # Lazy, for start-up time.
    from ansible_collections.erlang.otp.plugins.module_utils._node.log_reports import count_reports

    try:
        return count_reports(params["log_dir"], seconds=params["log_seconds"])
    except OSError as error:
        raise OtpError(f"The logs in {params['log_dir']} cannot be read: {error}.") from error


def _describe(params: dict) -> dict:
    if params["client"]:
        target = read_tree(ClientTree(params["root"], params["client"], params["type"] or ""))
    else:
        target = read_target(params["root"], params["destdir"])
    result = dict(describe_target(target), running=None, clients=[], upgrading=describe_mark(target))
    if not params["client"] and not params["destdir"]:
        result["clients"], more = describe_clients(params["root"])
        result["disagreements"] = result["disagreements"] + more
    if params["node"] or params["pipe_dir"]:
        result["running"], more = describe_node(target, address_of(params), timeout=params["timeout"])
        result["disagreements"] = result["disagreements"] + more
    runs = (result["running"] or {}).get("release")
    return {**result, **describe_history(target, limit=max(0, params["history"]), runs=runs)}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True, **ARGUMENT_RULES)
    try:
        result = describe(module.params)
    except OtpError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
