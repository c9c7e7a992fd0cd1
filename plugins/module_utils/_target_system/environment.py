# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The environment of a node, in a file that only its service user can read: a line NAME=VALUE for each variable, in order.

bin/start exports each line as it is. No shell evaluates a value, so a value may have every character but a newline and NUL.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError

ENVIRONMENT = "bin/environment"
MODE = 0o400

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# The variables of bin/start, start_erl and erlexec, and those that a shell does not let a script set.
OF_THE_SCRIPTS = frozenset(
    "ROOTDIR RELDIR BINDIR EMU PROGNAME START_ERL_DATA PIPE_DIR LOG_DIR RUN_DIR BOOT_DIR NODE_USER NODE_VARIABLE NODE_VARIABLES ERTS_VSN VSN REST"
    " DATA_FILE VM_ARGS IFS PPID UID EUID SHELLOPTS BASHOPTS BASH_VERSINFO _".split()
)
# Linux passes no longer string to a program (MAX_ARG_STRLEN).
LONGEST = 131071


def problem_of(name: str, value: str) -> str:
    """What is wrong with a variable of the environment, without its value; empty if nothing is."""
    if not NAME.fullmatch(name):
        return f"has {name!r}, which is not a name for an environment variable: use letters, digits and _"
    if name in OF_THE_SCRIPTS:
        return f"has {name}, which the start scripts or their shell set: use another name"
    if re.search("[\n\0\ud800-\udfff]", value):
        return f"has a value for {name} with a newline, NUL or half a character, which a file with one variable in each line cannot keep: encode the value"
    if len(f"{name}={value}".encode()) > LONGEST:
        return f"has a value for {name} that is longer than {LONGEST} bytes with its name: Linux passes no such variable to a program"
    return ""


def format_environment(variables: t.Mapping[str, str]) -> str:
    """The text of the file. Raises OtpError, which has no value, for a variable that it cannot keep."""
    for name, value in variables.items():
        problem = problem_of(name, value)
        if problem:
            raise OtpError(f"The environment {problem}.")
    return "".join(f"{name}={value}\n" for name, value in sorted(variables.items()))


def without_secrets(text: str, shown: t.Container[str]) -> str:
    """The text of such a file for a diff, with the values of these variables only."""
    pairs = (line.partition("=") for line in text.splitlines())
    return "".join(f"{name}={value if name in shown else '********'}\n" for name, equals, value in pairs if equals)
