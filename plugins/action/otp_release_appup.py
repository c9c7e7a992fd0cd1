# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the module otp_release_appup without a trace of its options in the host's log."""

from __future__ import annotations

from ansible_collections.erlang.otp.plugins.plugin_utils._secrecy.quiet import QuietAction


class ActionModule(QuietAction):
    module = "otp_release_appup"
