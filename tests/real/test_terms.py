# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Erlang terms against real ones: what erl consults is what we parse, and what we print is what erl consults.

``OTP_TREES`` (separated by colons) names root directories of other Erlang/OTP systems, ``ROOT/bin/erl``, or of whole systems to change root to.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from waiting import LIMIT

from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import consult_bytes, format_terms
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import identity
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils._terms.terms_invalid import INVALID, INVALID_FILES
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils._terms.terms_strategy import terms
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils._terms.terms_valid import FILES, VALID, VALID_27, VALID_28

# Each line of standard input names two files: do they hold the same terms? And then: the terms of the one, printed to the other.
CONSULT = "Consult = fun(Name) -> try file:consult(Name) of {ok, T} -> {ok, T}; _ -> refused catch _:_ -> refused end end,"
EACH_LINE = """
(fun Again() ->
    case io:get_line("") of
        eof -> halt(0);
        Line -> [One, Other] = string:lexemes(Line, " \\n"), io:format("~s~n", [Do(One, Other)]), Again()
    end
end)().
"""
COMPARE = """
Do = fun(One, Other) ->
    case {Consult(One), Consult(Other)} of
        {{ok, Terms}, {ok, Terms}} -> "same";
        {{ok, _}, {ok, _}} -> "different";
        {refused, refused} -> "both refused";
        {refused, _} -> "first refused";
        {_, refused} -> "second refused"
    end
end,
"""
PRINT = """
Do = fun(One, Other) ->
    {ok, Terms} = Consult(One),
    Lines = [io_lib:format(Format, [Term]) || Term <- Terms, Format <- ["~tp.~n", "~tw.~n"]],
    ok = file:write_file(Other, unicode:characters_to_binary(["%% coding: utf-8\\n" | Lines])),
    "printed"
end,
"""
RELEASE = 'io:format("~s ~s", [erlang:system_info(otp_release), code:root_dir()]), halt(0).'


class Otp(t.NamedTuple):
    """An Erlang/OTP: its command, the root of its file system, its release and its own root directory."""

    command: tuple[str, ...]
    system: str
    release: int
    root: str

    def run(self, expression: str, standard_input: str = "") -> str:
        command = [*self.command, "+pc", "unicode", "-noshell", "-eval", expression]
        done = subprocess.run(command, input=standard_input, stdout=subprocess.PIPE, encoding="utf-8", timeout=LIMIT, check=True)
        return done.stdout

    def each(self, do: str, pairs: list[tuple[str, str]]) -> list[str]:
        """What one run of erl says to each pair of files."""
        lines = "".join(f"{one[len(self.system) :]} {other[len(self.system) :]}\n" for one, other in pairs)
        said = self.run(CONSULT + do + EACH_LINE, lines).splitlines()
        assert len(said) == len(pairs)
        return said


def found(command: tuple[str, ...], system: str) -> Otp:
    release, root = Otp(command, system, 0, "").run(RELEASE).split(" ", 1)
    return Otp(command, system, int(release), root)


@pytest.fixture(scope="module", params=["erl", *filter(None, os.environ.get("OTP_TREES", "").split(":"))])
def otp(request, erl: str) -> Otp:
    if request.param == "erl":
        return found((erl,), "")
    if os.path.exists(os.path.join(request.param, "usr/bin/erl")):
        return found(("chroot", request.param, "/usr/bin/erl"), request.param)
    return found((os.path.join(request.param, "bin/erl"),), "")


@pytest.fixture
def directory(otp: Otp) -> t.Iterator[Path]:
    """A directory that this OTP can see."""
    with tempfile.TemporaryDirectory(dir=otp.system + "/tmp") as path:
        yield Path(path)


def read(path: str) -> list:
    return consult_bytes(Path(path).read_bytes(), filename=path)


def written(directory: Path, name: object, content: bytes) -> str:
    path = directory / str(name)
    path.write_bytes(content)
    return str(path)


def test_every_file_of_otp_itself(otp: Otp, directory: Path):
    """What we read and print of the files of OTP is what erl reads of them, and erl's print of them is what we read of them."""
    patterns = ("*.app", "*.appup", "*.rel", "*.config", "RELEASES")
    files = [str(path) for pattern in patterns for path in Path(otp.system + os.path.realpath(otp.root)).rglob(pattern)]
    assert len(files) > 10
    ours = [written(directory, number, format_terms(read(path))) for number, path in enumerate(files)]
    assert dict(zip(files, otp.each(COMPARE, list(zip(files, ours))))) == dict.fromkeys(files, "same")
    theirs = [str(directory / f"{number}_theirs") for number in range(len(files))]
    otp.each(PRINT, list(zip(files, theirs)))
    for path, printed in zip(files, theirs):
        twice = [identity(term) for term in read(path) for _format in range(2)]
        assert [identity(term) for term in read(printed)] == twice, path


def test_tables(otp: Otp, directory: Path):
    """The values that the unit tests expect are erl's."""
    table = [(text.encode(), values) for text, values in VALID + (VALID_27 if otp.release >= 27 else []) + (VALID_28 if otp.release >= 28 else [])] + FILES
    pairs = [(written(directory, f"{n}_text", text), written(directory, f"{n}_ours", format_terms(values))) for n, (text, values) in enumerate(table)]
    said = otp.each(COMPARE, pairs)
    assert [(content, word) for (content, _values), word in zip(table, said) if word != "same"] == []


@pytest.mark.parametrize(("since", "table"), [(27, VALID_27), (28, VALID_28)])
def test_what_is_said_to_be_new_is(otp: Otp, directory: Path, since: int, table: list):
    pairs = [(written(directory, f"{n}_text", text.encode()), written(directory, f"{n}_ours", format_terms(values))) for n, (text, values) in enumerate(table)]
    assert set(otp.each(COMPARE, pairs)) <= ({"same"} if otp.release >= since else {"first refused", "different"})


def test_refused_texts(otp: Otp, directory: Path):
    """What we refuse OTP 27 refuses; earlier ones take a few of them: strings that look like new ones, and words that were not reserved."""
    contents = [text.encode() for text, *_where in INVALID] + INVALID_FILES
    files = [written(directory, number, content) for number, content in enumerate(contents)]
    said = otp.each(COMPARE, [(path, path) for path in files])
    taken = [content for content, word in zip(contents, said) if word == "same"]
    if otp.release >= 27:
        assert taken == []
    assert [content for content in taken if not any(mark in content for mark in (b'""', b"\\^", b"maybe", b"else"))] == []


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(batch=st.lists(st.lists(terms, max_size=3), min_size=40, max_size=80))
def test_generated_terms(otp: Otp, directory: Path, batch):
    """Terms that we print and erl reads, and prints in its way, are the same terms when we read that.

    Of a fun's name that needs quotes, or is not ASCII, erl prints what it cannot read itself.
    """
    pairs = [(written(directory, f"{n}_ours", format_terms(values)), str(directory / f"{n}_theirs")) for n, values in enumerate(batch)]
    otp.each(PRINT, pairs)
    twice = [[value for value in values for _format in range(2)] for values in batch]
    expected = [written(directory, f"{n}_twice", format_terms(values)) for n, values in enumerate(twice)]
    said = otp.each(COMPARE, [(ours, theirs) for ours, (_ours, theirs) in zip(expected, pairs)])
    for values, word, (_ours, theirs) in zip(twice, said, pairs):
        if word == "same":
            assert [identity(term) for term in read(theirs)] == [identity(term) for term in values]
        else:
            assert "ExternalFun(" in repr(values), word
