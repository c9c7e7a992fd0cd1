# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# What _box/shell.py puts before it, and what comes after it:
# shellcheck shell=sh disable=SC2034,SC2153,SC2154,SC2317

# The beginning of each command for a box. Who logs in as root gives that up before a name below ROOT is used: a program of this directory
# runs with the identity of the node's user, and what root does before or after it is in a file NAME_root.sh.
#
# ROOT        the root directory of the system
# NODE_USER   the user of the node; "" for the owner of ROOT, with guard.sh before this
# COMMON      the variables of the program, and common.sh
# PROGRAM     the program

ME=$(id -u)
cd / || exit

# Reads standard input to its end first: a sender that is cut off reports a broken connection instead of this message.
fail() {
    cat >/dev/null
    echo "$*" >&2
    exit 1
}

if [ "$ME" = 0 ] && [ -z "$NODE_USER" ] && [ -d "$ROOT" ]; then
    guard "$ROOT"
    # shellcheck disable=SC2046  # the fields of a line
    set -- $(ls -ld "$ROOT/.")
    NODE_USER=$3
fi
WAY=
if [ "$ME" = 0 ]; then
    NODE_USER=${NODE_USER:-root}
    NODE_ID=$(id -u "$NODE_USER" 2>/dev/null) ||
        fail "the box has no user '$NODE_USER': add the user to its image, or set otp_user to one that it has, such as root."
    # su and start-stop-daemon give the supplementary groups of the user as well.
    [ "$NODE_ID" = 0 ] || for t in su start-stop-daemon setuidgid; do
        [ -n "$WAY" ] || ! command -v $t >/dev/null || WAY=$t
    done
    [ -n "$WAY" ] || [ "$NODE_ID" = 0 ] ||
        fail "the box has no su, start-stop-daemon or setuidgid, so root cannot work as $NODE_USER: build one into its BusyBox."
fi

# as_user TEXT: runs it, after COMMON, with the identity of the node's user, and without a way back
as_user() {
    set -- "$COMMON
$1"
    case $WAY in
    su) su -s /bin/sh -c "$1" "$NODE_USER" ;;
    # Without the name of a file of a process, it looks for another sh that runs, and starts none.
    start-stop-daemon) start-stop-daemon -S -q -c "$NODE_USER" -p /proc/none -x /bin/sh -- -c "$1" ;;
    setuidgid) setuidgid "$NODE_USER" /bin/sh -c "$1" ;;
    *) (eval "$1") ;;
    esac
}
