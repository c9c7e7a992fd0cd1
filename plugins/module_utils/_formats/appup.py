# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An appup as data: from which versions of its application it leads, and back to which. Its shape is that of appup(4)."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import TermError, as_text, consult_bytes

# The classes of POSIX that OTP's regular expressions (re(3)) know within brackets and Python's do not, as what Python has within brackets.
POSIX = {
    **{"alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": r"\x00-\x7f", "blank": r" \t", "cntrl": r"\x00-\x1f\x7f", "digit": "0-9", "graph": "!-~"},
    **{"lower": "a-z", "print": " -~", "punct": r"!-/:-@\[-`{-~", "space": r"\s", "upper": "A-Z", "word": r"\w", "xdigit": "0-9A-Fa-f"},
}
# Brackets, or a character that is escaped; and what is in brackets.
BRACKETS = re.compile(r"(?s)\\.|\[(\^?\]?(?:\[:\^?\w+:\]|\\.|[^]\\])*)\]")
IN_BRACKETS = re.compile(r"(?s)\\.|\[:(\^?)(\w+):\]|\[")


class Appup(t.NamedTuple):
    """The version that it is for; the others, each a version (str) or a regular expression (bytes) that versions match as a whole."""

    version: str
    up: tuple[str | bytes, ...]
    down: tuple[str | bytes, ...]

    def has(self, direction: str, version: str) -> bool:
        """Whether it leads "up" from this version, or "down" to it."""
        return any(_matches(pattern, version) for pattern in getattr(self, direction))

    def versions(self, direction: str) -> str:
        """The versions of this direction, for a sentence."""
        return ", ".join(pattern if isinstance(pattern, str) else pattern.decode("utf-8", "replace") for pattern in getattr(self, direction)) or "none"


def parse_appup(data: bytes, *, filename: str) -> Appup:
    """The content of an ``.appup`` file. Raises OtpError."""
    terms = consult_bytes(data, filename=filename)
    try:
        (appup,) = terms
        version, up, down = appup
        return Appup(as_text(version), _versions(up), _versions(down))
    except (TypeError, ValueError, TermError):
        raise OtpError(f"{filename}: it is not one term {{Vsn, [{{UpFromVsn, Instructions}}], [{{DownToVsn, Instructions}}]}}. See appup(4).") from None


def _versions(term: t.Any) -> tuple[str | bytes, ...]:
    return tuple(version if isinstance(version, bytes) else as_text(version) for version, _instructions in term)


def _matches(pattern: str | bytes, version: str) -> bool:
    """As systools_relup:appup_search_for_version/2: the first match must be the whole version."""
    if isinstance(pattern, str):
        return pattern == version
    try:
        match = re.search(_in_python(pattern.decode("utf-8", "replace")), version, re.ASCII)
    except (re.error, KeyError):
        # Erlang's re accepts more than this: systools decides.
        return True
    return match is not None and match.group() == version


def _in_python(pattern: str) -> str:
    """The regular expression for Python. Raises KeyError for a class that is not one of POSIX."""
    return BRACKETS.sub(lambda found: found[0] if found[1] is None else f"[{IN_BRACKETS.sub(_posix, found[1])}]", pattern)


def _posix(found: re.Match[str]) -> str:
    if found[2] is None:
        return "\\[" if found[0] == "[" else found[0]
    characters = POSIX[found[2]]
    if not found[1]:
        return characters
    others = "".join(f"\\x{code:02x}" for code in range(128) if not re.match(f"[{characters}]", chr(code), re.ASCII))
    return others + "\\x80-\U0010ffff"
