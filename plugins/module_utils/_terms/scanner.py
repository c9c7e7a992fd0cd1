# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of Erlang terms, cut into tokens.

The tokens are those of OTP 28's scanner, with the additions of OTP 27 (triple-quoted strings, sigils) and 28 (floats of any base, EEP 75), and the
restriction that adjacent strings need white space between them. The rules were found by giving texts to file:consult/1.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom, TermError

RESERVED_WORDS = frozenset(
    "after and andalso band begin bnot bor bsl bsr bxor case catch cond div end fun if let not of or orelse receive rem try when xor".split()
)
# Reserved since OTP 27. Earlier ones write them as atoms without quotes.
NEW_RESERVED_WORDS = frozenset(("else", "maybe"))
MAX_ATOM_LENGTH = 255
# Python refuses to convert longer decimal numbers, as the time grows with the square of the length.
MAX_DIGITS = 4300
# Floats are between 2 to these powers.
MAX_POWER = 1100

WHITE_SPACE = r"\x00-\x20\x80-\xa0"
LOWER = r"a-z\xdf-\xf6\xf8-\xff"
UPPER = r"A-Z\xc0-\xd6\xd8-\xde"
NAME_CHARACTER = rf"[{LOWER}{UPPER}0-9_@]"
DIGITS = r"[0-9]+(?:_[0-9]+)*"
ALPHANUMERIC = "[0-9A-Za-z]+(?:_[0-9A-Za-z]+)*"
ESCAPE = r"\\(?:x\{[0-9A-Fa-f]+\}|x[0-9A-Fa-f]{2}|[0-7]{1,3}|\^[@-_a-z?]|[^x^])"

TOKEN = re.compile(
    rf"""
    [{WHITE_SPACE}]* (?: %[^\n]* [{WHITE_SPACE}]* )*
    (?:
      (?P<word> [{LOWER}]{NAME_CHARACTER}* )
    | (?P<punctuation> <<|>>|=>|[][{{}}(),|:/\#+-] )
    | (?P<triple> "{{3,}} )
    | "(?P<string> [^"\\]* (?: \\. [^"\\]* )* )"
    | '(?P<quoted> [^'\\]* (?: \\. [^'\\]* )* )'
    | (?P<float> {DIGITS} \. {DIGITS} (?: [eE] [+-]? {DIGITS} )? )
    | (?P<based_float> {DIGITS} \# {ALPHANUMERIC} \. {ALPHANUMERIC} (?: \#[eE] [+-]? {DIGITS} )? )
    | (?P<based> {DIGITS} \# (?: {ALPHANUMERIC} )? )
    | (?P<integer> {DIGITS} )
    | \$(?P<char> {ESCAPE} | [^\\] )
    | (?P<stop> \. (?= [{WHITE_SPACE}%] | \Z ) )
    | (?P<sigil> ~ )
    | (?P<variable> [{UPPER}_]{NAME_CHARACTER}* )
    | (?P<end> \Z )
    | (?P<other> . )
    )""",
    re.VERBOSE | re.DOTALL,
)
# Not in a file as UTF-8, or not taken by OTP.
ILLEGAL_CHARACTER = re.compile("[\ud800-\udfff\ufffe\uffff]")
ESCAPES = re.compile(rf"{ESCAPE}|\\", re.DOTALL)
ESCAPED_LETTERS = {"b": "\b", "d": "\x7f", "e": "\x1b", "f": "\f", "n": "\n", "r": "\r", "s": " ", "t": "\t", "v": "\v"}
BLANK = re.compile(f"[{WHITE_SPACE}]")
SIGIL = re.compile(rf"~({NAME_CHARACTER}*)(\"{{3,}}|[(\[{{</|'\"`#])")
SIGIL_SUFFIX = re.compile(rf"{NAME_CHARACTER}+")
CLOSING_DELIMITERS = {"(": ")", "[": "]", "{": "}", "<": ">"}


class Token(NamedTuple):
    """``kind``: atom, integer, float, char, string, sigil string, sigil binary, variable, end, or the reserved word or punctuation itself.

    ``start`` and ``end`` are positions in the text.
    """

    kind: str
    value: Any
    start: int
    end: int


class Source(NamedTuple):
    """A text, the name of the file that it came from, which words are reserved, and how many bits its segments of a given size have so far."""

    text: str
    filename: str
    reserved_words: frozenset[str]
    bits: list[int]

    def error(self, position: int, reason: str, found: str | None = None) -> TermError:
        """The error that points at the position; ``found`` is the text there."""
        line = self.text.count("\n", 0, position) + 1
        column = position - self.text.rfind("\n", 0, position)
        if found is not None and len(found) > 40:
            found = found[:40] + "..."
        return TermError(reason, found=found, filename=self.filename, line=line, column=column)

    def unexpected(self, token: Token, expected: str) -> TermError:
        """The error that names what was expected instead of the token."""
        if token.kind == "end":
            return self.error(token.start, f"expected {expected}", "the end of the text")
        if expected == "a term" and (token.kind in self.reserved_words or token.kind == "variable"):
            expected += " (a variable or a reserved word is an atom only in single quotes)"
        return self.error(token.start, f"expected {expected}", self.text[token.start : token.end])


def next_token(source: Source, position: int) -> Token:
    """The first token at or after the position. Raises TermError."""
    # It matches always: its last alternatives are the end and any character.
    match: Any = TOKEN.match(source.text, position)
    kind = match.lastgroup
    start, end = match.start(kind), match.end()
    value = match[kind]
    if kind == "word":
        if value not in source.reserved_words:
            return _atom(source, start, end, value)
        kind = value
    elif kind in ("punctuation", "stop"):
        kind = value
    elif kind == "string":
        value = _unescape(source, start, value)
        start -= 1
        _refuse_adjacent(source, end)
    elif kind == "integer":
        value = _integer(source, start, value, 10)
    elif kind in _READERS:
        return _READERS[kind](source, start, end, value)
    return Token(kind, value, start, end)


def _atom(source: Source, start: int, end: int, name: str) -> Token:
    if len(name) > MAX_ATOM_LENGTH:
        raise source.error(start, f"an atom has at most {MAX_ATOM_LENGTH} characters, this one has {len(name)}", name)
    return Token("atom", Atom(name), start, end)


def _quoted(source: Source, start: int, end: int, value: str) -> Token:
    return _atom(source, start - 1, end, _unescape(source, start, value))


def _float(source: Source, start: int, end: int, value: str) -> Token:
    number = float(value.replace("_", ""))
    if number in (float("inf"), float("-inf")):
        raise source.error(start, "expected a smaller float", value)
    return Token("float", number, start, end)


def _based(source: Source, start: int, end: int, value: str) -> Token:
    base, dummy, digits = value.partition("#")
    return Token("integer", _integer(source, start, digits, _base(source, start, base, value)), start, end)


def _based_float(source: Source, start: int, end: int, value: str) -> Token:
    """``16#F.8#e2``: the exponent is decimal, and of that base."""
    base, dummy, rest = value.replace("_", "").partition("#")
    digits, dummy, exponent = rest.lower().partition("#e")
    whole, dummy, fraction = digits.partition(".")
    radix = _base(source, start, base, value)
    mantissa = _integer(source, start, whole + fraction, radix)
    power = _integer(source, start, exponent or "0", 10) - len(fraction)
    # Such powers take time, and the result is known.
    if power > MAX_POWER:
        raise source.error(start, "expected a smaller float", value)
    if power < -MAX_POWER - mantissa.bit_length():
        return Token("float", 0.0, start, end)
    try:
        number = mantissa / radix**-power if power < 0 else float(mantissa * radix**power)
    except OverflowError:
        raise source.error(start, "expected a smaller float", value) from None
    return Token("float", number, start, end)


def _base(source: Source, start: int, base: str, value: str) -> int:
    number = _integer(source, start, base, 10)
    if not 2 <= number <= 36:
        raise source.error(start, "expected a base from 2 to 36", value)
    return number


def _integer(source: Source, start: int, digits: str, base: int) -> int:
    if len(digits) > MAX_DIGITS:
        raise source.error(start, f"expected a number of at most {MAX_DIGITS} digits", digits)
    try:
        return int(digits.replace("_", ""), base)
    except ValueError:
        raise source.error(start, f"expected a number of base {base}", digits) from None


def _char(source: Source, start: int, end: int, value: str) -> Token:
    return Token("char", ord(_unescape(source, start, value)), start - 1, end)


def _triple(source: Source, start: int, end: int, value: str) -> Token:
    content, end = _triple_quoted(source, start, value, verbatim=True)
    return Token("string", content, start, end)


def _sigil(source: Source, start: int, end: int, value: str) -> Token:
    match = SIGIL.match(source.text, start)
    if match is None:
        raise source.error(start, 'expected a sigil such as ~"text"', "~")
    prefix, opening = match.groups()
    if prefix not in ("", "s", "S", "b", "B"):
        raise source.error(start, "expected one of the sigils ~ ~s ~S ~b ~B", f"~{prefix}")
    if len(opening) >= 3:
        content, end = _triple_quoted(source, match.start(2), opening, verbatim=prefix in ("", "S", "B"))
    else:
        content, end = _delimited(source, match.start(2), opening, verbatim=prefix in ("S", "B"))
    suffix = SIGIL_SUFFIX.match(source.text, end)
    if suffix is not None:
        raise source.error(end, "expected no suffix after a sigil", suffix[0])
    if prefix in ("s", "S"):
        return Token("sigil string", content, start, end)
    return Token("sigil binary", content.encode("utf-8"), start, end)


def _delimited(source: Source, start: int, opening: str, *, verbatim: bool) -> tuple[str, int]:
    closing = re.escape(CLOSING_DELIMITERS.get(opening, opening))
    pattern = rf"([^{closing}]*){closing}" if verbatim else rf"([^{closing}\\]*(?:\\.[^{closing}\\]*)*){closing}"
    match = re.compile(pattern, re.DOTALL).match(source.text, start + 1)
    if match is None:
        raise _unterminated(source, start, "sigil", opening)
    _refuse_adjacent(source, match.end())
    return (match[1] if verbatim else _unescape(source, start + 1, match[1])), match.end()


def _triple_quoted(source: Source, start: int, quotes: str, *, verbatim: bool) -> tuple[str, int]:
    """The text between a line that ends with the quotes and a line that begins with them, without the indentation of the latter."""
    text = source.text
    newline = start + len(quotes)
    while text[newline : newline + 1] != "\n" and BLANK.match(text, newline):
        newline += 1
    if text[newline : newline + 1] not in ("", "\n"):
        raise source.error(newline, f"expected the end of the line after {quotes}", text[newline])
    last_line = re.compile(rf"\n((?:(?!\n)[{WHITE_SPACE}])*){quotes}").search(text, newline)
    if last_line is None:
        raise _unterminated(source, start, "triple-quoted string", quotes)
    _refuse_adjacent(source, last_line.end())
    indentation = last_line[1]
    lines = []
    position = newline + 1
    while position <= last_line.start():
        line = text[position : text.index("\n", position)]
        if line.startswith(indentation):
            lines.append(line[len(indentation) :])
        elif line in ("", "\r"):
            lines.append(line)
        else:
            raise source.error(position, f"this line is less indented than the closing {quotes}")
        position += len(line) + 1
    content = "\n".join(lines + [""])
    if not verbatim:
        content = _unescape(source, start, content, exact=False)
    # The last line's end is not part of the string, but was there to be escaped.
    content = content[:-1]
    return content[:-1] if content.endswith("\r") else content, last_line.end()


def _other(source: Source, start: int, end: int, value: str) -> Token:
    if value == '"':
        raise _unterminated(source, start, "string", value)
    if value == "'":
        raise _unterminated(source, start, "quoted atom", value)
    if value == "$":
        raise source.error(start, "expected a character after $, or a valid escape sequence", source.text[start : start + 4])
    return Token("other", value, start, end)


_READERS = {
    "quoted": _quoted,
    "float": _float,
    "based": _based,
    "based_float": _based_float,
    "char": _char,
    "triple": _triple,
    "sigil": _sigil,
    "other": _other,
}


def _unterminated(source: Source, start: int, what: str, quotes: str) -> TermError:
    return source.error(start, f"this {what} is not closed", repr(source.text[start : start + len(quotes) + 20]))


def _refuse_adjacent(source: Source, end: int) -> None:
    if source.text.startswith('"', end):
        raise source.error(end, "expected white space between adjacent strings (OTP 27 insists)", '"')


def _unescape(source: Source, start: int, content: str, *, exact: bool = True) -> str:
    """The content with its escape sequences replaced; errors point at the sequence, or when not exact, at the start."""
    if "\\" not in content:
        return content

    def replacement(match) -> str:
        escape = match[0]
        code_point = _escaped(escape)
        if not 0 <= code_point <= 0x10FFFF or 0xD800 <= code_point <= 0xDFFF or code_point in (0xFFFE, 0xFFFF):
            shown = content[match.start() : match.start() + 6]
            raise source.error(start + match.start() if exact else start, "expected a valid escape sequence", shown)
        return chr(code_point)

    return ESCAPES.sub(replacement, content)


def _escaped(escape: str) -> int:
    """The code point of an escape sequence; -1 if it is not valid."""
    letter = escape[1:2]
    if letter == "":
        return -1
    if letter == "x":
        # A code point has at most six digits.
        digits = escape[2:].strip("{}").lstrip("0") or "0"
        return int(digits, 16) if len(digits) <= 6 else -1
    if letter in "01234567":
        return int(escape[1:], 8)
    if letter == "^":
        return 0x7F if escape[2] == "?" else ord(escape[2]) & 0x1F
    return ord(ESCAPED_LETTERS.get(letter, letter))
