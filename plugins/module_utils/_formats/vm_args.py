# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``vm.args``: words as erlexec reads them from the file of -args_file (erts, erl(1)), with quotes, backslashes and comments."""

from __future__ import annotations

import re
import typing as t

QUOTED = r"\\.|'[^']*'|\"(?:\\.|[^\"\\])*\""
WORD = re.compile(rf"#[^\n]*|((?:{QUOTED}|[^\s#'\"\\])(?:{QUOTED}|[^\s#'\"\\])*)", re.DOTALL)


def without_flags(content: bytes, names: t.Collection[str]) -> tuple[bytes, list[str]]:
    """The content without these flags and their values; and what was left out, a text for each flag."""
    # Every byte is a character of latin-1, and what matters is ASCII.
    text = content.decode("latin-1")
    kept: list[str] = []
    left_out: list[list[str]] = []
    start, is_left_out = 0, False
    for word, plain in _words(text):
        was_left_out = is_left_out
        # The values of a flag end where the next one begins.
        is_left_out = plain in names or (was_left_out and plain[:1] not in ("-", "+"))
        if is_left_out and not was_left_out:
            kept.append(text[start : word.start()])
        if is_left_out:
            left_out += [[plain]] if plain in names else []
            left_out[-1] += [] if plain in names else [plain]
        if is_left_out or was_left_out:
            start = word.end() if is_left_out else word.start()
    return "".join([*kept, text[start:]]).encode("latin-1"), [" ".join(words) for words in left_out]


def without_cookie(content: bytes) -> bytes:
    """The content without each -setcookie: the emulator would show the cookie to every user of the host in its arguments."""
    return without_flags(content, ["-setcookie"])[0]


def words(content: bytes) -> list[str]:
    """The arguments that the file gives the emulator."""
    return [plain for dummy, plain in _words(content.decode("utf-8", "surrogateescape"))]


def find_name(content: bytes) -> tuple[str, str] | None:
    """The flag -name or -sname that counts, which is the first one, and its value; None if there is none."""
    found = words(content)
    return next(((flag, name) for flag, name in zip(found, found[1:]) if flag in ("-name", "-sname")), None)


def _words(text: str) -> t.Iterator[tuple[re.Match[str], str]]:
    """Each word: where it is, and what it is without quotes and backslashes."""
    for found in WORD.finditer(text):
        if found[1]:
            yield found, re.sub(r"\\(.)|['\"]", r"\1", found[1], flags=re.DOTALL)
