# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run does, or in check mode would do, as sentences in the order of doing."""

from __future__ import annotations

import os

from ansible_collections.erlang.otp.plugins.module_utils._core.steps import step


class Changes:
    """Collects the sentences in ``actions``, and does what they say unless it is check mode."""

    def __init__(self, *, check_mode: bool = False) -> None:
        self.check_mode = check_mode
        self.actions: list[str] = []
        # In check mode: directories that are not there, and would be by now.
        self.directories: set[str] = set()

    @property
    def changed(self) -> bool:
        return bool(self.actions)

    def note(self, sentence: str) -> None:
        """Record what is done next."""
        self.actions.append(sentence)
        if not self.check_mode:
            step(sentence)

    def do(self, sentence: str, action, *args, **keywords):
        """Record the sentence and, unless it is check mode, call the action and return what it returns."""
        self.note(sentence)
        if self.check_mode:
            return None
        return action(*args, **keywords)

    def foretell(self, directory: str) -> None:
        """In check mode: have the directory, and those above it, count as made for what follows."""
        while self.check_mode and directory not in self.directories:
            self.directories.add(directory)
            directory = os.path.dirname(directory)
