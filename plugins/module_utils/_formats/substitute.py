# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables in templates: ``%VAR%`` of OTP's scripts, ``${VAR}`` and ``${VAR:-default}`` of ``sys.config.src`` and ``vm.args.src``."""

from __future__ import annotations

import re
from typing import NamedTuple

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError

NAME = "[A-Za-z_][A-Za-z0-9_]*"
PERCENT = re.compile(rf"%({NAME})%".encode("ascii"))
# Text that only begins like a variable is an error, because it would become part of the configuration. ``${`` alone is a character of Erlang.
VARIABLE = re.compile(rf"\$\{{(?P<name>{NAME})(?:\}}|:-(?P<default>[^}}]*)\}}|(?P<bad>))|%(?P<percent>{NAME})%")


class Replacement(NamedTuple):
    """A variable that was replaced: its lines, from 1, in the template and (first, last) in the result."""

    name: str
    line: int
    first: int
    last: int


def substitute_percent(content: bytes, variables: dict[str, str]) -> bytes:
    """The content with each ``%VAR%`` replaced; unknown ones stay, and values are not searched for variables.

    As target_system.erl of OTP's sasl does it, except that its names may have any character and end anywhere, which garbles
    a text with a lone ``%``. Only ASCII names can be variables; the content may be in any encoding.
    """

    def value(match) -> bytes:
        name = match[1].decode("ascii")
        return variables[name].encode("utf-8") if name in variables else match[0]

    return PERCENT.sub(value, content)


def substitute(text: str, variables: dict[str, str], *, filename: str) -> tuple[str, list[Replacement]]:
    """The text with each ``${VAR}``, ``${VAR:-default}``, and ``%VAR%`` of a known variable replaced; and what was replaced where.

    The default counts when VAR is undefined or empty, as in a shell. As with relx, whose files these are, nothing can be escaped. Values are
    not searched for variables. Raises OtpError that names the file and every undefined variable with its lines.
    """
    pieces: list[str] = []
    replacements: list[Replacement] = []
    undefined: dict[str, list[int]] = {}
    position = 0
    line = result_line = 1
    for match in VARIABLE.finditer(text):
        before = text[position : match.start()]
        line += before.count("\n")
        result_line += before.count("\n")
        name = match["name"] or match["percent"]
        if match["name"]:
            _refuse_unsupported(match, filename, line)
            value = variables.get(name)
            if match["default"] is not None and not value:
                value = match["default"]
        else:
            value = variables.get(name, match[0])
        if value is None:
            undefined.setdefault(name, []).append(line)
            value = ""
        if value != match[0]:
            replacements.append(Replacement(name, line, result_line, result_line + value.count("\n")))
        pieces += (before, value)
        result_line += value.count("\n")
        line += match[0].count("\n")
        position = match.end()
    if undefined:
        uses = " and ".join(f"{name} (line {', '.join(map(str, lines))})" for name, lines in undefined.items())
        raise OtpError(f"{filename}: no value is given for {uses}. Add it to the variables, or give a default in the file as ${{VAR:-default}}")
    pieces.append(text[position:])
    return "".join(pieces), replacements


def _refuse_unsupported(match, filename: str, line: int) -> None:
    if match["bad"] is not None or "${" in (match["default"] or ""):
        raise OtpError(
            f"{filename}, line {line}: what begins with ${{{match['name']} is neither ${{{match['name']}}} nor ${{{match['name']}:-default}};"
            " a default can contain neither } nor another variable"
        )
