# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One call as files in a directory. A script that the node runs (file:script/1 of kernel) carries it out.

The script first renames a file, so that it runs once, however often it is started.
"""

from __future__ import annotations

import contextlib
import os
import tempfile

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file
from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import CallError, Unreachable

# The directory is a binary, because its name may have bytes that are not characters. No variable outlives a script.
SCRIPT = """\
ok = file:rename(<<Directory/binary, "/waiting">>, <<Directory/binary, "/started">>),
{ok, Call} = file:read_file(<<Directory/binary, "/call">>),
{Module, Function, Arguments} = binary_to_term(Call),
Outcome = try {return, apply(Module, Function, Arguments)}
    catch throw:Reason -> {throw, Reason}; exit:Reason -> {exit, Reason};
        error:Reason:Stacktrace -> {error, Reason, lists:takewhile(fun(Entry) -> element(1, Entry) =/= erl_eval end, Stacktrace)}
    end,
ok = file:write_file(<<Directory/binary, "/outcome.new">>, term_to_binary(Outcome)),
ok = file:rename(<<Directory/binary, "/outcome.new">>, <<Directory/binary, "/outcome">>).
"""
FILES = ("call", "script", "waiting", "started", "outcome.new", "outcome")
MAX_OUTCOME = 64 * 1024 * 1024


def literal(path: str) -> str:
    """The path as an Erlang binary in ASCII, for a line and a script that are read in whatever encoding."""
    return "<<" + ",".join(map(str, os.fsencode(path))) + ">>"


def script_of(directory: str) -> bytes:
    """The script that carries out the call in the directory."""
    return SCRIPT.replace("<<Directory/binary,", literal(directory)[:-2] + ",").encode("ascii")


def line_of(directory: str) -> bytes:
    """What is typed to run that script."""
    return f"catch file:script({literal(directory + '/script')}).\r".encode("ascii")


class CallDirectory:
    """A directory for one call. Only the node's user may read its files, and remove and add files.

    parent: where to make it, a place that both sides see. owner: numeric user and group of the node. It may rename anything in
    parent, so that all work on files goes by the open directory. Raises Unreachable when it cannot be made.
    """

    def __init__(self, *, parent: str, owner: tuple[int, int], call: bytes) -> None:
        try:
            self.path = tempfile.mkdtemp(prefix=".call-", dir=parent)
            self._directory = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                self._fill({"call": call, "script": script_of(self.path), "waiting": b""}, owner)
            except BaseException:
                self.remove()
                raise
        except OSError as error:
            raise Unreachable(f"A call cannot be put into {parent}: {error.strerror}.") from None

    def _fill(self, files: dict[str, bytes], owner: tuple[int, int]) -> None:
        us = os.geteuid()
        if os.fstat(self._directory).st_uid != us:
            raise Unreachable(f"{self.path} was replaced by another user while it was made. Check who can write to its parent directory.")
        for name, content in files.items():
            descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=self._directory)
            with open(descriptor, "wb") as file:
                file.write(content)
                if us != owner[0]:
                    os.fchown(file.fileno(), *owner)
        if us != owner[0]:
            os.fchown(self._directory, *owner)

    def has(self, name: str) -> bool:
        """Whether there is such a file: waiting, started, outcome."""
        try:
            os.stat(name, dir_fd=self._directory, follow_symlinks=False)
            return True
        except FileNotFoundError:
            return False

    def withdraw(self) -> bool:
        """Make a script that starts from now on do nothing. False if it has started already."""
        try:
            os.unlink("waiting", dir_fd=self._directory)
            return True
        except FileNotFoundError:
            return False

    def outcome(self) -> bytes:
        """The content of outcome. Raises CallError."""
        try:
            content = read_file("outcome", limit=MAX_OUTCOME, dir_fd=self._directory, follow=False)
        except OtpError as error:
            raise CallError(f"The node's answer in {self.path} is not read: {error}") from None
        if content is None:
            raise CallError(f"The node's answer in {self.path} has gone.")
        return content

    def remove(self) -> None:
        """Remove it with all that we and the script make in it."""
        for name in FILES:
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=self._directory)
        os.close(self._directory)
        # What else the node's user has put there stays.
        with contextlib.suppress(OSError):
            os.rmdir(self.path)
