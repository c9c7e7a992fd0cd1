# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Appups from compiled code: which instruction each kind of module gets, in which order, and what is a question instead of a guess.

tests/real has systools make relups of such appups, and nodes carry them out.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._build.appup_rules import Step, compare
from ansible_collections.erlang.otp.plugins.module_utils._build.made_appup import Code, make_appup
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats.appup import parse_appup
from ansible_collections.erlang.otp.plugins.module_utils._formats.beam_module import Module, parse_module
from ansible_collections.erlang.otp.plugins.module_utils._formats.debug_info import read_debug_info
from ansible_collections.erlang.otp.plugins.module_utils._terms.printer import format_term
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.beam_files import beam

SERVER = {"behaviours": ["gen_server"], "exports": ["init/1", "handle_call/3", "code_change/3"]}
SUPERVISOR = {"behaviours": ["supervisor"], "exports": ["init/1"]}
INIT = "{function,5,init,1,[{clause,5,[{var,5,'_'}],[],[%s]}]}."
KIDS = INIT % "{call,6,{atom,6,kids},[]}" + " {function,%d,kids,0,[{clause,8,[],[],[{atom,8,%s}]}]}."
EX_SUPERVISOR = "#{definitions => [{{init,1},def,[],[{[],[{x,[],nil}],[],{kids,[{line,%d}],[]}}]},{{kids,0},defp,[],[{[],[],[],%s}]}]}."
EX_START = """#{definitions => [{{start,2},def,[],[{[{line,%d}],[],[],{{'.',[],['Elixir.Supervisor',start_link]},[{line,1}],[[%s],[]]}}]}]}."""
STRUCT = """#{struct => [%s], definitions => [{{code_change,3},def,[%s],[{[],[{o,[],nil},{s,[],nil},{e,[],nil}],[],%s}]}]}."""
FIELDS = ", ".join(f"#{{field => {name}, required => false}}" for name in ("a", "b"))
NIF = {"calls": ["erlang:load_nif/2"]}


def record(fields: str, *, converts: str = "{match,1,{var,1,'S'},{var,1,'S'}}") -> str:
    """The forms of a module that uses a record, and whose code_change has this body."""
    listed = ", ".join(f"{{record_field,1,{{atom,1,{field}}}}}" for field in fields)
    use = "{function,1,f,0,[{clause,1,[],[],[{record,1,r,[]}]}]}."
    change = f"{{function,2,code_change,3,[{{clause,2,[{{var,2,'_'}},{{var,2,'S'}},{{var,2,'_'}}],[],[{converts}]}}]}}."
    return f"{{attribute,1,record,{{r,[{listed}]}}}}. {use} {change}"


def modules(*files: bytes) -> dict[str, Module]:
    read = [parse_module(content, filename="test.beam") for content in files]
    return {module.name: module for module in read}


def step(old: t.Sequence[bytes], new: t.Sequence[bytes]) -> Step:
    return compare("pea", "1.0", modules(*old), modules(*new))


def changed(old: dict[str, t.Any], new: dict[str, t.Any] | None = None) -> Step:
    """The step of a module m that has other code."""
    return step([beam("m", code="old", **old)], [beam("m", code="new", **(old if new is None else new))])


def told(instructions: t.Iterable[t.Any]) -> list[str]:
    return [format_term(instruction) for instruction in instructions]


@pytest.mark.parametrize(
    ("facts", "instruction"),
    [
        ({}, "{load_module,m}"),
        ({"behaviours": ["gen_server"], "exports": ["init/1"]}, "{load_module,m}"),
        (SERVER, "{update,m,{advanced,[]}}"),
        ({**SERVER, "behaviours": None}, "{update,m,{advanced,[]}}"),
        ({"behaviours": ["gen_statem"], "exports": ["code_change/4"]}, "{update,m,{advanced,[]}}"),
        ({"behaviours": ["gen_event"], "exports": ["code_change/3"]}, "{update,m,{advanced,[]}}"),
        ({"exports": ["system_code_change/4"]}, "{update,m,{advanced,[]}}"),
        ({**SUPERVISOR, "source": INIT % "ok"}, "{update,m,supervisor}"),
        ({"behaviours": ["application", "supervisor"], "exports": ["init/1", "start/2"], "source": INIT % "ok"}, "{update,m,supervisor}"),
        ({"behaviours": ["Elixir.Supervisor"], "elixir": EX_SUPERVISOR % (1, "a")}, "{update,m,supervisor}"),
    ],
)
def test_what_a_changed_module_gets(facts: dict[str, t.Any], instruction: str) -> None:
    found = changed(facts)
    assert (told(found.up), told(found.down), found.questions) == ([instruction], [instruction], [])


def test_the_order_and_the_way_back() -> None:
    old = [beam("line"), beam("switch", **SERVER), beam("gone"), beam("same", code="1", source="{eof,1}."), beam("top", **SUPERVISOR, source=KIDS % (7, "a"))]
    new = [
        beam("line", code="2", calls=["switch:f/0", "meter:f/0", "lists:map/2"]),
        beam("switch", code="2", calls=["meter:f/0", "same:f/0"], **SERVER),
        beam("meter", calls=["meter:g/0"]),
        beam("same", code="1", source="{eof,2}."),
        beam("top", code="2", **SUPERVISOR, source=KIDS % (8, "a")),
    ]
    found = step(old, new)
    assert told(found.up) == [
        "{add_module,meter}",
        "{update,top,supervisor}",
        "{update,switch,{advanced,[]},[meter]}",
        "{load_module,line,[meter,switch]}",
        "{delete_module,gone}",
    ]
    assert told(found.down) == [
        "{add_module,gone}",
        "{load_module,line,[meter,switch]}",
        "{update,switch,{advanced,[]},[meter]}",
        "{update,top,supervisor}",
        "{delete_module,meter}",
    ]
    assert found.changes == "changed: line, switch, top; new: meter; deleted: gone" and found.questions == []


def test_a_circle_and_a_long_chain() -> None:
    circle = step([beam("a"), beam("b")], [beam("a", code="2", calls=["b:f/0"]), beam("b", code="2", calls=["a:f/0"])])
    assert told(circle.up) == ["{load_module,b,[a]}", "{load_module,a,[b]}"]
    names = [f"m{number}" for number in range(3000)]
    chain = step([beam(name) for name in names], [beam(name, code="2", calls=[f"{after}:f/0"]) for name, after in zip(names, [*names[1:], "lists"])])
    assert told(chain.up[:2]) == ["{load_module,m2999}", "{load_module,m2998,[m2999]}"]


@pytest.mark.parametrize(
    ("old", "new", "question"),
    [
        (NIF, None, "m runs code when it is loaded"),
        ({"source": "{attribute,1,on_load,{f,0}}."}, None, "m runs code when it is loaded"),
        (SERVER, {**SERVER, "behaviours": ["gen_statem"]}, "m was gen_server and is gen_statem now"),
        (SERVER, {}, "m was gen_server and is none of OTP's behaviours now"),
        (
            {**SUPERVISOR, "source": KIDS % (7, "a")},
            {**SUPERVISOR, "source": KIDS % (7, "b")},
            "init/1 of the supervisor m has changed, or what it calls. {upd",
        ),
        (SUPERVISOR, None, "Whether init/1 of the supervisor m has changed cannot be seen in stripped code"),
        ({"behaviours": None, "exports": ["init/1"], "calls": ["supervisor:start_link/2"]}, None, "Whether init/1 of the supervisor m has changed"),
        (
            {"behaviours": ["Elixir.Supervisor"], "elixir": EX_SUPERVISOR % (1, "a")},
            {"behaviours": ["Elixir.Supervisor"], "elixir": EX_SUPERVISOR % (1, "b")},
            "init/1 of the supervisor m has changed",
        ),
        (
            {"calls": ["Elixir.Supervisor:start_link/2"], "elixir": EX_START % (1, "a")},
            {"calls": ["Elixir.Supervisor:start_link/2"], "elixir": EX_START % (1, "a,b")},
            "the function of m that starts a supervisor with a list of children has changed",
        ),
        ({"source": record("a")}, {"source": record("ab")}, "record r had the fields (a) and has (a, b), in m"),
        # What gives back the state as it was converts nothing.
        (
            {**SERVER, "source": record("a", converts="{tuple,3,[{atom,3,ok},{var,3,'S'}]}")},
            {**SERVER, "source": record("ab", converts="{tuple,3,[{atom,3,ok},{var,3,'S'}]}")},
            "record r had the fields",
        ),
        (
            {**SERVER, "elixir": STRUCT % ("#{field => a}", "{context,'Elixir.GenServer'}", "ok")},
            {**SERVER, "elixir": STRUCT % (FIELDS, "{context,'Elixir.GenServer'}", "ok")},
            "struct m had the fields (a) and has (a, b)",
        ),
        (
            {**SERVER, "elixir": STRUCT % ("#{field => a}", "", "{ok,{s,[{line,2}],nil}}")},
            {**SERVER, "elixir": STRUCT % (FIELDS, "", "{ok,{s,[{line,2}],nil}}")},
            "struct m had the fields",
        ),
    ],
)
def test_what_is_a_question(old: dict[str, t.Any], new: dict[str, t.Any] | None, question: str) -> None:
    found = changed(old, new)
    assert len(found.questions) == 1 and question in found.questions[0], found.questions


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # Places in the source count for nothing.
        ({**SUPERVISOR, "source": KIDS % (7, "a")}, {**SUPERVISOR, "source": KIDS % (9, "a")}),
        (
            {"calls": ["Elixir.Supervisor:start_link/2"], "elixir": EX_START % (1, "a")},
            {"calls": ["Elixir.Supervisor:start_link/2"], "elixir": EX_START % (9, "a")},
        ),
        # It converts its state itself.
        ({**SERVER, "source": record("a")}, {**SERVER, "source": record("ab")}),
        ({**SERVER, "elixir": STRUCT % ("#{field => a}", "", "{ok,1}")}, {**SERVER, "elixir": STRUCT % (FIELDS, "", "{ok,1}")}),
        # A record of an included file that is not used.
        ({"source": "{attribute,1,record,{r,[]}}."}, {"source": "{attribute,1,record,{r,[{record_field,1,{atom,1,a}}]}}."}),
    ],
)
def test_what_is_none(old: dict[str, t.Any], new: dict[str, t.Any]) -> None:
    assert changed(old, new).questions == []


def test_a_record_that_modules_share_is_one_question() -> None:
    old, new = ([beam(name, code=fields, source=record(fields), **SERVER) for name in ("m", "n")] for fields in ("a", "ab"))
    (question,) = step(old, new).questions
    assert "in m, n." in question and "{restart_application, pea}" in question


def test_remarks() -> None:
    found = step([beam("m"), beam("Elixir.P.A", exports=["__impl__/1"])], [beam("m", code="2")])
    assert [remark.partition(" ")[0] for remark in found.remarks] == ["Whether", "'Elixir.P.A':"]


def test_the_file_leads_from_each_version_and_asks_each_question_once() -> None:
    olds = [Code("pea", version, modules(beam("m", code=version), beam("n"))) for version in ("1.0", "1.1")]
    made = make_appup(Code("pea", "2.0", modules(beam("m", code="2", **NIF), beam("n", code="é"))), olds)
    appup = parse_appup(made.content, filename="pea.appup")
    assert (appup.version, appup.up, appup.down) == ("2.0", ("1.0", "1.1"), ("1.0", "1.1"))
    assert len(made.questions) == 1 and made.content.count(b"TO DECIDE") == 2 and b"1.1 to 2.0: changed: m, n." in made.content
    assert all(f"{code.version} ({code.digest})" in " ".join(made.content.decode().replace("%%", "").split()) for code in olds)


def test_the_same_code_with_other_debug_information_has_one_digest() -> None:
    files = [beam("m", source="{eof,1}."), beam("m", behaviours=None), beam("m", behaviours=["gen_server"])]
    assert len({Code("pea", "1", modules(file)).digest for file in files}) == 1
    assert Code("pea", "1", modules(beam("m", code="2"))).digest != Code("pea", "1", modules(files[0])).digest


def test_beam_files() -> None:
    """Of OTP 28 as well, whose atoms may be longer; what is damaged is refused."""
    long_name = "a" * 200
    for long_atoms in (False, True):
        module = parse_module(beam("m", exports=["f/1"], calls=[f"{long_name}:g/2"], long_atoms=long_atoms), filename="m.beam")
        assert (module.name, module.exports, module.imports) == ("m", {("f", 1)}, {(long_name, "g", 2)})
    whole = beam("m", exports=["f/1"])
    for damaged in (b"", whole[:40], whole.replace(b"ExpT", b"Expt"), whole.replace(b"\0\0\0\x01\0\0\0\x02", b"\0\0\0\x09\0\0\0\x02")):
        with pytest.raises(OtpError, match="m.beam: it is not a BEAM file, or it is damaged"):
            parse_module(damaged, filename="m.beam")
    for chunk in (b"", b"junk", b"\x83h\0"):
        assert read_debug_info(chunk) is None
