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
  - Installs a release package as a target system, as C(target_system:install/2) of the OTP documentation does, or beside the releases of
    an installed system, as C(release_handler:unpack_release/1) does.
  - The first release becomes permanent. Another one is recorded in C(releases/RELEASES) as unpacked; what runs and what boots do not change.
  - The package is sent only if the host lacks it. C(releases/VSN/package.json) records its checksum. If the controller has a thin package of the
    same build beside it, C(NAME-thin.tar.gz) beside C(NAME.tar.gz), hosts that have its base get the thin one; with O(checksum), only if
    O(thin_checksum) is its checksum.
  - Nothing in a package is trusted. Names and links that lead out of the root directory, members below a link, hard links, devices, set-uid
    bits, duplicates and names that differ only in case or unicode form are refused.
  - A library or an ERTS that the root directory already has in the same version must have the same content.
  - A thin package (option O(erlang.otp.otp_release_build#module:base) of M(erlang.otp.otp_release_build)) is refused, before anything is changed,
    if the host lacks a part that the package leaves out. The error names the part.
  - An emulator for another machine type or C library than the host's is refused, unless O(destdir) is set or O(root) is that of a machine type of
    client nodes, C(clients/TYPE) below a master's. So are libraries with native code for another machine type than the emulator's.
  - The next run completes or removes what an interrupted run has left. A run waits while another one works on the same root directory.
author:
  - The erlang.otp authors (@erlang-otp)
extends_documentation_fragment:
  - erlang.otp._attributes
  - erlang.otp._package_url
attributes:
  check_mode:
    support: full
    details:
      - The package is read on the controller or the host, wherever it is, and not sent. A package of the controller is not compared with the host's files.
  diff_mode:
    support: full
    details:
      - Shows releases, their status and their applications before and after.
  idempotent:
    support: full
options:
  root:
    description:
      - The root directory of the system, C($ROOT), without O(destdir).
    type: path
    required: true
  package:
    description:
      - The release package, a path on the controller.
      - With O(remote_src=true) a path on the host.
      - The host downloads the package from a URL that begins with V(http://) or V(https://), if it lacks the package. This needs O(checksum).
      - The file is a tar file, compressed by gzip or not.
      - Needed unless O(state=absent).
    type: path
  checksum:
    description:
      - The package's checksum, V(sha256:) and 64 hexadecimal digits. It is checked before anything is changed.
    type: str
  thin_checksum:
    description:
      - The checksum of the thin package C(NAME-thin.tar.gz) beside O(package) on the controller, as RV(erlang.otp.otp_release_build#module:thin.sha256) has it.
      - With O(checksum), a thin package is sent in the place of O(package) only if this is its checksum.
    type: str
  remote_src:
    description:
      - Whether O(package) is a path on the host.
    type: bool
    default: false
  state:
    description:
      - V(present) installs the release of O(package).
      - V(permanent) also makes it the release that the system boots next, and updates C(bin). The system must be stopped, unless the release is
        permanent already.
      - V(absent) removes O(release), with the libraries and the ERTS that no other release and no client below C(clients) uses. This is refused for
        the permanent release, and while the system runs.
    type: str
    choices: [present, permanent, absent]
    default: present
  release:
    description:
      - The version of the release to remove with O(state=absent).
    type: str
  name:
    description:
      - With O(state=absent), the release is removed only if it has this name.
    type: str
  destdir:
    description:
      - A directory below which to write, for the image of another host. Scripts and C(RELEASES) contain O(root) without it.
    type: path
    default: ""
  emulator:
    description:
      - The value of C(EMU) in the start scripts.
    type: str
    default: beam
  owner:
    description:
      - The user, by name or number, who owns new files. The default is the owner of O(root), if it exists.
      - Existing files keep their owner, except for an empty O(root).
    type: str
  group:
    description:
      - The group, by name or number, of new files. The default is the group of O(root), if it exists, also with O(owner).
    type: str
  mode:
    description:
      - Which of the permissions in the package are kept, octal, V("0400") to V("0777"). V("0755") removes write permission for the group and
        others, V("0750") every permission for others.
    type: str
    default: "0755"
  max_size:
    description:
      - The largest size to which the package may unpack, such as V(4G).
    type: str
    default: 4G
  variables:
    description:
      - Directories on the host, by the name of a variable, for a package that was built with O(erlang.otp.otp_release_build#module:variables).
      - The libraries below such a variable, V($NAME/APP-VSN), are unpacked from the archive C(NAME.tar.gz) in the package, by the same rules. If the
        package has no archive, the directory must contain them.
      - Several systems may share a directory. O(state=absent) removes the libraries of the package from it that no system uses.
      - The system must be started with C(-boot_var NAME directory).
      - A package that was installed with another directory is installed again with this one. The libraries in the other one stay.
    type: dict
    default: {}
  flush:
    description:
      - Whether everything is flushed to the disk at the end, so that a power cut can do no harm. V(false) saves time for an image.
    type: bool
    default: true
  lock_timeout:
    description:
      - Seconds to wait for another run that works on the same root directory.
    type: int
    default: 60
  _package_release:
    description:
      - The release in the package. Internal, set by the action plugin in check mode, when the package is not sent.
    type: dict
notes:
  - C(release_handler) reads C(RELEASES) only when it starts. A running one does not know a release that was installed later.
  - C(bin) belongs to the permanent release. C(bin/start) is created once and never overwritten, because it contains the node's flags.
  - Packages of C(rebar3 tar) and C(mix release) are installed, too. Their scripts in C(bin) are not changed. The boot script of mix needs
    C(-boot_var RELEASE_LIB $ROOT/lib). The package must contain the emulator (C(include_erts)), unless O(root) has it.
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
  description: The version of its ERTS.
  returned: when O(state) is not V(absent)
  type: str
  sample: 13.1.5
status:
  description: Its status in C(RELEASES), V(permanent), V(unpacked) or V(old). Null if it is absent.
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
  description: The release directory, without O(destdir).
  returned: when O(state) is not V(absent)
  type: str
  sample: /srv/exchange/releases/1.0
kept:
  description:
    - Files below the root directory that differ from those in the package and were not changed, such as C(sys.config).
    - Of the extra files of the package, those of the host that were there before, under the names under which they are kept (C(NAME.kept)), and those that were
      not brought, because a link or another user's directory is in the way.
  returned: when O(state) is not V(absent)
  type: list
  elements: str
  sample: []
transferred:
  description: Whether the package was sent to the host.
  returned: when O(state) is not V(absent)
  type: bool
actions:
  description: What was done, or in check mode would be done, as sentences.
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
from ansible_collections.erlang.otp.plugins.module_utils._package.download import URL_OPTIONS

ARGUMENT_SPEC = {
    "root": {"type": "path", "required": True},
    "package": {"type": "path"},
    "checksum": {"type": "str"},
    "thin_checksum": {"type": "str"},
    "url_options": {"type": "dict", "options": URL_OPTIONS},
    "optional_native": {"type": "list", "elements": "str", "default": []},
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
    """The module's parameters as install_release() takes them, except for the package. Raises OtpError."""
    same = ("root", "checksum", "url_options", "optional_native", "state", "destdir", "emulator", "flush", "lock_timeout")
    try:
        max_size = human_to_bytes(parameters["max_size"])
    except ValueError as error:
        raise OtpError(f"max_size: {error}. Give a size, such as 4G.") from None
    return {
        **{name: parameters[name] for name in same},
        "release": parameters["_package_release"],
        "uid": user_number(parameters["owner"]),
        "gid": group_number(parameters["group"]),
        "mode": parse_mode(parameters["mode"]),
        "max_size": max_size,
        "variables": {name: str(directory) for name, directory in parameters["variables"].items()},
    }


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True, required_if=[("state", "absent", ("release",))])
    changes = Changes(check_mode=module.check_mode)
    parameters = module.params
    try:
        if parameters["state"] == "absent":
            same = ("root", "name", "destdir", "lock_timeout")
            result = remove_release(version=parameters["release"], changes=changes, **{name: parameters[name] for name in same})
        elif not parameters["package"] and not parameters["checksum"]:
            raise OtpError(f"state {parameters['state']} needs a package: set package")
        else:
            result = install_release(package=parameters["package"], changes=changes, **arguments_of(parameters))
    except PackageNeeded as needed:
        module.exit_json(changed=False, needs_package=True, known_packages=needed.known, msg=str(needed))
    except OtpError as error:
        module.fail_json(msg=str(error), actions=changes.actions, **getattr(error, "result", {}))
    module.exit_json(changed=changes.changed, actions=changes.actions, **result)


if __name__ == "__main__":
    main()
