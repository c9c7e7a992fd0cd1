# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# What comes after it:
# shellcheck shell=sh disable=SC2034,SC2153,SC2154,SC2317

# What root asks before it uses a name: whether another user can change which file that is.

# entry PATH: its mode and its owner, as MODE and OWNER; "" for what does not exist
entry() {
    # shellcheck disable=SC2046  # the fields of a line
    set -- $(ls -lnd "$1" 2>/dev/null)
    MODE=$1 OWNER=$3
}

# is_guarded PATH: only root can change which file PATH is. Each directory above it, and above what links on the way lead to, belongs to root
# and no other user can write there. In a directory such as /tmp, only what belongs to root already is safe. AT is the directory that is not.
# SAFE are the directories that were found to be safe: a box may be slow.
SAFE=
is_guarded() {
    AT='' links=0 rest=$1 asked=none
    while :; do
        rest=${rest#"${rest%%[!/]*}"}
        [ -n "$rest" ] || return 0
        shared=
        case $SAFE in
        *"|$AT|"*) ;;
        *)
            [ "$AT" = "$asked" ] || entry "${AT:-/}"
            case $MODE,$OWNER in
            d????-??-?*,0) SAFE="$SAFE|$AT|" ;;
            d????????t*,0) shared=yes ;;
            *) return 1 ;;
            esac
            ;;
        esac
        name=${rest%%/*} rest=${rest#"${rest%%/*}"}
        case $name in
        .) continue ;;
        ..)
            AT=${AT%/*}
            continue
            ;;
        esac
        case $SAFE in *"|$AT/$name|"*)
            AT=$AT/$name
            continue
            ;;
        esac
        entry "$AT/$name"
        [ -z "$shared" ] || [ "$OWNER" = 0 ] || return 1
        case $MODE in
        '') return 0 ;;
        l*)
            links=$((links + 1))
            [ $links -lt 20 ] || return 1
            target=$(readlink "$AT/$name")
            rest=$target$rest
            case $target in /*) AT='' ;; esac
            ;;
        *) AT=$AT/$name asked=$AT/$name ;;
        esac
    done
}

# guard PATH: fails, with the directory's name, unless only root can change which file PATH is
guard() {
    [ "$ME" != 0 ] || is_guarded "$1" || fail "another user than root can change ${AT:-/} on the box, which is above $1. Give it to root" \
        "(chown 0:0 ${AT:-/}; chmod go-w ${AT:-/}), or use another directory"
}
