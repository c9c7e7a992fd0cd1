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
# Two files have other names: "names" lists the files that are needed, "steps" is a program of the functions below.
#
# LISTS       the checksums of these two, as sha256sum prints them

set -e
umask 077
trap 'code=$?; [ $code = 0 ] || cat >/dev/null; exit $code' EXIT
check_lock
cd "$ROOT"
mkdir -p .incoming
cd .incoming
rm -rf tree old
mkdir tree
tar -xzf -
echo "$LISTS" | sha256sum -c >/dev/null
[ ! -s names ] || sha256sum -c names >/dev/null || {
    sha256sum -c names 2>/dev/null | sed -n 's/: FAILED.*//p' | while read -r n; do rm -f "$n"; done
    fail "what arrived is damaged: run it again"
}

own() {
    [ "$ME" != 0 ] || chown -h "$1" "$2"
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

# place OWNER PATH: from the new tree to a path that does not exist, or that is a file
place() {
    if [ "$ME" = 0 ]; then chown -hR "$1" "tree/$2"; fi
    if [ -d "tree/$2" ]; then
        [ ! -e "$ROOT/$2" ] || fail "$ROOT/$2 exists, made by something else during this run: run it again"
    else
        touch -c "tree/$2" 2>/dev/null || true
    fi
    mv -f "tree/$2" "$ROOT/$2"
}

# host_file MODE OWNER PATH NAME: a file outside of the system, written beside and renamed
host_file() {
    # The directory may belong to the user of the node, who must not redirect this by a link.
    rm -rf "$3.new"
    cp "$4" "$3.new"
    own "$2" "$3.new"
    chmod "$1" "$3.new"
    sync
    mv -f "$3.new" "$3"
}

# host_directory MODE OWNER PATH: a directory outside of the system
host_directory() {
    (umask 022 && mkdir -p "$3")
    own "$2" "$3"
    chmod "$1" "$3"
}

# remove PATH: a file or a directory, at once
remove() {
    mkdir -p old
    mv "$ROOT/$1" "old/$#.$(echo "$1" | tr / _)"
}

# Another run may have broken the lock while the data came.
check_lock
# shellcheck source=/dev/null
. ./steps
sync
cd "$ROOT"
rm -rf .incoming
