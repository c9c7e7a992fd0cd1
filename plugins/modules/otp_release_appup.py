#!/usr/bin/python
# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: otp_release_appup
short_description: Make appup files from compiled code, for review
version_added: 0.1.0
description:
  - Compares two builds of a release, and makes an C(.appup) file for each application that has another version, and no C(.appup) file with instructions
    for it. C(systools) makes a relup from such files, by which nodes are upgraded without a restart.
  - The BEAM files are read by this module. No Erlang/OTP is needed.
  - A module that is only in one of the builds is added or deleted (C(add_module), C(delete_module)). A supervisor is updated
    (C({update, Module, supervisor})). A module with C(code_change) is updated (C({update, Module, {advanced, []}})), so that its processes convert
    their state. All other modules with other code are loaded (C(load_module)). Each has the list of the modules that it calls. The way back is in the
    opposite order.
  - Code is compared as C(beam_lib:md5/1) does, so other debug information or another directory of the source makes no difference.
  - What compiled code does not show is not guessed. Then the module makes a draft (C(NAME.appup.draft)) and fails, with what has to be decided and what may
    be written. That is so for a supervisor with other children, for code that runs when it is loaded (C(on_load), NIFs), for a module with another behaviour,
    and for records and structs with other fields, unless they are in a single module with C(code_change).
  - The beginning of each file says from which code it was made, in comments.
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
      - Shows each file before and after.
  idempotent:
    support: full
options:
  old:
    description:
      - The earlier builds. Each element is the path of a release package, of a C(.rel) file with its applications beside it, or of a directory with
        applications, such as V(_build/default/lib), V(_build/prod/rel/shop), or the O(erlang.otp.otp_release_build#module:output_dir) of an earlier build.
    type: list
    elements: path
    required: true
  new:
    description:
      - The build to which the files lead, in the same format.
    type: path
    required: true
  applications:
    description:
      - The applications to look at. The default is all applications of O(new). Kernel, STDLIB, SASL, the compiler and Elixir are always left out, because
        another version of them needs a restart.
    type: list
    elements: str
    default: []
  output_dir:
    description:
      - The directory for the files. It is created if it is missing.
    type: path
    required: true
  force:
    description:
      - Whether to make files again that exist in O(output_dir), or beside the C(.app) file of O(new). By default a file with instructions for each version
        in O(old) is left as it is, and one without them is an error if it is in O(output_dir).
    type: bool
    default: false
seealso:
  - module: erlang.otp.otp_release_build
  - name: Appup Cookbook
    description: The chapter of the Erlang/OTP documentation.
    link: https://www.erlang.org/doc/system/appup_cookbook.html
"""

EXAMPLES = r"""
- name: Make the appups from the package that runs to the build of today
  erlang.otp.otp_release_appup:
    old: [packages/exchange-FIRST.tar.gz]
    new: _build/default/lib
    output_dir: appups

- name: Make the appup of one application, between two releases of mix
  erlang.otp.otp_release_appup:
    old: [/builds/0.1.0/_build/prod/rel/shop]
    new: /builds/0.2.0/_build/prod/rel/shop
    applications: [shop]
    output_dir: appups
"""

RETURN = r"""
appups:
  description: The applications with another version.
  returned: success, and failure when something has to be decided
  type: list
  elements: dict
  contains:
    application:
      description: The application.
      type: str
      sample: exchange
    version:
      description: Its version in O(new).
      type: str
      sample: '2.0'
    from:
      description: Its other versions in O(old).
      type: list
      elements: str
      sample: ['1.0']
    path:
      description: The file, with the extension C(.draft) if something has to be decided; O(new) if there is one beside the C(.app) file.
      type: str
      sample: appups/exchange.appup
    made:
      description: Whether the file was made by this run. Otherwise one was there before.
      type: bool
      sample: true
    questions:
      description: What has to be decided, with what may be written.
      type: list
      elements: str
      sample: []
    remarks:
      description: What the author should know.
      type: list
      elements: str
      sample: []
actions:
  description: The actions, or in check mode the predicted actions, as sentences.
  returned: success, and failure when something has to be decided
  type: list
  elements: str
  sample: ["write appups/exchange.appup"]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.erlang.otp.plugins.module_utils._build.appup_files import Options, make_appup_files
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.terminal import clean

ARGUMENT_SPEC = {
    "old": {"type": "list", "elements": "path", "required": True},
    "new": {"type": "path", "required": True},
    "applications": {"type": "list", "elements": "str", "default": []},
    "output_dir": {"type": "path", "required": True},
    "force": {"type": "bool", "default": False},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    parameters = {**module.params, **{name: tuple(module.params[name]) for name in ("old", "applications")}}
    try:
        result = make_appup_files(Options(**parameters), Changes(check_mode=module.check_mode))
    except OtpError as error:
        module.fail_json(msg=str(error))
    problem = result.pop("problem")
    if problem:
        module.fail_json(msg=clean(problem), **result)
    for remark in (remark for appup in result["appups"] for remark in appup["remarks"]):
        module.warn(clean(remark))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
