#!/usr/bin/python
# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: otp_release_install
short_description: Install an Erlang/OTP release package, or remove a release
version_added: 0.1.0
description:
  - Installs a release package as a target system, as C(target_system:install/2) of the OTP documentation does, or lays it beside
    the releases that a system has, as C(release_handler:unpack_release/1) does.
  - The first release becomes permanent. Another one is recorded in C(releases/RELEASES) as unpacked, and nothing that runs or
    boots changes.
  - The package is sent only when the host lacks it. C(releases/VSN/package.json) records its checksum. Where a thin package of the same
    build is beside it on the controller, as C(NAME-thin.tar.gz) beside C(NAME.tar.gz), that one is sent to hosts that have its base.
  - Nothing in a package is trusted. Names that lead out of the root directory, links that do or that are written through, hard
    links, devices, set-uid bits, duplicates and names that differ only in case or unicode form are refused.
  - A library or an ERTS that the root directory has already in the same version must have the same content.
  - A thin package (option O(erlang.otp.otp_release_build#module:base) of M(erlang.otp.otp_release_build)) is refused, before anything is touched,
    where something is missing that it goes without. The error names it.
  - An emulator that was made for another machine type or C library than the host's is refused, unless O(destdir) is given, or O(root) is
    that of a machine type of client nodes, C(clients/TYPE) below a master's. So are libraries with native code that are not for the
    emulator's machine type.
  - What an interrupted run has left is finished, or removed, by the next one. A run waits while another one works on the same
    root directory.
author:
  - The erlang.otp authors (@erlang-otp)
extends_documentation_fragment:
  - erlang.otp._attributes
attributes:
  check_mode:
    support: full
    details:
      - The package is read where it is, on the controller or on the host, and is not sent. A package of the controller is not
        compared with what the host has.
  diff_mode:
    support: full
    details:
      - Shows releases, their status and their applications before and after.
  idempotent:
    support: full
options:
  root:
    description:
      - The root directory of the system, C($ROOT), as the system itself sees it.
    type: path
    required: true
  package:
    description:
      - The release package, a path on the controller.
      - With O(remote_src=true) a path on the host.
      - A URL that begins with V(http://) or V(https://) is fetched by the host when it lacks the package. It needs O(checksum).
      - The file is a tar file, compressed by gzip or not.
      - Needed unless O(state=absent).
    type: path
  checksum:
    description:
      - The package's checksum, V(sha256:) and 64 hexadecimal digits. It is checked before anything is touched.
    type: str
  remote_src:
    description:
      - Whether O(package) is a path on the host.
    type: bool
    default: false
  state:
    description:
      - V(present) installs the release of O(package).
      - V(permanent) makes it, besides, the one that the system boots next, and brings C(bin) up to it. The system must be
        stopped, unless the release is permanent already.
      - V(absent) removes O(release), with the libraries and the ERTS that no other release and no client below C(clients) uses.
        The permanent release is refused, and so is any while the system runs.
    type: str
    choices: [present, permanent, absent]
    default: present
  release:
    description:
      - The version of the release to remove with O(state=absent).
    type: str
  name:
    description:
      - The name that the release to remove must have. It is only a guard.
    type: str
  destdir:
    description:
      - A prefix below which to write, for the image of a host that does not run. Scripts and C(RELEASES) say O(root).
    type: path
    default: ""
  emulator:
    description:
      - What C(EMU) is in the start scripts.
    type: str
    default: beam
  owner:
    description:
      - The user, by name or number, who owns what is written. The default is the owner of O(root) when it is there.
      - What is there already keeps its owner, except for an empty O(root).
    type: str
  group:
    description:
      - The group, by name or number, of what is written.
    type: str
  mode:
    description:
      - Which of the permissions in the package are kept, octal. V("0750") keeps the others out, V("0755") is what to
        expect, without write permission for the group and others.
    type: str
    default: "0755"
  max_size:
    description:
      - How much the package may unpack to, such as V(4G).
    type: str
    default: 4G
  variables:
    description:
      - Directories on the host, by the name of a variable, for a package that has been built with O(erlang.otp.otp_release_build#module:variables).
      - Its libraries below such a variable, V($NAME/APP-VSN), come from the archive C(NAME.tar.gz) in the package, by the same
        rules as everything else. Without one in the package, they must be there already.
      - Several systems may share a directory. O(state=absent) removes from it what the package brought and no system uses.
      - The system must be started with C(-boot_var NAME directory).
      - A package that has been installed with another directory is installed again, with this one. What is in the other one stays.
    type: dict
    default: {}
  flush:
    description:
      - Whether everything is to be on the disk at the end, so that a power cut can do no harm.
      - V(false) saves time where an image is made.
    type: bool
    default: true
  lock_timeout:
    description:
      - For how many seconds to wait for another run that works on the same root directory.
    type: int
    default: 60
  _package_release:
    description:
      - The release in the package. Internal, set by the action plugin in check mode, when the package is not sent.
    type: dict
notes:
  - A running C(release_handler) reads C(RELEASES) only when it starts. It does not know a release that is installed meanwhile.
  - C(bin) belongs to the permanent release. C(bin/start) is made when there is none, and stays as it is then, for it holds the
    flags of the node.
  - Packages that C(rebar3 tar) and C(mix release) make are installed, too. The scripts that they bring in C(bin) stay as they are.
    The boot script of mix wants C(-boot_var RELEASE_LIB $ROOT/lib). The package needs the emulator (C(include_erts)), unless O(root)
    has it.
seealso:
  - module: erlang.otp.otp_release_build
  - module: erlang.otp.otp_release_config
  - module: erlang.otp.otp_release_info
  - name: Creating and Upgrading a Target System
    description: The chapter of the OTP documentation.
    link: https://www.erlang.org/doc/system/create_target.html
"""

EXAMPLES = r"""
- name: Install the first release
  erlang.otp.otp_release_install:
    package: packages/exchange-1.0.tar.gz
    root: /srv/exchange
    owner: exchange
    group: exchange

- name: Install the next release beside it, from a server
  erlang.otp.otp_release_install:
    package: https://packages.example.com/exchange-2.0.tar.gz
    checksum: sha256:3d1c3a7bd6a5c0a39f2a5de9a1ff0b9a0e1b2d7a1a5e5e21e8b7b8f4a9f2c001
    root: /srv/exchange

- name: Make it the release that the stopped system boots
  erlang.otp.otp_release_install:
    package: packages/exchange-2.0.tar.gz
    root: /srv/exchange
    state: permanent

- name: Install a package whose libraries are in part below $SECOND_ROOT
  erlang.otp.otp_release_install:
    package: packages/exchange-1.0.tar.gz
    root: /srv/exchange
    variables:
      SECOND_ROOT: /srv/second

- name: Remove the first release
  erlang.otp.otp_release_install:
    root: /srv/exchange
    release: "1.0"
    state: absent

- name: Install into the image of a box
  erlang.otp.otp_release_install:
    package: /build/exchange-1.0.tar.gz
    remote_src: true
    destdir: /build/image
    root: /srv/exchange
    flush: false
"""

RETURN = r"""
name:
  description: The name of the release.
  returned: when O(state) is not V(absent)
  type: str
  sample: exchange
release:
  description: The version of the release.
  returned: success
  type: str
  sample: "1.0"
erts_version:
  description: The ERTS it runs on.
  returned: when O(state) is not V(absent)
  type: str
  sample: 13.1.5
status:
  description: Its status in C(RELEASES) now, V(permanent), V(unpacked) or V(old). Null when it is absent.
  returned: success
  type: str
  sample: permanent
applications:
  description: The versions of its applications, by name.
  returned: when O(state) is not V(absent)
  type: dict
  sample: {kernel: "8.5.3", stdlib: "4.2"}
sha256:
  description: The digest of the package.
  returned: when O(state) is not V(absent)
  type: str
  sample: 3d1c3a7bd6a5c0a39f2a5de9a1ff0b9a0e1b2d7a1a5e5e21e8b7b8f4a9f2c001
directory:
  description: The release directory, as the system calls it.
  returned: when O(state) is not V(absent)
  type: str
  sample: /srv/exchange/releases/1.0
kept:
  description: Files below the root directory that differ from those in the package and stayed as they were, such as C(sys.config).
  returned: when O(state) is not V(absent)
  type: list
  elements: str
  sample: []
transferred:
  description: Whether the package was sent to the host.
  returned: when O(package) is a path on the controller
  type: bool
actions:
  description: What was done, or would be done, a sentence each.
  returned: always
  type: list
  elements: str
  sample: [install release exchange 1.0 below /srv/exchange]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.text.formatters import human_to_bytes

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import group_number, parse_mode, user_number
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
from ansible_collections.erlang.otp.plugins.module_utils._install.outcome import PackageNeeded
from ansible_collections.erlang.otp.plugins.module_utils._install.remove import remove_release

ARGUMENT_SPEC = {
    "root": {"type": "path", "required": True},
    "package": {"type": "path"},
    "checksum": {"type": "str"},
    "remote_src": {"type": "bool", "default": False},
    "state": {"type": "str", "choices": ["present", "permanent", "absent"], "default": "present"},
    "release": {"type": "str"},
    "name": {"type": "str"},
    "destdir": {"type": "path", "default": ""},
    "emulator": {"type": "str", "default": "beam"},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "str", "default": "0755"},
    "max_size": {"type": "str", "default": "4G"},
    "variables": {"type": "dict", "default": {}},
    "flush": {"type": "bool", "default": True},
    "lock_timeout": {"type": "int", "default": 60},
    "_package_release": {"type": "dict"},
}


def arguments_of(parameters: dict) -> dict:
    """The module's parameters as install_release() takes them, but for the package. Raises OtpError."""
    same = ("root", "checksum", "state", "destdir", "emulator", "flush", "lock_timeout")
    return {
        **{name: parameters[name] for name in same},
        "release": parameters["_package_release"],
        "uid": user_number(parameters["owner"]),
        "gid": group_number(parameters["group"]),
        "mode": parse_mode(parameters["mode"]),
        "max_size": size_of(parameters["max_size"]),
        "variables": {name: str(directory) for name, directory in parameters["variables"].items()},
    }


def size_of(text: str) -> int:
    """A number of bytes, from 4G and the like. Raises OtpError."""
    try:
        return human_to_bytes(text)
    except ValueError as error:
        raise OtpError(f"max_size: {error}") from None


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True, required_if=[("state", "absent", ("release",))])
    changes = Changes(check_mode=module.check_mode)
    parameters = module.params
    try:
        if parameters["state"] == "absent":
            same = ("root", "name", "destdir", "lock_timeout")
            result = remove_release(version=parameters["release"], changes=changes, **{name: parameters[name] for name in same})
        elif not parameters["package"] and not parameters["checksum"]:
            raise OtpError(f"state {parameters['state']} needs a package")
        else:
            result = install_release(package=parameters["package"], changes=changes, **arguments_of(parameters))
    except PackageNeeded as needed:
        module.exit_json(changed=False, needs_package=True, known_packages=needed.known, msg=str(needed))
    except OtpError as error:
        module.fail_json(msg=str(error), actions=changes.actions)
    module.exit_json(changed=changes.changed, actions=changes.actions, **result)


if __name__ == "__main__":
    main()
