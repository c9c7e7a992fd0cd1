# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The variables and common.sh that _box/shell.py puts before it:
# shellcheck shell=sh disable=SC2154

# Prints the emulators of the system and what starts them, and the end of a log.
#
# LOGS        a directory whose newest log is printed; "" for none

cat >/dev/null
cd / || exit
# A line also if no emulator runs.
# shellcheck disable=SC2005
echo "$(starters; emulators)"
if [ -n "$LOGS" ]; then
    # shellcheck disable=SC2012  # by time
    f=$(ls -t "$LOGS"/erlang.log.* 2>/dev/null | head -n 1)
    [ ! -f "$f" ] || { echo "log ${f##*/}" && tail -c 8192 "$f"; }
fi
