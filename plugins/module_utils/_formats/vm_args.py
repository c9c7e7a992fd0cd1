# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``vm.args``: words as erlexec reads them from the file of -args_file (erts, erl(1)), with quotes, backslashes and comments."""

from __future__ import annotations

import re

QUOTED = r"\\.|'[^']*'|\"(?:\\.|[^\"\\])*\""
WORD = re.compile(rf"#[^\n]*|((?:{QUOTED}|[^\s#'\"\\])(?:{QUOTED}|[^\s#'\"\\])*)", re.DOTALL)


def without_cookie(content: bytes) -> bytes:
    """The content without each -setcookie and its values: the emulator would show them to every user of the host in its arguments."""
    # Every byte is a character of latin-1, and what matters is ASCII.
    text = content.decode("latin-1")
    kept, start, is_cookie = [], 0, False
    for word in filter(lambda found: found[1], WORD.finditer(text)):
        plain = re.sub(r"\\(.)|['\"]", r"\1", word[1], flags=re.DOTALL)
        was_cookie = is_cookie
        # The values of a flag end where the next one begins.
        is_cookie = plain == "-setcookie" or (was_cookie and plain[:1] not in ("-", "+"))
        if is_cookie and not was_cookie:
            kept.append(text[start : word.start()])
        if is_cookie or was_cookie:
            start = word.end() if is_cookie else word.start()
    return "".join([*kept, text[start:]]).encode("latin-1")
