# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a program of a connection plugin writes and reads, seen meanwhile: the steps of a module, and how much of a package was sent.

Connection plugins return all output at the end. Those of ssh, of this machine and of containers start their program by ``subprocess.Popen``; for the
time of one command they get one that looks at what goes through. Nothing is changed or delayed, and where a plugin works in another way nothing is seen.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import types
import typing as t
from pathlib import Path

from ansible.plugins.action import ActionBase

from ansible_collections.erlang.otp.plugins.module_utils._core.steps import LONGEST, STEP
from ansible_collections.erlang.otp.plugins.plugin_utils._live.channel import is_open, report_step
from ansible_collections.erlang.otp.plugins.plugin_utils._secrecy.vaulted import without_vaulted

MARK = STEP.encode()
# Bytes of a line that may be a step, and of a write.
MAX_LINE = 6 * LONGEST + len(MARK) + 8
PIECE = 1 << 16
# Seconds between two looks at an upload.
PAUSE = 0.2


def reporter(
    action: ActionBase, task_vars: t.Mapping[str, t.Any] | None, mask: t.Callable[[str], str], *sources: t.Mapping[str, t.Any]
) -> t.Callable[[str], None] | None:
    """What shows a step of the action's task, without secrets; None if nothing shows steps, or the task is not to be seen.

    mask: takes away the secrets of the module's options. sources: what may have values out of vault, beside the variables.
    """
    host = (task_vars or {}).get("inventory_hostname")
    if not is_open() or not host or action._task.no_log:
        return None

    def report(text: str) -> None:
        shown = without_vaulted({"msg": mask(text)}, task_vars, *sources)
        report_step(str(host), str(shown["msg"]))

    return report


@contextlib.contextmanager
def watched(action: ActionBase, report: t.Callable[[str], None] | None, *, package: int = 0) -> t.Iterator[None]:
    """Show the steps of the module that a command of the connection runs meanwhile. package: the bytes at the end of its standard input that are one."""
    module = sys.modules.get(type(action._connection).__module__)
    if report is None or module is None or getattr(module, "subprocess", None) is not subprocess:
        yield
        return

    def popen(*arguments: t.Any, **options: t.Any) -> Watched:
        return Watched(Steps(report), package, *arguments, **options)

    module.subprocess = types.SimpleNamespace(**{**vars(subprocess), "Popen": popen})  # type: ignore[attr-defined]
    try:
        yield
    finally:
        module.subprocess = subprocess  # type: ignore[attr-defined]


class Steps:
    """Finds the steps in a program's output, which may be a hostile host's: of what arrives at once only the last one is shown."""

    def __init__(self, report: t.Callable[[str], None]) -> None:
        self.report = report
        self.rest = b""

    def see(self, data: bytes) -> None:
        *lines, rest = (self.rest + data[-(1 << 16) :]).split(b"\n")
        self.rest = rest if len(rest) <= MAX_LINE else b""
        found = [line[len(MARK) :] for line in lines if line.startswith(MARK) and len(line) <= MAX_LINE]
        # What is not a step is not ours to report.
        with contextlib.suppress(ValueError, IndexError):
            self.report(str(json.loads(found[-1]))[:LONGEST])


class Watched(subprocess.Popen):  # type: ignore[type-arg]
    """A process whose standard input and output are looked at."""

    def __init__(self, steps: Steps, package: int, *arguments: t.Any, **options: t.Any) -> None:
        super().__init__(*arguments, **options)
        self.steps = steps
        if self.stdout is not None:
            self.stdout = t.cast(t.Any, Seen(self.stdout, steps))
        if self.stdin is not None and package > PIECE:
            self.stdin = t.cast(t.Any, Sent(self.stdin, package, steps.report))

    def communicate(self, *arguments: t.Any, **options: t.Any) -> t.Any:
        # It reads from the descriptor, and until the end: so what a thread hands on arrives.
        if self.stdout is not None:
            read, write = os.pipe()
            inner, self.stdout = self.stdout, os.fdopen(read, "rb")
            threading.Thread(target=hand_on, args=(inner, write), daemon=True).start()
        return super().communicate(*arguments, **options)


def hand_on(inner: t.Any, write: int) -> None:
    """Write what arrives to the descriptor, and close both at the end."""
    try:
        while data := os.read(inner.fileno(), PIECE):
            inner.see(data)
            while data:
                data = data[os.write(write, data) :]
    finally:
        os.close(write)
        inner.close()


class Seen:
    """Standard output of a program: what is read is looked at."""

    def __init__(self, inner: t.Any, steps: Steps) -> None:
        self._inner, self._steps = inner, steps

    def read(self, *arguments: t.Any) -> t.Any:
        data = self._inner.read(*arguments)
        self.see(data)
        return data

    def see(self, data: t.Any) -> None:
        # A display never fails a task.
        with contextlib.suppress(Exception):
            self._steps.see(data)

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._inner, name)


class Sent:
    """Standard input of a program: what ends with a package is written in pieces, and shown."""

    def __init__(self, inner: t.Any, package: int, report: t.Callable[[str], None]) -> None:
        self._inner, self._package, self._report = inner, package, report

    def write(self, data: t.Any) -> int:
        begin = len(data) - self._package
        if begin < 0:
            return int(self._inner.write(data))
        percent, view = Percent(self._package, self._report), memoryview(data)
        for start in range(0, len(data), PIECE):
            self._inner.write(view[start : start + PIECE])
            percent.report(min(start + PIECE, len(data)) - begin)
        return len(data)

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._inner, name)


class Percent:
    """Shows how much of a package was sent, each number once."""

    def __init__(self, size: int, report: t.Callable[[str], None]) -> None:
        self.size, self.show, self.last = size, report, -1

    def report(self, sent: int) -> None:
        percent = max(0, min(100, 100 * sent // self.size))
        if percent > self.last:
            self.last = percent
            with contextlib.suppress(Exception):
                self.show(f"send the package: {percent} %")


@contextlib.contextmanager
def watched_upload(package: str, report: t.Callable[[str], None] | None) -> t.Iterator[None]:
    """Show how much of the file the programs that this process starts meanwhile have read. Without /proc nothing is shown."""
    if report is None or not os.path.isdir("/proc/self/fdinfo"):
        yield
        return
    percent, ended = Percent(os.path.getsize(package), report), threading.Event()

    def watch() -> None:
        while not ended.wait(PAUSE):
            with contextlib.suppress(OSError, ValueError):
                percent.report(position(os.getpid(), os.path.realpath(package)))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
        percent.report(percent.size)
    finally:
        ended.set()
        watcher.join()


def position(parent: int, path: str) -> int:
    """How far a process that this one has started has read the file; -1 if none has it open."""
    for children in Path(f"/proc/{parent}/task").glob("*/children"):
        for pid in children.read_text("ascii").split():
            for file in Path(f"/proc/{pid}/fd").glob("*"):
                if os.path.realpath(file) == path:
                    lines = Path(f"/proc/{pid}/fdinfo/{file.name}").read_text("ascii").splitlines()
                    return int(next(line for line in lines if line.startswith("pos:")).split()[1])
    return -1
