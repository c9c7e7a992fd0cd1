# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The variables and common.sh that _box/shell.py puts before it:
# shellcheck shell=sh disable=SC2154

# Receives what the box is missing through standard input, as a compressed tar, and puts it in place.
#
# The name of each file is its sha256, which is checked. Files stay in .incoming until they are in place, so what arrived before a
# connection broke is not sent again. New directories and files are made in .incoming/tree and renamed into place.
#
# Two files have other names: "names" lists the files that are needed, "steps" is a program of the functions below. It is read once: the text
# whose checksum was compared is the text that runs.
#
# LISTS       the checksum of these two, one after the other

set -e
umask 077
trap 'code=$?; [ $code = 0 ] || cat >/dev/null; exit $code' EXIT
check_lock
cd "$ROOT"
# mkdir fails if it exists. What an earlier run left counts only if no other user could write there.
# shellcheck disable=SC2015  # mkdir -p is also for what was removed
mkdir .incoming 2>/dev/null || is_own .incoming || rm -rf .incoming && mkdir -p .incoming
# shellcheck disable=SC2015  # fail ends the program
cd -P .incoming 2>/dev/null && is_own . || fail "$ROOT/.incoming on the box is not a directory of user $ME alone: remove it"
rm -rf tree old
mkdir tree
tar -xzf -
steps=$(cat steps)
[ "$({ cat names && printf '%s\n' "$steps"; } | sha256sum)" = "$LISTS  -" ] || fail "what arrived is damaged: run it again"
[ ! -s names ] || sha256sum -c names >/dev/null || {
    sha256sum -c names 2>/dev/null | sed -n 's/: FAILED.*//p' | while read -r n; do rm -f "$n"; done
    fail "what arrived is damaged: run it again"
}

# directory MODE PATH: in the new tree
directory() {
    mkdir -p "tree/$2"
    chmod "$1" "tree/$2"
}

# file MODE PATH NAME: in the new tree, a copy of a file that arrived
file() {
    cp "$3" "tree/$2"
    chmod "$1" "tree/$2"
}

# move MODE PATH NAME: the same for the last use of the file
move() {
    mv "$3" "tree/$2"
    chmod "$1" "tree/$2"
}

# link PATH TARGET: in the new tree
link() {
    ln -s "$2" "tree/$1"
}

# copy MODE PATH OTHER: in the new tree, a copy of a file that the box has
copy() {
    cp "$3" "tree/$2"
    chmod "$1" "tree/$2"
}

# place PATH: from the new tree to a path that does not exist, or that is a file
place() {
    if [ -d "tree/$1" ]; then
        [ ! -e "$ROOT/$1" ] || fail "$ROOT/$1 exists, made by something else during this run: run it again"
        # Of the operator's files the time counts, as a node may be older.
        case $1 in
        bin | erts-* | lib | lib/* | log | releases | releases/* | run) ;;
        *) find "tree/$1" -type f -exec touch -c {} + 2>/dev/null || true ;;
        esac
    else
        [ ! -d "$ROOT/$1" ] || fail "$ROOT/$1 on the box is a directory, and a file is to be there: remove it"
        touch -c "tree/$1" 2>/dev/null || true
    fi
    mv -f "tree/$1" "$ROOT/$1"
}

# outside_file MODE PATH NAME: a file outside of ROOT, written beside and renamed
outside_file() {
    [ ! -d "$2" ] || fail "$2 on the box is a directory: remove it"
    rm -rf "$2.new"
    cp "$3" "$2.new"
    chmod "$1" "$2.new"
    sync
    mv -f "$2.new" "$2"
}

# outside_directory MODE PATH: a directory outside of ROOT
outside_directory() {
    (umask 022 && mkdir -p "$2")
    chmod "$1" "$2"
}

# remove PATH: a file or a directory, at once
remove() {
    mkdir -p old
    mv "$ROOT/$1" "old/$#.$(echo "$1" | tr / _)"
}

# Another run may have broken the lock while the data came.
check_lock
eval "$steps"
sync
cd "$ROOT"
rm -rf .incoming
