# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# What _box/shell.py puts before it, and what comes after it:
# shellcheck shell=sh disable=SC2034,SC2153,SC2154,SC2317

# The beginning of each program that runs as the user of the node. The programs run in the sh of a box, such as BusyBox's. _box/shell.py puts their
# variables before them and removes the comments.
#
# ROOT        the root directory of the system
# TOKEN       the name of the run that holds the lock of the box; "" for a run that only reads

ME=$(id -u)
# A link to a name that does not exist: ln makes it together with the name of its run, or not at all.
LOCK=$ROOT/.box.lock
BOOT=$(cat /proc/sys/kernel/random/boot_id)

# Reads standard input to its end first: a sender that is cut off reports a broken connection instead of this message.
fail() {
    cat >/dev/null
    echo "$*" >&2
    exit 1
}

# is_own PATH: a directory in which only the user of this program can write
is_own() {
    # shellcheck disable=SC2046  # the fields of a line
    set -- $(ls -lnd "$1")
    case $1,$3 in drwx------*,"$ME") ;; *) return 1 ;; esac
}

# Waits for a part of a second, where sleep supports that.
nap() {
    sleep 0.03 2>/dev/null || usleep 30000 2>/dev/null || sleep 1
}

# Fails if this run has lost its lock.
check_lock() {
    [ -z "$TOKEN" ] || [ "$(readlink "$LOCK")" = "$TOKEN $BOOT" ] || fail "another run has taken $LOCK meanwhile: this run stops. Run it again."
}
