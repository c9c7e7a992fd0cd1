# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls to the node of a box through the pipes of run_erl, each of them one program on the box.

That way is always there: a node of a box often is not distributed, and its sshd may forward nothing.
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
from ansible_collections.erlang.otp.plugins.plugin_utils._box.shell import packed

if t.TYPE_CHECKING:
    from ansible_collections.erlang.otp.plugins.plugin_utils._box.box import Box

# What lies in the directory of a call, by the path that it has on the box.
Files = t.Callable[[str], dict[str, bytes]]

# What is typed before the line, until the shell reads it: as in _console, what is harmless to a shell that is merely slow comes first.
KEYS = (b"", b"c\r", b".\r", b'".\r', b"'.\r", INTERRUPT + b"s\rc\r")
STEP_SECONDS = 1
# What release_handler reads must be there, and it writes files, but for one that only looks.
READS = {"check_install_release"}
WRITES = {"unpack_release", "install_release", "make_permanent", "set_removed", "reboot_old_release"}


class BoxConsole:
    """The node, for calls; used as a Console is."""

    node = ""

    def __init__(self, box: Box, *, force: bool = False) -> None:
        self._box = box
        self._force = force

    def call(self, module: str, function: str, arguments: list, *, timeout: float = 30.0) -> t.Any:
        """As of Console. What release_handler is to read is on the box before, and what it has written is known afterwards."""
        writes = module == "release_handler" and function in WRITES
        if writes or (module == "release_handler" and function in READS):
            self._box.push()
        try:
            return self._call(name_of(module, function, arguments), lambda directory: {"call": encoded(module, function, arguments)}, timeout)
        finally:
            if writes:
                self._box.pull()

    def evaluate(self, text: str, *, timeout: float) -> t.Any:
        """The value of Erlang expressions, which lie in a file as well, and so are one call."""

        def files(directory: str) -> dict[str, bytes]:
            return {"call": encoded("file", "script", [f"{directory}/text"]), "text": text.encode("utf-8")}

        value = self._call("file:script/1", files, timeout)
        if not (isinstance(value, tuple) and len(value) == 2 and value[0] == Atom("ok")):
            raise CallError(f"The node cannot evaluate what it is asked: {shortened(value)}.")
        return value[1]

    def _call(self, what: str, files: Files, timeout: float) -> t.Any:
        shown = b""
        for keys in KEYS:
            if keys == KEYS[1] and not JOB_CONTROL.search(shown):
                continue
            word, rest = self._attempt(keys, files, timeout)
            if word == "outcome":
                return value_of(decode(rest), what)
            if word == "late":
                raise CallTimeout(f"{what} has not answered within {timeout:.3g} s; it may go on in the node.")
            if word == "lost":
                raise ConnectionLost(f"run_erl at {self._box.pipe_dir} has ended, and with it the node, in the middle of a call.")
            shown = rest
        raise CallTimeout(f"The shell at {self._box.pipe_dir} has not started {what}; the end of what it shows: {shown.decode('utf-8', 'replace')!r}.")

    def _attempt(self, keys: bytes, files: Files, timeout: float) -> tuple[str, bytes]:
        directory = f"{self._box.pipe_dir}/.call-{secrets.token_hex(8)}"
        # The script takes waiting away: it runs once, however often it is told to.
        all_files = {**files(directory), "script": script_of(directory), "waiting": b""}
        try:
            variables = {
                "PIPE_DIR": self._box.pipe_dir,
                "KEEPER": self._box.keeper,
                "DIRECTORY": directory,
                "OWNER": self._box.owner,
                "KEYS": "".join(f"\\{byte:03o}" for byte in keys + CLEAR_LINE + line_of(directory)),
                "SECONDS_TO_START": str(STEP_SECONDS),
                "SECONDS_TO_ANSWER": str(max(1, round(timeout))),
                "FORCE": "yes" if self._force else "",
            }
            said = self._box.shell.run("call", variables, data=packed(all_files))
        except OtpError as error:
            raise Unreachable(str(error)) from error
        word, dummy, rest = said.partition(b"\n")
        return word.decode("ascii", "replace"), rest

    def close(self) -> None:
        """Nothing is open between calls."""

    def __enter__(self) -> BoxConsole:
        return self

    def __exit__(self, *dummy: object) -> None:
        self.close()


def encoded(module: str, function: str, arguments: list) -> bytes:
    """A call as the script takes it."""
    return encode((Atom(module), Atom(function), list(arguments)))
