# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``sys.config``: the one check of what the emulator accepts, for a build, a configuration and a client (config(4))."""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats.substitute import Replacement
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom, TermError, as_text, decode, parse


def parse_sys_config(content: bytes, *, source: str, replacements: t.Sequence[Replacement] = ()) -> list:
    """The elements of a sys.config that the emulator accepts. Raises OtpError for any other; it shows no text, which may be secret.

    The rules were found by starting OTP 25 and 27 with ``-config``: one list of ``{Application,[{Parameter,Value}, ...]}`` and of names
    of other such files. Whether those files exist is not checked, as they may come later.
    source: where the content is from, for errors. replacements: the variables in it.
    """
    try:
        terms = parse(decode(content, filename=source), filename=source, portable=True)
    except TermError as error:
        raise _unreadable(source, replacements, error) from None
    if len(terms) != 1 or not (isinstance(terms[0], list) or terms[0] == ""):
        raise OtpError(f"{source}: sys.config must be one list that ends with a full stop, such as [{{kernel,[{{logger_level,info}}]}}].")
    for number, element in enumerate(terms[0], 1):
        problem = _problem(element)
        if problem:
            raise OtpError(f"{source}: element {number} of the list {problem}")
    return list(terms[0])


def _unreadable(source: str, replacements: t.Sequence[Replacement], error: TermError) -> OtpError:
    """The error in words of the template: its line, and the variables in that line."""
    line = error.line or 1
    here = [replacement for replacement in replacements if replacement.first <= line <= replacement.last]
    if here:
        names = " and ".join(dict.fromkeys(replacement.name for replacement in here))
        return OtpError(
            f"{source}, line {here[0].line}: with the value of {names} this is not Erlang terms: {error.reason}."
            " Text needs quotes around the variable, and no quote or backslash in its value."
        )
    # Values of several lines shift those after them.
    line -= sum(replacement.last - replacement.first for replacement in replacements if replacement.last < line)
    return OtpError(f"{source}, line {line}, column {error.column}: is not Erlang terms: {error.reason}")


def _problem(element) -> str | None:
    """What is wrong with an element of sys.config's list."""
    if isinstance(element, tuple) and len(element) == 2 and isinstance(element[0], Atom):
        application, parameters = element
        if parameters != "" and not isinstance(parameters, list):
            return f"has no list of parameters for {application.name}"
        return _parameter_problem(application.name, parameters)
    try:
        if as_text(element):
            return None
    except TermError:
        pass
    return "is neither {Application,[{Parameter,Value}, ...]} nor the name of another configuration file"


def _parameter_problem(application: str, parameters) -> str | None:
    names = set()
    for number, parameter in enumerate(parameters, 1):
        if not (isinstance(parameter, tuple) and len(parameter) == 2 and isinstance(parameter[0], Atom)):
            return f"has as parameter {number} of {application} something else than {{Parameter,Value}}"
        if parameter[0] in names:
            return f"has the parameter {parameter[0].name} of {application} twice"
        names.add(parameter[0])
    return None
