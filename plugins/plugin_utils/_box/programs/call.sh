# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The variables and common.sh that _box/shell.py puts before it:
# shellcheck shell=sh disable=SC2153,SC2154

# One call in the node, through the pipes of run_erl. Its files come through standard input, a compressed tar; its outcome is a file as well.
#
# PIPE_DIR    where the pipes are; KEEPER: the name of a file there, which is this run's
# DIRECTORY   that of the call, in it; OWNER: of the node, numbers
# KEYS        what is typed, as printf takes it
# SECONDS_TO_START, SECONDS_TO_ANSWER, FORCE
#
# Says in its first line what came of it; what follows "outcome" is the outcome.

cd "$PIPE_DIR" 2>/dev/null || fail "there is no directory $PIPE_DIR: has the node been started by run_erl with it?"

# run_erl takes a client that comes right after another has left for an error, and ends: so one stays from the first call to the last.
# It opens a pipe only when somebody reads at the other end.
attend() {
    read -r keeper held <"$KEEPER" 2>/dev/null
    [ "$held" = "$1" ] && [ "$(readlink "/proc/$keeper/fd/7" 2>/dev/null)" = "$(pwd -P)/$1" ] && return 0
    # shellcheck disable=SC2016  # the words of another shell
    sh -c 'exec 7>"$1" && : >"$2" && exec sleep 900' sh "$1" "$KEEPER.kept" </dev/null >/dev/null 2>&1 &
    keeper=$!
    waited=0
    until [ -e "$KEEPER.kept" ]; do
        if [ $waited -ge 20 ] || ! kill -0 $keeper 2>/dev/null; then
            kill $keeper 2>/dev/null
            return 1
        fi
        waited=$((waited + 1))
        nap
    done
    rm -f "$KEEPER.kept"
    echo "$keeper $1" >"$KEEPER"
}

pipe=
# Of several, as former ones leave theirs, that with the highest number.
# shellcheck disable=SC2012  # what else has another name is left out
for number in $(ls | sed -n 's/^erlang\.pipe\.\([0-9]*\)\.w$/\1/p' | sort -rn); do
    if attend "erlang.pipe.$number.w"; then
        pipe=erlang.pipe.$number
        break
    fi
done
[ -n "$pipe" ] || fail "no run_erl listens at a pipe of $PIPE_DIR: is the node up?"
if [ -z "$FORCE" ] && grep -l "^to_erl" /proc/[0-9]*/comm >/dev/null 2>&1; then
    fail "somebody is attached to a console of this box (to_erl): ask them to leave, or use force"
fi

umask 077
mkdir "$DIRECTORY" || fail "a call cannot be put into $PIPE_DIR"
trap 'rm -rf "$DIRECTORY"; kill $reader $writer 2>/dev/null' EXIT
tar -xzf - -C "$DIRECTORY" || fail "a call cannot be put into $PIPE_DIR"
[ "$ME" != 0 ] || chown -R "$OWNER" "$DIRECTORY"
# Both ends are open, so that neither waits for the other.
exec 8<>"$pipe.r"
cat <&8 >"$DIRECTORY/shown" &
reader=$!
# shellcheck disable=SC2059  # the keys are a format
printf "$KEYS" >"$pipe.w" &
writer=$!

# Whether the node is the one that got the call: neither its pipe has gone, nor another emulator come.
pid=$(cat "$ROOT/run/emulator.pid" 2>/dev/null)
is_same() {
    case "$(readlink "/proc/$keeper/fd/7")" in */"$pipe.w") ;; *) return 1 ;; esac
    [ "$(cat "$ROOT/run/emulator.pid" 2>/dev/null)" = "$pid" ] && { [ -z "$pid" ] || grep -q . "/proc/$pid/cmdline" 2>/dev/null; }
}

# await FILE SECONDS
await() {
    end=$(($(date +%s) + $2 + 1))
    until [ -e "$DIRECTORY/$1" ]; do
        is_same || {
            # It may have answered with its last breath.
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
