# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration of a release: ``sys.config`` and ``vm.args`` in its release directory.

A release without a readable sys.config does not boot, and a hot upgrade to it loses every application's environment, silently.
So nothing is replaced before the new content has passed the check that the emulator makes at its start.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file
from ansible_collections.erlang.otp.plugins.module_utils._formats.substitute import Replacement, substitute
from ansible_collections.erlang.otp.plugins.module_utils._target_system.service_user import Owner, have_file
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom, TermError, as_text, declared_encoding, decode, parse

SYS_CONFIG = "sys.config"
VM_ARGS = "vm.args"
# start_erl passes -config always: a release without the file would not boot.
EMPTY_SYS_CONFIG = b"[].\n"


class Content(t.NamedTuple):
    """What a file shall hold, where that comes from (for errors), and the variables that went into it."""

    data: bytes
    source: str
    replacements: list[Replacement]


def configure_release(
    *,
    directory: str,
    variables: dict[str, str] | None = None,
    secrets: dict[str, str] | None = None,
    sys_config: str | None = None,
    vm_args: str | None = None,
    uid: int = -1,
    gid: int = -1,
    mode: int = 0o640,
    changes: Changes,
) -> dict[str, t.Any]:
    """Have sys.config and vm.args in the release directory: as given, else made of ``sys.config.src`` and ``vm.args.src``, else as they are.

    ``${VAR}``, ``${VAR:-default}`` and ``%VAR%`` of the .src files get the values of variables and secrets; given content is taken as it is.
    Without content, source and file, sys.config is written with no parameters, and vm.args is not. uid and gid of -1 mean the owner
    of the present file, else of the directory. Returns the paths ``sys_config`` and ``vm_args`` (None when there is none), the names of the
    ``variables`` that were used, and ``diff``, which has nothing in it when there are secrets.
    Raises OtpError, before anything is written, that names file, line and variable but no value.
    """
    if not os.path.isdir(directory):
        raise OtpError(f"{directory} is no directory: install the release before it is configured")
    values = {**(variables or {}), **(secrets or {})}
    contents = _contents(directory, {SYS_CONFIG: sys_config, VM_ARGS: vm_args}, values)
    said: dict[str, t.Any] = {"sys_config": None, "vm_args": None, "variables": [], "diff": []}
    for name, content in contents.items():
        path = said[name.replace(".", "_")] = os.path.join(directory, name)
        owner = _owner(path, directory, uid, gid)
        before = have_file(path, content.data, mode=mode, owner=owner, sentence=f"write {path}", changes=changes)
        if before is not None and not secrets:
            shown = {"before": before.decode("utf-8", "replace"), "after": content.data.decode("utf-8", "replace")}
            said["diff"].append({"before_header": path, "after_header": path, **shown})
        said["variables"] = sorted({*said["variables"], *(replacement.name for replacement in content.replacements)})
    return said


def _contents(directory: str, given: dict[str, str | None], values: dict[str, str]) -> dict[str, Content]:
    """The content for each of the files that shall be there. Raises one OtpError for what is wrong with any of them."""
    contents = {}
    problems = []
    for name, text in given.items():
        try:
            content = _content(directory, name, text, values)
            if name == SYS_CONFIG:
                content = content or Content(EMPTY_SYS_CONFIG, name, [])
                check_sys_config(content)
            if content is not None:
                contents[name] = content
        except OtpError as error:
            problems.append(str(error))
    if problems:
        raise OtpError(". ".join(problems))
    return contents


def _content(directory: str, name: str, given: str | None, values: dict[str, str]) -> Content | None:
    path = os.path.join(directory, name)
    if given is not None:
        return Content(given.encode("utf-8"), f"the given {name}", [])
    source = path + ".src"
    template = read_file(source)
    if template is not None:
        text, replacements = substitute(decode(template, filename=source), values, filename=source)
        return Content(_encode(text, template, source), source, replacements)
    present = read_file(path)
    return None if present is None else Content(present, path, [])


def _encode(text: str, template: bytes, source: str) -> bytes:
    """The text in the encoding that the template declares, which the text still declares."""
    try:
        return text.encode(declared_encoding(template))
    except UnicodeEncodeError:
        raise OtpError(f"{source}: the value of a variable has characters that latin-1 lacks, which the file's coding comment declares") from None


def _owner(path: str, directory: str, uid: int, gid: int) -> Owner:
    """The owner asked for, else that of the present file, else of the directory: who reads that reads this."""
    found = os.stat(path if os.path.exists(path) else directory)
    return Owner(found.st_uid if uid == -1 else uid, found.st_gid if gid == -1 else gid)


def check_sys_config(content: Content) -> None:
    """Raise OtpError unless the emulator takes the content as sys.config; the error shows no text, which may be secret.

    The rules were found by starting OTP 25 and 27 with ``-config``: one list of ``{Application,[{Parameter,Value}, ...]}`` and of names
    of other such files. Whether those files are there is not looked at, as they may come later.
    """
    try:
        terms = parse(decode(content.data, filename=content.source), filename=content.source, portable=True)
    except TermError as error:
        raise _unreadable(content, error) from None
    if len(terms) != 1 or not (isinstance(terms[0], list) or terms[0] == ""):
        raise OtpError(f"{content.source}: has to be one list that ends with a full stop, such as [{{kernel,[{{logger_level,info}}]}}].")
    for number, element in enumerate(terms[0], 1):
        problem = _problem(element)
        if problem:
            raise OtpError(f"{content.source}: element {number} of the list {problem}")


def _unreadable(content: Content, error: TermError) -> OtpError:
    """The error in words of the template: its line, and the variables that are there."""
    line = error.line or 1
    here = [replacement for replacement in content.replacements if replacement.first <= line <= replacement.last]
    if here:
        names = " and ".join(dict.fromkeys(replacement.name for replacement in here))
        return OtpError(
            f"{content.source}, line {here[0].line}: with the value of {names} this is not Erlang terms: {error.reason}."
            " Text needs quotes around the variable, and no quote or backslash in its value."
        )
    # Values of several lines shift those after them.
    line -= sum(replacement.last - replacement.first for replacement in content.replacements if replacement.last < line)
    return OtpError(f"{content.source}, line {line}, column {error.column}: is not Erlang terms: {error.reason}")


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
