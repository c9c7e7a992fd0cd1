# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The variables that the scripts and _box/shell.py put before it:
# shellcheck shell=sh disable=SC2154

# Whether a process is an emulator of a system, in any sh: part of bin/start, bin/stop, bin/NAME, the init script and the programs for a box.
# _tree/processes.py has the same rules. ROOT is the root directory of the system, RUN_DIR the run directory of a client.

# may_run PID: anybody can give a process such arguments and variables. Those count that root runs, who asks, or the owner of the tree. Root knows of a
# tree that is still its own no user, and of another one's node what the owner has noted. The arguments of su and sudo are those of another user.
may_run() (
    user=$(sed -n "s/^Uid:[[:space:]]*\([0-9]*\)[[:space:]]*\1[[:space:]]*\1[[:space:]]*\1\$/\1/p" "/proc/$1/status" 2>/dev/null)
    [ -n "$user" ] && [ ! -u "/proc/$1/exe" ] || return 1
    # shellcheck disable=SC2012  # only ls shows the owner on every box
    owner=$(ls -lndL "$ROOT" 2>/dev/null | tr -s " " | cut -d " " -f 3)
    case "$user" in 0 | "$(id -u)" | "$owner") return 0 ;; esac
    [ "$(id -u)" = 0 ] || return 1
    noted=${RUN_DIR:-$ROOT/run}/emulator.pid
    [ "$owner" = 0 ] || { [ -f "$noted" ] && [ "$(cat "$noted")" = "$1" ]; }
)

# is_emulator PID: the process lives and is an emulator of this root directory. erlexec gives each emulator -root ROOT, which OTP 25 and later
# may have resolved; a zombie has no arguments.
is_emulator() {
    # Whatever a file with the number says, no other file is opened.
    case "$1" in "" | *[!0-9]*) return 1 ;; esac
    arguments=$({ tr "\0" "\n" <"/proc/$1/cmdline"; } 2>/dev/null)
    for name in "$ROOT" "$(readlink -f "$ROOT")"; do
        case "$arguments
" in *"
-root
$name
"*) may_run "$1" && return 0 ;; esac
    done
    return 1
}
