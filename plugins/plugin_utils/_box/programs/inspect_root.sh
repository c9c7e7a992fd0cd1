# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The variables and root.sh that _box/shell.py puts before it:
# shellcheck shell=sh disable=SC2010,SC2153,SC2154

# What root does for inspect.sh: ROOT is checked, and for a run that writes (TAKE) it is made and belongs to the user of the node.
#
# TAKE, FILES as in inspect.sh

cat >/dev/null
missing=
for t in cat chmod chown cp cut date dd df grep gzip id ln ls mkdir mv readlink rm sed sha256sum sleep sync tail tar touch tr; do
    command -v "$t" >/dev/null || missing="$missing $t"
done
[ -z "$missing" ] || {
    echo "missing$missing" | gzip -c
    exit
}
if [ "$ME" = 0 ]; then
    guard "$ROOT"
    [ -d "$ROOT" ] || [ -z "$TAKE" ] || (umask 022 && mkdir -p "$ROOT") || exit
    entry "$ROOT/."
    case $OWNER in
    '' | "$NODE_ID") ;;
    0)
        if [ -n "$TAKE" ]; then
            # Where all of it is root's, no other user can have put a link there.
            all=-R
            ! LC_ALL=C ls -lnAR "$ROOT/." | grep -q '^[-bcdlps][-rwxsStT]\{9\}[^ ]* *[0-9][0-9]*  *[1-9]' || all=
            chown -h $all "$NODE_ID:$(id -g "$NODE_USER")" "$ROOT/." || exit
        fi
        ;;
    *) fail "$ROOT on the box belongs to user $OWNER, and the user of the node is $NODE_USER ($NODE_ID): correct otp_user, or give it" \
        "to that user (chown -hR $NODE_USER $ROOT)" ;;
    esac
fi
{
    [ "$ME" != 0 ] || [ -z "$TAKE" ] || echo "$FILES" | while read -r f; do
        [ "$f" = "$ROOT" ] || ! is_guarded "$f" || echo "guarded $f"
    done
    [ "$ME" != 0 ] || [ ! -x /etc/init.d/rcS ] || [ ! -w /etc/init.d ] || echo rcS
    as_user "$PROGRAM"
} | gzip -c
