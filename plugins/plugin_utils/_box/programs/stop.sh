# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The variables, common.sh and stop_node.sh that _box/shell.py puts before it:
# shellcheck shell=sh disable=SC2154

# Stops the node.
#
# LIMIT       seconds that this may take

cat >/dev/null
cd / || exit
stop_node "$LIMIT"
