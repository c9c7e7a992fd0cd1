#!/usr/bin/python
# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: otp_client_files
short_description: Files of a client node beside its releases
version_added: 0.1.0
description:
  - Ensures files and directories of a client node that M(erlang.otp.otp_release_client) does not write, on its master or on its own host. These are scripts,
    the environment, the cookie and, for a client without a disk, its emulator. The role C(erlang.otp.clients) uses it.
  - As root, the module works in a directory with the rights of its owner. A link or a pipe that the user of the node has put there leads it nowhere
    else.
  - A file is written beside the present one, flushed and renamed. Its content is in no diff, in no message and in no log.
author:
  - The erlang.otp authors (@erlang-otp)
extends_documentation_fragment:
  - erlang.otp._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details:
      - Contents may be secret.
  idempotent:
    support: full
options:
  absent:
    description: Files and directories to remove, with everything in them. This is done first.
    type: list
    elements: path
    default: []
  directories:
    description: Directories to ensure before the files.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The directory. Missing ones above it are created, too.
        type: path
        required: true
      owner:
        description: The name or number of its owner. By default, a new directory belongs to the user who creates it, and another keeps its owner.
        type: str
      mode:
        description: The permissions of a new directory, octal. Another keeps its permissions.
        type: str
        default: "0755"
  files:
    description: The files to ensure, in this order.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The file. Its directory must exist.
        type: path
        required: true
      content:
        description: The text of the file. Either this or O(files[].compressed) is required.
        type: str
      compressed:
        description: The content of the file, compressed (zlib) and in base64, as M(erlang.otp.otp_client_files_info) returns it.
        type: str
      owner:
        description: The name or number of its owner. By default, a new file belongs to the user who creates it, and another keeps its owner.
        type: str
      mode:
        description: The permissions of the file, octal.
        type: str
        default: "0644"
  keep_in:
    description:
      - Where the files that the client was started with are kept when they are replaced. It is the directory of the client or, on the host of a client without
        a disk, C(bin) in it. The default is not to keep them.
    type: path
  emulator:
    description: What identifies the emulator that runs, as the script C(bin/stop status) of the client says. By default none runs.
    type: str
    default: ''
  release:
    description: The version of the release that the client boots, for O(keep_in) on its master.
    type: str
    default: ''
  restart_on_change:
    description: Whether a restart follows. If not, what is kept of files that the client has read since is forgotten.
    type: bool
    default: false
  kept:
    description: V(put_back), put back what is kept in O(keep_in). V(forgotten), forget it. By default it stays.
    type: str
    choices: [put_back, forgotten]
seealso:
  - module: erlang.otp.otp_client_files_info
  - module: erlang.otp.otp_release_client
"""

EXAMPLES = r"""
- name: Ensure the cookie of a client
  erlang.otp.otp_client_files:
    directories:
      - path: /var/lib/exchange
        owner: exchange
        mode: "0750"
    files:
      - path: /var/lib/exchange/.erlang.cookie
        content: "{{ exchange_cookie }}"
        owner: exchange
        mode: "0400"

- name: Remove the directory of a client without a disk from its host
  erlang.otp.otp_client_files:
    absent: [/srv/exchange/clients/line1@10.0.0.11]
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, as sentences.
  returned: always
  type: list
  elements: str
  sample: [write /var/lib/exchange/.erlang.cookie]
outdated:
  description: The files that the emulator runs without a change of, or that it was restarted with before and that were not committed.
  returned: success, with O(keep_in)
  type: list
  elements: str
is_newer:
  description: Whether the emulator runs without a change of these files.
  returned: success, with O(keep_in)
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.erlang.otp.plugins.module_utils._client.files import Directory, File, decompressed, ensure_files, settle_kept
from ansible_collections.erlang.otp.plugins.module_utils._client.kept import KeptOfClient
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import find_user, parse_mode, user_number

DIRECTORY = {
    "path": {"type": "path", "required": True},
    "owner": {"type": "str"},
    "mode": {"type": "str", "default": "0755"},
}
FILE = {
    "path": {"type": "path", "required": True},
    "content": {"type": "str", "no_log": True},
    "compressed": {"type": "str", "no_log": True},
    "owner": {"type": "str"},
    "mode": {"type": "str", "default": "0644"},
}
ONE_CONTENT = {"mutually_exclusive": [("content", "compressed")], "required_one_of": [("content", "compressed")]}
ARGUMENT_SPEC: dict = {
    "absent": {"type": "list", "elements": "path", "default": []},
    "directories": {"type": "list", "elements": "dict", "default": [], "options": DIRECTORY},
    "files": {"type": "list", "elements": "dict", "default": [], "options": FILE, **ONE_CONTENT},
    "keep_in": {"type": "path"},
    "emulator": {"type": "str", "default": ""},
    "release": {"type": "str", "default": ""},
    "restart_on_change": {"type": "bool", "default": False},
    "kept": {"type": "str", "choices": ["put_back", "forgotten"]},
}


def owner_of(item: dict, changes: Changes) -> int:
    """The number of the owner; -1 for any, and in check mode for a user who would be created. Raises OtpError."""
    name = item["owner"]
    if changes.check_mode and name and not name.isdigit() and find_user(name) is None:
        return -1
    return user_number(name)


def file_of(item: dict, changes: Changes) -> File:
    """An entry of the option files. Raises OtpError."""
    text = item["content"]
    content = decompressed(item["compressed"], name=item["path"]) if text is None else text.encode("utf-8")
    return File(item["path"], content, parse_mode(item["mode"]), owner_of(item, changes))


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    changes = Changes(check_mode=module.check_mode)
    params, result = module.params, {}
    kept = KeptOfClient(params["keep_in"], params["emulator"], params["release"]) if params["keep_in"] else None
    try:
        ensure_files(
            absent=params["absent"],
            directories=[Directory(item["path"], parse_mode(item["mode"]), owner_of(item, changes)) for item in params["directories"]],
            files=[file_of(item, changes) for item in params["files"]],
            changes=changes,
            kept=kept,
        )
        if kept:
            result = settle_kept(kept, params["kept"] or "", params["restart_on_change"], changes)
    except OtpError as error:
        module.fail_json(msg=str(error), actions=changes.actions)
    except OSError as error:
        hint = " Use become to work as root; what is in a directory is to belong to the directory's owner." if isinstance(error, PermissionError) else ""
        module.fail_json(msg=f"{error.filename}: {error.strerror}.{hint}", actions=changes.actions)
    module.exit_json(changed=changes.changed, actions=changes.actions, **result)


if __name__ == "__main__":
    main()
