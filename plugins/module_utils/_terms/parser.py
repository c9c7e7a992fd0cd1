# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Erlang terms as text: what file:consult/1 of OTP 27 reads, and texts that it, and that of OTP 25, reads back as the same terms.

``maybe`` and ``else`` are atoms as well, because OTP 25 writes them so, unless parse() reads only what is portable.
``docs/design.md`` has the Python value of each kind of term.
"""

from __future__ import annotations

import re

from ansible_collections.erlang.otp.plugins.module_utils._terms.bits import MAX_BITS, TOO_LARGE, join_bits, segment_bits
from ansible_collections.erlang.otp.plugins.module_utils._terms.printer import format_term, format_terms, shortened
from ansible_collections.erlang.otp.plugins.module_utils._terms.scanner import ILLEGAL_CHARACTER, NEW_RESERVED_WORDS, RESERVED_WORDS, Source, Token, next_token
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import MAX_DEPTH, Atom, ExternalFun, Map, TermError, identity, with_tail

# What reads terms mostly needs these, too.
__all__ = ["Atom", "TermError", "as_text", "consult_bytes", "declared_encoding", "decode", "format_term", "format_terms", "parse", "parse_one"]

# As epp:set_encoding/1 looks for it: within the first two lines, comment or not, but not far into them.
CODING_LIMIT = 511
# Far more than a file of OTP has; terms take a hundred times as much memory.
MAX_FILE = 4 << 20
CODING = re.compile(rb"coding *[:=] *((?i:latin-1)(?![0-9A-Za-z]))?")


def parse(text: str, *, filename: str = "<text>", portable: bool = False) -> list:
    """The terms of the text, each ended by a full stop, as file:consult/1 reads them; when portable, only what OTP 27 reads too.

    Raises TermError.
    """
    source = _source(text, filename, portable)
    terms = []
    token = next_token(source, 0)
    while token.kind != "end":
        term, stop = _term(source, token, 0)
        if stop.kind != ".":
            raise source.unexpected(stop, "a full stop, and white space after it")
        terms.append(term)
        token = next_token(source, stop.end)
    return terms


def parse_one(text: str, *, filename: str = "<text>"):
    """The one term of the text; its full stop may be missing. Raises TermError."""
    source = _source(text, filename)
    term, token = _term(source, next_token(source, 0), 0)
    if token.kind == ".":
        token = next_token(source, token.end)
    if token.kind != "end":
        raise source.unexpected(token, "the end of the text after one term")
    return term


def declared_encoding(data: bytes) -> str:
    """latin-1 or utf-8, as the content of a file declares it or by default."""
    coding = CODING.search(b"\n".join(data[:CODING_LIMIT].split(b"\n")[:2]))
    return "utf-8" if coding is None or coding[1] is None else "latin-1"


def decode(data: bytes, *, filename: str = "<text>") -> str:
    """The text of a file: latin-1 when one of its first two lines says so (``%% coding: latin-1``), else UTF-8. Raises TermError.

    A byte order mark is a character like any other, and so an error of the parser, as in OTP.
    """
    if len(data) > MAX_FILE:
        raise TermError(f"a file of more than {MAX_FILE} bytes is not read", filename=filename)
    if declared_encoding(data) == "latin-1":
        return data.decode("latin-1")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        before = data[data.rfind(b"\n", 0, error.start) + 1 : error.start]
        raise TermError(
            "expected UTF-8 (a file in latin-1 has to begin with the line %% coding: latin-1)",
            found=f"the byte 0x{data[error.start]:02x}",
            filename=filename,
            line=line,
            column=len(before.decode("utf-8")) + 1,
        ) from None


def consult_bytes(data: bytes, *, filename: str) -> list:
    """The terms of a file's content. Raises TermError."""
    return parse(decode(data, filename=filename), filename=filename)


def as_text(term) -> str:
    """The text of a term where a string is meant: a str, or a list of code points (``[]`` is ``""``). Raises TermError."""
    if isinstance(term, str):
        return term
    if isinstance(term, list):
        try:
            return "".join(map(chr, term))
        except (TypeError, ValueError, OverflowError):
            pass
    raise TermError(f"{shortened(term, 60)} is not a string")


def _source(text: str, filename: str, portable: bool = False) -> Source:
    source = Source(text, filename, RESERVED_WORDS | NEW_RESERVED_WORDS if portable else RESERVED_WORDS, [0])
    illegal = ILLEGAL_CHARACTER.search(text)
    if illegal is not None:
        raise source.error(illegal.start(), "expected a legal character", f"U+{ord(illegal[0]):04X}")
    return source


# Each of these takes the token that begins something and gives its value with the token after it.


def _term(source: Source, token: Token, depth: int):
    kind = token.kind
    if kind in _ATOMIC:
        return token.value, next_token(source, token.end)
    if kind == "string":
        return _strings(source, token)
    construct = _CONSTRUCTS.get(kind)
    if construct is None:
        raise source.unexpected(token, "a term")
    if depth == MAX_DEPTH:
        raise source.error(token.start, f"terms nested deeper than {MAX_DEPTH} levels are not supported")
    return construct(source, token, depth + 1)


def _strings(source: Source, token: Token):
    pieces = []
    while token.kind == "string":
        pieces.append(token.value)
        token = next_token(source, token.end)
    return "".join(pieces), token


def _elements(source: Source, token: Token, closing: str, depth: int):
    """Terms with commas in between; ends before the first token other than a comma."""
    if token.kind == closing:
        return [], token
    term, token = _term(source, token, depth)
    terms = [term]
    while token.kind == ",":
        term, token = _term(source, next_token(source, token.end), depth)
        terms.append(term)
    return terms, token


def _after(source: Source, token: Token, kind: str, alternatives: str | None = None) -> Token:
    """The token after this one, which has to be of the kind."""
    if token.kind != kind:
        raise source.unexpected(token, alternatives or kind)
    return next_token(source, token.end)


def _tuple(source: Source, token: Token, depth: int):
    terms, token = _elements(source, next_token(source, token.end), "}", depth)
    return tuple(terms), _after(source, token, "}", ", or }")


def _list(source: Source, token: Token, depth: int):
    terms, token = _elements(source, next_token(source, token.end), "]", depth)
    if token.kind == "|" and terms:
        tail, token = _term(source, next_token(source, token.end), depth)
        return with_tail(terms, tail), _after(source, token, "]")
    return terms, _after(source, token, "]", ", or | or ]")


def _parenthesis(source: Source, token: Token, depth: int):
    term, token = _term(source, next_token(source, token.end), depth)
    return term, _after(source, token, ")")


def _signed(source: Source, token: Token, depth: int):
    """A sign before a number, which may be in parentheses but not have another sign."""
    sign = token
    token = next_token(source, token.end)
    parentheses = 0
    while token.kind == "(" and depth + parentheses < MAX_DEPTH:
        parentheses += 1
        token = next_token(source, token.end)
    if token.kind not in ("integer", "float", "char"):
        raise source.unexpected(token, f"a number after {sign.kind}")
    number = -token.value if sign.kind == "-" else token.value
    token = next_token(source, token.end)
    while parentheses:
        parentheses -= 1
        token = _after(source, token, ")")
    return number, token


def _map(source: Source, token: Token, depth: int):
    token = _after(source, next_token(source, token.end), "{")
    pairs: dict = {}
    while token.kind != "}" or pairs:
        key, token = _term(source, token, depth)
        value, token = _term(source, _after(source, token, "=>"), depth)
        # Of equal keys the last one counts.
        pairs[identity(key)] = (key, value)
        if token.kind == "}":
            break
        token = _after(source, token, ",", ", or }")
    return Map(pairs.values()), _after(source, token, "}")


def _fun(source: Source, token: Token, depth: int):
    module = next_token(source, token.end)
    token = _after(source, module, "atom", "a module, as in fun module:function/arity")
    function = _after(source, token, ":")
    token = _after(source, function, "atom", "a function's name")
    arity = _after(source, token, "/")
    token = _after(source, arity, "integer", "an arity")
    if arity.value > 255:
        raise source.unexpected(arity, "an arity of at most 255")
    return ExternalFun(module.value.name, function.value.name, arity.value), token


def _binary(source: Source, token: Token, depth: int):
    start = token.start
    token = next_token(source, token.end)
    segments: list = []
    while token.kind != ">>" or segments:
        segment, token = _segment(source, token, depth)
        segments.append(segment)
        if token.kind == ">>":
            break
        token = _after(source, token, ",", ", or >>")
    try:
        return join_bits(segments), _after(source, token, ">>")
    except ValueError as error:
        raise source.error(start, str(error)) from None


def _segment(source: Source, token: Token, depth: int):
    """One ``value:size/type-type-unit:number`` as its bits."""
    first = token
    value, token = _term(source, token, depth)
    size = None
    if token.kind == ":":
        token = size_token = next_token(source, token.end)
        if token.kind not in ("integer", "char", "("):
            raise source.unexpected(token, "a size in bits or units")
        size, token = _term(source, token, depth)
        if not isinstance(size, int) or size < 0:
            raise source.unexpected(size_token, "a size in bits or units")
    types = []
    separator = "/"
    while token.kind == separator:
        name = next_token(source, token.end)
        token = _after(source, name, "atom", "a type such as utf8 or little")
        types.append(name.value.name)
        if token.kind == ":":
            unit = next_token(source, token.end)
            token = _after(source, unit, "integer", "a unit")
            types[-1] = (name.value.name, unit.value)
        separator = "-"
    try:
        if size is not None:
            # Many of a few digits would fill the memory as one does.
            source.bits[0] += size * max((unit[1] for unit in types if isinstance(unit, tuple)), default=1) * (len(value) if isinstance(value, str) else 1)
            if source.bits[0] > MAX_BITS:
                raise ValueError(TOO_LARGE)
        return segment_bits(value, size, types), token
    except ValueError as error:
        raise source.error(first.start, str(error)) from None


_ATOMIC = frozenset(("atom", "integer", "float", "char", "sigil string", "sigil binary"))
_CONSTRUCTS = {"{": _tuple, "[": _list, "(": _parenthesis, "-": _signed, "+": _signed, "#": _map, "fun": _fun, "<<": _binary}
