# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with otp_files, the operator's files of a target system."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import parse_mode
from ansible_collections.erlang.otp.plugins.module_utils._tree.own_files import RUN, paths_problem

Variables = t.Mapping[str, t.Any]

SOURCES = ("template", "content", "file")


def own_files(variables: Variables) -> t.Iterator[str]:
    """Sentences, each with the variable and the element at fault, and the way out."""
    files = variables.get("otp_files") or []
    if files and variables.get("otp_master"):
        yield "otp_files is not for a client node (otp_master), which reads the files of its master's system: set it for the master, and [] for the client."
        return
    if problem := paths_problem([str(file["path"]) for file in files]):
        yield f"otp_files has {problem}."
    for file in files:
        yield from (f"otp_files, {file['path']}: {problem}" for problem in problems_of(file, variables))


def problems_of(file: Variables, variables: Variables) -> t.Iterator[str]:
    """What is wrong with one of them."""
    given = [name for name in SOURCES if file.get(name) is not None]
    if len(given) != 1:
        yield f"it has {' and '.join(given) or 'none'} of {', '.join(SOURCES)}: give it one of them."
    if not isinstance(file.get("content", ""), str):
        yield "its content is not a text: make one, such as by the filter to_nice_yaml, or put it in quotes."
    for name in ("template", "file"):
        path = str(file.get(name) or "")
        if os.path.isabs(path) and not os.path.isfile(path):
            yield f"its {name} is {path!r}, which is not a file on the controller."
    yield from mode(file.get("mode"))
    change = file.get("on_change") or {}
    if change.get("rpc") and change.get("restart"):
        yield "on_change has restart and rpc: leave one of them out."
    place = f"{variables.get('otp_root')}/{file['path']}"
    if place == f"{variables.get('otp_home')}/.erlang.cookie":
        yield "it is the cookie file: set otp_cookie instead."
    is_in_run = str(file["path"]).partition("/")[0] == RUN
    if is_in_run and variables.get("otp_box") and variables.get("otp_run_dir", f"{variables.get('otp_root')}/{RUN}") != f"{variables.get('otp_root')}/{RUN}":
        yield "on a box (otp_box) with another otp_run_dir, no file is written there: choose a path that does not begin with run."


def mode(given: t.Any) -> t.Iterator[str]:
    if given is not None and not isinstance(given, str):
        yield f"its mode is the number {given}: write it in quotes, such as '0640'."
    elif given:
        try:
            parse_mode(given)
        except OtpError as error:
            yield str(error)
