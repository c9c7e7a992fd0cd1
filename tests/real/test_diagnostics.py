# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a build says of its input, held against what systools and OTP do with the same."""

from __future__ import annotations

import itertools
import os
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml
from release_workshop import MINIMAL, Workshop, erl, members, unpack
from waiting import LIMIT

from ansible_collections.erlang.otp.plugins.module_utils._build.applications import RequestedApplication, requested_application
from ansible_collections.erlang.otp.plugins.module_utils._build.boot_scripts import SystoolsError
from ansible_collections.erlang.otp.plugins.module_utils._build.otp import find_otp
from ansible_collections.erlang.otp.plugins.module_utils._build.systools import Diagnostic, ScriptOptions
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom, format_term, parse_one
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils._formats.test_appup import EXPRESSIONS


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path, find_otp(None))


def evaluated(expression: str, directory: Path) -> t.Any:
    """The value of the expression in OTP."""
    (directory / "script").write_text(f"%% coding: utf-8\n{expression}.\n", "utf-8")
    command = ["erl", "-noinput", "-eval", '{ok, Value} = file:script("script"), file:write_file("value", io_lib:format("~p.~n", [Value])), halt().']
    subprocess.run(command, check=True, timeout=LIMIT, cwd=directory)
    return parse_one((directory / "value").read_text())


def test_regular_expressions_of_appups_are_those_of_otp(tmp_path: Path) -> None:
    asks = [
        f"systools_relup:appup_search_for_version({format_term(version)}, [{{<<{format_term(expression)}/utf8>>, []}}])"
        for expression, matched, others in EXPRESSIONS
        for version in (*matched, *others)
    ]
    expected = [(Atom("ok"), []) if there else Atom("error") for _expression, *both in EXPRESSIONS for there in (True, False) for _version in both[not there]]
    assert evaluated(f"[{', '.join(asks)}]", tmp_path) == expected


def test_an_appup_with_a_class_of_posix(workshop: Workshop) -> None:
    workshop.application("pea")
    earlier = workshop.rel(*MINIMAL, "pea-1.0", stem="earlier")
    (workshop.application("pea", "2.0") / "ebin/pea.appup").write_text('{"2.0", [{<<"1\\\\.[[:digit:]]+">>, []}], [{<<"[[:digit:].]+">>, []}]}.\n')
    result = workshop.build(rel=workshop.rel(*MINIMAL, "pea-2.0", version="SECOND"), upgrade_from=(earlier,), downgrade_to=(earlier,))
    assert [way["direction"] for way in result["relup"]] == ["up", "down"]


def test_calls_to_what_the_release_has_not(workshop: Workshop) -> None:
    """As xref of OTP, which knows no callers, and by what the applications were made of. That this OTP has a function does not make it the release's."""
    calls = "-export([call/1]).\ncall(A) -> nowhere:function(), chard:version(), leek:version(), init:stop(), (erlang:element(1, A)):version(), %s.\n"
    workshop.application("pea", body=calls % "ok")
    workshop.application("bean", body=calls % "nowhere:other(1), compile:file(A)")
    workshop.application("chard")
    workshop.application("leek")
    rel = workshop.rel(*MINIMAL, "pea-1.0", "bean-1.0", "leek-1.0")

    def found(*among: str) -> dict[str, tuple[list[str], str]]:
        (warning,) = workshop.build(rel=rel, script=ScriptOptions(exref=among or True))["diagnostics"]
        assert warning["kind"] == "exref_undef"
        functions = {f"{module.name}:{name.name}/{arity}" for module, name, arity in parse_one(warning["term"])[1][1]}
        assert functions == {call["function"] for call in warning["calls"]}
        assert all(call["function"] in warning["sentence"] for call in warning["calls"])
        places = {call["function"]: call["directory"] for call in warning["calls"]}
        if "stdlib" not in among:
            assert places["chard:version/0"] == str(workshop.directory / "lib/chard-1.0/ebin") and places["nowhere:function/0"] == ""
        return {call["function"]: (call["callers"], call["application"]) for call in warning["calls"]}

    both = {"nowhere:function/0": (["bean: bean", "pea: pea"], ""), "chard:version/0": (["bean: bean", "pea: pea"], "chard")}
    assert found() == {**both, "nowhere:other/1": (["bean: bean"], ""), "compile:file/1": (["bean: bean"], "compiler")}
    assert_called_is_there(workshop, ["leek:version/0", "init:stop/0"], found())
    # OTP's own call what may be left out.
    assert found("kernel", "stdlib")["compile:forms/2"][1] == "compiler"
    assert found("pea") == {function: (["pea: pea"], application) for function, (_callers, application) in both.items()}
    # That way out.
    rel = workshop.rel(*MINIMAL, "compiler", "pea-1.0", "bean-1.0", "leek-1.0", "chard-1.0")
    (warning,) = workshop.build(rel=rel, script=ScriptOptions(exref=True))["diagnostics"]
    assert {call["function"] for call in warning["calls"]} == {"nowhere:function/0", "nowhere:other/1"}
    for _run in range(2):
        with pytest.raises(SystoolsError, match=r"nowhere:other/1, by bean: bean \(nothing on the code path has the module\)\.$") as caught:
            workshop.build(rel=rel, script=ScriptOptions(exref=True, warnings_as_errors=True))
        assert [item.kind for item in caught.value.diagnostics] == ["exref_undef"]
    with pytest.raises(OtpError, match=r"^exref: the release has no application peas\. It has: .*, pea, bean, leek, chard\.$"):
        workshop.build(rel=rel, script=ScriptOptions(exref=("pea", "peas")))


def assert_called_is_there(workshop: Workshop, there: t.Iterable[str], missing: t.Iterable[str]) -> None:
    """What the emulator says that has nothing but the release."""
    root = unpack(str(workshop.output / "mysystem.tar.gz"), workshop.directory / "root")
    code = "[begin [M, F] = string:split(C, [$:]), [N, A] = string:split(F, [$/]), code:ensure_loaded(list_to_atom(M)), io:format([$~, $w, $ ], [\
        erlang:function_exported(list_to_atom(M), list_to_atom(N), list_to_integer(A))]) end || C <- init:get_plain_arguments()], halt()."
    asked = {**dict.fromkeys(there, "true"), **dict.fromkeys(missing, "false")}
    assert erl(root, workshop.otp, "-boot", str(root / "releases/FIRST/start"), "-eval", code, "-extra", *asked).split() == list(asked.values())


def refused(workshop: Workshop, **options: t.Any) -> list[Diagnostic]:
    """Why systools refuses the release."""
    with pytest.raises(SystoolsError) as caught:
        workshop.build(**options)
    return caught.value.diagnostics


def rel(workshop: Workshop, *more: str) -> str:
    """The path of a .rel file of what each release has, and more applications as terms."""
    path = Path(workshop.rel(*MINIMAL))
    path.write_text(path.read_text("utf-8").replace("]}", "".join(f", {application}" for application in more) + "]}"))
    return str(path)


def test_kinds_are_the_words_of_systools(workshop: Workshop) -> None:
    workshop.application("pea", needs=", nowhere, elsewhere")
    workshop.application("bean")
    workshop.application("leek", keys=", {included_applications, [chard]}")
    workshop.application("chard")
    workshop.application("one", needs=", two")
    workshop.application("two", needs=", one")
    cases: dict[tuple[str, ...], list[str]] = {
        ('{pea, "1.0"}',): ["undefined_applications"],
        ('{leek, "1.0", [bean]}', '{chard, "1.0", [bean]}'): ["error_reading", "error_reading"],
        ('{one, "1.0"}', '{two, "1.0"}'): ["circular_dependencies"],
    }
    for applications, kinds in cases.items():
        diagnostics = refused(workshop, rel=rel(workshop, *applications))
        assert [item.kind for item in diagnostics] == kinds
        assert all(item.term.startswith(f"{{{item.kind},") for item in diagnostics)
    path = Path(rel(workshop))
    path.write_text(path.read_text("utf-8").replace("}, {stdlib", ", load}, {stdlib"), "utf-8")
    assert [item.kind for item in refused(workshop, rel=str(path))] == ["mandatory_app"]


@pytest.mark.parametrize(
    ("up", "down", "kind", "sentence"),
    [
        ('{"1.0", [{load_module, pea} | pea]}', "", "EXIT", "systools ends with "),
        ('{"1.0", pea}', "", "EXIT", "systools ends with "),
        ('{<<"[">>, []}, {"1.0", []}', "", "EXIT", "systools ends with badarg"),
        ("", '{"1.0", [{load_modul, pea}]}', "bad_instruction", "Bad instruction: {load_modul,pea}"),
        ('{"1.0", [{load_module, nowhere}]}', "", "no_such_module", "No such module: nowhere"),
        ('{"1.0", [{load, {pea, brutal_purge, brutal_purge}}]}', "", "no_object_code", "No load_object_code found for module: pea"),
    ],
)
def test_an_appup_that_systools_does_not_take_is_named(workshop: Workshop, up: str, down: str, kind: str, sentence: str) -> None:
    for name in ("pea", "bean"):
        workshop.application(name)
    earlier = workshop.rel(*MINIMAL, "bean-1.0", "pea-1.0", stem="earlier")
    for name, ways in (("bean", '[{"1.0", []}], [{"1.0", []}]'), ("pea", f"[{up}], [{down}]")):
        (workshop.application(name, "2.0") / f"ebin/{name}.appup").write_text(f'{{"2.0", {ways}}}.\n')
    later = workshop.rel(*MINIMAL, "bean-2.0", "pea-2.0", version="SECOND")
    (diagnostic,) = refused(workshop, rel=later, upgrade_from=(earlier,) if up else (), downgrade_to=(earlier,) if down else ())
    assert diagnostic.kind == kind
    assert diagnostic.sentence.startswith(f"application pea, {workshop.directory}/lib/pea-2.0/ebin/pea.appup: {sentence}")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"A": "shared", "B": "shared2"}, {"pea": "$A/lib", "bean": "$B", "leek": "$A/x"}),
        ({"B": "shared2", "A": "shared"}, {"pea": "$A/lib", "bean": "$B", "leek": "$A/x"}),
        ({"A": "shared"}, {"pea": "$A/lib", "bean": "$ROOT/lib", "leek": "$A/x"}),
        # The first one counts.
        ({"A": "shared", "X": "shared/x"}, {"pea": "$A/lib", "bean": "$ROOT/lib", "leek": "$A/x"}),
        ({"X": "shared/x", "A": "shared/"}, {"pea": "$A/lib", "bean": "$ROOT/lib", "leek": "$X"}),
    ],
)
def test_variables_whose_directories_begin_alike(workshop: Workshop, variables: dict[str, str], expected: dict[str, str]) -> None:
    """The boot script looks for each application where the package has it."""
    places = {"pea": "shared/lib/pea-1.0", "bean": "shared2/bean-1.0", "leek": "shared/x/leek-1.0"}
    ebins = [str(workshop.application(name, place=place) / "ebin") for name, place in places.items()]
    given = tuple((name, os.path.join(workshop.directory, directory).rstrip("/")) for name, directory in variables.items())
    names = [f"{name}-1.0" for name in places]
    result = workshop.build(rel=workshop.rel(*MINIMAL, *names), code_path=tuple(ebins), script=ScriptOptions(variables=given), var_tar="ownfile")
    script = (workshop.output / "mysystem.script").read_text("utf-8")
    for name, directory in expected.items():
        assert f'["{directory}/{name}-1.0/ebin"]' in script
        variable, _slash, rest = directory.partition("/")
        archive = result["package"] if variable == "$ROOT" else str(workshop.output / f"{variable[1:]}.tar.gz")
        assert os.path.join(rest, f"{name}-1.0/ebin/{name}.beam") in members(archive)


@pytest.mark.parametrize("name", ["ebin/pea.app", "ebin/pea.beam", "ebin/pea.appup", "priv/data", "priv/deep/data"])
def test_a_dangling_link_is_called_so(workshop: Workshop, name: str) -> None:
    path = workshop.application("pea") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to("../elsewhere/file")
    with pytest.raises(OtpError) as caught:
        workshop.build(rel=workshop.rel(*MINIMAL, "pea-1.0"))
    assert f"{path} is a link to ../elsewhere/file, which does not exist. Remove the link" in str(caught.value)
    path.unlink()
    if name not in ("ebin/pea.app", "ebin/pea.beam"):
        workshop.build(rel=workshop.rel(*MINIMAL, "pea-1.0"))


def test_the_version_is_given_as_the_message_says(workshop: Workshop) -> None:
    for version in ("1.10", "1.9"):
        workshop.application("pea", version)
    with pytest.raises(OtpError, match="in two versions: ") as caught:
        workshop.build(name="A", version="1", applications=(RequestedApplication("pea"),))
    given = yaml.safe_load(str(caught.value).partition("as in ")[2].partition(", or remove")[0])
    result = workshop.build(name="A", version="1", applications=tuple(map(requested_application, ["sasl", *given])))
    assert {found["name"]: found["version"] for found in result["applications"]}["pea"] == "1.10"


@pytest.mark.parametrize("option", ["priv", "link", "extra_files", "dest"])
def test_names_that_are_not_utf_8_are_refused(workshop: Workshop, option: str) -> None:
    name = os.fsdecode(b"M\xfcller")
    priv = workshop.application("pea") / "priv"
    priv.mkdir()
    (priv / "Müller").write_text("a name that is UTF-8")
    rel, extra = workshop.rel(*MINIMAL, "pea-1.0"), workshop.directory / "extra"
    workshop.build(rel=rel, extra_files=((str(priv), "etc"),))
    extra.mkdir()
    (priv if option == "priv" else extra).joinpath("plain" if option == "link" else name).write_text("content")
    if option == "link":
        (priv / name).write_text("content")
        (priv / "A").symlink_to(name)
    dest = "etc/" + name if option == "dest" else "etc"
    with pytest.raises(OtpError, match=r"The name of .*M\\xfcller.* is not UTF-8, as the names in a package are\. Rename the file\.") as caught:
        workshop.build(rel=rel, extra_files=((str(extra), dest),))
    assert option != "link" or "priv/A -> M" in str(caught.value)
    assert ("extra" if option in ("extra_files", "dest") else "priv") in str(caught.value)


# Applications, each with what it needs and what it includes.
STRUCTURES = [
    {"a": ("", "b"), "b": ("a", "")},
    {"a": ("", "b"), "b": ("", ""), "d": ("b", "")},
    {"a": ("", "b"), "b": ("", "c"), "c": ("b", "")},
    {"a": ("d", "b"), "b": ("", ""), "d": ("b", "")},
]


@pytest.mark.parametrize("structure", STRUCTURES)
def test_the_order_that_is_chosen_is_one_that_systools_takes(workshop: Workshop, structure: dict[str, tuple[str, str]]) -> None:
    """If there is one: systools is asked for all."""
    for name, (needs, includes) in structure.items():
        workshop.application(name, needs=f", {needs}" if needs else "", keys=f", {{included_applications, [{includes}]}}")
    orders = list(itertools.permutations(structure))
    for number, order in enumerate(orders):
        workshop.rel(*MINIMAL, *(f"{name}-1.0" for name in order), stem=f"order{number}")
    path = f'{{path, filelib:wildcard("{workshop.directory}/lib/*/ebin")}}'
    script = f'[element(1, systools:make_script("{workshop.directory}/order" ++ integer_to_list(N), [silent, {path}])) || N <- lists:seq(0, {len(orders) - 1})]'
    taken = [order for order, answer in zip(orders, evaluated(script, workshop.directory)) if answer == Atom("ok")]
    for first in structure:
        try:
            workshop.build(name="A", version="1", applications=tuple(map(RequestedApplication, ["sasl", first, *structure])))
        except SystoolsError:
            assert not taken
        else:
            assert taken


def test_an_application_that_another_one_includes_is_not_started(workshop: Workshop) -> None:
    workshop.application("leek", keys=", {included_applications, [pea, bean]}")
    workshop.application("pea")
    workshop.application("bean")

    def build(*applications: t.Any) -> tuple[list[dict[str, str]], bool]:
        requested = tuple(map(requested_application, ["sasl", *applications]))
        diagnostics = workshop.build(name="A", version="1", file_name="mysystem", applications=requested)["diagnostics"]
        return diagnostics, "start_boot,[pea" in "".join((workshop.output / "mysystem.script").read_text("utf-8").split())

    assert build("leek") == ([], False)
    assert build("leek", {"name": "pea", "type": "load"}) == ([], False)
    for _run in range(2):
        (diagnostic,), starts = build("leek", "pea")
        assert not starts and (diagnostic["kind"], diagnostic["term"]) == ("included", "pea")
        assert "Application pea is included by leek, which has to start it: the system does not start it by itself." in diagnostic["sentence"]
    way_out = yaml.safe_load(diagnostic["sentence"].partition("(option applications): ")[2].rstrip("."))
    assert way_out == {"name": "leek", "included_applications": ["bean"]}
    assert build(way_out, "pea") == ([], True)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("sys.config", "[{kernel, []}", "line 1"),
        ("sys.config", "[{kernel, pea}].", "has no list of parameters for kernel"),
        ("sys.config", "[]. [].", "sys.config must be one list"),
        ("relup", '{"FIRST", [], []', "line 1"),
        ("relup", '{"FIRST", [], []}. [].', "it is not one term"),
        ("relup", '{"FIRST", pea, []}.', "it is not one term"),
        ("relup", '{"SECOND", [], []}.', "is a relup to release SECOND, but the package is release FIRST"),
    ],
)
def test_extra_files_of_the_release_directory_are_checked(workshop: Workshop, name: str, text: str, message: str) -> None:
    directory = workshop.directory / "release directory"
    directory.mkdir()
    good = {"sys.config": '[{kernel, []}, "other"].\n', "relup": '{"FIRST", [{"ZERO", [], [point_of_no_return]}], []}.\n'}
    for other, content in good.items():
        (directory / other).write_text(content)
    rel = workshop.rel(*MINIMAL)
    workshop.build(rel=rel, extra_files=((str(directory), "releases/FIRST"),))
    (directory / name).write_text(text)
    # Elsewhere, it is any file.
    workshop.build(rel=rel, extra_files=((str(directory / name), "releases/SECOND/" + name),))
    for extra in ((str(directory), "releases/FIRST"), (str(directory / name), "releases/FIRST/" + name)):
        with pytest.raises(OtpError) as caught:
            workshop.build(rel=rel, extra_files=(extra,))
        assert str(directory / name) in str(caught.value) and message in str(caught.value)
