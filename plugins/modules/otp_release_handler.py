#!/usr/bin/python
# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: otp_release_handler
short_description: Take a release to a state on a node
version_added: 0.1.0
description:
  - Upgrades or downgrades a running node by its own C(release_handler), or one that is down by changing the files as C(release_handler) would.
  - A release is unpacked, then current, then permanent; it is taken as far as O(state) says, from where it is.
  - With O(package), O(configuration), O(verify) and O(keep) that is a whole upgrade in one task.
  - Before anything is installed, everything is looked at that C(check_install_release) does not catch, RV(problems).
  - An upgrade that restarts the emulator is waited for. It is done when another process runs the release and has booted.
  - A release that does not stand O(verify) is not committed, and the node is taken back to its permanent release.
  - A release that failed on a host is remembered there, and refused until O(force). So is one that was not committed when its emulator
    ended, which brings the permanent release back.
  - While C(RELEASES) and C(start_erl.data) are changed, which C(release_handler) does in place, there are copies of them beside, named
    C(*.saved). When a power cut has torn them, C(bin/start) puts the copies back; of a system that is down the module mends them.
  - Each action is appended to C(releases/history.jsonl) below O(root).
  - With O(client), all this happens to a client node. The module then runs on the host of a master of the client.
author:
  - The erlang.otp authors (@erlang-otp)
extends_documentation_fragment:
  - erlang.otp._attributes
  - erlang.otp._node
attributes:
  check_mode:
    support: full
    details:
      - Check mode is the preflight. It fails where the run would fail, with RV(problems), and asks the node but changes nothing.
      - Of a package that the host lacks, the way to its release is judged, but not its configuration and its ERTS. Have it V(unpacked) first.
      - What O(keep) removes is told where O(release) is permanent already.
  diff_mode:
    support: full
    details:
      - Shows which release runs and the status of each, before and after; and O(configuration), unless it has secrets.
  idempotent:
    support: full
options:
  root:
    description:
      - The root directory of the system, C($ROOT), as the system itself calls it.
    type: path
    required: true
  release:
    description:
      - The version of the release.
    type: str
    required: true
  name:
    description:
      - The name that the release must have to be removed. It is only a guard.
    type: str
  state:
    description:
      - V(unpacked) has the release in the root directory, and known to C(release_handler).
      - V(ready) has it unpacked, with O(configuration), and everything looked at that would keep the node from it. The node goes on as it is.
        Where no relup leads to an old release and O(allow_restart) allows it, the way is a boot, RV(way).
      - V(current) has the node run it. After its next start it runs the permanent release again.
      - V(permanent) has the node run it and commits it. Then C(bin) is brought up to it, but for C(bin/start) and C(bin/start_erl).
        It needs no V(current) before.
      - V(absent) removes it, with the libraries and the ERTS that no other release and no client node uses.
        A release that runs or boots is refused.
      - V(rebooted_old) has the node restart and boot it, an old release, or the permanent one when another is current.
      - On a node that is down there is no V(current), and V(rebooted_old) starts nothing.
    type: str
    choices: [unpacked, ready, current, permanent, absent, rebooted_old]
    default: permanent
  package:
    description:
      - The release package, a path on the controller, for a host that may lack it. It is sent only when it does.
      - With O(remote_src=true) a path on the host.
      - A URL that begins with V(http://) or V(https://) is fetched by the host when it lacks the package. It needs O(checksum).
    type: str
  checksum:
    description:
      - The package's checksum, V(sha256:) and 64 hexadecimal digits.
    type: str
  remote_src:
    description:
      - Whether O(package) is a path on the host.
    type: bool
    default: false
  configuration:
    description:
      - The configuration of the release, which is written before it is installed, as M(erlang.otp.otp_release_config) writes it. Without it, what
        lies there is left as it is.
    type: dict
    suboptions:
      sys_config:
        description: The content of C(sys.config). Without it, that is made of C(sys.config.src) where there is one.
        type: str
      vm_args:
        description: The content of C(vm.args). Without it, that is made of C(vm.args.src) where there is one.
        type: str
      variables:
        description: Values for the variables in C(sys.config.src) and C(vm.args.src).
        type: dict
        default: {}
      secrets:
        description: Further values, which are in no diff and no message.
        type: dict
        default: {}
  down:
    description:
      - What to do when the node is down. V(offline), change the files, as O(transport=offline) does; V(fail), refuse; V(skip), leave the system alone.
    type: str
    choices: [offline, fail, skip]
    default: offline
  keep:
    description:
      - How many releases stay on the host once O(release) runs and is permanent, at least two. The older ones are removed; the one from which the
        node came is the last to go. V(0) removes none.
      - What cannot be removed is one of RV(problems), and no failure.
    type: int
    default: 0
  transport:
    description:
      - V(distribution) calls the node as other nodes do, V(pipe) through the pipes of C(run_erl).
      - V(offline) is for a node that is down. It is refused when the node runs.
      - V(auto) is V(offline) when no emulator runs the system, else V(distribution) when O(node) is given, else V(pipe).
    type: str
    choices: [auto, distribution, pipe, offline]
    default: auto
  client:
    description:
      - The name of a client node, C(NAME@HOST), whose directory M(erlang.otp.otp_release_client) has made. O(root) is that of its master,
        on whose host the task runs; O(node) is then by default the client, and the ways to the node are those to the client.
      - The release is unpacked for the master once, unless it is there already. The rest is done by the client's own C(release_handler), which has its
        files written by all of its masters. They must be up.
      - A client without a C(sys.config) for the release gets a copy of that of its permanent release. What makes the node a client is put into each.
      - V(state=absent) removes what the client has of its own. Libraries are the master's.
      - A client that is down is not worked on; see O(down).
    type: str
  type:
    description:
      - The machine type of the client, as of M(erlang.otp.otp_release_client). The package is unpacked into that type's root directory.
    type: str
  master:
    description:
      - The node of the master here, where the package is unpacked. It is called with the client's cookie and port of C(epmd).
      - By default the first of those that the client names.
    type: str
  allow_restart:
    description:
      - Whether a relup may restart the emulator. An upgrade that needs it is refused otherwise.
      - C(release_handler) gives heart the start program without quotes. A system below a path that the shell would split needs a symbolic
        link with a plain path to it, which the parameters C(start_prg) and C(releases_dir) of sasl name.
      - V(state=rebooted_old) and the way back after a failure may restart it in any case.
    type: bool
    default: false
  verify:
    description:
      - Function calls in the node that the release must stand, before it is committed and after it.
      - Each is made until it gives what is expected, for O(verify_timeout) seconds altogether.
    type: list
    elements: dict
    default: []
    suboptions:
      module:
        description: The module of the function.
        type: str
        required: true
      function:
        description: The function.
        type: str
        required: true
      arguments:
        description: Its arguments, as of M(erlang.otp.otp_rpc).
        type: list
        elements: raw
        default: []
      expect:
        description: The result that it must have, as of M(erlang.otp.otp_rpc). Without it any result will do.
        type: raw
  verify_timeout:
    description:
      - For how many seconds to try O(verify).
    type: float
    default: 30.0
  rollback:
    description:
      - Whether to take the node back to its permanent release when O(verify) fails before the commit, by the relup when that needs no
        restart, else by a reboot.
    type: bool
    default: true
  force:
    description:
      - Try a release again that has failed on this host.
    type: bool
    default: false
  timeout:
    description:
      - After how many seconds a call to C(release_handler) without an answer has failed.
    type: float
    default: 60.0
  restart_timeout:
    description:
      - For how many seconds to wait for a node that restarts.
    type: float
    default: 60.0
  lock_timeout:
    description:
      - For how many seconds to wait for another run that works on the same root directory.
    type: float
    default: 60.0
  _package_release:
    description:
      - The release in the package. Internal, set by the action plugin where it is to be judged before the package is sent.
    type: dict
  _has_steps:
    description:
      - Whether the role C(erlang.otp.upgrade) has hooks or gates for the host. Internal; the action plugin returns it with the result.
    type: bool
notes:
  - The release must be configured before it is current, or all configuration is lost. See M(erlang.otp.otp_release_config).
seealso:
  - module: erlang.otp.otp_release_build
  - module: erlang.otp.otp_release_config
  - module: erlang.otp.otp_release_info
  - module: erlang.otp.otp_rpc
  - name: release_handler
    description: The reference of the module of SASL.
    link: https://www.erlang.org/doc/apps/sasl/release_handler.html
"""

EXAMPLES = r"""
- name: Lay the next release beside the one that runs
  erlang.otp.otp_release_handler:
    root: /srv/exchange
    node: exchange@north
    release: "2.0"
    state: unpacked
    package: packages/exchange-2.0.tar.gz

- name: Configure it
  erlang.otp.otp_release_config:
    root: /srv/exchange
    release: "2.0"
    variables: "{{ exchange_variables }}"

- name: Upgrade, and commit when the service answers
  erlang.otp.otp_release_handler:
    root: /srv/exchange
    node: exchange@north
    release: "2.0"
    allow_restart: true
    verify:
      - module: exchange
        function: status
        expect: "{running,_}"

- name: Remove the release before
  erlang.otp.otp_release_handler:
    root: /srv/exchange
    node: exchange@north
    release: "1.0"
    state: absent

- name: Upgrade a client node, from the host of its master
  erlang.otp.otp_release_handler:
    root: /srv/exchange
    client: line1@10.0.0.11
    release: "2.0"
    package: packages/exchange-2.0.tar.gz
  delegate_to: north

- name: Go back to it by a reboot
  erlang.otp.otp_release_handler:
    root: /srv/exchange
    node: exchange@north
    release: "1.0"
    state: rebooted_old
"""

RETURN = r"""
release:
  description: The version of the release.
  returned: always
  type: str
  sample: "2.0"
transport:
  description: How the node was reached, V(distribution), V(pipe) or V(offline).
  returned: always
  type: str
  sample: distribution
way:
  description:
    - By which way the node would come to the release. V(none), it runs there and is permanent; V(commit), it runs there; V(upgrade), by a relup;
      V(reboot), an old release boots; V(offline), the node is down, and boots it next.
  returned: when O(state=ready), or the node is down and left alone
  type: str
  sample: upgrade
before:
  description: The system before.
  returned: when it could be read
  type: dict
  sample: {running: "1.0", permanent: "1.0", pid: 4711, releases: {"1.0": permanent}}
  contains:
    running:
      description: The version that runs. Null when the node is down.
      type: str
    permanent:
      description: The version that boots next.
      type: str
    pid:
      description: The emulator's process. Null when the node is down.
      type: int
    releases:
      description: The status of each release, by version.
      type: dict
after:
  description: The system afterwards, like RV(before).
  returned: when it could be read
  type: dict
problems:
  description: What the preflight found.
  returned: always
  type: list
  elements: dict
  contains:
    kind:
      description: One word to tell it by.
      type: str
      sample: no_way
    cause:
      description: What is wrong.
      type: str
    remedy:
      description: The way out.
      type: str
    fatal:
      description: Whether it ends the run.
      type: bool
restarted:
  description: Whether the emulator was restarted, or in check mode would be.
  returned: always
  type: bool
rolled_back:
  description: Whether the node runs the earlier release again, by itself or because it was taken back.
  returned: always
  type: bool
old_processes:
  description:
    - Processes that still run old code, by module, before the commit. C(make_permanent) ends those of a module that its relup purges brutally.
  returned: always
  type: dict
  sample: {exchange_line: [line_7]}
unreachable_seconds:
  description: For how long the node did not answer because it restarted. Null without a restart.
  returned: always
  type: float
  sample: 1.3
history:
  description: What this run added to the history.
  returned: always
  type: list
  elements: dict
  sample: [{time: "2026-01-31T12:00:00Z", action: commit, release: "2.0", from: "1.0", outcome: ok, reason: ""}]
actions:
  description: What was done, or would be done, a sentence each.
  returned: always
  type: list
  elements: str
  sample: ["switch the node exchange@north from release 1.0 to 2.0, without a restart"]
ended:
  description: When the task ended, in seconds since 1970 by the controller's clock.
  returned: always
  type: float
  sample: 1767225600.5
transferred:
  description: Whether the package was sent to the host.
  returned: when O(package) is a path on the controller
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.values import expanded, texts
from ansible_collections.erlang.otp.plugins.module_utils._handler.local import apply_local
from ansible_collections.erlang.otp.plugins.module_utils._handler.request import HandlerError, Request
from ansible_collections.erlang.otp.plugins.module_utils._install.outcome import PackageNeeded
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import ADDRESS_ARGUMENTS, address_of
from ansible_collections.erlang.otp.plugins.module_utils._node.verify import as_checks

CHECK = {
    "module": {"type": "str", "required": True},
    "function": {"type": "str", "required": True},
    "arguments": {"type": "list", "elements": "raw", "default": []},
    "expect": {"type": "raw"},
}
CONFIGURATION = {
    "sys_config": {"type": "str"},
    "vm_args": {"type": "str"},
    "variables": {"type": "dict", "default": {}},
    "secrets": {"type": "dict", "default": {}, "no_log": True},
}
ARGUMENT_SPEC = {
    "root": {"type": "path", "required": True},
    "release": {"type": "str", "required": True},
    "name": {"type": "str"},
    "state": {"type": "str", "choices": ["unpacked", "ready", "current", "permanent", "absent", "rebooted_old"], "default": "permanent"},
    "package": {"type": "str"},
    "checksum": {"type": "str"},
    "remote_src": {"type": "bool", "default": False},
    "configuration": {"type": "dict", "options": CONFIGURATION},
    "down": {"type": "str", "choices": ["offline", "fail", "skip"], "default": "offline"},
    "keep": {"type": "int", "default": 0},
    "transport": {"type": "str", "choices": ["auto", "distribution", "pipe", "offline"], "default": "auto"},
    **ADDRESS_ARGUMENTS,
    "client": {"type": "str"},
    "type": {"type": "str"},
    "master": {"type": "str"},
    "allow_restart": {"type": "bool", "default": False},
    "verify": {"type": "list", "elements": "dict", "default": [], "options": CHECK},
    "verify_timeout": {"type": "float", "default": 30.0},
    "rollback": {"type": "bool", "default": True},
    "force": {"type": "bool", "default": False},
    "timeout": {"type": "float", "default": 60.0},
    "restart_timeout": {"type": "float", "default": 60.0},
    "lock_timeout": {"type": "float", "default": 60.0},
    "_package_release": {"type": "dict"},
    "_has_steps": {"type": "bool"},
}
ARGUMENT_RULES: dict = {
    "mutually_exclusive": [("cookie", "cookie_file")],
    "required_by": {"type": "client"},
    "required_if": [("transport", "distribution", ("node",)), ("transport", "pipe", ("pipe_dir",))],
}
COMMON_OPTIONS = (
    "root",
    "release",
    "name",
    "state",
    "down",
    "keep",
    "transport",
    "allow_restart",
    "verify_timeout",
    "rollback",
    "force",
    "timeout",
    "restart_timeout",
    "lock_timeout",
)


def request_of(params: dict) -> Request:
    """The module's parameters as a request. Raises OtpError."""
    package = params["package"] and expanded(params["package"])
    configuration = params["configuration"]
    return Request(
        address=address_of(params),
        package={"package": package, "checksum": params["checksum"], "release": params["_package_release"]},
        configuration=configuration and {**configuration, **{name: texts(name, configuration[name]) for name in ("variables", "secrets")}},
        verify=as_checks(params["verify"]),
        client=params["client"] or "",
        machine_type=params["type"] or "",
        master=params["master"] or "",
        **{name: params[name] for name in COMMON_OPTIONS},
    )


def apply(request: Request, changes: Changes) -> dict:
    """Take the release to the requested state, on a node of this host or on a client of a master here. Raises as apply_local() does."""
    if request.client:
        # Only here, as most nodes have no clients, and every import costs start-up time.
        from ansible_collections.erlang.otp.plugins.module_utils._client.upgrade import apply_client

        return apply_client(request, changes)
    return apply_local(request, changes)


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True, **ARGUMENT_RULES)
    changes = Changes(check_mode=module.check_mode)
    try:
        result = apply(request_of(module.params), changes)
    except PackageNeeded as needed:
        module.exit_json(changed=False, needs_package=True, known_packages=needed.known, release=module.params["release"], msg=str(needed))
    except HandlerError as error:
        module.fail_json(msg=str(error), actions=changes.actions, changed=changes.changed, **error.result)
    except OtpError as error:
        module.fail_json(msg=str(error), release=module.params["release"], actions=changes.actions, changed=changes.changed)
    module.exit_json(changed=changes.changed, actions=changes.actions, **result)


if __name__ == "__main__":
    main()
