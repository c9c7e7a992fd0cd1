# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The variables and common.sh that _box/shell.py puts before it:
# shellcheck shell=sh disable=SC2154

# Prints what the box has: facts, lists of files, checksums, heads of programs and small files, as _box/inspection.py reads them.
#
# TAKE        "yes": take the lock first
# BREAK       the holder of a lock that is known to have ended; "" for none
# NODE_USER   the user of the node
# SUMS        "yes": the checksums of all files
# LIMIT       bytes of a small file; the content of a larger one is not asked for
# FILES       the files and directories outside of ROOT that matter, one a line
# OWN         the operator's files below ROOT, one a line; releases/own_files lists those of earlier runs
# Of the extra files of packages, which other lists have, the checksums are enough.

# list_own PATH: the directories above the path, and the path
list_own() {
    case $1 in
    */*) list_own "${1%/*}" ;;
    esac
    LC_ALL=C ls -lnd -- "$1" 2>/dev/null
}

# paths_of LIST...: the paths in the lists. Anything else in their place could block.
paths_of() {
    for f in "$@"; do
        [ ! -f "$f" ] || cut -d ' ' -f 3- "$f"
    done
}

inspect() {
    cd / || return
    if [ -n "$TAKE" ]; then
        (umask 022 && mkdir -p "$ROOT") || return
        owner=$(readlink "$LOCK")
        # A lock of an earlier boot, or of a run that has ended. mv succeeds for one only, if two runs find it.
        if [ -n "$owner" ] && { [ "${owner##* }" != "$BOOT" ] || [ "$owner" = "$BREAK" ]; } && mv "$LOCK" "$LOCK.$$"; then
            echo "broken $owner"
            rm -f "$LOCK.$$"
        fi
        ln -s "$TOKEN $BOOT" "$LOCK" 2>/dev/null || {
            echo "locked $(readlink "$LOCK")"
            return
        }
    fi
    echo "me $ME $(id -g)"
    echo "user $(id -u "$NODE_USER" 2>/dev/null) $(id -g "$NODE_USER" 2>/dev/null)"
    d=$ROOT
    while [ ! -d "$d" ]; do
        d=${d%/*}
        d=${d:-/}
    done
    # shellcheck disable=SC2046  # the fields of a line
    set -- $(df -Pk "$d" | tail -n 1)
    echo "free $4"
    for f in /lib/ld-* /lib64/ld-* /lib/*/ld-*; do
        [ ! -e "$f" ] || echo "loader $f"
    done
    emulators | while read -r word pid; do
        echo "$word $pid"
        # By the kernel's count since the boot: the clock may have been set.
        echo "started $pid $(sed 's/.*) //' "/proc/$pid/stat" | cut -d ' ' -f 20) $(cut -d ' ' -f 1 /proc/uptime) $(date +%s)"
    done
    echo "complete"
    echo "=list"
    [ -z "$FILES" ] || echo "$FILES" | while read -r f; do
        # A directory behind a link of root is one, such as /var/run. For all else a link is a link.
        [ ! -d "$f" ] || f=$f/.
        # shellcheck disable=SC2012  # only ls shows modes and owners on every box
        ls -lnd "$f" 2>/dev/null
        [ ! -f "$f" ] || sha256sum "$f"
    done
    # No system yet.
    cd "$ROOT" 2>/dev/null || return
    LC_ALL=C ls -lnA .
    own=$({
        echo "$OWN"
        paths_of releases/own_files
    } | sort -u)
    extra=$(paths_of releases/extra_files releases/*/extra_files | sort -u)
    {
        echo "$own"
        echo "$extra"
    } | sort -u | while IFS= read -r f; do
        [ -z "$f" ] || list_own "$f"
    done
    # A run that keeps a file beside takes a name that is free.
    echo "$extra" | while IFS= read -r f; do
        for kept in "$f".kept*; do
            [ -z "$f" ] || [ ! -e "$kept" ] || LC_ALL=C ls -lnd -- "$kept"
        done
    done
    for d in bin lib releases erts-* run .previous; do
        [ ! -d "$d" ] || LC_ALL=C ls -lnAR "$d"
    done
    echo "=sums"
    for f in bin/* erts-*/bin/epmd erts-*/bin/run_erl erts-*/bin/to_erl releases/*/start_clean.boot .incoming/*; do
        [ ! -f "$f" ] || sha256sum "$f"
    done
    echo "$extra" | while IFS= read -r f; do
        [ ! -f "$f" ] || [ -L "$f" ] || sha256sum -- "$f"
    done
    if [ -n "$SUMS" ]; then
        for d in lib erts-* releases; do
            [ ! -d "$d" ] || find "$d" -type f -exec sha256sum {} +
        done
    fi
    echo "=heads"
    # The head of a program shows its machine type.
    for f in /proc/$$/exe erts-*/bin/beam.smp; do
        [ -f "$f" ] || continue
        echo "$(dd if="$f" bs=1024 count=1 2>/dev/null | wc -c) $f"
        dd if="$f" bs=1024 count=1 2>/dev/null
    done
    # The content of small files.
    # shellcheck disable=SC2012  # one ls for all of them
    {
        LC_ALL=C ls -lnd bin/start bin/start_erl bin/stop bin/erl erts-*/bin/erl erts-*/bin/start erts-*/bin/start_erl erts-*/bin/*.src \
            releases/* releases/*/* run/emulator.pid
        echo "$own" | while IFS= read -r f; do
            [ -z "$f" ] || LC_ALL=C ls -lnd -- "$f"
        done
    } 2>/dev/null | {
        set --
        # shellcheck disable=SC2034  # of the nine fields three count
        while read -r mode links uid gid size month day hour f; do
            case $mode,$f in
            *,releases/*.boot | *,releases/*.script | *,releases/*.tar.gz) ;;
            -*) [ "$size" -gt "$LIMIT" ] || set -- "$@" "$f" ;;
            esac
        done
        [ $# = 0 ] || tar -cf - "$@"
    }
}

inspect
