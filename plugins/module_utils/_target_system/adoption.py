# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node that a script of its package has started, taken over while it runs. bin/start starts it from then on.

release_handler reads RELEASES when it starts (release_handler(3)): if there was none, that process is started again, and no other one of the node.
"""

from __future__ import annotations

import os
import shlex
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file, write_file
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import find_user
from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _lifecycle
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import connect
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import WITHOUT_RELEASES, Running, evaluate, is_made_up, read_again
from ansible_collections.erlang.otp.plugins.module_utils._node.service import names_directory, unit_of
from ansible_collections.erlang.otp.plugins.module_utils._terms.printer import format_term
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import is_noted, pid_file, user_of
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree


def check_owner_and_name(node: _lifecycle.Node, tree: Tree, pid: int, cookie: str) -> None:
    """Raise OtpError, before anything is changed, unless the node is that of the options: its user, its name, its cookie.

    A node that was started without a name cannot be asked, so nothing is checked of it but its user.
    """
    if is_noted(node.root, pid):
        return
    what = f"the system below {node.root} runs (process {pid}), and bin/start has not started it"
    unit = unit_of(pid)
    is_ours = node.service is not None and node.service.manager == "systemd" and node.service.name == unit
    if unit and not is_ours and names_directory(unit, node.root):
        raise OtpError(
            f"{what}. The unit {unit}.service has, and would start it beside bin/start. Nothing has been changed. Set otp_service_name to {unit} and"
            " otp_service_manager to systemd: then the collection replaces that unit, and the node is not restarted."
        )
    user, runs_as = find_user(node.user), user_of(pid)
    if runs_as is not None and (user is None or user.pw_uid != runs_as):
        raise OtpError(f"{what}. It runs as user {runs_as}, and otp_user is {node.user}. Set otp_user to the user that it runs as, or stop it.")
    try:
        if node.name:
            _lifecycle.ask(node, cookie=cookie)
    except _lifecycle.NoAnswer as error:
        name = _name_of(pid)
        if name:
            raise OtpError(
                f"{what}. It was started with {name}, and does not answer as {node.name}: {str(error).rstrip('.')}. Nothing has been changed. Set"
                f" otp_node_name and otp_cookie to its name and its cookie{_place_of_cookie(tree)}. When it is taken over, another otp_cookie changes that."
            ) from None


def take_over(node: _lifecycle.Node, tree: Tree, pid: int, answer: Running | None, changes: Changes) -> None:
    """Have the node know its release, and heart its start script, and note its process, last. answer: None if it cannot be asked. Raises OtpError."""
    title, start = node.name or node.root, f"{node.root}/bin/start"
    if answer is not None and is_made_up(answer):
        sentence = f"restart release_handler of the node {title}, {WITHOUT_RELEASES}, so that it reads RELEASES"
        changes.do(sentence, _call, node, read_again)
    if answer is not None and answer.heart is not None and start not in answer.heart:
        command = f"{shlex.quote(start)} {shlex.quote(node.root + '/releases/start_erl.data')}"
        changes.do(f"have heart of the node {title} run {start} after a crash", _call, node, _set_command, command)
    path = pid_file(tree.directory)
    changes.do(f"note process {pid} of the node {title} in {path}", write_file, path, b"%d\n" % pid, mode=0o644)


def _call(node: _lifecycle.Node, function: t.Callable, *arguments: t.Any) -> None:
    with connect(_lifecycle.address_of(node)) as connection:
        function(connection, *arguments, timeout=30.0)


def _set_command(connection: t.Any, command: str, *, timeout: float) -> None:
    evaluate(connection, f"ok = heart:set_cmd({format_term(command)}).", timeout=timeout)


def _name_of(pid: int) -> str:
    """The flag with which the emulator was started as a distributed node, and its value; empty without one."""
    arguments = os.fsdecode(read_file(f"/proc/{pid}/cmdline") or b"").split("\0")
    return next((f"{flag} {value}" for flag, value in zip(arguments, arguments[1:]) if flag in ("-name", "-sname")), "")


def _place_of_cookie(tree: Tree) -> str:
    start = tree.start_erl_data()
    of_relx = tree.path("releases", start.release_version, "vm.args") if start else ""
    if tree.has("releases", "COOKIE"):
        return f", which is in {tree.path('releases', 'COOKIE')}, or in RELEASE_COOKIE if that was set when it was started"
    if of_relx and b"-setcookie" in (read_file(of_relx) or b""):
        return f", which is in {of_relx}, or in RELX_COOKIE if that was set when it was started"
    return ""
