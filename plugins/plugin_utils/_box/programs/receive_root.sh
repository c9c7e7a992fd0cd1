# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The variables and root.sh that _box/shell.py puts before it:
# shellcheck shell=sh disable=SC2015,SC2153,SC2154

# What root does for receive.sh: files and directories outside of ROOT, in directories that only root can change. The steps are in the
# command, and the content of the files is at the beginning of standard input: neither is ever in a file that another user can exchange.
#
# HOST_STEPS  a program of the functions below

# give PATH: to the user of the node
give() {
    [ "$ME" != 0 ] || chown -h "$NODE_ID:$(id -g "$NODE_USER")" "$1"
}

# finish MODE OWNER PATH: the owner first
finish() {
    [ "$2" = root ] || give "$3" || fail "cannot give $3 on the box to $NODE_USER"
    chmod "$1" "$3" || fail "cannot set the mode of $3 on the box"
}

# host_directory MODE OWNER PATH: OWNER is "user" for that of the node, or "root"
host_directory() {
    guard "$3"
    [ ! -d "$3" ] || return 0
    (umask 022 && mkdir -p "${3%/*}/") && (umask 077 && mkdir "$3") || fail "cannot make $3 on the box"
    finish "$1" "$2" "$3"
}

# host_file MODE OWNER PATH SIZE SHA256: written beside and renamed
host_file() {
    guard "$3"
    [ ! -d "$3" ] || fail "$3 on the box is a directory: remove it"
    rm -rf "$3.new"
    # One byte at a time: what follows is for the next program.
    (umask 077 && dd bs=1 count="$4" 2>/dev/null >"$3.new")
    [ "$(sha256sum <"$3.new")" = "$5  -" ] || fail "what arrived is damaged: run it again"
    finish "$1" "$2" "$3.new"
    sync
    mv -f "$3.new" "$3" || fail "cannot write $3 on the box"
}

if [ -n "$HOST_STEPS" ]; then
    as_user check_lock </dev/null || fail
    eval "$HOST_STEPS"
fi
as_user "$PROGRAM"
