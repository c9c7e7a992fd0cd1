# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The variables that bin/stop and _box/shell.py put before it:
# shellcheck shell=sh disable=SC2154

# The emulators of a system, in any sh: part of bin/stop and of the programs for a box, after is_emulator.sh.

# Prints "emulator PID" for all emulators of this system. An emulator forks once, for erl_child_setup; until that calls exec, it has the
# arguments of the emulator, its parent.
emulators() {
    # shellcheck disable=SC2013  # no such line has a space
    for found in $(grep -l -e -root /proc/[0-9]*/cmdline 2>/dev/null | cut -d / -f 3); do
        is_emulator "$found" || continue
        parent=$(sed -n "s/^PPid:[[:space:]]*//p" "/proc/$found/status" 2>/dev/null)
        is_emulator "$parent" || echo "emulator $found"
    done
}
