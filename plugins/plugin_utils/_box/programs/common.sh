# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# What _box/shell.py puts before it, and what comes after it:
# shellcheck shell=sh disable=SC2034,SC2153,SC2154,SC2317

# What each of the programs in this directory begins with. They run in the sh of a box, such as BusyBox's; _box/shell.py puts their
# variables before them and leaves the comments away.
#
# ROOT        the root directory of the system
# TOKEN       who works on it; "" for one who only looks

ME=$(id -u)
# A link that leads nowhere: made at once with its owner's name, or not at all.
LOCK=$ROOT/.box.lock
BOOT=$(cat /proc/sys/kernel/random/boot_id)

# Standard input is read to its end, always: who sends and is cut off takes that for a broken line.
fail() {
    cat >/dev/null
    echo "$*" >&2
    exit 1
}

# A part of a second, where sleep knows them.
nap() {
    sleep 0.03 2>/dev/null || usleep 30000 2>/dev/null || sleep 1
}

# The lock is still ours.
hold() {
    [ -z "$TOKEN" ] || [ "$(readlink "$LOCK")" = "$TOKEN $BOOT" ] || fail "$LOCK is another run's by now: this one must not go on"
}

# The processes of the emulators with this root directory, which erlexec gives each as -root ROOT. A zombie has no arguments.
emulators() {
    # shellcheck disable=SC2013  # no such line has a space
    for f in $(grep -l -e -root /proc/[0-9]*/cmdline 2>/dev/null); do
        case "$(tr '\0' '\n' <"$f" 2>/dev/null)" in *"
-root
$ROOT
"*)
            f=${f#/proc/}
            echo "emulator ${f%%/*}"
            ;;
        esac
    done
}
