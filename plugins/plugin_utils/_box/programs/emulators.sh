# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The variables and common.sh that _box/shell.py puts before it:
# shellcheck shell=sh disable=SC2154

# The emulators; and with SIGNAL, which of them gets one. LOGS: the directory of whose newest log and crash dump the end is told.

cat >/dev/null
cd / || exit
found=$(emulators)
if [ -n "$SIGNAL" ]; then
    case "$found" in *"emulator $SIGNAL"*) kill -TERM "$SIGNAL" || exit ;; esac
fi
echo "$found"
if [ -n "$LOGS" ]; then
    # shellcheck disable=SC2012  # by time
    f=$(ls -t "$LOGS"/erlang.log.* 2>/dev/null | head -n 1)
    [ -z "$f" ] || { echo "log ${f##*/}" && tail -c 8192 "$f"; }
fi
