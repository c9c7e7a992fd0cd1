# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh

# The end of the work: nobody attends the pipes any more, and the lock is free.
#
# PIPE_DIR; DONE: "yes" when nothing is left to be sent

cat >/dev/null
if [ -n "$PIPE_DIR" ] && read -r keeper held <"$PIPE_DIR/.keeper" 2>/dev/null; then
    case "$(readlink "/proc/$keeper/fd/7" 2>/dev/null)" in */"$held"*) kill "$keeper" 2>/dev/null ;; esac
    rm -f "$PIPE_DIR/.keeper"
fi
if [ -n "$TOKEN" ] && [ "$(readlink "$LOCK")" = "$TOKEN $BOOT" ]; then
    [ -z "$DONE" ] || rm -rf "$ROOT/.incoming"
    rm -f "$LOCK"
fi
exit 0
