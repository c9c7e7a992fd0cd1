#!/usr/bin/python
# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: otp_target_system
short_description: An embedded Erlang/OTP target system, from its service user to its running node
version_added: 0.1.0
description:
  - Has all that a host needs of one target system, in one go. The service user, the release, its configuration, scripts, the cookie and
    the node's state.
  - The host is asked once. The package is sent only when the host lacks the release.
  - The role C(erlang.otp.target_system) renders what this module is given. It is the usual way to use it.
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
      - Releases, configuration and files are shown, but neither the cookie nor files that are marked with O(files[].secret).
  idempotent:
    support: full
options:
  root:
    description:
      - The root directory of the system, C($ROOT).
    type: path
    required: true
  package:
    description:
      - The release package on the controller, or with O(remote_src=true) on the host.
      - A URL that begins with V(http://) or V(https://) is fetched by the host when it lacks the package. It needs O(checksum).
      - Without it, the release that is permanent stays.
      - A release that is not permanent becomes so when the node does not run. Otherwise it is installed beside the one that runs,
        and RV(pending) says so.
    type: path
  remote_src:
    description:
      - Whether O(package) is a path on the host.
    type: bool
    default: false
  checksum:
    description:
      - The package's checksum, V(sha256:) and 64 hexadecimal digits. A package with another one is refused.
    type: str
  _package_release:
    description:
      - The release in the package. Internal, set by the action plugin, which has read the package.
    type: dict
  _role_variables:
    description:
      - Variables of the role C(erlang.otp.target_system), of which the action plugin renders O(files), O(service) and O(environment) on
        the controller. Internal.
    type: dict
  boot_variables:
    description:
      - Directories on the host, by the name of a variable, for a package whose libraries do not all live below O(root), as the option
        O(erlang.otp.otp_release_install#module:variables) takes them. The start script in O(files) gives them as C(-boot_var).
    type: dict
    default: {}
  user:
    description:
      - The service user, which owns the system and runs its node.
    type: str
    default: erlang
  group:
    description:
      - The group of the service user. The default is the one of its name.
    type: str
  home:
    description:
      - The home directory of the service user, where its cookie file is. The default is C(/var/lib/) and its name.
    type: path
  manage_user:
    description:
      - Whether to create the user and the group when they are missing.
    type: bool
    default: true
  node_name:
    description:
      - The node's name, C(NAME@HOST), as the start script in O(files) gives it. Empty for a node that is not distributed.
    type: str
    default: ''
  cookie:
    description:
      - The cookie, for C(.erlang.cookie) in O(home), which nobody but O(user) can read.
    type: str
  environment:
    description:
      - Environment variables of the node, as the start script gives them. They are used to ask it.
    type: dict
    default: {}
  pipe_dir:
    description:
      - The directory of run_erl's pipes. The default is C(run/pipe) in O(root).
    type: path
  run_dir:
    description:
      - Where the emulator's process number is noted. The default is C(run) in O(root); else that is a link to this directory, which
        may be on a file system that is empty at boot, so that a node can run from a root directory that is read-only.
    type: path
  destdir:
    description:
      - Lays the whole system out below this directory instead, from which the file system image of a host is made. All other paths
        are those on that host.
      - No node is started. The user and the group are those of C(/etc/passwd) and C(/etc/group) below it.
    type: path
    default: ""
  log_dir:
    description:
      - The directory of run_erl's logs and of crash dumps. The default is C(log) in O(root).
    type: path
  files:
    description:
      - Files of the system, such as C(bin/start).
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The path, relative to O(root).
        type: str
        required: true
      content:
        description: The text.
        type: str
        required: true
      mode:
        description: The permissions, octal.
        type: str
        default: '0644'
      secret:
        description: Whether the text is to be left out of the diff.
        type: bool
        default: false
  service:
    description:
      - What starts the node when the host boots, and starts and stops it otherwise. Without it C(bin/start) does.
    type: dict
    suboptions:
      manager:
        description:
          - V(systemd), a unit; V(sysv), an init script. Either is the first of O(service.files).
        type: str
        choices: [systemd, sysv]
        required: true
      name:
        description: The name of the service; of a unit without C(.service).
        type: str
        required: true
      at_boot:
        description: Whether the host starts it when it boots.
        type: bool
        default: true
      files:
        description: Files of the host, such as the unit. They belong to root.
        type: list
        elements: dict
        required: true
        suboptions:
          path:
            description: The absolute path.
            type: str
            required: true
          content:
            description: The text.
            type: str
            required: true
          mode:
            description: The permissions, octal.
            type: str
            default: '0644'
          optional:
            description: Whether the file is left out on a host that lacks its directory.
            type: bool
            default: false
  sys_config:
    description:
      - The text of the release's C(sys.config). Without it, it is made from C(sys.config.src) when the release has that.
    type: str
  vm_args:
    description:
      - The text of the release's C(vm.args). Without it, it is made from C(vm.args.src) when the release has that.
    type: str
  variables:
    description:
      - Values for the variables in C(sys.config.src) and C(vm.args.src).
    type: dict
    default: {}
  secrets:
    description:
      - More such values. They are in no output, and with them the configuration is left out of the diff.
    type: dict
    default: {}
  state:
    description:
      - V(started), the node runs and answers. V(stopped), it does not run. V(present), it stays as it is.
    type: str
    choices: [started, stopped, present]
    default: started
  start_timeout:
    description:
      - How many seconds the node has to boot and to answer.
    type: int
    default: 60
  restart_on_change:
    description:
      - Whether to restart a node that runs without a change of its configuration. Otherwise a warning says that it does.
    type: bool
    default: false
notes:
  - A node that is not distributed cannot be asked. It counts as started when its emulator has lived for three seconds.
  - Run it as root, or as the service user when nothing of another user has to be made.
seealso:
  - module: erlang.otp.otp_release_install
  - module: erlang.otp.otp_release_config
"""

EXAMPLES = r"""
- name: Have the exchange installed and running
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

- name: Stop it
  erlang.otp.otp_target_system:
    root: /srv/exchange
    user: exchange
    state: stopped
  become: true
"""

RETURN = r"""
before:
  description: The version of the release that was permanent before; null when there was none.
  returned: success
  type: str
  sample: FIRST
release:
  description: The release that the host should run.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
      sample: exchange
    version:
      description: Its version.
      type: str
      sample: FIRST
pending:
  description: What is left to do for the release to run; null when nothing is.
  returned: success
  type: str
  sample: release SECOND is installed beside FIRST, which is permanent and runs. Upgrade to it, or stop the node first
node:
  description: The node.
  returned: success
  type: dict
  contains:
    name:
      description: Its name, empty when it is not distributed.
      type: str
      sample: exchange@localhost
    running:
      description: Whether its emulator runs, or would run in check mode.
      type: bool
      sample: true
    pid:
      description: The emulator's process.
      type: int
      returned: when it runs
      sample: 4711
    status:
      description: What C(init) says, V(started) when it has booted.
      type: str
      returned: when it has answered
      sample: started
    release:
      description: The version of the release that runs.
      type: str
      returned: when it has answered
      sample: FIRST
    releases:
      description: The releases that it knows, with C(name), C(version) and C(status).
      type: list
      elements: dict
      returned: when it has answered
      sample:
        - name: exchange
          version: FIRST
          status: permanent
unreachable_seconds:
  description: For how long the node did not answer because it was restarted. Null without a restart.
  returned: success
  type: float
  sample: 1.3
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
  description: How long the controller had to do with the host.
  returned: always
  type: float
  sample: 0.4
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._install.install import PackageNeeded
from ansible_collections.erlang.otp.plugins.module_utils._target_system.options import parse_options
from ansible_collections.erlang.otp.plugins.module_utils._target_system.system import System

ARGUMENT_SPEC = {
    "root": {"type": "path", "required": True},
    "package": {"type": "path"},
    "remote_src": {"type": "bool", "default": False},
    "checksum": {"type": "str"},
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
    "pipe_dir": {"type": "path"},
    "log_dir": {"type": "path"},
    "run_dir": {"type": "path"},
    "destdir": {"type": "path", "default": ""},
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "path": {"type": "str", "required": True},
            "content": {"type": "str", "required": True},
            "mode": {"type": "str", "default": "0644"},
            "secret": {"type": "bool", "default": False, "no_log": False},
        },
    },
    "service": {
        "type": "dict",
        "options": {
            "manager": {"type": "str", "choices": ["systemd", "sysv"], "required": True},
            "name": {"type": "str", "required": True},
            "at_boot": {"type": "bool", "default": True},
            "files": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "path": {"type": "str", "required": True},
                    "content": {"type": "str", "required": True},
                    "mode": {"type": "str", "default": "0644"},
                    "optional": {"type": "bool", "default": False},
                },
            },
        },
    },
    "sys_config": {"type": "str"},
    "vm_args": {"type": "str"},
    "variables": {"type": "dict", "default": {}},
    "secrets": {"type": "dict", "default": {}, "no_log": True},
    "state": {"type": "str", "choices": ["started", "stopped", "present"], "default": "started"},
    "start_timeout": {"type": "int", "default": 60},
    "restart_on_change": {"type": "bool", "default": False},
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
        else:
            system = System(options, changes)
        result = system.apply()
    except PackageNeeded as needed:
        module.exit_json(changed=False, needs_package=True, known_packages=needed.known, msg=str(needed))
    except OtpError as error:
        module.fail_json(msg=str(error), actions=changes.actions)
    except OSError as error:
        hint = " Use become to work as root or as the owner of the system." if isinstance(error, PermissionError) else ""
        module.fail_json(msg=f"{error.filename or module.params['root']}: {error.strerror}.{hint}", actions=changes.actions)
    for warning in system.warnings:
        module.warn(warning)
    module.exit_json(changed=changes.changed, actions=changes.actions, diff=system.diff, **result)


if __name__ == "__main__":
    main()
