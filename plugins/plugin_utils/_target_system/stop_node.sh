# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The variables that bin/stop and _box/shell.py put before it:
# shellcheck shell=sh disable=SC2154

# The processes of a node, in any sh: part of bin/stop and of the programs for a box, after emulators.sh. _tree/processes.py and _node/lifecycle.py
# have the same rules. ROOT is the root directory of the system, RELDIR the directory of the releases of the node, another one for a client.

# is_of_node PID: bin/start has given the process the environment of this node. That of a client has the root directory of its master.
is_of_node() {
    variables="
$({ tr "\0" "\n" <"/proc/$1/environ"; } 2>/dev/null)
"
    real=$(readlink -f "$ROOT")
    case "$variables" in
    *"
RELDIR=$RELDIR
"* | *"
RELDIR=$(readlink -f "$RELDIR")
"*) return 0 ;;
    *"
RELDIR=$ROOT/"* | *"
RELDIR=$real/"*) return 1 ;;
    *"
ROOTDIR=$ROOT
"* | *"
ROOTDIR=$real
"*) return 0 ;;
    esac
    return 1
}

# Prints what starts an emulator of this node or waits for its end: "heart PID EMULATOR", "run_erl PID", and "script PID" for what becomes an emulator.
starters() {
    # shellcheck disable=SC2013  # no such line has a space
    for found in $(grep -l -x -E -e "heart|run_erl|start|start_erl|erlexec|systemd-cat|sh" /proc/[0-9]*/comm 2>/dev/null | cut -d / -f 3); do
        { is_of_node "$found" && may_run "$found"; } || continue
        arguments=$({ tr "\0" "\n" <"/proc/$found/cmdline"; } 2>/dev/null)
        program=${arguments%%
*}
        case ${program##*/},$arguments in
        ,*) ;;
        heart,*) echo "heart $found $(echo "$arguments" | sed -n "/^-pid\$/{n;p;}")" ;;
        run_erl,*) echo "run_erl $found" ;;
        *) echo "$arguments" | grep -q -E "bin/start(_erl)?([\"' ]|\$)|/erlexec[\" ]" && echo "script $found" ;;
        esac
    done
}

# Prints both for this node, in this order: a script becomes an emulator.
node_processes() {
    starters
    emulators | while read -r word pid; do
        # What this user cannot read is not taken for another node's: in a container not even root reads it.
        if is_of_node "$pid" || ! (: <"/proc/$pid/environ") 2>/dev/null; then echo "$word $pid"; fi
    done
}

# stop_node SECONDS: stops the node as init:stop() does, and returns when neither an emulator nor heart nor run_erl is left, so that nothing starts
# it again. An emulator that heart starts meanwhile is killed, and its heart first.
stop_node() {
    first=none quiet=0 signalled=none end=$(($(cut -d . -f 1 /proc/uptime) + $1))
    while :; do
        # Twice: a process may start another one and end while this reads the list.
        processes=$(node_processes)
        quiet=$((quiet + 1))
        [ -z "$processes" ] || quiet=0
        [ "$quiet" -lt 2 ] || return 0
        now=$(cut -d . -f 1 /proc/uptime)
        living=" $(echo "$processes" | sed -n "s/^emulator //p" | tr "\n" " ")"
        [ "$first" != none ] || first=$living
        if [ -n "$processes" ] && [ "$now" -gt "$end" ]; then
            echo "$0: this has not ended within $1 s: $(echo "$processes" | tr "\n" ",") see the logs of the node, or kill it" >&2
            return 1
        fi
        [ -z "$processes" ] || echo "$processes" | end_processes || return 1
        signalled=$now
        sleep 0.1 2>/dev/null || sleep 1
    done
}

# A round of stop_node. SIGTERM means init:stop(), which ends heart as well. An emulator that boots loses it, so it is sent again every second.
end_processes() {
    while read -r word pid emulator; do
        signal=KILL
        case $word,$first in
        emulator,*" $pid "*)
            signal=TERM
            [ "$now" != "$signalled" ] || continue
            ;;
        heart,*" $emulator "*) case $living in *" $emulator "*) continue ;; esac ;;
        # run_erl misses this signal while it writes its log.
        run_erl,*)
            signal=CHLD
            [ "$living" = " " ] || continue
            ;;
        esac
        if ! kill -$signal "$pid" 2>/dev/null && [ "$word" = emulator ] && is_emulator "$pid"; then
            echo "$0: user $(id -un) cannot stop the emulator (pid $pid): stop it as root or as the user of the node" >&2
            return 1
        fi
    done
}
