#!/usr/bin/python
# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: otp_release_build
short_description: Build an Erlang/OTP release package
version_added: 0.1.0
description:
  - Makes a release package from a release resource file, as C(target_system:create/1) of the OTP documentation does, or from a
    list of applications whose dependencies are added.
  - Boot scripts are made by C(systools) of the Erlang/OTP that is packed, in one run of C(erl). The package is written by this
    module, the same input gives the same bytes, whoever builds and whenever.
  - The package has the release resource file twice, the release directory, C(bin/start.boot) which starts Kernel and STDLIB
    alone, C(bin/epmd), C(bin/run_erl), C(bin/to_erl), ERTS without C(erl) and C(start) (the installation makes them), the
    applications and an empty directory C(log).
  - With O(upgrade_from) or O(downgrade_to) it has a relup, too, as C(systools:make_relup/3) makes it, by which C(release_handler) takes running
    nodes from an earlier release to this one, and back.
  - Of an application it has the C(.app) file, the C(.appup) file when there is one, the modules that the C(.app) file lists, and
    C(priv) with links and modes; write permission for others than the owner is taken off. A link that leads out of its
    directory is followed.
author:
  - The erlang.otp authors (@erlang-otp)
extends_documentation_fragment:
  - erlang.otp._attributes
attributes:
  check_mode:
    support: full
    details:
      - Everything is made, C(systools) run included, and nothing is kept. So a release that can't be built fails in check mode.
  diff_mode:
    support: full
    details:
      - Shows release, ERTS, applications with their versions and the package's checksum before and after.
  idempotent:
    support: full
options:
  rel:
    description:
      - Path of the release resource file, on the host that the module runs on.
      - The versions in it must be those on O(code_path) or in the Erlang/OTP tree.
      - Exactly one of O(rel) and O(applications) is needed.
    type: path
  name:
    description:
      - The name of the release that is made from O(applications).
    type: str
  version:
    description:
      - The version of the release that is made from O(applications).
    type: str
  applications:
    description:
      - Applications from which the release resource file is made. What they need (C(applications),
        C(included_applications), and of C(optional_applications) what is found) comes along, C(kernel) and C(stdlib) always.
      - To upgrade the system later it must have C(sasl).
    type: list
    elements: raw
    suboptions:
      name:
        description: The application's name. An element that is a string is the name alone.
        type: str
        required: true
      version:
        description:
          - The version to take. Without it that on O(code_path) is taken, of which there may be only one, else the newest in
            the Erlang/OTP tree.
        type: str
      type:
        description: How the application is started, see C(rel(4\)).
        type: str
        choices: [permanent, transient, temporary, load, none]
      included_applications:
        description: Those of the C(included_applications) in its C(.app) file that it shall include here.
        type: list
        elements: str
  file_name:
    description:
      - Name of the files that are made, without extension.
      - The default is the name of O(rel) without C(.rel), or O(name) in lower case.
    type: str
  code_path:
    description:
      - Directories with C(.app) and C(.beam) files. They go before those of the Erlang/OTP tree.
      - The wildcards C(*), C(?) and C([...]) may be used, as in V(_build/default/lib/*/ebin). Each element must match a directory.
      - The application's directory may be called C(NAME) or C(NAME-VERSION). Archives (C(.ez)) are refused.
    type: list
    elements: path
    default: []
  otp_root:
    description:
      - Root directory of the Erlang/OTP to build with and to package, the one that has C(lib) and C(erts-VERSION).
      - The default is that of C(erl) on E(PATH).
    type: path
  erts:
    description:
      - V(true) puts ERTS of O(otp_root) into the package, V(false) none.
      - A directory is the root of an Erlang/OTP tree of the same version for another machine type. ERTS and, where it has
        them, Erlang/OTP's own applications are taken from there. Boot scripts are made by the Erlang/OTP of the build host.
      - Libraries and programs in an application's C(priv) must be for the machine type of the emulator. Others are refused.
    type: str
    default: 'true'
  output_dir:
    description:
      - Where C(NAME.tar.gz), C(NAME.rel), C(NAME.boot) and C(NAME.script) are put, C(relup) where there is one, and
        C(.NAME.build.json), which records what they were made from. It is created when it is missing.
      - A directory for each release keeps what later builds need for their relups.
    type: path
    required: true
  sys_config:
    description:
      - Path of the system configuration file, which becomes C(releases/VERSION/sys.config). It must hold Erlang terms.
      - A value with a line break is the content itself; so in the other three options for such files.
      - A file C(sys.config) that merely lies around is never taken.
    type: str
  sys_config_src:
    description:
      - Path or content of the template C(releases/VERSION/sys.config.src), see M(erlang.otp.otp_release_config).
    type: str
  vm_args:
    description:
      - Path or content of C(releases/VERSION/vm.args).
    type: str
  vm_args_src:
    description:
      - Path or content of the template C(releases/VERSION/vm.args.src).
    type: str
  include:
    description:
      - More directories of each application to pack where it has them, such as V(src), V(include) or V(c_src).
    type: list
    elements: str
    default: []
  strip:
    description:
      - Take from BEAM files what is not needed to run them, debug information above all, as C(beam_lib:strip_release/1) does.
        The package becomes less than half as large.
    type: bool
    default: false
  strip_keep:
    description:
      - Chunks of BEAM files to keep nevertheless, such as V(Docs) or V(Dbgi).
    type: list
    elements: str
    default: []
  variables:
    description:
      - Directories by the name of a variable, in the order to try. Applications below such a directory are looked for below
        C($NAME) when the system starts, with C(-boot_var NAME directory), and not in C($ROOT/lib).
    type: dict
    default: {}
  var_tar:
    description:
      - Where those applications go. V(include) puts an archive C(VARIABLE.tar.gz) into the package, V(ownfile) beside it into
        O(output_dir), V(omit) nowhere.
    type: str
    choices: [include, ownfile, omit]
    default: include
  extra_files:
    description:
      - More files and directories for the package.
    type: list
    elements: dict
    default: []
    suboptions:
      src:
        description: Path of the file or directory.
        type: path
        required: true
      dest:
        description: Its place, relative to the root directory of the target system.
        type: str
        required: true
  upgrade_from:
    description:
      - Earlier releases from which running nodes shall be upgraded to this one. A relup is made for them.
      - Each is the path of a release package, of the O(output_dir) of an earlier build, or of a C(.rel) file.
      - Of a package, or of a directory with one, the applications are taken as they are in it. Those of a C(.rel) file are looked
        for by O(upgrade_path), beside the file (in its directory, C(*/ebin), C(lib/*/ebin), and a target system's C(lib) above it),
        on O(code_path), in the Erlang/OTP tree, and at last in a package C(NAME.tar.gz) beside it.
      - Each application that has another version in the earlier release needs an C(.appup) file beside its C(.app) file that says
        how to get from that version to this one, see C(appup(4\)).
    type: list
    elements: path
    default: []
  downgrade_to:
    description:
      - Earlier releases to which nodes shall be downgraded from this one. Paths as in O(upgrade_from).
    type: list
    elements: path
    default: []
  upgrade_path:
    description:
      - Directories with C(.app) files of applications of earlier releases, where they are neither in a package nor beside their
        C(.rel) file, such as V(/my/old/erlang/lib/*/ebin). Wildcards as in O(code_path).
    type: list
    elements: path
    default: []
  restart_emulator:
    description:
      - Have the emulator restart at the end of each upgrade and downgrade by the relup. When ERTS, Kernel, STDLIB or SASL change
        it restarts in any case.
    type: bool
    default: false
  src_tests:
    description:
      - Have C(systools) warn of modules that are older than their source or have none. It compares file times, so it runs every time.
    type: bool
    default: false
  exref:
    description:
      - Have C(systools) warn of calls to functions that are not in the release.
    type: bool
    default: false
  warnings_as_errors:
    description:
      - Fail when C(systools) warns, or when there is a warning about an earlier release.
    type: bool
    default: false
  no_warn_sasl:
    description:
      - Do not warn when C(sasl) is missing, without which a system can't be upgraded.
    type: bool
    default: false
  no_dot_erlang:
    description:
      - Make boot scripts that do not load the file C(.erlang) of the user's home directory.
    type: bool
    default: false
  base:
    description:
      - The package of an earlier release, or the O(output_dir) of its build. Beside the package, a thin one C(NAME-thin.tar.gz) is made, which
        goes without the libraries, ERTS and other files that the base has as well.
      - For an upgrade of one small application it has less than a thousandth of the bytes. When ERTS changes it has nearly all of them, and
        O(strip) serves better.
      - It is installed, or given to C(release_handler) under the name of its release resource file, like any other package, on systems
        that have the base release. M(erlang.otp.otp_release_install) refuses it everywhere else, before anything is touched.
      - An application of the same version must have the same content as in the base.
    type: path
  cache_dir:
    description:
      - Where compressed applications and boot scripts are kept, by their content, to be used again. It may be removed at any
        time. It must belong to the user who builds and be writable for no one else, else it is not used.
      - The default is C(erlang.otp) in E(XDG_CACHE_HOME) or in C(~/.cache).
    type: path
notes:
  - All files in a package have one time, that of E(SOURCE_DATE_EPOCH), or 1980-01-01 when it is not set.
  - What is in a package is always the same for the same input. How it is compressed depends on the version of zlib that Python uses, too.
requirements:
  - Erlang/OTP with SASL, and the applications that the release needs, on the host that the module runs on.
seealso:
  - module: erlang.otp.otp_release_install
  - name: Creating and Upgrading a Target System
    description: The chapter of the Erlang/OTP documentation.
    link: https://www.erlang.org/doc/system/create_target.html
"""

EXAMPLES = r"""
- name: Build the release package of mysystem.rel
  erlang.otp.otp_release_build:
    rel: /home/user/target_system/mysystem.rel
    code_path:
      - /home/user/target_system/myapps/*/ebin
    output_dir: /home/user/target_system/release

- name: Build a stripped release from applications and what they need
  erlang.otp.otp_release_build:
    name: MYSYSTEM
    version: FIRST
    applications: [sasl, pea]
    code_path:
      - _build/default/lib/*/ebin
    sys_config_src: config/sys.config.src
    vm_args: |
      +K true
      +P 500000
    strip: true
    output_dir: _build/release

- name: Build a release with a library that is kept in a directory of its own
  erlang.otp.otp_release_build:
    rel: mysystem.rel
    code_path:
      - /opt/shared/lib/*/ebin
    variables:
      SECOND_ROOT: /opt/shared
    var_tar: ownfile
    output_dir: release

- name: Build the second release, with a relup from the first one and back
  erlang.otp.otp_release_build:
    rel: /home/user/target_system/mysystem2.rel
    code_path:
      - /home/user/target_system/myapps/pea-2.0/ebin
    upgrade_from: [/home/user/target_system/release/mysystem.tar.gz]
    downgrade_to: [/home/user/target_system/release/mysystem.tar.gz]
    output_dir: /home/user/target_system/release2
  register: second

- name: Build the second release, and a thin package of it for hosts that have the first one
  erlang.otp.otp_release_build:
    rel: /home/user/target_system/mysystem2.rel
    code_path:
      - /home/user/target_system/myapps/pea-2.0/ebin
    upgrade_from: [/home/user/target_system/release/mysystem.tar.gz]
    downgrade_to: [/home/user/target_system/release/mysystem.tar.gz]
    base: /home/user/target_system/release/mysystem.tar.gz
    output_dir: /home/user/target_system/release2

- name: Show whether nodes will restart
  ansible.builtin.debug:
    msg: "{{ item.from }} to {{ item.to }}: {{ item.restarts }} {{ item.core_changes | join(', ') }}"
  loop: "{{ second.relup }}"

- name: Build a release for another Erlang/OTP than the first one, which is given by its .rel file
  erlang.otp.otp_release_build:
    rel: /home/user/target_system/mysystem2.rel
    code_path:
      - /home/user/target_system/myapps/pea-2.0/ebin
    upgrade_from: [/home/user/target_system/mysystem.rel]
    downgrade_to: [/home/user/target_system/mysystem.rel]
    upgrade_path:
      - /home/user/target_system/myapps/pea-1.0/ebin
      - /my/old/erlang/lib/*/ebin
    output_dir: /home/user/target_system/release2
"""

RETURN = r"""
package:
  description: Path of the release package.
  returned: success
  type: str
  sample: /home/user/target_system/release/mysystem.tar.gz
sha256:
  description: The package's SHA-256, in hexadecimal.
  returned: success
  type: str
  sample: ff7a2cedd3c1e37f08edcb9abd23b7bd295b3fc61e8f034d333cb8c0c3db0912
size:
  description: The package's size in bytes.
  returned: success
  type: int
  sample: 8360327
name:
  description: Name of the release.
  returned: success
  type: str
  sample: MYSYSTEM
version:
  description: Version of the release.
  returned: success
  type: str
  sample: FIRST
erts_version:
  description: Version of ERTS that the release is for.
  returned: success
  type: str
  sample: 13.1.5
applications:
  description: The applications of the release, in its order.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the application.
      type: str
      sample: pea
    version:
      description: Its version.
      type: str
      sample: '1.0'
    directory:
      description: The directory that it was taken from.
      type: str
      sample: /home/user/target_system/myapps/pea-1.0
relup:
  description: The ways that the relup has, those up first, each in the order of O(upgrade_from) and O(downgrade_to).
  returned: success
  type: list
  elements: dict
  contains:
    direction:
      description: V(up), or V(down).
      type: str
      sample: up
    from:
      description: Version of the release that runs before.
      type: str
      sample: FIRST
    to:
      description: Version of the release that runs after.
      type: str
      sample: SECOND
    restarts:
      description:
        - Whether the emulator restarts. V(restart_new_emulator), before the applications are upgraded; V(restart_emulator), when all
          is done; V(both); or V(none), the nodes go on running.
      type: str
      sample: none
    instructions:
      description: The number of instructions.
      type: int
      sample: 7
    core_changes:
      description: What changes of ERTS, Kernel, STDLIB and SASL, for which the emulator restarts.
      type: list
      elements: str
      sample: ["erts 13.1.5 -> 15.2.7", "kernel 8.5.3 -> 10.2.7.1"]
thin:
  description: The thin package, see O(base).
  returned: success, null without O(base)
  type: dict
  contains:
    package:
      description: Its path.
      type: str
      sample: /home/user/target_system/release2/mysystem2-thin.tar.gz
    sha256:
      description: Its SHA-256, in hexadecimal.
      type: str
      sample: 1c2d6bb6cf2e9d66aa2f5d5f3c8ad7ad1f3ed2b1f4d4f8d4b3f5f8c7a3f0f1e2
    size:
      description: Its size in bytes.
      type: int
      sample: 4583
    base:
      description: The release that it is based on.
      type: dict
      contains:
        name:
          description: Name of the release.
          type: str
          sample: MYSYSTEM
        version:
          description: Version of the release.
          type: str
          sample: FIRST
        sha256:
          description: SHA-256 of its package.
          type: str
          sample: ff7a2cedd3c1e37f08edcb9abd23b7bd295b3fc61e8f034d333cb8c0c3db0912
    without:
      description: The libraries, and the ERTS, that it goes without.
      type: list
      elements: str
      sample: ["erts-13.1.5", "lib/kernel-8.5.3", "lib/sasl-4.2", "lib/stdlib-4.2"]
diagnostics:
  description:
    - What C(systools) warns of, or why it refuses the release, as data. Warnings are shown as warnings of the task, too.
    - Of earlier releases there are warnings of ours, V(other_name) for a release of another name, V(bad_vsn) for an C(.appup) file that
      is for another version of its application, and V(same_version) for an application that has other code without another version,
      which a node would go on without.
  returned: success, and failure when C(systools) refuses the release
  type: list
  elements: dict
  contains:
    kind:
      description: The kind of warning or error, by the word of C(systools).
      type: str
      sample: missing_sasl
    term:
      description: The whole of it, as text of an Erlang term.
      type: str
      sample: '{warning,missing_sasl}'
    sentence:
      description: The sentence of C(systools).
      type: str
      sample: Missing application sasl. Can not upgrade with this release
actions:
  description: What was done, or would be done in check mode, as sentences.
  returned: success
  type: list
  elements: str
  sample: ["make the release package /home/user/target_system/release/mysystem.tar.gz"]
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.erlang.otp.plugins.module_utils._build.applications import requested_application
from ansible_collections.erlang.otp.plugins.module_utils._build.boot_scripts import SystoolsError
from ansible_collections.erlang.otp.plugins.module_utils._build.build import build_release
from ansible_collections.erlang.otp.plugins.module_utils._build.inputs import Options
from ansible_collections.erlang.otp.plugins.module_utils._build.systools import ScriptOptions
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.values import expanded

ARGUMENT_SPEC = {
    "rel": {"type": "path"},
    "name": {"type": "str"},
    "version": {"type": "str"},
    "applications": {"type": "list", "elements": "raw"},
    "file_name": {"type": "str"},
    "code_path": {"type": "list", "elements": "path", "default": []},
    "otp_root": {"type": "path"},
    "erts": {"type": "str", "default": "true"},
    "output_dir": {"type": "path", "required": True},
    "sys_config": {"type": "str"},
    "sys_config_src": {"type": "str"},
    "vm_args": {"type": "str"},
    "vm_args_src": {"type": "str"},
    "include": {"type": "list", "elements": "str", "default": []},
    "strip": {"type": "bool", "default": False},
    "strip_keep": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "variables": {"type": "dict", "default": {}},
    "var_tar": {"type": "str", "choices": ["include", "ownfile", "omit"], "default": "include"},
    "extra_files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"src": {"type": "path", "required": True}, "dest": {"type": "str", "required": True}},
    },
    "src_tests": {"type": "bool", "default": False},
    "exref": {"type": "bool", "default": False},
    "warnings_as_errors": {"type": "bool", "default": False},
    "no_warn_sasl": {"type": "bool", "default": False},
    "no_dot_erlang": {"type": "bool", "default": False},
    "upgrade_from": {"type": "list", "elements": "path", "default": []},
    "downgrade_to": {"type": "list", "elements": "path", "default": []},
    "upgrade_path": {"type": "list", "elements": "path", "default": []},
    "restart_emulator": {"type": "bool", "default": False},
    "base": {"type": "path"},
    "cache_dir": {"type": "path"},
}


def options_of(parameters: dict) -> Options:
    """The module's parameters as the build takes them. Raises OtpError."""
    script = ScriptOptions(
        **{name: parameters[name] for name in ("src_tests", "exref", "warnings_as_errors", "no_warn_sasl", "no_dot_erlang")},
        variables=tuple((name, os.path.abspath(expanded(str(path)))) for name, path in parameters["variables"].items()),
    )
    same = ("rel", "name", "version", "file_name", "otp_root", "strip", "var_tar", "restart_emulator", "base", "cache_dir")
    files = ("sys_config", "sys_config_src", "vm_args", "vm_args_src")
    names = ("code_path", "include", "strip_keep", "upgrade_from", "downgrade_to", "upgrade_path")
    lists: dict[str, t.Any] = {name: tuple(parameters[name]) for name in names}
    plain: dict[str, t.Any] = {name: parameters[name] for name in same}
    contents: dict[str, t.Any] = {name: parameters[name] and expanded(parameters[name]) for name in files}
    return Options(
        **plain,
        **contents,
        **lists,
        output_dir=os.path.abspath(parameters["output_dir"]),
        erts=parameters["erts"].lower() if parameters["erts"].lower() in ("true", "false") else expanded(parameters["erts"]),
        applications=tuple(requested_application(item) for item in parameters["applications"] or []),
        script=script,
        extra_files=tuple((item["src"], item["dest"]) for item in parameters["extra_files"]),
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        supports_check_mode=True,
        required_one_of=[("rel", "applications")],
        mutually_exclusive=[("rel", "applications"), ("rel", "name"), ("rel", "version")],
        required_by={"applications": ("name", "version")},
    )
    try:
        result = build_release(options_of(module.params), Changes(check_mode=module.check_mode))
    except SystoolsError as error:
        module.fail_json(msg=str(error), diagnostics=[diagnostic._asdict() for diagnostic in error.diagnostics])
    except OtpError as error:
        module.fail_json(msg=str(error))
    for diagnostic in result["diagnostics"]:
        module.warn(diagnostic["sentence"])
    module.exit_json(**result)


if __name__ == "__main__":
    main()
