# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The appups that a relup needs and that no project has written, made from the code that is built and that of the earlier releases."""

from __future__ import annotations

import os
import tempfile
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._build.applications import Found
from ansible_collections.erlang.otp.plugins.module_utils._build.earlier_release import Earlier, find_ebins
from ansible_collections.erlang.otp.plugins.module_utils._build.made_appup import Code, MadeAppup, make_appup, read_application
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError

# Another version of these needs another emulator, or is the language itself: the node has to be restarted.
NEVER = ("erts", "kernel", "stdlib", "sasl", "compiler", "elixir")


def can_be_made(found: Found) -> bool:
    """Whether an appup of this application may be made from its code. Those of OTP's applications come with OTP."""
    return not found.from_otp and found.name not in NEVER


def make_missing_appups(found: t.Iterable[Found], releases: t.Sequence[Earlier]) -> dict[str, MadeAppup]:
    """An appup for each application that has none, and of which an earlier release has another version. Raises OtpError with what is to be decided."""
    lacking: dict[str, Found] = {}
    for item in found:
        differs = any(earlier.versions.get(item.name, item.version) != item.version for earlier in releases)
        if differs and can_be_made(item) and not os.path.exists(os.path.join(item.ebin, item.name + ".appup")):
            lacking[item.name] = item
    if not lacking:
        return {}
    olds: dict[str, dict[str, Code]] = {name: {item.version: read_application(name, item.ebin)} for name, item in lacking.items()}
    with tempfile.TemporaryDirectory(prefix="erlang-otp-") as scratch:
        for number, earlier in enumerate(releases):
            ebins = find_ebins(earlier, os.path.join(scratch, str(number)), lacking)
            for name in lacking:
                version = earlier.versions.get(name)
                if version is not None and version not in olds[name]:
                    olds[name][version] = read_application(name, ebins[name])
    made = {}
    for name, versions in olds.items():
        new, *others = versions.values()
        made[name] = make_appup(new, others)
    problem = describe_questions(made, {name: (item.version, os.path.join(item.ebin, name + ".appup")) for name, item in lacking.items()})
    if problem:
        raise OtpError(f"{problem} The module otp_release_appup makes a draft, with the instructions that are clear.")
    return made


def describe_questions(made: t.Mapping[str, MadeAppup], places: t.Mapping[str, tuple[str, str]]) -> str:
    """What is to be decided, "" if nothing. places: the version of each application, and the path where the author writes the appup."""
    problems = [
        f"The appup of {name} {places[name][0]} can't be made from compiled code alone: {' '.join(appup.questions)} Write {places[name][1]}."
        for name, appup in made.items()
        if appup.questions
    ]
    return " ".join(problems)
