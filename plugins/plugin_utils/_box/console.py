# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls to the node of a box through the pipes of run_erl; each call is one program on the box.

The pipes always exist; the node of a box often is not distributed, and its sshd may forward nothing.
"""

from __future__ import annotations

import secrets
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import (
    CallError,
    CallTimeout,
    ConnectionLost,
    Unreachable,
    name_of,
    shortened,
    value_of,
)
from ansible_collections.erlang.otp.plugins.module_utils._node.console_script import line_of, script_of
from ansible_collections.erlang.otp.plugins.module_utils._node.run_erl_console import CLEAR_LINE, INTERRUPT, JOB_CONTROL
from ansible_collections.erlang.otp.plugins.module_utils._terms.etf_decoder import decode, encode
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom
from ansible_collections.erlang.otp.plugins.plugin_utils._box.box import Box
from ansible_collections.erlang.otp.plugins.plugin_utils._box.shell import pack

# The files of a call, for the path of its directory on the box.
Files = t.Callable[[str], dict[str, bytes]]

# Typed before the line, one after the other until the shell reads the line. As in run_erl_console, what is harmless to a slow shell comes first.
KEYS = (b"", b"c\r", b".\r", b'".\r', b"'.\r", INTERRUPT + b"\r", b"s\r", b"c\r")
# Only if the shell waits for a choice of job control.
CHOICES = (b"s\r", b"c\r")
STEP_SECONDS = 1
# Functions of release_handler that need the files on the box; those in WRITES change files there as well.
READS = {"check_install_release"}
WRITES = {"unpack_release", "install_release", "make_permanent", "set_removed", "reboot_old_release"}


class BoxConsole:
    """The node of a box, with the methods of run_erl_console.Console."""

    node = ""

    def __init__(self, box: Box, *, force: bool = False) -> None:
        self._box = box
        self._force = force
        self._pipe_dir = box.target.pipe_dir

    def call(self, module: str, function: str, arguments: list, *, timeout: float = 30.0) -> t.Any:
        """Call the function as Console does. The box has the files that release_handler reads before, and the copy what it wrote after."""
        writes = module == "release_handler" and function in WRITES
        if writes or (module == "release_handler" and function in READS):
            self._box.send_changes()
        try:
            return self._call(name_of(module, function, arguments), lambda directory: {"call": encoded(module, function, arguments)}, timeout)
        finally:
            if writes:
                self._box.refresh()

    def evaluate(self, text: str, *, timeout: float) -> t.Any:
        """The value of Erlang expressions: one call that evaluates a file."""

        def files(directory: str) -> dict[str, bytes]:
            return {"call": encoded("file", "script", [f"{directory}/text"]), "text": text.encode("utf-8")}

        value = self._call("file:script/1", files, timeout)
        if not (isinstance(value, tuple) and len(value) == 2 and value[0] == Atom("ok")):
            raise CallError(f"The node cannot evaluate the expressions: {shortened(value)}.")
        return value[1]

    def _call(self, what: str, files: Files, timeout: float) -> t.Any:
        shown = b""
        for keys in KEYS:
            if keys in CHOICES and not JOB_CONTROL.search(shown):
                continue
            word, rest = self._attempt(keys, files, timeout)
            if word == "outcome":
                return value_of(decode(rest), what)
            if word == "late":
                raise CallTimeout(f"{what} did not return within {timeout:.3g} s; it may still run in the node.")
            if word == "lost":
                raise ConnectionLost(f"the node ended during the call of {what}: run_erl at {self._pipe_dir} is gone. See the logs of the node.")
            shown = rest
        raise CallTimeout(f"The shell at {self._pipe_dir} did not start {what}; its output ends with {shown.decode('utf-8', 'replace')!r}.")

    def _attempt(self, keys: bytes, files: Files, timeout: float) -> tuple[str, bytes]:
        directory = f"{self._pipe_dir}/.call-{secrets.token_hex(8)}"
        # The script removes "waiting" first, so that it runs once, however often the line is typed.
        all_files = {**files(directory), "script": script_of(directory), "waiting": b""}
        try:
            variables = {
                "PIPE_DIR": self._pipe_dir,
                "HOLDER": self._box.pipe_holder,
                "DIRECTORY": directory,
                "KEYS": "".join(f"\\{byte:03o}" for byte in keys + CLEAR_LINE + line_of(directory)),
                "SECONDS_TO_START": str(STEP_SECONDS),
                "SECONDS_TO_ANSWER": str(max(1, round(timeout))),
                "FORCE": "yes" if self._force else "",
            }
            self._box.uses_pipe = True
            output = self._box.shell.run("call", variables, data=pack(all_files), seconds=timeout)
        except OtpError as error:
            raise Unreachable(str(error)) from error
        word, dummy, rest = output.partition(b"\n")
        return word.decode("ascii", "replace"), rest

    def close(self) -> None:
        """Nothing is open between calls."""

    def __enter__(self) -> BoxConsole:
        return self

    def __exit__(self, *dummy: object) -> None:
        self.close()


def encoded(module: str, function: str, arguments: list) -> bytes:
    """The call as the script reads it (``_node/console_script``)."""
    return encode((Atom(module), Atom(function), list(arguments)))
