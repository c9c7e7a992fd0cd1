# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The variables and common.sh that _box/shell.py puts before it:
# shellcheck shell=sh disable=SC2153,SC2154

# Ends a run: releases the pipe that call.sh holds open, and then the lock.
#
# PIPE_DIR, HOLDER   as in call.sh
# DONE               "yes": remove what is left of a transfer; "": the next run continues it

cat >/dev/null
if [ -f "$PIPE_DIR/$HOLDER" ] && read -r holder held 2>/dev/null <"$PIPE_DIR/$HOLDER"; then
    case "$(readlink "/proc/$holder/fd/7")" in */"$held"*) kill "$holder" ;; esac
    rm -f "$PIPE_DIR/$HOLDER"
fi
if [ -n "$TOKEN" ] && [ "$(readlink "$LOCK")" = "$TOKEN $BOOT" ]; then
    [ -z "$DONE" ] || rm -rf "$ROOT/.incoming"
    rm -f "$LOCK"
fi
exit 0
