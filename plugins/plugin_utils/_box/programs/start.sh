# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The variables and common.sh that _box/shell.py puts before it:
# shellcheck shell=sh disable=SC2154

# Starts the node: by its init script, or else by bin/start as the user of the node.
#
# INIT        the init script; "" for none
# NODE_USER   the user of the node

cat >/dev/null
check_lock
out=$(mktemp) || exit
if [ -n "$INIT" ]; then
    set -- "$INIT" start
elif [ "$(id -un)" = "$NODE_USER" ]; then
    set -- "$ROOT/bin/start"
elif command -v su >/dev/null; then
    set -- su -s "$ROOT/bin/start" "$NODE_USER"
else
    set -- start-stop-daemon -S -c "$NODE_USER" -x "$ROOT/bin/start"
fi
"$@" </dev/null >"$out" 2>&1
code=$?
cat "$out"
rm -f "$out"
exit $code
