#!/usr/bin/python
# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: otp_target_system
short_description: Deploy an embedded Erlang/OTP target system
version_added: 0.1.0
description:
  - Ensures everything that a host needs for one target system. The service user, the release, its configuration, the scripts, the cookie,
    the service and the state of the node.
  - All of this is one request to the host. The package is sent only if the host does not have the release.
  - Use it through the role C(erlang.otp.target_system), which renders the scripts and the service.
author:
  - The erlang.otp authors (@erlang-otp)
extends_documentation_fragment:
  - erlang.otp._attributes
  - erlang.otp._calls.own_files
  - erlang.otp._claim
  - erlang.otp._package_url
  - erlang.otp._service
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - The diff has releases, configuration and files, but neither the cookie, nor a value of O(environment_secrets), nor files with
        O(files[].secret=true) or O(own_files[].secret=true).
  idempotent:
    support: full
options:
  root:
    description: The root directory of the system, C($ROOT).
    type: path
    required: true
  package:
    description:
      - The release package on the controller, or with O(remote_src=true) on the host.
      - A URL that begins with V(http://) or V(https://) is downloaded by the host if it needs the package. It requires O(checksum).
      - Without a package, the permanent release stays.
      - The first release becomes permanent. Another one is only installed beside it, whether the node runs or not, and RV(pending) reports
        that. In an image, O(destdir), it becomes permanent as well.
    type: path
  remote_src:
    description: Whether O(package) is a path on the host.
    type: bool
    default: false
  checksum:
    description: The checksum of the package, V(sha256:) and 64 hexadecimal digits. A package with another checksum is refused.
    type: str
  thin_checksum:
    description:
      - The checksum of the thin package C(NAME-thin.tar.gz) beside O(package) on the controller, as RV(erlang.otp.otp_release_build#module:thin.sha256) has it.
      - With O(checksum), a thin package is sent in the place of O(package) only if this is its checksum.
    type: str
  _package_release:
    description: The release in the package. Set by the action plugin, not for use in a task.
    type: dict
  _role_variables:
    description:
      - Variables of the role, from which the action plugin renders O(files), O(service) and O(environment).
      - An option that is not given has the value of the variable with its name after C(otp_). Set by the role, not for use in a task.
    type: dict
  boot_variables:
    description:
      - Directories on the host by the names of boot variables, for a package that has libraries outside of O(root). See the option
        O(erlang.otp.otp_release_install#module:variables). The start script in O(files) passes them as C(-boot_var).
    type: dict
    default: {}
  user:
    description: The service user. It owns the system and runs its node.
    type: str
    default: erlang
  group:
    description: The group of the service user. The default is the name of the user.
    type: str
  home:
    description: The home directory of the service user, which has the cookie file. The default is C(/var/lib/) and the name of the user.
    type: path
  manage_user:
    description: Whether to create the user and the group if they do not exist.
    type: bool
    default: true
  node_name:
    description: The name of the node, C(NAME@HOST), as in the start script in O(files). Empty for a node that is not distributed.
    type: str
    default: ''
  cookie:
    description:
      - The cookie. It is written to C(.erlang.cookie) in O(home), which only O(user) can read. Without it, that file stays as it is.
      - A running node gets another cookie before that file has it, through the old one, and keeps running.
    type: str
  environment:
    description:
      - Environment variables of the node. They are written to C(bin/environment) in O(root), which only O(user) can read, and which the start
        script in O(files) exports. The module also needs them to reach the node.
      - A value may have any character but a newline.
    type: dict
    default: {}
  environment_secrets:
    description: More such variables, which must not show. They are in no output.
    type: dict
    default: {}
  tls:
    description: The files of a node that is distributed over TLS, in C(tls) in O(root). None of them is in the diff.
    type: dict
    suboptions:
      certificate:
        description: The certificate of the host, with its chain behind it (PEM).
        type: str
        required: true
      key:
        description: Its key (PEM), without a password. Only its owner can read the file.
        type: str
        required: true
      ca:
        description: The CA by which nodes check each other (PEM).
        type: str
        default: ""
  pipe_dir:
    description: The directory of run_erl's pipes. The default is C(run/pipe) in O(root).
    type: path
  run_dir:
    description:
      - The directory of the emulator's pid file. The default is C(run) in O(root).
      - For another directory, C(run) in O(root) is a link to it. It may be on a file system that is empty after boot, so that a node can run
        from a read-only root directory.
    type: path
  destdir:
    description:
      - Installs the system below this directory, to make the file system image of a host from it. All other paths are paths on that host.
      - No node is started. The user and the group are those in C(/etc/passwd) and C(/etc/group) below this directory.
    type: path
    default: ""
  log_dir:
    description: The directory of run_erl's logs and of crash dumps. The default is C(log) in O(root).
    type: path
  files:
    description: Files of the system, such as C(bin/start).
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description:
          - The path, relative to O(root).
          - In V(bin/{release}), the name of the release is put in. A script of that name from the package, as those of relx and mix, is kept beside it as
            C(NAME.orig) and is not a program any more.
        type: str
        required: true
      content:
        description: The text.
        type: str
        required: true
      mode:
        description: The permissions, octal, V("0400") to V("0777").
        type: str
        default: '0644'
      secret:
        description: Whether to omit the text from the diff.
        type: bool
        default: false
      managers:
        description: Write the file only where one of these starts the node at boot. Empty for all. See O(service.manager).
        type: list
        elements: str
        choices: [systemd, sysv, rcS, none]
        default: []
  sys_config:
    description: The text of the release's C(sys.config). Without it, the file is made from C(sys.config.src), if the release has that.
    type: str
  vm_args:
    description: The text of the release's C(vm.args). Without it, the file is made from C(vm.args.src), if the release has that.
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
    description: More such values, which must not show. They are in no output. With secrets, the diff does not have the configuration.
    type: dict
    default: {}
  state:
    description:
      - With V(started), the node runs and answers. With V(stopped), it is down. With V(present), it stays as it is.
      - With V(absent), the node is stopped, and the system is removed. Its unit or init script, O(root) with everything in it, the other directories,
        and the user, the group and O(home) if this module has created them and no other system uses them.
    type: str
    choices: [started, stopped, present, absent]
    default: started
  start_timeout:
    description: How many seconds the node may take to boot and to answer.
    type: int
    default: 60
  restart_on_change:
    description:
      - Whether a restart of the node follows in the play, by M(erlang.otp.otp_node), if it runs with an earlier version of its configuration or scripts.
        Otherwise a warning reports such a node.
      - This module never restarts a node that runs.
    type: bool
    default: false
  _defer_start:
    description: Whether to leave a node that is down to a later task. Set by the playbook, not for use in a task.
    type: bool
notes:
  - A node that is not distributed cannot answer. It counts as started when its emulator has run for three seconds.
  - Run it as root. The service user is enough if no user, group, service or directory of another user has to be created.
seealso:
  - module: erlang.otp.otp_release_install
  - module: erlang.otp.otp_release_config
"""

EXAMPLES = r"""
- name: Install and start the exchange
  erlang.otp.otp_target_system:
    root: /srv/exchange
    package: packages/exchange-1.0.tar.gz
    user: exchange
    node_name: exchange@localhost
    cookie: "{{ exchange_cookie }}"
    files:
      - path: bin/start
        content: "{{ lookup('ansible.builtin.template', 'start.j2') }}"
        mode: "0755"
  become: true

- name: Remove the exchange from the host
  erlang.otp.otp_target_system:
    root: /srv/exchange
    user: exchange
    state: absent
  become: true

- name: Stop the exchange
  erlang.otp.otp_target_system:
    root: /srv/exchange
    user: exchange
    state: stopped
  become: true
"""

RETURN = r"""
before:
  description: The version of the release that was permanent before. Null if no release was installed.
  returned: success
  type: str
  sample: FIRST
release:
  description: The release that the host should run.
  returned: success
  type: dict
  contains:
    name:
      description: The name of the release.
      type: str
      sample: exchange
    version:
      description: The version of the release.
      type: str
      sample: FIRST
pending:
  description: What is left to do so that the release runs. Null if nothing is left.
  returned: success
  type: str
  sample: release SECOND is installed, but FIRST is permanent. Upgrade the node to it
held_by:
  description: The run that works on the system, as of M(erlang.otp.otp_release_handler).
  returned: when the system is refused because of it
  type: dict
  sample: {operator: alice@laptop, run: 4711-99-0a1b2c3d, doing: restarting the node, since: "2026-01-31T12:00:00Z", until: "2026-01-31T13:00:00Z"}
node:
  description: The state of the node.
  returned: success
  type: dict
  contains:
    name:
      description: The name of the node. Empty if it is not distributed.
      type: str
      sample: exchange@localhost
    running:
      description: Whether its emulator runs. In check mode, whether it would run.
      type: bool
      sample: true
    pid:
      description: The process of the emulator.
      type: int
      returned: when it runs
      sample: 4711
    status:
      description: The status of C(init). V(started) after the boot.
      type: str
      returned: when it has answered
      sample: started
    release:
      description: The version of the release that runs.
      type: str
      returned: when it has answered
      sample: FIRST
    second_emulator:
      description: A sentence about other emulators of the same system.
      type: str
      returned: when there are some, and the task changed something
    to_start:
      description: Whether it is down and left to a later task.
      type: bool
      returned: when it is true
    to_restart:
      description: Whether O(restart_on_change=true) and RV(node.outdated) is not empty.
      type: bool
      returned: when it is true
    outdated:
      description:
        - The files that the node has not read since they changed. With O(restart_on_change=true) also those that it was restarted with and that passed
          no gate yet. The earlier ones are kept in C(.previous) in O(root), until M(erlang.otp.otp_node) commits them.
      type: list
      elements: str
      returned: when it runs
    releases:
      description: The releases of its release_handler, with C(name), C(version) and C(status).
      type: list
      elements: dict
      returned: when it has answered
      sample:
        - name: exchange
          version: FIRST
          status: permanent
at_boot:
  description: What starts the node when the host boots, V(systemd) or V(sysv). Null if nothing does.
  returned: success
  type: str
  sample: systemd
is_removed:
  description: Whether the system is not on the host any more. In check mode, whether it would not be.
  returned: when O(state=absent)
  type: bool
  sample: true
actions:
  description: What was done, or would be done in check mode, as sentences.
  returned: success
  type: list
  elements: str
  sample: ["write /srv/exchange/bin/start", "start the node exchange@localhost"]
transferred:
  description: Whether the package was sent to the host.
  returned: success
  type: bool
  sample: false
seconds:
  description: How many seconds the task took on the controller.
  returned: always
  type: float
  sample: 0.4
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._install.outcome import PackageNeeded
from ansible_collections.erlang.otp.plugins.module_utils._package.download import URL_OPTIONS
from ansible_collections.erlang.otp.plugins.module_utils._target_system.options import FILE, OWN_FILE, SERVICE, TLS, every_service, parse_options
from ansible_collections.erlang.otp.plugins.module_utils._target_system.system import System
from ansible_collections.erlang.otp.plugins.module_utils._tree.mark import CLAIM_ARGUMENTS

ARGUMENT_SPEC = {
    "root": {"type": "path", "required": True},
    "package": {"type": "path"},
    "remote_src": {"type": "bool", "default": False},
    "checksum": {"type": "str"},
    "thin_checksum": {"type": "str"},
    "url_options": {"type": "dict", "options": URL_OPTIONS},
    "optional_native": {"type": "list", "elements": "str", "default": []},
    "_package_release": {"type": "dict"},
    "_role_variables": {"type": "dict"},
    "boot_variables": {"type": "dict", "default": {}},
    "user": {"type": "str", "default": "erlang"},
    "group": {"type": "str"},
    "home": {"type": "path"},
    "manage_user": {"type": "bool", "default": True},
    "node_name": {"type": "str", "default": ""},
    "cookie": {"type": "str", "no_log": True},
    "environment": {"type": "dict", "default": {}},
    "environment_secrets": {"type": "dict", "default": {}, "no_log": True},
    "tls": TLS,
    "pipe_dir": {"type": "path"},
    "log_dir": {"type": "path"},
    "run_dir": {"type": "path"},
    "destdir": {"type": "path", "default": ""},
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {**FILE, "secret": {"type": "bool", "default": False, "no_log": False}},
    },
    "own_files": {"type": "list", "elements": "dict", "default": [], "options": OWN_FILE},
    "service": SERVICE,
    "sys_config": {"type": "str"},
    "vm_args": {"type": "str"},
    "host_flags": {"type": "list", "elements": "str", "default": []},
    "variables": {"type": "dict", "default": {}},
    "secrets": {"type": "dict", "default": {}, "no_log": True},
    "state": {"type": "str", "choices": ["started", "stopped", "present", "absent"], "default": "started"},
    "start_timeout": {"type": "int", "default": 60},
    "restart_on_change": {"type": "bool", "default": False},
    **CLAIM_ARGUMENTS,
    "_defer_start": {"type": "bool"},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    changes = Changes(check_mode=module.check_mode)
    try:
        options = parse_options(module.params)
        if options.destdir:
            # Lazy, for start-up time: hosts do not need it.
            from ansible_collections.erlang.otp.plugins.module_utils._target_system.image import Image

            system: System = Image(options, changes)
        elif options.state == "absent":
            from ansible_collections.erlang.otp.plugins.module_utils._target_system.removal import Removal

            system = Removal(options, changes, every_service(module.params["service"]) if module.params["service"] else [])
        else:
            system = System(options, changes)
        result = system.apply()
    except PackageNeeded as needed:
        module.exit_json(changed=False, needs_package=True, known_packages=needed.known, msg=str(needed))
    except OtpError as error:
        module.fail_json(msg=str(error), actions=changes.actions, **getattr(error, "result", {}))
    except OSError as error:
        hint = " Use become to work as root or as the owner of the system." if isinstance(error, PermissionError) else ""
        module.fail_json(msg=f"{error.filename or module.params['root']}: {error.strerror}.{hint}", actions=changes.actions)
    for warning in system.warnings:
        module.warn(warning)
    module.exit_json(changed=changes.changed, actions=changes.actions, diff=system.diff, **result)


if __name__ == "__main__":
    main()
