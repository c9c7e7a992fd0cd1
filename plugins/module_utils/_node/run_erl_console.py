# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls to a node that is not distributed, through the pipes of run_erl: run_erl(1) of erts.

Only the name of a script is typed into the shell. The call is in a file beside it, and so is its outcome: the console's other output
is not mistaken for it, and no argument is in run_erl's log.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import select
import stat
import time
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.identity import as_owner
from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import CallError, CallTimeout, ConnectionLost, Unreachable, name_of, value_of
from ansible_collections.erlang.otp.plugins.module_utils._node.console_script import CallDirectory, line_of
from ansible_collections.erlang.otp.plugins.module_utils._terms.etf_decoder import EtfError, EtfTimeout, decode, encode
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom

# The end of what the shell shows when it waits for a choice of job control.
JOB_CONTROL = re.compile(rb"--> *(?:\x1b\[[0-9;?]*[A-Za-z])*\Z")
PROMPT = re.compile(rb"(?:\([^()\s]+\))?[0-9]+> *(?:\x1b\[[0-9;?]*[A-Za-z])*\Z")
CLEAR_LINE = b"\x15"
INTERRUPT = b"\x07"  # Not ^C: run_erl makes a signal of it, and the emulator a menu that ends the node.


class Step(t.NamedTuple):
    """One way to bring the shell to read a line: what to type, each piece with what must appear after it (None: whatever comes)."""

    when: re.Pattern | None  # what the console must show for it, None: always
    keys: tuple[tuple[bytes, re.Pattern | None], ...]


# In this order, until the script starts. First what is cheap, and harmless to a shell that is only slow.
STEPS = (
    Step(None, ()),
    Step(JOB_CONTROL, ((b"c\r", None),)),
    Step(None, ((b".\r", None),)),  # an unfinished expression
    Step(None, ((b'".\r', None),)),  # an unfinished string
    Step(None, ((b"'.\r", None),)),  # an unfinished atom
    # From OTP 29 on, the terminal gives it to a busy shell with the end of the line only.
    Step(None, ((INTERRUPT + b"\r", JOB_CONTROL), (b"s\r", JOB_CONTROL), (b"c\r", PROMPT))),  # a new shell beside a busy one
)
STEP_SECONDS = 1.0
# run_erl opens its end anew after each client, on a loaded host not at once. One that runs is awaited longer.
OPEN_SECONDS, OPEN_SECONDS_OF_RUN_ERL = 1.0, 10.0
MAX_SHOWN = 4096


class Console:
    """The console of a node, for calls one after the other::

        with Console(directory="/run/exchange") as node:
            releases = node.call("release_handler", "which_releases", [])

    directory: where run_erl has its pipes, a PREFIX as well (``/run/exchange/erlang.pipe.1``). The node's user must be able to
    read it. force: even if a terminal is attached. Raises CallError: Unreachable, CallTimeout, ConnectionLost.

    The pipe is opened once and kept open: run_erl ends with an error if a client comes right after another has left.
    """

    def __init__(self, *, directory: str, force: bool = False) -> None:
        self.node = ""
        self._shown = b""
        with as_owner(directory):
            self._open(directory, force)
        self._events = select.poll()
        self._events.register(self._reader, select.POLLIN)
        self._events.register(self._writer, 0)

    def _open(self, directory: str, force: bool) -> None:
        self._prefix, self._writer = open_writer(directory)
        owner = os.fstat(self._writer)
        self._owner = (owner.st_uid, owner.st_gid)
        try:
            if not force and is_attached(self._prefix):
                raise Unreachable(f"A terminal (to_erl) is attached to the console {self._prefix}. Close it, or use force.")
            self._reader = open_pipe(self._prefix + ".r", os.O_RDONLY)
        except BaseException as error:
            os.close(self._writer)
            if isinstance(error, OSError):
                raise Unreachable(f"The pipe {self._prefix}.r cannot be opened: {error.strerror}.") from None
            raise

    def call(self, module: str, function: str, arguments: list, *, timeout: float = 30.0):
        """As Connection.call."""
        # Beside the pipes, because both sides see that directory, even in different namespaces.
        parent = os.path.dirname(self._prefix)
        with as_owner(parent):
            return self._call(name_of(module, function, arguments), encode((Atom(module), Atom(function), list(arguments))), parent, timeout)

    def _call(self, what: str, call: bytes, parent: str, timeout: float):
        deadline = time.monotonic() + timeout
        directory = CallDirectory(parent=parent, owner=self._owner, call=call)
        try:
            self._start(directory, deadline, what)
            while not directory.has("outcome"):
                if time.monotonic() > deadline:
                    raise CallTimeout(f"{what} has not answered within {timeout:.3g} s; it may go on in the node.")
                self._listen(0.005)
            return value_of(decode(directory.outcome(), deadline=deadline), what)
        except EtfTimeout:
            raise CallTimeout(f"The answer of {what} could not be read within {timeout:.3g} s.") from None
        except EtfError as error:
            raise CallError(f"The answer of {what} cannot be read: {error}") from None
        except OSError as error:
            raise CallError(f"The call of {what} in {directory.path} has failed: {error.strerror}.") from None
        finally:
            directory.remove()

    def close(self) -> None:
        """Leave the console."""
        os.close(self._writer)
        os.close(self._reader)

    def __enter__(self) -> Console:
        return self

    def __exit__(self, *dummy) -> None:
        self.close()

    def _start(self, directory: CallDirectory, deadline: float, what: str) -> None:
        """Start the script; return when it runs."""
        for step in STEPS:
            if step.when and not step.when.search(self._shown):
                continue
            for keys, expected in step.keys:
                self._type(keys)
                if not self._await(expected, 0.3 if expected is None else 2.0):
                    break
            self._type(CLEAR_LINE + line_of(directory.path))
            until = min(deadline, time.monotonic() + STEP_SECONDS)
            while time.monotonic() < until:
                if directory.has("started"):
                    return
                self._listen(0.005)
        # The shell may come to it later.
        if not directory.withdraw():
            return
        end = self._shown[-300:].decode("utf-8", "replace")
        raise CallTimeout(f"The shell at {self._prefix} has not started {what}. Its output ends with {end!r}.")

    def _await(self, expected: re.Pattern | None, seconds: float) -> bool:
        """Listen until the console shows what is expected; False when it does not. None: for all of the time."""
        until = time.monotonic() + seconds
        self._shown = b"" if expected else self._shown
        while time.monotonic() < until:
            self._listen(0.02)
            if expected and expected.search(self._shown):
                return True
        return expected is None

    def _type(self, keys: bytes) -> None:
        try:
            os.write(self._writer, keys)
        except BlockingIOError:
            raise CallTimeout(f"run_erl does not read its pipe {self._prefix}.w.") from None
        except OSError as error:
            raise ConnectionLost(f"run_erl has left its pipe {self._prefix}.w: {error.strerror}.") from None

    def _listen(self, seconds: float) -> None:
        """Take what the console shows, for at most so long."""
        until = time.monotonic() + seconds
        events = dict(self._events.poll(seconds * 1000))
        if events.get(self._writer):
            raise ConnectionLost(f"run_erl at {self._prefix} has ended, and with it the node, in the middle of a call.")
        if not events:
            return
        try:
            data = os.read(self._reader, 65536)
        except BlockingIOError:
            data = b""
        self._shown = (self._shown + data)[-MAX_SHOWN:]
        if not data:
            # run_erl has not opened the other end yet.
            time.sleep(max(0.0, until - time.monotonic()))


def open_writer(directory: str) -> tuple[str, int]:
    """The pipes' common prefix and the open pipe on which run_erl listens. Of several, as earlier ones are not removed, the highest number."""
    began = time.monotonic()
    while True:
        for prefix in prefixes(directory):
            try:
                return prefix, open_pipe(prefix + ".w", os.O_WRONLY)
            except OSError as error:
                if error.errno not in (errno.ENXIO, errno.ENOENT):
                    raise Unreachable(f"The pipe {prefix}.w cannot be opened: {error.strerror}.") from None
        waited = time.monotonic() - began
        if waited > OPEN_SECONDS and (waited > OPEN_SECONDS_OF_RUN_ERL or not has_run_erl(directory)):
            raise Unreachable(f"No run_erl listens at a pipe of {directory}. Check that the node is up, and that run_erl started it with this directory.")
        time.sleep(0.02)


def has_run_erl(directory: str) -> bool:
    """Whether a run_erl with the directory, or the prefix, of these pipes runs on this host. Another PID namespace is not seen."""
    known = {directory.rstrip("/")} if os.path.isdir(directory) else {directory, os.path.dirname(directory)}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{entry}/cmdline", "rb") as file:
            program, *arguments = os.fsdecode(file.read()).split("\0")
            if os.path.basename(program) == "run_erl" and known & {argument.rstrip("/") for argument in arguments}:
                return True
    return False


def open_pipe(path: str, flags: int) -> int:
    """The named pipe, open. Raises OSError, and Unreachable for anything else in its place: what is typed must not become the content of a file."""
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC)
    if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Unreachable(f"{path} is not a pipe of run_erl. Find out who has put it there, and remove it.")
    return descriptor


def prefixes(directory: str) -> list[str]:
    """The pipes of the directory without .r and .w, the highest number first; or the one whose prefix it is."""
    if not os.path.isdir(directory):
        return [directory]
    numbers = {int(found[1]) for found in map(re.compile(r"erlang\.pipe\.([0-9]+)\.w\Z").match, os.listdir(directory)) if found}
    return [os.path.join(directory, f"erlang.pipe.{number}") for number in sorted(numbers, reverse=True)]


def is_attached(prefix: str) -> bool:
    """Whether a terminal reads what run_erl writes."""
    try:
        os.close(open_pipe(prefix + ".r", os.O_WRONLY))
        return True
    except OSError as error:
        if error.errno == errno.ENXIO:
            return False
        raise Unreachable(f"The pipe {prefix}.r cannot be opened: {error.strerror}.") from None
