# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options with calls in a node: those that it must pass, and those by which it reads a file."""

from __future__ import annotations

import textwrap

CALL = """\
module:
  description: The module of the function.
  type: str
  required: true
function:
  description: The function.
  type: str
  required: true
arguments:
  description: Its arguments, as in M(erlang.otp.otp_rpc).
  type: list
  elements: raw
  default: []
expect:
  description: The expected result, as in M(erlang.otp.otp_rpc). By default any result will do.
  type: raw
"""


class ModuleDocFragment:
    """Options of modules that change a node."""

    # An assignment without a type is for a text without expressions: sanity reads it so.
    DOCUMENTATION: str = rf"""
options:
  verify:
    description:
      - Function calls in the node that must succeed after it has been started, or before a release is committed and once more afterwards.
      - Each is repeated until it returns what is expected, for O(verify_timeout) seconds in all.
    type: list
    elements: dict
    default: []
    suboptions:
{textwrap.indent(CALL, 6 * " ")}
  verify_timeout:
    description: For how many seconds to try O(verify).
    type: float
    default: 30.0
"""

    OWN_FILES: str = rf"""
options:
  own_files:
    description:
      - More files of the system, such as the configuration files of its applications. C(otp_files) of the role has them, with sources on the controller.
      - They belong to O(user). What is in the list of an earlier task and not in this one is removed, unless it was changed on the host.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The path, relative to O(root). What is below C(run) is in O(run_dir). Not in C(bin), C(erts-VSN), C(lib), C(log), C(releases) and C(tls).
        type: str
        required: true
      content:
        description: The text.
        type: str
        required: true
      encoding:
        description: V(base64), if O(own_files[].content) is the content in Base64, such as that of a file that is not text.
        type: str
        choices: [text, base64]
        default: text
      mode:
        description: The permissions, octal, V("0400") to V("0777").
        type: str
        default: '0640'
      secret:
        description: Whether to omit the text from the diff.
        type: bool
        default: false
      on_change:
        description: How a running node gets a change of the file. Without it, the node is left to find out by itself.
        type: dict
        suboptions:
          restart:
            description:
              - Whether the node reads the file at its start. A change of it is one of C(sys.config), see RV(node.outdated) and O(restart_on_change).
            type: bool
            default: false
          rpc:
            description:
              - A call in the node, by which it reads the file. It is made after a change of the file, once for all files with the same call.
              - If the call fails, the earlier file is put back, the call is made once more, and the task fails. A node that is down gets no call.
            type: dict
            suboptions:
{textwrap.indent(CALL, 14 * " ")}
"""
