# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``erl``, ``start`` and ``start_erl`` of an installed system: from OTP's templates if possible, else from ours.

What the emulator expects from a start script are the variables ROOTDIR, BINDIR, EMU and PROGNAME (release_handler: RELDIR
too), and then ``exec erlexec``. OTP's templates (``erts-VSN/bin/*.src``) quote paths in some places and not in others,
and Debian's OTP has none. So they are used for plain paths only.
"""

from __future__ import annotations

import os

from ansible_collections.erlang.otp.plugins.module_utils._tree.record import SCRIPTS

_SHELL_KNOWS = frozenset("|&;<>()$`\\\"'*?[]#~=%! \t\n{}")

# The variable for the libraries in boot scripts of mix.
RELEASE_LIB = b"$RELEASE_LIB/"

# How our own erl lets the environment choose.
_DEFAULT = b"${ERL_ROOTDIR:-"

_ERL = """\
#!/bin/sh
# Runs the emulator: the basic system (start.boot beside this file), or with -boot another one.
ROOTDIR=${{ERL_ROOTDIR:-{root}}}
BINDIR=$ROOTDIR/erts-{erts}/bin
EMU={emulator}
PROGNAME=${{0##*/}}
export ROOTDIR BINDIR EMU PROGNAME
exec "$BINDIR/erlexec" {arguments}${{1+"$@"}}
"""

_START = """\
#!/bin/sh
# Starts the embedded system: the release that start_erl.data names, beneath run_erl.
# Usage: start [DATA_FILE]
ROOTDIR={root}
RELDIR=${{RELDIR:-$ROOTDIR/releases}}
START_ERL_DATA=${{1:-$RELDIR/start_erl.data}}
export ROOTDIR RELDIR START_ERL_DATA
exec "$ROOTDIR/bin/run_erl" -daemon /tmp/ "$ROOTDIR/log" \\
    'exec "$ROOTDIR/bin/start_erl" "$ROOTDIR" "$RELDIR" "$START_ERL_DATA"'
"""

_START_ERL = """\
#!/bin/sh
# Becomes the emulator of the release that the data file names. run_erl calls it.
# Usage: start_erl ROOTDIR RELDIR DATA_FILE [FLAGS]
ROOTDIR=$1
RELDIR=$2
DATA_FILE=$3
shift 3
# release_handler writes the file without a final newline.
read -r ERTS_VSN VSN < "$DATA_FILE" || [ -n "$VSN" ] || exit 1
BINDIR=$ROOTDIR/erts-$ERTS_VSN/bin
EMU={emulator}
PROGNAME=${{0##*/}}
export ROOTDIR BINDIR EMU PROGNAME RELDIR
exec "$BINDIR/erlexec" -boot "$RELDIR/$VSN/start" -config "$RELDIR/$VSN/sys" ${{1+"$@"}}
"""


def make_scripts(*, root: str, erts_version: str, templates: dict[str, bytes], emulator: str = "beam", boot: bytes = b"") -> dict[str, bytes]:
    """The content of bin/erl, bin/start and bin/start_erl of the system whose root directory is root.

    templates: the content of ``erts-VSN/bin/NAME.src`` by name ("erl", "start", "start_erl"), of those there are.
    boot: the boot script of the basic system. That of mix needs a variable for the libraries, which no template of OTP gives.
    """
    is_of_mix = RELEASE_LIB in boot
    own = {"erl": _ERL, "start": _START, "start_erl": _START_ERL}
    arguments = '-boot_var RELEASE_LIB "$ROOTDIR/lib" ' if is_of_mix else ""
    words = {"root": _quoted(root), "erts": erts_version, "emulator": emulator, "arguments": arguments}
    scripts = {name: os.fsencode(own[name].format(**words)) for name in SCRIPTS}
    if templates and not any(character in _SHELL_KNOWS for character in root):
        from ansible_collections.erlang.otp.plugins.module_utils._formats.substitute import substitute_percent

        # start.src of OTP 25 and later finds its ERTS by %VSN%.
        variables = {"FINAL_ROOTDIR": root, "EMU": emulator, "VSN": erts_version}
        scripts.update((name, substitute_percent(templates[name], variables)) for name in SCRIPTS if name in templates and not (name == "erl" and is_of_mix))
    return scripts


def is_foreign(script: bytes, root: str) -> bool:
    """Whether a script erl or start would run the system of another root directory, as Debian's do.

    Debian writes its own root into every assignment, the one that undoes a wrong one included: so the last one counts.
    """
    last = b""
    for line in script.splitlines():
        name, equals, value = line.strip().partition(b"=")
        if name == b"ROOTDIR" and equals:
            last = value
    if last.startswith(_DEFAULT) and last.endswith(b"}"):
        last = last[len(_DEFAULT) : -1]
    is_literal = last.strip(b"\"'").startswith(b"/")
    return is_literal and last not in [os.fsencode(form) for form in (root, f'"{root}"', _quoted(root))]


def _quoted(text: str) -> str:
    """One word of sh, also within ${VAR:-WORD} and after an equals sign."""
    return "'" + text.replace("'", "'\"'\"'") + "'"
