# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A terminal in which a test types."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import typing as t

from waiting import LIMIT, wait_until


class Terminal:
    """A command in a terminal of its own; the end of ``with`` hangs up, and waits for its end. code: how it has ended."""

    def __init__(self, *command: str, **variables: str) -> None:
        self.shown = b""
        self.code: int | None = None
        self.pid, self.line = pty.fork()
        if not self.pid:
            os.execvpe(command[0], command, {**os.environ, "TERM": "xterm", **variables})

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *dummy: t.Any) -> None:
        os.close(self.line)
        try:
            wait_until(self._has_ended, "a command whose terminal is gone has ended")
        except AssertionError:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            raise

    def _has_ended(self) -> bool:
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            self.code = os.waitstatus_to_exitcode(status)
        return pid != 0

    def type(self, text: str) -> None:
        os.write(self.line, text.encode())

    def expect(self, text: str) -> None:
        """Wait until this is shown, and forget what has been shown so far."""

        def is_shown() -> bool:
            if select.select([self.line], [], [], 0.1)[0]:
                try:
                    self.shown += os.read(self.line, 65536)
                except OSError as error:
                    raise AssertionError(f"it has ended: {self.shown!r}") from error
            return text.encode() in self.shown

        wait_until(is_shown, f"{text!r} is shown, and not {self.shown!r}")
        self.shown = b""

    def answer(self, question: str, of: t.Callable[[str], str]) -> str:
        """Answer each question at the end of what is shown, by what its group has matched, until the command ends. Returns all that was shown."""
        shown, answered = "", 0
        while select.select([self.line], [], [], LIMIT)[0]:
            try:
                shown += os.read(self.line, 65536).decode(errors="replace")
            except OSError:
                break
            asked = re.search(question + r"\Z", shown[answered:])
            # Ansible says it once more, as a heading.
            if asked and not select.select([self.line], [], [], 0.05)[0]:
                answered = len(shown)
                self.type(of(asked[1]) + "\n")
        return shown.replace("\r\n", "\n")

    def processes(self) -> list[int]:
        """It, and what it has started."""
        found = [self.pid]
        for pid in found:
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                    found += map(int, file.read().split())
        return found
