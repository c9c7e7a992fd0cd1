# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The variables and common.sh that _box/shell.py puts before it:
# shellcheck shell=sh disable=SC2154

# Takes what the box lacks from standard input, a compressed tar, and then does STEPS with it.
#
# Each file is called by its sha256, is checked by it, and stays in .incoming until it has been put in its place: what a broken line
# has left there is not sent again. The tree is made beside, and comes into place by renames.
#
# Two of them have other names: "names" lists those that are needed, and "steps" is made of the words below.
#
# LISTS       how sha256sum lists these two

set -e
umask 077
trap 'code=$?; [ $code = 0 ] || cat >/dev/null; exit $code' EXIT
hold
cd "$ROOT"
mkdir -p .incoming
cd .incoming
rm -rf tree old
mkdir tree
tar -xzf -
echo "$LISTS" | sha256sum -c >/dev/null
[ ! -s names ] || sha256sum -c names >/dev/null || {
    sha256sum -c names 2>/dev/null | sed -n 's/: FAILED.*//p' | while read -r n; do rm -f "$n"; done
    fail "what has arrived is damaged: run it again"
}

own() {
    [ "$ME" != 0 ] || chown -h "$1" "$2"
}

# directory MODE PATH: in the tree beside
directory() {
    mkdir -p "tree/$2"
    chmod "$1" "tree/$2"
}

# file MODE PATH NAME: in the tree beside, a copy for the next that needs it
file() {
    cp "$3" "tree/$2"
    chmod "$1" "tree/$2"
}

# last MODE PATH NAME: the same, when nobody needs it any more
last() {
    mv "$3" "tree/$2"
    chmod "$1" "tree/$2"
}

# link PATH TARGET
link() {
    ln -s "$2" "tree/$1"
}

# copy MODE PATH OTHER: of what the box has
copy() {
    cp "$3" "tree/$2"
    chmod "$1" "tree/$2"
}

# place OWNER PATH: from the tree to where nothing is, or in the place of a file
place() {
    if [ "$ME" = 0 ]; then chown -hR "$1" "tree/$2"; fi
    if [ -d "tree/$2" ]; then
        [ ! -e "$ROOT/$2" ] || fail "$ROOT/$2 is there by now"
    else
        touch -c "tree/$2" 2>/dev/null || true
    fi
    mv -f "tree/$2" "$ROOT/$2"
}

# outside MODE OWNER PATH NAME: a file of the host, beside and renamed
outside() {
    # It may be in a directory of the node's user, who must not say by a link where this goes.
    rm -rf "$3.new"
    cp "$4" "$3.new"
    own "$2" "$3.new"
    chmod "$1" "$3.new"
    sync
    mv -f "$3.new" "$3"
}

# home MODE OWNER PATH: a directory of the host
home() {
    (umask 022 && mkdir -p "$3")
    own "$2" "$3"
    chmod "$1" "$3"
}

# permit MODE PATH: what is there already
permit() {
    chmod "$1" "$ROOT/$2"
}

# gone PATH: out of the way at once, whatever it is
gone() {
    mkdir -p old
    mv "$ROOT/$1" "old/$#.$(echo "$1" | tr / _)"
}

# Its run may have been given up meanwhile.
hold
# shellcheck source=/dev/null
. ./steps
sync
cd "$ROOT"
rm -rf .incoming
