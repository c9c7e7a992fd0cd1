# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The variables and common.sh that _box/shell.py puts before it:
# shellcheck shell=sh disable=SC2153,SC2154

# One call in the node, through the pipes of run_erl. The files of the call come through standard input, as a compressed tar; its outcome
# is a file in the same directory.
#
# PIPE_DIR    the directory of the pipes
# HOLDER      a file name in PIPE_DIR, different for each run: the process that holds the pipe open is noted there
# DIRECTORY   the directory of the call, in PIPE_DIR
# KEYS        what to type, as a format of printf
# SECONDS_TO_START, SECONDS_TO_ANSWER
# FORCE       "yes": call although another user is attached to a console
#
# The first line of the output is "outcome", "late", "lost" or "silent"; the outcome, or the end of what the console shows, follows.

cd "$PIPE_DIR" 2>/dev/null || fail "the box has no directory $PIPE_DIR: start the node, or correct otp_pipe_dir"

# run_erl ends if a client opens the pipe right after another has closed it. So one process holds it open from the first call to the last.
# The open succeeds only while run_erl reads at the other end.
hold_pipe() {
    [ ! -f "$HOLDER" ] || read -r holder held <"$HOLDER" 2>/dev/null
    [ "$held" = "$1" ] && [ "$(readlink "/proc/$holder/fd/7" 2>/dev/null)" = "$(pwd -P)/$1" ] && return 0
    # shellcheck disable=SC2016  # the words of another shell
    sh -c 'exec 7>"$1" && : >"$2" && exec sleep 900' sh "$1" "$HOLDER.held" </dev/null >/dev/null 2>&1 &
    holder=$!
    waited=0
    until [ -e "$HOLDER.held" ]; do
        if [ $waited -ge 20 ] || ! kill -0 $holder 2>/dev/null; then
            kill $holder 2>/dev/null
            return 1
        fi
        waited=$((waited + 1))
        nap
    done
    rm -f "$HOLDER.held"
    echo "$holder $1" >"$HOLDER"
}

is_pipe() {
    [ -p "$1" ] && [ ! -L "$1" ]
}

pipe=
# The newest pipe that is read, that is the one with the highest number: a run_erl that has ended leaves its pipe behind.
# shellcheck disable=SC2012  # sed skips all other names
for number in $(ls | sed -n 's/^erlang\.pipe\.\([0-9]*\)\.w$/\1/p' | sort -rn); do
    # A link would have what is typed written to its target.
    { is_pipe "erlang.pipe.$number.w" && is_pipe "erlang.pipe.$number.r"; } || continue
    if hold_pipe "erlang.pipe.$number.w"; then
        pipe=erlang.pipe.$number
        break
    fi
done
[ -n "$pipe" ] || fail "no run_erl reads a pipe in $PIPE_DIR: the node is down. Start it"
if [ -z "$FORCE" ] && grep -l "^to_erl" /proc/[0-9]*/comm >/dev/null 2>&1; then
    fail "a user is attached to a console of this box (to_erl): end that session, or set force"
fi

umask 077
mkdir "$DIRECTORY" || fail "cannot write to $PIPE_DIR: use become, or log in as the user of the node"
trap 'rm -rf "$DIRECTORY"; kill $reader $writer 2>/dev/null' EXIT
tar -xzf - -C "$DIRECTORY" || fail "cannot unpack a call in $PIPE_DIR: the file system is full, or the connection broke"
# Opened for reading and writing, so that opening does not wait for run_erl.
exec 8<>"$pipe.r"
cat <&8 >"$DIRECTORY/shown" &
reader=$!
# shellcheck disable=SC2059  # the keys are a format
printf "$KEYS" >"$pipe.w" &
writer=$!

# The node is still the one that got the call: its pipe exists, and its emulator has neither ended nor been replaced.
pid=$(cat "$ROOT/run/emulator.pid" 2>/dev/null)
is_same() {
    case "$(readlink "/proc/$holder/fd/7")" in */"$pipe.w") ;; *) return 1 ;; esac
    [ "$(cat "$ROOT/run/emulator.pid" 2>/dev/null)" = "$pid" ] && { [ -z "$pid" ] || is_emulator "$pid"; }
}

# await FILE SECONDS: fails if the file does not come in time; ends the program if the node is lost
await() {
    end=$(($(date +%s) + $2 + 1))
    until [ -e "$DIRECTORY/$1" ]; do
        is_same || {
            # The answer may have come just before the node ended.
            [ ! -e "$DIRECTORY/$1" ] || break
            echo lost
            exit 0
        }
        [ "$(date +%s)" -lt $end ] || return 1
        nap
    done
}

if ! await started "$SECONDS_TO_START" && rm "$DIRECTORY/waiting" 2>/dev/null; then
    echo silent
    tail -c 300 "$DIRECTORY/shown"
    exit 0
fi
await outcome "$SECONDS_TO_ANSWER" || {
    echo late
    exit 0
}
echo outcome
cat "$DIRECTORY/outcome"
