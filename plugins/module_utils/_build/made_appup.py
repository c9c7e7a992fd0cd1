# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The appup of an application, made from its compiled code and that of earlier versions, as the text of a file for review: appup(4)."""

from __future__ import annotations

import hashlib
import os
import textwrap
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._build.appup_rules import Step, compare
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file
from ansible_collections.erlang.otp.plugins.module_utils._formats.beam_module import Module, parse_module
from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import parse_app
from ansible_collections.erlang.otp.plugins.module_utils._terms.printer import CODING_LINE, format_term

WIDTH = 100


class Code(t.NamedTuple):
    """The modules of an application in one version, by name."""

    application: str
    version: str
    modules: dict[str, Module]

    @property
    def digest(self) -> str:
        """Equal for equal code, with debug information or without."""
        return hashlib.sha256(repr(sorted((name, module.digest) for name, module in self.modules.items())).encode()).hexdigest()[:16]


class MadeAppup(t.NamedTuple):
    """The content of the file, and what is asked and remarked in it."""

    content: bytes
    questions: list[str]
    remarks: list[str]


def read_code(application: str, version: str, ebin: str, modules: t.Iterable[str]) -> Code:
    """The modules, which are in the ebin directory. Raises OtpError."""
    read = {}
    for name in modules:
        path = os.path.join(ebin, name + ".beam")
        content = read_file(path)
        if content is None:
            raise OtpError(f"{path} does not exist, and {application}.app lists the module. An appup can't be made without it.")
        read[name] = parse_module(content, filename=path)
    return Code(application, version, read)


def read_application(name: str, ebin: str) -> Code:
    """The code that the .app file in the directory lists. Raises OtpError."""
    path = os.path.join(ebin, name + ".app")
    application = parse_app(read_file(path) or b"", filename=path)
    return read_code(name, application.version, ebin, application.modules)


def make_appup(new: Code, olds: t.Sequence[Code]) -> MadeAppup:
    """The appup of the new version with a step for each old one."""
    steps = [compare(new.application, old.version, old.modules, new.modules) for old in olds]
    lines = [f"Appup of {new.application} {new.version}, made by erlang.otp (otp_release_appup) from compiled code: that of"]
    lines[0] += f" {', '.join(f'{code.version} ({code.digest})' for code in (*olds, new))}. Review it, and keep it with the source."
    for step in steps:
        lines.append(f"{step.version} to {new.version}: {step.changes}.")
        lines += [f"NOTE: {remark}" for remark in step.remarks] + [f"TO DECIDE: {question}" for question in step.questions]
    comment = "".join(textwrap.fill(line, WIDTH, initial_indent="%% ", subsequent_indent="%%   ", break_long_words=False) + "\n" for line in lines)
    up, down = (_side([(step.version, instructions(step)) for step in steps]) for instructions in (lambda step: step.up, lambda step: step.down))
    content = CODING_LINE + comment + f"{{{format_term(new.version)},\n {up},\n {down}}}.\n"
    return MadeAppup(content.encode(), _told(steps, "questions"), _told(steps, "remarks"))


def _told(steps: t.Iterable[Step], kind: str) -> list[str]:
    """Each once."""
    return list(dict.fromkeys(sentence for step in steps for sentence in getattr(step, kind)))


def _side(steps: t.Iterable[tuple[str, list[t.Any]]]) -> str:
    return "[" + ",\n  ".join(f"{{{format_term(version)},\n   {_instructions(instructions)}}}" for version, instructions in steps) + "]"


def _instructions(instructions: t.Sequence[t.Any]) -> str:
    return "[" + ",\n    ".join(format_term(instruction, width=WIDTH) for instruction in instructions) + "]"
