# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The variables and common.sh that _box/shell.py puts before it:
# shellcheck shell=sh disable=SC2153,SC2154

# The end of the work: nobody attends the pipes any more, and the lock is free.
#
# PIPE_DIR, KEEPER: as of call.sh; DONE: "yes" when nothing is left to be sent

cat >/dev/null
if read -r keeper held 2>/dev/null <"$PIPE_DIR/$KEEPER"; then
    case "$(readlink "/proc/$keeper/fd/7")" in */"$held"*) kill "$keeper" ;; esac
    rm -f "$PIPE_DIR/$KEEPER"
fi
if [ -n "$TOKEN" ] && [ "$(readlink "$LOCK")" = "$TOKEN $BOOT" ]; then
    [ -z "$DONE" ] || rm -rf "$ROOT/.incoming"
    rm -f "$LOCK"
fi
exit 0
