# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the module otp_rpc on the host, or on the controller for a box without Python."""

from __future__ import annotations

from ansible_collections.erlang.otp.plugins.plugin_utils._box.action import HostOrBoxAction


class ActionModule(HostOrBoxAction):
    module = "otp_rpc"
