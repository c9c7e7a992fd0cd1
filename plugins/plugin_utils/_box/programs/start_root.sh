# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The variables and root.sh that _box/shell.py puts before it:
# shellcheck shell=sh disable=SC2153,SC2154

# What root does to start the node: it runs the init script, which only root can change; bin/start runs as the user of the node (start.sh).
#
# INIT        the init script; "" for none

cat >/dev/null
as_user check_lock </dev/null || exit
if [ -n "$INIT" ] && [ "$ME" = 0 ]; then
    guard "$INIT"
    entry "$INIT"
    case $MODE,$OWNER in
    -????-??-?*,0) ;;
    *) fail "$INIT on the box is not a file that only root can write: remove it" ;;
    esac
fi
out=$(mktemp) || exit
if [ -n "$INIT" ]; then
    "$INIT" start </dev/null >"$out" 2>&1
else
    as_user "$PROGRAM" </dev/null >"$out" 2>&1
fi
code=$?
cat "$out"
rm -f "$out"
exit $code
