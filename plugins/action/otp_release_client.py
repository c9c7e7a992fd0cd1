# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the module otp_release_client on the master of the client."""

from __future__ import annotations

from ansible_collections.erlang.otp.plugins.plugin_utils._transport.action import TransportAction
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.stdin_transport import StdinTransport


class ActionModule(TransportAction):
    transport = StdinTransport("otp_release_client", for_boxes=False)
