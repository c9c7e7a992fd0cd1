# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This fragment is private to the erlang.otp collection.

"""The options of modules that heed the mark of a system that a run works on."""

from __future__ import annotations


class ModuleDocFragment:
    """The options that say who calls the module."""

    DOCUMENTATION = r"""
options:
  operator:
    description: Who works on the system, for the message to others. By default the user and the host name of the controller, C(alice@laptop).
    type: str
  take_over:
    description:
      - The operator whose mark does not count, as RV(held_by) has it. If that run still goes on, it is refused from then on.
      - The mark of a run of the same operator on the same controller does not count either once its process has ended.
    type: str
  _run:
    description: The run. Internal, set by the action plugin.
    type: str
  _ended_run:
    description: A run that has ended without giving the system back. Internal, set by the action plugin.
    type: str
  _is_held:
    description: Whether the run has marked the system before. Internal, set by the role C(erlang.otp.upgrade).
    type: bool
    default: false
"""
