#!/usr/bin/python
# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: otp_release_handler
short_description: Bring a release of a node to a state
version_added: 0.1.0
description:
  - Upgrades or downgrades a running node through its own C(release_handler), or by a restart on the release; or one that is down by changing the
    files as C(release_handler) would.
  - A release is unpacked, then current, then permanent; it is brought from its present state to O(state).
  - With O(package), O(configuration), O(verify) and O(keep), one task is a whole upgrade.
  - A preflight checks, before anything is installed, what C(check_install_release) does not catch. See RV(problems).
  - The module waits for an upgrade that restarts the emulator. It is done when another process runs the release and has booted.
  - After the installation the module compares what the node runs with the release, the versions of its applications, and the code of the loaded modules
    of libraries that the permanent release does not have. If it is not that of the package, the release is not committed, and the node is rolled back.
    If the two releases have different ERTS, code that the relup does not load was compiled by another compiler, and is only one of RV(problems).
  - Where no relup leads to the release at once, or only with a restart, the node goes through the releases in between that it has, by the relups that need
    no restart. Each must pass O(verify), and only the last one is committed. See RV(between).
  - A release that fails O(verify) is not committed, and the node is rolled back to its permanent release.
  - A release that was only unpacked, or has failed on the host, is replaced if O(package) has other content of the same version.
  - The history of a host remembers a release that failed there. It is refused until O(force). The same holds for a release that was not
    committed when its emulator ended, so that the node booted the permanent release again.
  - C(release_handler) overwrites C(RELEASES) and C(start_erl.data) in place. Meanwhile copies of them, named C(*.saved), are in the same directory.
    After a power cut, C(bin/start) restores the copies, and the module repairs a system that is down.
  - Each action is appended to C(releases/history.jsonl) below O(root).
  - With O(client), the module upgrades a client node. It then runs on the host of a master of the client.
  - A system that another run is upgrading (see O(hold)) is refused, in check mode as well; see RV(held_by).
author:
  - The erlang.otp authors (@erlang-otp)
extends_documentation_fragment:
  - erlang.otp._attributes
  - erlang.otp._claim
  - erlang.otp._package_url
  - erlang.otp._node
  - erlang.otp._calls
attributes:
  check_mode:
    support: full
    details:
      - Check mode is the preflight. It fails where the run would fail, with RV(problems); it asks the node and changes nothing.
      - For a package that the host lacks, only the relup is checked, not the configuration and the ERTS. Bring the release to V(unpacked) first.
      - What O(keep) would remove is only predicted when O(release) is permanent already.
  diff_mode:
    support: full
    details:
      - Shows the running release and the status of each, before and after; and O(configuration), unless it has secrets.
  idempotent:
    support: full
options:
  root:
    description: The root directory of the system, C($ROOT), under the path that the system itself uses.
    type: path
    required: true
  release:
    description: The version of the release.
    type: str
    required: true
  name:
    description: The expected name of a release that is removed. A removal is refused when the release has another name.
    type: str
  state:
    description:
      - V(unpacked) ensures that the release is in the root directory, and that C(release_handler) knows it.
      - V(ready) unpacks it, writes O(configuration), and checks everything that would prevent the upgrade. The node keeps its release.
        RV(way) says how the node would come to the release.
      - V(current) installs it. After the next start the node runs the permanent release again.
      - V(permanent) installs and commits it. C(bin) is then updated to it, except C(bin/start) and C(bin/start_erl).
        V(current) is not needed first.
      - V(absent) removes it, with the libraries and the ERTS that no other release and no client node uses.
        The release that runs, and the one that boots next, are refused.
      - V(rebooted_old) restarts the node on an old release, or on the permanent one while another is current.
      - A node that is down cannot be brought to V(current), and V(rebooted_old) does not start it.
      - V(given_back) changes nothing; with O(hold=0) it gives the system back.
    type: str
    choices: [unpacked, ready, current, permanent, absent, rebooted_old, given_back]
    default: permanent
  package:
    description:
      - The release package, a path on the controller, for a host that may lack it. It is sent only to a host that lacks it.
      - With O(remote_src=true), a path on the host.
      - A host that lacks the package fetches a URL that begins with V(http://) or V(https://). It needs O(checksum).
    type: str
  checksum:
    description: The package's checksum, V(sha256:) and 64 hexadecimal digits.
    type: str
  thin_checksum:
    description:
      - The checksum of the thin package C(NAME-thin.tar.gz) beside O(package) on the controller, as RV(erlang.otp.otp_release_build#module:thin.sha256) has it.
      - With O(checksum), a thin package is sent in the place of O(package) only if this is its checksum.
    type: str
  remote_src:
    description: Whether O(package) is a path on the host.
    type: bool
    default: false
  configuration:
    description: The configuration of the release, written before it is installed, as by M(erlang.otp.otp_release_config). By default it is kept.
    type: dict
    suboptions:
      sys_config:
        description: The content of C(sys.config). By default it is rendered from C(sys.config.src), if the release has one.
        type: str
      vm_args:
        description: The content of C(vm.args). By default it is rendered from C(vm.args.src), if the release has one.
        type: str
      host_flags:
        description:
          - Flags that the start script gives, such as C(-sname). They are left out of C(vm.args), because the emulator takes the first of two.
          - A parameter of an application is named as C(-kernel erl_epmd_node_listen_port). It is not left out, and refused where it excludes another flag.
        type: list
        elements: str
        default: []
      variables:
        description: Values for the variables in C(sys.config.src) and C(vm.args.src).
        type: dict
        default: {}
      secrets:
        description: More values. They do not show in diffs and messages.
        type: dict
        default: {}
  down:
    description: What to do when the node is down. V(offline) changes the files, as O(transport=offline) does; V(fail) fails; V(skip) changes nothing.
    type: str
    choices: [offline, fail, skip]
    default: offline
  keep:
    description:
      - How many releases to keep on the host once O(release) runs and is permanent, at least two. Older ones are removed. Those through which
        the node came stay for the way back. V(0) removes none.
      - A release that cannot be removed is one of RV(problems), not a failure.
    type: int
    default: 0
  transport:
    description:
      - V(distribution) calls the node as another node does; V(pipe) uses the pipes of C(run_erl).
      - V(offline) is for a node that is down. It is refused when the node runs.
      - V(auto) is V(offline) when no emulator runs the system, otherwise V(distribution) when O(node) is given, otherwise V(pipe).
    type: str
    choices: [auto, distribution, pipe, offline]
    default: auto
  client:
    description:
      - The name of a client node, C(NAME@HOST), whose directory M(erlang.otp.otp_release_client) has created. O(root) is that of its master,
        on whose host the task runs; O(node) is then by default the client, and the options of the connection are those for the client.
      - The release is unpacked for the master once. The client's own C(release_handler) does the rest, and all of its masters write the files.
        All of them must be up.
      - A client without a C(sys.config) for the release gets a copy of that of its permanent release. The parameters that make the node a client
        are added to each.
      - V(state=absent) removes the client's own files of the release. Libraries belong to the master.
      - A client that is down is not changed; see O(down).
    type: str
  type:
    description: The machine type of the client, as in M(erlang.otp.otp_release_client). The package is unpacked into that type's root directory.
    type: str
  master:
    description:
      - The master's node on this host, where the package is unpacked. It is called with the cookie and the C(epmd) port of the client.
      - By default the first master that the client names.
    type: str
  method:
    description:
      - How the node comes to the release with V(state=current) and V(state=permanent).
      - V(hot), by the relup. O(allow_restart) says whether it may restart the emulator.
      - V(restart), by a boot. It needs heart, and no relup, no appups, and no sasl in the releases. The node boots the release once, as
        C(release_handler) does it for C(restart_emulator), by C(releases/new_start_erl.data), which C(bin/start_erl) removes. Every other start
        boots the permanent release. Where the release does not start, or does not boot within O(restart_timeout), its emulator is ended, and the
        node boots the permanent release again. The instructions of a relup are not carried out.
      - V(auto), V(hot) if the relup leads to the release without a restart, or relups through releases in between; otherwise V(restart), if
        O(allow_restart) allows it.
      - A client is only upgraded by the relup.
    type: str
    choices: [auto, hot, restart]
    default: auto
  allow_restart:
    description:
      - Whether a node may be restarted with O(method=auto), and whether a relup may restart the emulator.
        Without it, an upgrade that needs a restart is refused.
      - Where a relup restarts the emulator, C(release_handler) gives heart the start program without quotes. A system below a path that the shell
        would split needs a symbolic link with a plain path, which the parameters C(start_prg) and C(releases_dir) of sasl name.
      - V(state=rebooted_old) and a rollback after a failure may restart it in any case.
    type: bool
    default: false
  rollback:
    description: Whether to roll the node back to its permanent release when O(verify) fails before the commit, by the relup when that needs no
      restart, otherwise by a reboot.
    type: bool
    default: true
  force:
    description: Try a release again that has failed on this host.
    type: bool
    default: false
  timeout:
    description: After how many seconds a call to C(release_handler) without an answer fails; for C(install_release) see O(upgrade_timeout).
    type: float
    default: 60.0
  upgrade_timeout:
    description: For how many seconds C(install_release) may take, which carries out the instructions of the relup.
    type: float
    default: 600.0
  install_options:
    description:
      - Options of C(release_handler:install_release/2), and of C(check_install_release/2) for O(install_options.purge). Without them it takes its own defaults.
      - They count for a rollback by the relup as well.
    type: dict
    suboptions:
      code_change_timeout:
        description:
          - For how many seconds a process may take for its C(code_change). After that the upgrade has failed, and the node is restarted on the release before.
            By default 5.
          - O(upgrade_timeout) is the limit for the whole relup.
        type: float
      suspend_timeout:
        description:
          - For how many seconds to wait until a process is suspended. One that is still busy then is not converted, and is killed if its old code is purged.
            By default 5, or what the appup says.
        type: float
      error_action:
        description:
          - What the node does after an error in the relup. V(restart), C(init:restart()), in the same process of the operating system; V(reboot),
            C(init:reboot()), which needs heart.
        type: str
        choices: [restart, reboot]
        default: restart
      update_paths:
        description:
          - Whether the code paths of all applications are updated, or only of those with another version. It matters for applications in other directories
            than C($ROOT/lib), such as C(release_handler:set_unpacked/2) can name. By default V(false).
        type: bool
      purge:
        description:
          - Whether old code that no process runs is purged when the release has been checked, so that less is left to do while processes are suspended.
            Not in check mode.
        type: bool
  keep_env:
    description:
      - Applications whose environment a hot upgrade leaves as it is on the node where neither their C(.app) file nor C(sys.config) has the value, because it
        was set by C(application:set_env/3) since. By default C(release_handler) gives each application what its files say, and nothing else. RV(problems)
        names the values that would be lost.
      - They are kept through the upgrade, also where the new release has another value, and not through a restart. Configuration providers (C(runtime.exs))
        do not change what is kept.
      - Not for clients and boxes. A value such as a process, which no file can have, is refused before anything is changed.
    type: list
    elements: str
    default: []
  restart_timeout:
    description: For how many seconds to wait for a node that restarts. With O(method=restart), a boot that takes longer is ended.
    type: float
    default: 60.0
  log_dir:
    description: The directory of run_erl's logs and of crash dumps, whose end is shown if the node does not start. The default is C(log) in O(root).
    type: path
  lock_timeout:
    description: For how many seconds to wait for another run that works on the same root directory.
    type: float
    default: 60.0
  hold:
    description:
      - For how many seconds after this task the system is this run's alone, a week at most. A run is one process of ansible-playbook; other runs are
        refused meanwhile. Each task of the run with O(hold) begins the time anew.
      - With O(state=ready) the system is marked if the node would come to the release, and given back if it runs it already.
      - V(0) gives the system back when the task has succeeded. By default it is neither marked nor given back.
      - The mark is C(releases/upgrading.json) below O(root).
    type: float
  _package_release:
    description: The release in the package. Internal, set by the action plugin when it is checked before the package is sent.
    type: dict
  _between:
    description: The packages of releases through which the node may go. Internal, set by the action plugin.
    type: dict
  _between_dir:
    description: A directory of the controller with these packages. Internal, for the action plugin.
    type: path
  _failure:
    description: A release that failed after it was made permanent, the reason, and the action of the history. Internal, of the role C(erlang.otp.upgrade).
    type: dict
  _has_steps:
    description: Whether the role C(erlang.otp.upgrade) has hooks or gates for the host. Internal; the action plugin returns it with the result.
    type: bool
  _no_release:
    description: Why the role C(erlang.otp.upgrade) knows no O(release) for the host. Internal; the action plugin fails with it.
    type: str
  _starts:
    description: Whether the role C(erlang.otp.upgrade) starts a node that is down. Internal, for the action plugin.
    type: bool
notes:
  - Configure the release before it is current, or all configuration is lost. See M(erlang.otp.otp_release_config).
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
- name: Unpack the next release while the node runs another
  erlang.otp.otp_release_handler:
    root: /srv/exchange
    node: exchange@north
    release: "2.0"
    state: unpacked
    package: packages/exchange-2.0.tar.gz

- name: Write its configuration
  erlang.otp.otp_release_config:
    root: /srv/exchange
    release: "2.0"
    variables: "{{ exchange_variables }}"

- name: Upgrade the node, and commit when the service answers
  erlang.otp.otp_release_handler:
    root: /srv/exchange
    node: exchange@north
    release: "2.0"
    allow_restart: true
    verify:
      - module: exchange
        function: status
        expect: "{running,_}"

- name: Remove the earlier release
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

- name: Reboot the node into an old release
  erlang.otp.otp_release_handler:
    root: /srv/exchange
    node: exchange@north
    release: "1.0"
    state: rebooted_old

- name: Upgrade a node whose server converts a large table
  erlang.otp.otp_release_handler:
    root: /srv/exchange
    node: exchange@north
    release: "2.0"
    install_options:
      code_change_timeout: 120

- name: Upgrade by a restart, without a relup
  erlang.otp.otp_release_handler:
    root: /srv/exchange
    node: exchange@north
    release: "3.0"
    package: packages/exchange-3.0.tar.gz
    method: restart
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
between:
  description: The releases through which the node would go, without a restart, because no relup leads to the release at once.
  returned: when O(state=ready)
  type: list
  elements: str
  sample: [SECOND]
way:
  description: How the node would come to the release. V(none), it runs and is permanent; V(commit), it runs and is not permanent; V(upgrade), by a relup;
      V(restart), by a restart; V(reboot), as a client that boots an old release; V(offline), the node is down, and would boot it next;
      V(start), the node is down, the release is permanent, and the role starts it.
  returned: when O(state=ready), or when the node is down and nothing is changed
  type: str
  sample: upgrade
before:
  description: The system before.
  returned: when it could be read
  type: dict
  sample: {running: "1.0", permanent: "1.0", pid: 4711, releases: {"1.0": permanent}}
  contains:
    running:
      description: The running version. Null when the node is down.
      type: str
    permanent:
      description: The version that boots next time.
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
  description:
    - The problems that the preflight found.
    - C(kept_beside) names an extra file of a package that was changed on the host, and is kept beside that of the release that is permanent now, or one that
      was not brought, because a link or another user's directory is in the way.
  returned: always
  type: list
  elements: dict
  contains:
    kind:
      description: One word that identifies the problem.
      type: str
      sample: no_way
    cause:
      description: What is wrong.
      type: str
    remedy:
      description: What to do about it.
      type: str
    fatal:
      description: Whether it ends the run.
      type: bool
restarted:
  description: Whether the emulator was restarted, or in check mode would be.
  returned: always
  type: bool
rolled_back:
  description: Whether the node runs the earlier release again, by itself or because the module rolled it back.
  returned: always
  type: bool
old_processes:
  description: Processes that run old code before the commit, by module. C(make_permanent) ends those of a module whose relup has C(brutal_purge).
  returned: always
  type: dict
  sample: {exchange_line: [line_7]}
unreachable_seconds:
  description: For how long the node did not answer while it restarted. Null without a restart.
  returned: always
  type: float
  sample: 1.3
history:
  description: The entries that this run added to the history.
  returned: always
  type: list
  elements: dict
  sample: [{time: "2026-01-31T12:00:00Z", action: commit, release: "2.0", from: "1.0", outcome: ok, reason: ""}]
actions:
  description: What was done, or would be done in check mode, a sentence each.
  returned: always
  type: list
  elements: str
  sample: ["switch the node exchange@north from release 1.0 to 2.0, without a restart"]
held:
  description: Whether the system is this run's after the task.
  returned: always
  type: bool
held_by:
  description: The run that has marked the system.
  returned: when the system is refused because of it
  type: dict
  sample: {operator: alice@laptop, run: 4711-99-0a1b2c3d, doing: restarting the node, since: "2026-01-31T12:00:00Z", until: "2026-01-31T13:00:00Z"}
needs_package:
  description: Whether the host lacks the release, or its files, and the task gives no package to install it from.
  returned: when it is true
  type: bool
ended:
  description: When the task ended, in seconds since 1970 by the controller's clock.
  returned: always
  type: float
  sample: 1767225600.5
transferred:
  description: Whether the package was sent to the host.
  returned: success
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import as_owner
from ansible_collections.erlang.otp.plugins.module_utils._core.values import expanded, texts
from ansible_collections.erlang.otp.plugins.module_utils._handler.request import HandlerError, Request
from ansible_collections.erlang.otp.plugins.module_utils._install.outcome import PackageNeeded
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import ADDRESS_ARGUMENTS, CHECK, address_of
from ansible_collections.erlang.otp.plugins.module_utils._node.verify import as_checks
from ansible_collections.erlang.otp.plugins.module_utils._package.download import URL_OPTIONS
from ansible_collections.erlang.otp.plugins.module_utils._tree.mark import CLAIM_ARGUMENTS, claim_of

CONFIGURATION = {
    "sys_config": {"type": "str"},
    "vm_args": {"type": "str"},
    "host_flags": {"type": "list", "elements": "str", "default": []},
    "variables": {"type": "dict", "default": {}},
    "secrets": {"type": "dict", "default": {}, "no_log": True},
}
INSTALL_OPTIONS = {
    "code_change_timeout": {"type": "float"},
    "suspend_timeout": {"type": "float"},
    "error_action": {"type": "str", "choices": ["restart", "reboot"], "default": "restart"},
    "update_paths": {"type": "bool"},
    "purge": {"type": "bool"},
}
STATES = ("unpacked", "ready", "current", "permanent", "absent", "rebooted_old", "given_back")
ARGUMENT_SPEC = {
    "root": {"type": "path", "required": True},
    "release": {"type": "str", "required": True},
    "name": {"type": "str"},
    "state": {"type": "str", "choices": [*STATES], "default": "permanent"},
    "package": {"type": "str"},
    "checksum": {"type": "str"},
    "thin_checksum": {"type": "str"},
    "url_options": {"type": "dict", "options": URL_OPTIONS},
    "optional_native": {"type": "list", "elements": "str", "default": []},
    "remote_src": {"type": "bool", "default": False},
    "configuration": {"type": "dict", "options": CONFIGURATION},
    "down": {"type": "str", "choices": ["offline", "fail", "skip"], "default": "offline"},
    "keep": {"type": "int", "default": 0},
    "transport": {"type": "str", "choices": ["auto", "distribution", "pipe", "offline"], "default": "auto"},
    **ADDRESS_ARGUMENTS,
    "client": {"type": "str"},
    "type": {"type": "str"},
    "master": {"type": "str"},
    "method": {"type": "str", "choices": ["auto", "hot", "restart"], "default": "auto"},
    "allow_restart": {"type": "bool", "default": False},
    "verify": {"type": "list", "elements": "dict", "default": [], "options": CHECK},
    "verify_timeout": {"type": "float", "default": 30.0},
    "rollback": {"type": "bool", "default": True},
    "force": {"type": "bool", "default": False},
    "timeout": {"type": "float", "default": 60.0},
    "upgrade_timeout": {"type": "float", "default": 600.0},
    "install_options": {"type": "dict", "options": INSTALL_OPTIONS},
    "keep_env": {"type": "list", "elements": "str", "default": []},
    "restart_timeout": {"type": "float", "default": 60.0},
    "log_dir": {"type": "path"},
    "lock_timeout": {"type": "float", "default": 60.0},
    "hold": {"type": "float"},
    **CLAIM_ARGUMENTS,
    "_package_release": {"type": "dict"},
    "_between": {"type": "dict"},
    "_between_dir": {"type": "path"},
    "_failure": {"type": "dict"},
    "_has_steps": {"type": "bool"},
    "_no_release": {"type": "str"},
    "_starts": {"type": "bool"},
}
ARGUMENT_RULES: dict = {
    "mutually_exclusive": [("cookie", "cookie_file")],
    "required_by": {"type": "client"},
    "required_if": [("transport", "distribution", ("node",)), ("transport", "pipe", ("pipe_dir",))],
}


def request_of(params: dict) -> Request:
    """The module's parameters as a request. Raises OtpError."""
    package = params["package"] and expanded(params["package"])
    configuration = params["configuration"]
    return Request(**{name: params[name] for name in Request._fields if name in params})._replace(
        address=address_of(params),
        package={
            "package": package,
            **{name: params[name] for name in ("checksum", "url_options", "optional_native")},
            "release": params["_package_release"],
        },
        install_options=params["install_options"] or {},
        configuration=configuration and {**configuration, **{name: texts(name, configuration[name]) for name in ("variables", "secrets")}},
        verify=as_checks(params["verify"]),
        client=params["client"] or "",
        machine_type=params["type"] or "",
        master=params["master"] or "",
        claim=claim_of(params),
        failure=params["_failure"] or {},
        between=params["_between"] or {},
    )


def apply(request: Request, changes: Changes) -> dict:
    """Take the release to the requested state, on a node of this host or on a client of a master here. Raises as apply_local() does."""
    # Only here: the controller wants nothing but the options of this file, and most hosts only one of the two.
    with as_owner(request.root, request.destdir):
        if request.client:
            from ansible_collections.erlang.otp.plugins.module_utils._client.upgrade import apply_client

            return apply_client(request, changes)
        from ansible_collections.erlang.otp.plugins.module_utils._handler.local import apply_local

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
