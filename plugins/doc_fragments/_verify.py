# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options for calls that a node must pass."""

from __future__ import annotations


class ModuleDocFragment:
    """Options that modules which change a node have in common."""

    DOCUMENTATION = r"""
options:
  verify:
    description:
      - Function calls in the node that must succeed after it has been started, or before a release is committed and once more afterwards.
      - Each is repeated until it returns what is expected, for O(verify_timeout) seconds in all.
    type: list
    elements: dict
    default: []
    suboptions:
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
  verify_timeout:
    description: For how many seconds to try O(verify).
    type: float
    default: 30.0
"""
