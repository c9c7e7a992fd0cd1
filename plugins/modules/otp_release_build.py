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
  - Makes a release package, as C(target_system:create/1) of the OTP documentation does, from a release resource file or from a
    list of applications. The applications that these need are added.
  - C(systools) of the packaged Erlang/OTP makes the boot scripts, in one run of C(erl). This module writes the package. The same
    input always gives the same bytes.
  - The package contains the release resource file twice, the release directory, C(bin/start.boot), which starts only Kernel and
    STDLIB, C(bin/epmd), C(bin/run_erl), C(bin/to_erl), ERTS without C(erl) and C(start), which the installation makes, the
    applications, and an empty directory C(log).
  - With O(upgrade_from) or O(downgrade_to) the package also contains a relup of C(systools:make_relup/3). C(release_handler) uses it to
    upgrade running nodes from an earlier release to this one, or to downgrade them.
  - Of each application it contains the C(.app) file, the C(.appup) file if there is one, the modules that the C(.app) file lists, and
    C(priv) with links and modes. Only the owner keeps write permission. A link that leads out of its directory is followed.
author:
  - The erlang.otp authors (@erlang-otp)
extends_documentation_fragment:
  - erlang.otp._attributes
attributes:
  check_mode:
    support: full
    details:
      - The module builds everything, with C(systools), and keeps nothing. So a release that cannot be built also fails in check mode.
  diff_mode:
    support: full
    details:
      - Shows release, ERTS, applications with versions, and checksum of the package, before and after.
  idempotent:
    support: full
options:
  rel:
    description:
      - Path of the release resource file, on the host where the module runs.
      - Its versions must exist on O(code_path) or in the Erlang/OTP tree.
      - Set exactly one of O(rel) and O(applications).
    type: path
  name:
    description:
      - The name of the release, with O(applications).
    type: str
  version:
    description:
      - The version of the release, with O(applications).
    type: str
  applications:
    description:
      - Applications from which to make the release resource file. The applications that they need (C(applications),
        C(included_applications), and those C(optional_applications) that are found), C(kernel) and C(stdlib) are added.
      - To upgrade the system later, the release must contain C(sasl).
    type: list
    elements: raw
    suboptions:
      name:
        description: The application's name. An element that is a string is only the name.
        type: str
        required: true
      version:
        description:
          - The version to use. The default is the version on O(code_path), where only one may exist, otherwise the newest in the
            Erlang/OTP tree.
        type: str
      type:
        description: How the application is started, see C(rel(4\)).
        type: str
        choices: [permanent, transient, temporary, load, none]
      included_applications:
        description: Which of the C(included_applications) in its C(.app) file it includes in this release.
        type: list
        elements: str
  file_name:
    description:
      - Name of the resulting files, without extension.
      - The default is the name of O(rel) without C(.rel), or O(name) in lower case.
    type: str
  code_path:
    description:
      - Directories with C(.app) and C(.beam) files. They have precedence over those of the Erlang/OTP tree.
      - The wildcards C(*), C(?) and C([...]) are allowed, as in V(_build/default/lib/*/ebin). Each element must match a directory.
      - The application's directory can have the name C(NAME) or C(NAME-VERSION). Archives (C(.ez)) are refused.
    type: list
    elements: path
    default: []
  otp_root:
    description:
      - Root directory of the Erlang/OTP to build with and to package. It contains C(lib) and C(erts-VERSION).
      - The default is the root directory of C(erl) on E(PATH).
    type: path
  erts:
    description:
      - V(true) packages ERTS of O(otp_root), V(false) packages no ERTS.
      - A directory is the root of an Erlang/OTP tree of the same version for another machine type. ERTS, and those of
        Erlang/OTP's applications that it has, are taken from there. The Erlang/OTP of the build host makes the boot scripts.
      - Libraries and programs in an application's C(priv) for another machine type than the emulator's are refused.
    type: str
    default: 'true'
  output_dir:
    description:
      - The directory for C(NAME.tar.gz), C(NAME.rel), C(NAME.boot), C(NAME.script), C(relup) if there is one, and
        C(.NAME.build.json), which records what they were made from. It is created if it is missing.
      - With a separate directory for each release, later builds find what they need for their relups.
      - A package of a release is made once. If it is there already with the same version and other content, the build fails, and names what differs.
        See O(replace).
    type: path
    required: true
  sys_config:
    description:
      - Path of the system configuration file, which becomes C(releases/VERSION/sys.config). It must contain Erlang terms.
      - A value with a line break is the content itself, as in the other options for such files.
      - A file C(sys.config) that is not named here is never used.
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
      - More directories to package of each application that has them, such as V(src), V(include) or V(c_src).
    type: list
    elements: str
    default: []
  strip:
    description:
      - Whether to remove from BEAM files what is not needed to run and to upgrade them, mainly debug information. The package becomes less than half as
        large. C(beam_lib:strip_release/1) removes the chunk C(Attr) as well, without which C(release_handler) can neither load nor replace a module.
      - From native code (the emulator, NIFs, drivers, port programs), debug symbols are removed by C(strip) of GNU binutils, if the build host has it.
        Code for another machine type needs the program for that, such as C(aarch64-linux-gnu-strip). What cannot be stripped is one of
        RV(diagnostics). Files of O(extra_files) stay as they are.
    type: bool
    default: false
  strip_keep:
    description:
      - Chunks of BEAM files to keep with O(strip), such as V(Docs) or V(Dbgi), by their names of four letters. V(Attr) is always kept.
    type: list
    elements: str
    default: []
  variables:
    description:
      - Variables, each with a directory, in the order to try. When the system starts, with C(-boot_var NAME directory), it looks for
        applications below such a directory in C($NAME) and not in C($ROOT/lib).
    type: dict
    default: {}
  var_tar:
    description:
      - Where to put those applications. V(include) puts an archive C(VARIABLE.tar.gz) into the package, V(ownfile) puts it into
        O(output_dir), V(omit) does not make it.
    type: str
    choices: [include, ownfile, omit]
    default: include
  extra_files:
    description:
      - More files and directories for the package.
      - On a host, each release has its own, and those in the root directory are those of the permanent release, as C(bin) is. A file that was changed on the
        host is kept as C(NAME.kept) when another release brings another file of that name.
      - V(releases/VERSION/sys.config) and V(releases/VERSION/relup) are checked, as by C(systools).
    type: list
    elements: dict
    default: []
    suboptions:
      src:
        description: Path of the file or directory.
        type: path
        required: true
      dest:
        description: Its path, relative to the root directory of the target system.
        type: str
        required: true
  upgrade_from:
    description:
      - Earlier releases from which running nodes can be upgraded to this one, by a relup.
      - Each element is the path of a release package, of the O(output_dir) of an earlier build, or of a C(.rel) file.
      - The applications of a package, or of a directory with a package, are taken from the package. Those of a C(.rel) file are searched on
        O(upgrade_path), beside the file (in its directory, C(*/ebin), C(lib/*/ebin), and a target system's C(lib) above it), on
        O(code_path), in the Erlang/OTP tree, and in a package C(NAME.tar.gz) beside it, in this order.
      - Each application that has another version in the earlier release needs an C(.appup) file beside its C(.app) file, with the
        instructions for the upgrade from that version, see C(appup(4\)).
    type: list
    elements: path
    default: []
  downgrade_to:
    description:
      - Earlier releases to which nodes can be downgraded from this one. Paths as in O(upgrade_from).
    type: list
    elements: path
    default: []
  upgrade_between:
    description:
      - By an element of O(upgrade_from), other releases, as a list of such paths. If the appups do not lead from that element and back to it, the first of
        these from which they do takes its place, also in O(downgrade_to).
      - A node that runs the earlier release can go through the one in between, see M(erlang.otp.otp_release_handler).
    type: dict
    default: {}
  upgrade_path:
    description:
      - Directories with C(.app) files of applications of earlier releases that are neither in a package nor beside their C(.rel)
        file, such as V(/my/old/erlang/lib/*/ebin). Wildcards as in O(code_path).
    type: list
    elements: path
    default: []
  appup:
    description:
      - What happens if an application has another version in an earlier release, and no C(.appup) file.
      - V(require) fails, and names each of them.
      - V(generate) makes the file from the compiled code of both versions, as M(erlang.otp.otp_release_appup) does, uses it for the relup and the package,
        keeps it for review as C(NAME.appups/APPLICATION.appup) in O(output_dir), and warns. If something has to be decided, the build fails, and the
        message names what. An existing file is used as it is. Applications of Erlang/OTP and Elixir itself are left out.
    type: str
    choices: [require, generate]
    default: require
  relup:
    description:
      - Path or content of a relup that was written by hand, see C(relup(4\)). It is used instead of one by C(systools).
      - It must be for this release, and lead from each release of O(upgrade_from) and to each of O(downgrade_to), of which there is at least one. No
        appups are needed then, and O(appup), O(restart_emulator) and O(upgrade_between) have no effect.
    type: str
  restart_emulator:
    description:
      - Whether the relup restarts the emulator at the end of each upgrade and downgrade. If ERTS, Kernel, STDLIB or SASL change, it
        restarts in any case.
    type: bool
    default: false
  src_tests:
    description:
      - Whether C(systools) warns about modules that are older than their source, or have no source. It compares file times, so the
        module runs it every time.
    type: bool
    default: false
  exref:
    description:
      - Whether to warn about calls to functions that nothing in the release has; or a list of the applications whose calls are looked at.
        With V(true), these are all but Erlang/OTP's own, which also call what may be left out, as C(stdlib) does the compiler.
      - C(xref) finds them, as for C(systools). Unlike there, it does not count that Erlang/OTP on the build host has the function.
      - The warning names who calls what, and which application on O(code_path) or of Erlang/OTP has the module, also as data, see RV(diagnostics).
      - It needs C(tools) of Erlang/OTP on the build host.
    type: raw
    default: false
  warnings_as_errors:
    description:
      - Whether a warning of C(systools), or about an earlier release, is a failure.
    type: bool
    default: false
  no_warn_sasl:
    description:
      - Whether to omit the warning that C(sasl) is missing. Without C(sasl), a system cannot be upgraded.
    type: bool
    default: false
  no_dot_erlang:
    description:
      - Whether the boot scripts ignore the file C(.erlang) of the user's home directory.
    type: bool
    default: false
  base:
    description:
      - The package of an earlier release, or the O(output_dir) of its build. The module then also makes a thin package C(NAME-thin.tar.gz),
        without the libraries, ERTS and other files that the base contains too. Of a library that the base contains in another version, it has only
        the files that differ, see RV(thin.copies).
      - For an upgrade of one small application, the thin package has less than a thousandth of the bytes. If ERTS changes, it has nearly all
        of them, and O(strip) saves more.
      - On systems that have the base release, it is installed like any other package. On other systems, M(erlang.otp.otp_release_install) refuses it
        before it changes anything.
      - C(release_handler) unpacks it under the name of its release resource file, but not if RV(thin.copies) has a library. It fails then before it
        unpacks anything.
      - An application with the same version as in the base must have the same content.
    type: path
  replace:
    description:
      - Whether to replace a package in O(output_dir) that has the same release and version, and other content. By default that is an error.
      - Systems know a release by its version. Replace only what no system has.
    type: bool
    default: false
  cache_dir:
    description:
      - The directory of compressed applications and boot scripts, which later builds use again. You can remove it at any time. It must
        belong to the user who builds and be writable only for that user, otherwise it is not used.
      - The default is C(erlang.otp) in E(XDG_CACHE_HOME) or in C(~/.cache).
    type: path
notes:
  - All files in a package have the time of E(SOURCE_DATE_EPOCH), or 1980-01-01 if it is not set.
  - The content of a package depends only on the input. Its compressed form also depends on the version of zlib that Python uses.
  - A build takes at most 128 MiB of memory more than Python itself, however large the release is. Erlang and C(strip) take what they need.
    Temporary files are in C(/var/tmp) if the user can write there.
requirements:
  - Erlang/OTP with SASL, and the applications of the release, on the host where the module runs.
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

- name: Build a stripped release from applications and their dependencies
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

- name: Build a release with a library in a separate directory
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

- name: Build the second release with a relup that was written by hand
  erlang.otp.otp_release_build:
    rel: /home/user/target_system/mysystem2.rel
    code_path:
      - /home/user/target_system/myapps/pea-2.0/ebin
    upgrade_from: [/home/user/target_system/release/mysystem.tar.gz]
    relup: |
      {"SECOND",
       [{"FIRST", [], [{load_object_code, {pea, "2.0", [pea]}}, point_of_no_return, {load, {pea, soft_purge, soft_purge}}]}],
       []}.
    output_dir: /home/user/target_system/release2

- name: Build a release whose project has no appups, and review those that are made
  erlang.otp.otp_release_build:
    rel: /home/user/target_system/mysystem2.rel
    code_path:
      - /home/user/target_system/myapps/pea-2.0/ebin
    upgrade_from: [/home/user/target_system/release/mysystem.tar.gz]
    downgrade_to: [/home/user/target_system/release/mysystem.tar.gz]
    appup: generate
    output_dir: /home/user/target_system/release2

- name: Show whether nodes will restart
  ansible.builtin.debug:
    msg: "{{ item.from }} to {{ item.to }}: {{ item.restarts }} {{ item.core_changes | join(', ') }}"
  loop: "{{ second.relup }}"

- name: Build a release on a newer Erlang/OTP than the first release, which is given as a .rel file
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
digests:
  description: SHA-256 digests of what is in the package, of each library and of ERTS as a whole, and of each other file. Equal for equal content.
  returned: success
  type: dict
  sample: {lib/pea-1.0: 5a0c4c1f9c4f5d0c6c2e3c8a9d1b7e64f2a0b9d8c7e6f5a4b3c2d1e0f9a8b7c6}
relup:
  description: The upgrades of the relup, then its downgrades, in the order of O(upgrade_from) and O(downgrade_to).
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
        - When the emulator restarts. V(restart_new_emulator), before the applications are upgraded; V(restart_emulator), at the end;
          V(both); or V(none), the node keeps running.
      type: str
      sample: none
    instructions:
      description: The number of instructions.
      type: int
      sample: 7
    core_changes:
      description: The changes of ERTS, Kernel, STDLIB and SASL, which restart the emulator.
      type: list
      elements: str
      sample: ["erts 13.1.5 -> 15.2.7", "kernel 8.5.3 -> 10.2.7.1"]
made_from:
  description:
    - From which releases the relup was made, by version, C(sha256) of the package, C(applications), and digests of C(libraries). The package contains it
      as C(relup.json) beside the relup. M(erlang.otp.otp_release_handler) compares it with the releases of a host.
  returned: success
  type: dict
  sample: {}
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
      description: The libraries, and ERTS, that it does not contain.
      type: list
      elements: str
      sample: ["erts-13.1.5", "lib/kernel-8.5.3", "lib/sasl-4.2", "lib/stdlib-4.2"]
    copies:
      description:
        - The libraries of which it contains only the files that differ from another version of the library, and that version, which the base contains.
        - The host copies the other files, if they are as in the base.
      type: dict
      sample: {"lib/myapp-2.0": "lib/myapp-1.0"}
appups:
  description: The C(.appup) files that were made, see O(appup).
  returned: success
  type: list
  elements: dict
  contains:
    application:
      description: The application.
      type: str
      sample: pea
    version:
      description: Its version.
      type: str
      sample: '2.0'
    path:
      description: The file for review.
      type: str
      sample: /home/user/target_system/release2/mysystem2.appups/pea.appup
    remarks:
      description: What the author should know.
      type: list
      elements: str
      sample: []
diagnostics:
  description:
    - The warnings of C(systools), or its reasons to refuse the release, as data. Warnings are also warnings of the task.
    - The module itself warns about earlier releases with V(other_name) for a release of another name, V(bad_vsn) for an C(.appup) file
      for another version of its application, V(made_appup) for an application without one (see O(appup)), and V(same_version) for an application whose
      code has changed but not its version; a node would keep its old code.
    - V(included) names an element of O(applications) that another application includes, so that the system does not start it by itself.
    - V(same_code) names a library that is the same code as in the earlier package of the release, or in that of O(base), and was compiled elsewhere, such
      as in another checkout. Its modules and its resource file are taken from there, so that their bytes stay the same.
  returned: success, and failure when C(systools) refuses the release
  type: list
  elements: dict
  contains:
    kind:
      description:
        - The tag of the term of C(systools), such as V(undefined_applications), V(error_reading) or V(bad_instruction). V(EXIT) if C(systools) crashed.
      type: str
      sample: missing_sasl
    term:
      description: The whole warning or error, as text of an Erlang term.
      type: str
      sample: '{warning,missing_sasl}'
    sentence:
      description: The sentence of C(systools).
      type: str
      sample: Missing application sasl. Can not upgrade with this release
    calls:
      description: Of O(exref), of the kind V(exref_undef), the calls of functions that are not in the release. Else empty.
      type: list
      elements: dict
      contains:
        function:
          description: What is called.
          type: str
          sample: cow_http:parse/1
        callers:
          description: The modules that call it, with their applications. A call that is made up when it runs is not known.
          type: list
          elements: str
          sample: ['pea: pea_web']
        application:
          description: The application that is not in the release and has the module; empty if none was found.
          type: str
          sample: cowlib
        directory:
          description: Where its module is; empty if it was not found.
          type: str
          sample: /home/user/target_system/_build/default/lib/cowlib/ebin
actions:
  description: The actions, or in check mode the predicted actions, as sentences.
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
from ansible_collections.erlang.otp.plugins.module_utils._core.terminal import clean
from ansible_collections.erlang.otp.plugins.module_utils._core.values import expanded

# As Ansible takes them for an option that is a boolean only.
TRUE = ("true", "yes", "on", "y", "t", "1", "1.0")
FALSE = ("false", "no", "off", "n", "f", "0", "0.0")
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
    "exref": {"type": "raw", "default": False},
    "warnings_as_errors": {"type": "bool", "default": False},
    "no_warn_sasl": {"type": "bool", "default": False},
    "no_dot_erlang": {"type": "bool", "default": False},
    "upgrade_from": {"type": "list", "elements": "path", "default": []},
    "downgrade_to": {"type": "list", "elements": "path", "default": []},
    "upgrade_between": {"type": "dict", "default": {}},
    "upgrade_path": {"type": "list", "elements": "path", "default": []},
    "appup": {"type": "str", "choices": ["require", "generate"], "default": "require"},
    "relup": {"type": "str"},
    "restart_emulator": {"type": "bool", "default": False},
    "base": {"type": "path"},
    "replace": {"type": "bool", "default": False},
    "cache_dir": {"type": "path"},
}
ARGUMENT_RULES: dict = {
    "required_one_of": [("rel", "applications")],
    "mutually_exclusive": [("rel", "applications"), ("rel", "name"), ("rel", "version")],
    "required_by": {"applications": ("name", "version")},
}


def _exref(value: t.Any) -> bool | tuple[str, ...]:
    if isinstance(value, list):
        return tuple(map(str, value))
    word = str(value).lower()
    if word not in (*TRUE, *FALSE):
        raise OtpError(f"exref: {value!r} is neither true or false nor a list of applications.")
    return word in TRUE


def options_of(parameters: dict) -> Options:
    """The module's parameters as the build takes them. Raises OtpError."""
    script = ScriptOptions(
        **{name: parameters[name] for name in ("src_tests", "warnings_as_errors", "no_warn_sasl", "no_dot_erlang")},
        exref=_exref(parameters["exref"]),
        variables=tuple((name, os.path.abspath(expanded(str(path)))) for name, path in parameters["variables"].items()),
    )
    same = ("rel", "name", "version", "file_name", "otp_root", "strip", "var_tar", "appup", "restart_emulator", "base", "replace", "cache_dir")
    files = ("sys_config", "sys_config_src", "vm_args", "vm_args_src", "relup")
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
        upgrade_between={expanded(path): [*map(expanded, others)] for path, others in parameters["upgrade_between"].items()},
        extra_files=tuple((item["src"], item["dest"]) for item in parameters["extra_files"]),
    )


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True, **ARGUMENT_RULES)
    try:
        result = build_release(options_of(module.params), Changes(check_mode=module.check_mode))
    except SystoolsError as error:
        module.fail_json(msg=str(error), diagnostics=[diagnostic._asdict() for diagnostic in error.diagnostics])
    except OtpError as error:
        module.fail_json(msg=str(error))
    for diagnostic in result["diagnostics"]:
        module.warn(clean(diagnostic["sentence"]))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
