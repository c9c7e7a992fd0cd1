# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The variables and common.sh that _box/shell.py puts before it:
# shellcheck shell=sh disable=SC2154

# Starts the node without an init script.

exec "$ROOT/bin/start"
