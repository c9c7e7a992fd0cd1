#!/usr/bin/python
# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: otp_client_files_info
short_description: Programs of a master for a client node without a disk, and the end of a client's log
version_added: 0.1.0
description:
  - Reads programs, such as the emulator, from a target system, for M(erlang.otp.otp_client_files) on the host of a client that has no disk.
    The role C(erlang.otp.clients) uses it.
  - Reads the end of the log of a client that does not answer its master, on the client's own host.
  - As root, the module reads with the rights of the owner of the directory, so that a link there leads to nothing that only root can read.
author:
  - The erlang.otp authors (@erlang-otp)
extends_documentation_fragment:
  - erlang.otp._attributes
  - erlang.otp._attributes.info_module
options:
  paths:
    description: The programs, which are to have the same paths on the client's host. Each must be a regular file of at most 64 MiB.
    type: list
    elements: path
    default: []
  log_directory:
    description: The directory of the log of C(run_erl) and of the crash dump.
    type: path
  crash_seconds:
    description: How many seconds ago the crash dump may have been written. An older one is left out.
    type: int
    default: 60
seealso:
  - module: erlang.otp.otp_client_files
  - module: erlang.otp.otp_client_node
"""

EXAMPLES = r"""
- name: Read the emulator on the master
  erlang.otp.otp_client_files_info:
    paths: [/srv/exchange/erts-15.2/bin/beam.smp, /srv/exchange/erts-15.2/bin/erlexec]
  delegate_to: north
  register: emulator

- name: Ensure the emulator on the host of the client
  erlang.otp.otp_client_files:
    directories: [{path: /srv/exchange/erts-15.2/bin}]
    files: "{{ emulator.files }}"
"""

RETURN = r"""
files:
  description: The programs, as M(erlang.otp.otp_client_files) takes them, in the order of O(paths).
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The path of the program.
      type: str
      sample: /srv/exchange/erts-15.2/bin/erlexec
    compressed:
      description: Its content, compressed (zlib) and in base64.
      type: str
      sample: eJwDAAAAAAE=
    mode:
      description: The permissions of a program.
      type: str
      sample: "0755"
last_words:
  description: Sentences that quote the end of the log and the slogan of the crash dump.
  returned: success, with O(log_directory)
  type: str
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.erlang.otp.plugins.module_utils._client.files import read_programs
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._node.log_tail import STARTS, last_words

ARGUMENT_SPEC: dict = {
    "paths": {"type": "list", "elements": "path", "default": []},
    "log_directory": {"type": "path"},
    "crash_seconds": {"type": "int", "default": 60},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    directory = module.params["log_directory"]
    try:
        result: dict = {"files": read_programs(module.params["paths"])}
        if directory:
            result["last_words"] = last_words(directory, since=time.time() - module.params["crash_seconds"], starts=STARTS)
    except OtpError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        hint = " Use become to work as root; what is in a directory is to belong to the directory's owner." if isinstance(error, PermissionError) else ""
        module.fail_json(msg=f"{error.filename}: {error.strerror}.{hint}")
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
