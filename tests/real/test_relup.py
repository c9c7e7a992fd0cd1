# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Relups made along with a package: of the example's three releases, installed by a real release handler; and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from other_otp import TREES, other_otp
from release_workshop import MINIMAL, Workshop, content, erl, members, unpack
from upgrade_site import bring_exchange
from waiting import LIMIT, free_port

from ansible_collections.erlang.otp.plugins.module_utils._build.boot_scripts import SystoolsError
from ansible_collections.erlang.otp.plugins.module_utils._build.otp import find_otp
from ansible_collections.erlang.otp.plugins.module_utils._build.systools import ScriptOptions
from ansible_collections.erlang.otp.plugins.module_utils._core.checksum import sha256
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError

VERSIONS = {"first": "1.0", "second": "2.0", "third": "3.0"}


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path, find_otp(None))


class Exchange:
    """The example compiled, and its releases built, each in a directory of its own."""

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop
        self.directory = workshop.directory / "exchange"
        bring_exchange(self.directory)
        # That of the second release is made by the build.
        (self.directory / "2.0/ebin/exchange.appup").unlink()

    def build(self, release: str, *, up: t.Sequence[str] = (), down: t.Sequence[str] = (), **options: t.Any) -> dict[str, t.Any]:
        chosen = {
            "rel": str(self.directory / f"{release}.rel"),
            "code_path": (str(self.directory / VERSIONS[release] / "ebin"),),
            "output_dir": str(self.directory / "out" / release),
            "sys_config": "[{kernel, [{logger_level, critical}]}, {exchange, [{port, 0}]}].\n",
            "upgrade_from": tuple(up),
            "downgrade_to": tuple(down),
            "appup": "generate",
        }
        return self.workshop.build(**{**chosen, **options})

    def package(self, release: str) -> str:
        return str(self.directory / "out" / release / f"{release}.tar.gz")


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Exchange:
    exchange = Exchange(Workshop(tmp_path_factory.mktemp("exchange"), find_otp(None)))
    exchange.build("first")
    first = exchange.package("first")
    exchange.build("second", up=[first], down=[first])
    both = [exchange.package("second"), first]
    exchange.build("third", up=both, down=both)
    return exchange


def ways(result: dict[str, t.Any]) -> list[tuple[str, str, str, str]]:
    return [(way["direction"], way["from"], way["to"], way["restarts"]) for way in result["relup"]]


# --- what is made


def test_the_ways_are_told_and_the_relup_is_in_the_package(exchange: Exchange) -> None:
    both = [exchange.package("second"), exchange.package("first")]
    third = exchange.build("third", up=both, down=both)
    assert third["changed"] is False
    assert ways(third) == [
        ("up", "SECOND", "THIRD", "none"),
        ("up", "FIRST", "THIRD", "none"),
        ("down", "THIRD", "SECOND", "none"),
        ("down", "THIRD", "FIRST", "none"),
    ]
    assert [way["core_changes"] for way in third["relup"]] == [[]] * 4
    relup = (exchange.directory / "out/third/relup").read_bytes()
    assert content(third["package"], "releases/THIRD/relup") == relup
    counted = erl_counts(exchange.directory / "out/third/relup")
    assert [way["instructions"] for way in third["relup"]] == counted
    assert third["diagnostics"] == []
    assert "relup up from FIRST to THIRD, restarts: none" in third["diff"]["after"]


def erl_counts(relup: Path) -> list[int]:
    """The number of instructions of each way, by Erlang's word, in the order of the option."""
    code = f'{{ok, [{{_, Up, Down}}]}} = file:consult("{relup}"), [io:format("~s ~b~n", [V, length(I)]) || {{V, _, I}} <- Up ++ Down], halt().'
    said = subprocess.run(["erl", "-noinput", "-eval", code], capture_output=True, text=True, check=True, timeout=LIMIT).stdout.split("\n")
    counts = [(line.split()[0], int(line.split()[1])) for line in said if line]
    up, down = dict(counts[:2]), dict(counts[2:])
    return [up["SECOND"], up["FIRST"], down["SECOND"], down["FIRST"]]


def test_an_earlier_release_as_rel_file_directory_or_package(exchange: Exchange) -> None:
    given = {
        "rel": str(exchange.directory / "first.rel"),
        "directory": str(exchange.directory / "out/first"),
        "package": exchange.package("first"),
        "rel beside its package": str(exchange.directory / "out/first/first.rel"),
    }
    relups, packages = set(), set()
    for what, path in given.items():
        upgrade_path = (str(exchange.directory / "1.0/ebin"),) if what == "rel" else ()
        output = str(exchange.directory / "ways" / what)
        result = exchange.build("second", up=[path], down=[path], upgrade_path=upgrade_path, output_dir=output)
        relups.add((Path(output) / "relup").read_bytes())
        packages.add((result["sha256"], result["made_from"]["FIRST"]["sha256"]))
    # The package says from which package it was made, if it was made from one.
    assert len(relups) == 1 and len(packages) == 2
    assert {earlier for _package, earlier in packages} == {"", sha256(exchange.package("first"))}


def test_again_changes_nothing_and_another_earlier_release_does(exchange: Exchange, tmp_path: Path) -> None:
    first, second, output = exchange.package("first"), exchange.package("second"), str(tmp_path / "out")
    built = exchange.build("third", up=[second, first], output_dir=output)
    assert f"write {output}/relup" in built["actions"]
    again = exchange.build("third", up=[second, first], output_dir=output)
    assert (again["changed"], again["relup"]) == (False, built["relup"])
    assert exchange.build("third", up=[second, first], output_dir=output, check_mode=True)["changed"] is False
    predicted = exchange.build("third", up=[second], output_dir=output, check_mode=True)
    less = exchange.build("third", up=[second], output_dir=output)
    assert predicted == less
    assert less["actions"] == [f"write {output}/relup", f"make the release package {output}/third.tar.gz"]
    assert ways(less) == [("up", "SECOND", "THIRD", "none")]
    none = exchange.build("third", output_dir=output)
    assert none["actions"] == [f"remove {output}/relup", f"make the release package {output}/third.tar.gz"]
    assert not (tmp_path / "out/relup").exists()
    assert "releases/THIRD/relup" not in members(none["package"])
    # One of somebody else's stays, and is not taken.
    (tmp_path / "out/relup").write_text("junk")
    assert exchange.build("third", output_dir=output)["changed"] is False
    assert (tmp_path / "out/relup").read_text() == "junk"


def test_a_changed_appup_makes_another_relup(workshop: Workshop) -> None:
    earlier, options = two_versions(workshop)
    built = workshop.build(**options, upgrade_from=(earlier,))
    (workshop.directory / "lib/pea-2.0/ebin/pea.appup").write_text('{"2.0", [{"1.0", [{update, pea}]}], []}.\n')
    other = workshop.build(**options, upgrade_from=(earlier,))
    assert f"write {workshop.output}/relup" in other["actions"]
    assert built["relup"] != other["relup"]


def test_the_emulator_restarts_where_it_is_wished(exchange: Exchange, tmp_path: Path) -> None:
    first = exchange.package("first")
    result = exchange.build("second", up=[first], down=[first], restart_emulator=True, output_dir=str(tmp_path))
    assert ways(result) == [("up", "FIRST", "SECOND", "restart_emulator"), ("down", "SECOND", "FIRST", "restart_emulator")]


# --- a change of OTP


@pytest.mark.parametrize("tree", TREES)
def test_from_another_otp_the_emulator_restarts_and_it_is_told(workshop: Workshop, tree: str) -> None:
    workshop.application("pea")
    other = Workshop(workshop.directory, other_otp(tree, workshop.otp, workshop.directory / "renumbered"))
    first = other.rel(*MINIMAL, "pea-1.0", stem="first")
    options = {
        "rel": workshop.rel(*MINIMAL, "pea-1.0", stem="second", version="SECOND"),
        "upgrade_from": (first,),
        "downgrade_to": (first,),
        "upgrade_path": (f"{other.otp.lib}/*/ebin",),
    }
    old, new = ([int(part) for part in otp.erts_version.split(".")] for otp in (other.otp, workshop.otp))
    if old > new or new[0] - old[0] > 2:
        with pytest.raises(
            OtpError, match=r"A relup for release MYSYSTEM SECOND can't be made\. To be upgraded from release FIRST, application kernel goes from"
        ):
            workshop.build(**options)
        return
    versions = [("erts", other.otp.erts_version, workshop.otp.erts_version)]
    versions += [(name, other.version_of(name), workshop.version_of(name)) for name in MINIMAL]
    up = [f"{name} {one} -> {two}" for name, one, two in versions if one != two]
    down = [f"{name} {two} -> {one}" for name, one, two in versions if one != two]
    for strict in (False, True):
        result = workshop.build(**options, script=ScriptOptions(warnings_as_errors=strict))
        assert ways(result) == [("up", "FIRST", "SECOND", "restart_new_emulator"), ("down", "SECOND", "FIRST", "restart_emulator")]
        assert [way["core_changes"] for way in result["relup"]] == [up, down]
        # That is no fault, so nothing that warnings_as_errors could turn into one.
        assert result["diagnostics"] == []


# --- what is refused, or warned of


def two_versions(workshop: Workshop, appup: str = '{"2.0", [{"1.0", [{load_module, pea}]}], [{"1.0", [{load_module, pea}]}]}.\n') -> tuple[str, dict]:
    """The package of a release with pea 1.0, and the options of one with pea 2.0."""
    workshop.application("pea")
    earlier = workshop.build(rel=workshop.rel(*MINIMAL, "pea-1.0"), output_dir=str(workshop.directory / "first"))["package"]
    pea = workshop.application("pea", "2.0")
    if appup:
        (pea / "ebin/pea.appup").write_text(appup)
    return earlier, {"rel": workshop.rel(*MINIMAL, "pea-2.0", stem="second", version="SECOND")}


def test_a_missing_appup_names_application_versions_and_file(workshop: Workshop) -> None:
    earlier, options = two_versions(workshop, appup="")
    with pytest.raises(OtpError) as caught:
        workshop.build(**options, upgrade_from=(earlier,))
    assert str(caught.value) == (
        "A relup for release MYSYSTEM SECOND can't be made. To be upgraded from release FIRST, application pea goes from 1.0 to 2.0, but"
        f" {workshop.directory}/lib/pea-2.0/ebin/pea.appup does not exist: see appup(4)."
        " Appups that do not exist can be made from compiled code: set otp_appup (option appup) to generate."
    )
    assert not workshop.output.exists()


APPUPS = [
    ('{"2.0", [{"0.9", []}, {<<"0\\\\.[1-8]">>, []}], [{"1.0", []}]}.\n', r"pea\.appup has no instructions up from 1\.0 \(it has: 0\.9, 0\\\.\[1-8\]\)"),
    ('{"2.0", [{"1.0", []}], []}.\n', r"To be downgraded to release FIRST, application pea goes from 2\.0 to 1\.0, but .* down to 1\.0 \(it has: none\)"),
    ('{"2.0", [{"1.0", []}], []\n', r"pea\.appup, line 2, column 1: "),
    ('{"2.0", nothing, []}.\n', r"pea\.appup: it is not one term \{Vsn"),
    ('{"2.0", [{"1.0", [{load_module, nowhere}]}], [{"1.0", []}]}.\n', r"systools refuses the release\. .*nowhere"),
    ('{"2.0", [{"1.0", [{jump}]}], [{"1.0", []}]}.\n', r"systools refuses the release\. .*jump"),
]


@pytest.mark.parametrize(("appup", "message"), APPUPS)
def test_appups_that_are_of_no_use(workshop: Workshop, appup: str, message: str) -> None:
    earlier, options = two_versions(workshop, appup)
    with pytest.raises(OtpError, match=message):
        workshop.build(**options, upgrade_from=(earlier,), downgrade_to=(earlier,))


def test_the_same_version(workshop: Workshop) -> None:
    earlier, options = two_versions(workshop)
    workshop.rel(*MINIMAL, "pea-2.0", stem="second")
    with pytest.raises(OtpError, match=r"upgrade_from: .*/first/mysystem\.tar\.gz is version FIRST, as the release to be built is"):
        workshop.build(**options, upgrade_from=(earlier,))


def test_without_sasl(workshop: Workshop) -> None:
    earlier, _options = two_versions(workshop)
    rel = workshop.rel("kernel", "stdlib", "pea-2.0", stem="second", version="SECOND")
    with pytest.raises(SystoolsError, match="No sasl application in release MYSYSTEM, SECOND. Can not be upgraded"):
        workshop.build(rel=rel, upgrade_from=(earlier,))


def test_another_name_and_an_appup_of_another_version_are_warned_of(workshop: Workshop) -> None:
    earlier, _options = two_versions(workshop, '{"2.1", [{"1.0", []}], []}.\n')
    rel = workshop.rel(*MINIMAL, "pea-2.0", stem="second", version="SECOND", name="OTHER")
    for _again in range(2):
        said = workshop.build(rel=rel, upgrade_from=(earlier,))["diagnostics"]
        assert [item["kind"] for item in said] == ["other_name", "bad_vsn"]
    assert said[0]["sentence"] == f"{earlier} is release MYSYSTEM, but the release that is built is OTHER."
    assert said[1]["sentence"].endswith("pea.appup is for version 2.1, but the application has 2.0.")
    with pytest.raises(SystoolsError, match="is release MYSYSTEM, but") as caught:
        workshop.build(rel=rel, upgrade_from=(earlier,), script=ScriptOptions(warnings_as_errors=True))
    assert [item.kind for item in caught.value.diagnostics] == ["other_name", "bad_vsn"]


def test_an_application_that_changed_without_a_new_version_is_warned_of(workshop: Workshop) -> None:
    """T10: unpack_release keeps NAME-VERSION as it is there, so the node would go on with the old code."""
    pea = workshop.application("pea")
    rel = workshop.rel(*MINIMAL, "pea-1.0")
    stripped = workshop.build(rel=rel, output_dir=str(workshop.directory / "first"), strip=True)["package"]
    second = workshop.rel(*MINIMAL, "pea-1.0", stem="second", version="SECOND")
    # Debug information alone is no other code.
    assert workshop.build(rel=second, upgrade_from=(stripped,))["diagnostics"] == []
    (pea / "src/pea.erl").write_text('-module(pea).\n-export([version/0]).\nversion() -> "other".\n')
    subprocess.run(["erlc", "-o", pea / "ebin", pea / "src/pea.erl"], check=True)
    (said,) = workshop.build(rel=second, upgrade_from=(stripped,))["diagnostics"]
    assert (said["kind"], said["term"]) == ("same_version", "pea-1.0")
    assert said["sentence"] == (f"pea-1.0 of release FIRST ({stripped}) has other content: pea.beam. An upgrade would not install it: change its version.")


# --- a release handler takes it


def test_a_release_handler_goes_up_and_down_by_it(exchange: Exchange) -> None:
    otp = exchange.workshop.otp
    root = unpack(exchange.package("first"), exchange.directory / "root")
    for release in ("second", "third"):
        shutil.copy(exchange.package(release), root / "releases")
    create = f'ok = release_handler:create_RELEASES("{root}", "{root}/releases", "{root}/releases/first.rel", []), halt().'
    sasl = str(root / "lib" / f"sasl-{exchange.workshop.version_of('sasl')}" / "ebin")
    erl(root, otp, "-boot", str(root / "bin/start"), "-pa", sasl, "-eval", create)
    # The switch counts its calls: they have to be there after each step.
    program = """
        {ok, Socket} = gen_tcp:connect("127.0.0.1", Port, [{packet, line}, {active, false}]),
        Ask = fun(Line) -> ok = gen_tcp:send(Socket, [Line, $\n]), {ok, Answer} = gen_tcp:recv(Socket, 0, 5000), string:trim(Answer) end,
        Step = fun(Version) ->
            {ok, Other, []} = release_handler:check_install_release(Version),
            {ok, Other, []} = release_handler:install_release(Version),
            io:format("~s from or to ~s: ~ts, ~ts, ~0p~n", [Version, Other, Ask("version"), Ask("dial anna"), os:getpid() =:= Pid])
        end,
        [{ok, _} = release_handler:unpack_release(Name) || Name <- ["second", "third"]],
        lists:foreach(Step, ["SECOND", "THIRD", "FIRST", "THIRD", "SECOND", "FIRST"]),
        halt().
    """
    port = free_port()
    said = erl(
        root,
        otp,
        *("-boot", str(root / "releases/FIRST/start"), "-config", str(root / "releases/FIRST/sys"), "-exchange", "port", str(port)),
        *("-sasl", "sasl_error_logger", "false", "-eval", f"Port = {port}, Pid = os:getpid(), {program}"),
    )
    # On the way down it says, too, that FIRST has no relup, and the other version is the wanted one.
    assert [line for line in said.splitlines() if not line.startswith("Warning: ")] == [
        "SECOND from or to FIRST: version 2.0, dialled anna 1, true",
        "THIRD from or to SECOND: version 3.0, dialled anna 2, true",
        "FIRST from or to FIRST: version 1.0, dialled anna 3, true",
        "THIRD from or to FIRST: version 3.0, dialled anna 4, true",
        "SECOND from or to SECOND: version 2.0, dialled anna 5, true",
        "FIRST from or to FIRST: version 1.0, dialled anna 6, true",
    ]


# --- the role


def test_the_role_takes_earlier_packages_from_where_it_brought_them(exchange: Exchange, tmp_path: Path) -> None:
    (tmp_path / "inventory").write_text("[otp_builders]\nbuilder ansible_connection=local\n")
    playbook = tmp_path / "build.yml"
    playbook.write_text("[{hosts: otp_builders, gather_facts: false, roles: [{role: erlang.otp.release}]}]")

    def build(release: str, code: int = 0, **variables: t.Any) -> str:
        given = {
            "otp_rel": str(exchange.directory / f"{release}.rel"),
            "otp_code_path": [str(exchange.directory / VERSIONS[release] / "ebin")],
            "otp_build_dir": str(tmp_path / "build"),
            "otp_packages_dir": str(tmp_path / "packages"),
            "otp_appup": "generate",
            **variables,
        }
        tools = Path(sys.executable).parent
        done = subprocess.run(
            [tools / "ansible-playbook", "-i", tmp_path / "inventory", "--diff", "-e", json.dumps(given), playbook],
            cwd=tmp_path,
            env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "XDG_CACHE_HOME": str(tmp_path / "cache")},
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    build("first")
    earlier = {"otp_upgrade_from": ["exchange-FIRST.tar.gz"], "otp_downgrade_to": [str(tmp_path / "packages/exchange-FIRST.tar.gz")]}
    refused = " ".join(build("second", 2, otp_appup="require", **earlier).split())
    assert "set otp_appup (option appup) to generate" in refused, refused
    said = build("second", **earlier)
    assert "+relup up from FIRST to SECOND, restarts: none" in said
    assert "+relup down from SECOND to FIRST, restarts: none" in said
    relup = content(str(tmp_path / "packages/exchange-SECOND.tar.gz"), "releases/SECOND/relup")
    assert relup == (exchange.directory / "out/second/relup").read_bytes()
    review = (tmp_path / "packages/exchange-SECOND.appups/exchange.appup").read_bytes()
    assert review == content(str(tmp_path / "packages/exchange-SECOND.tar.gz"), "lib/exchange-2.0/ebin/exchange.appup")
    assert "exchange 2.0 has no appup: one was made from compiled code. Review" in " ".join(said.split())
    assert "changed=0" in build("second", **earlier)
    # By hand, without appups.
    by_hand = relup + b"%% Reviewed.\n"
    build("second", otp_appup="require", otp_release_relup=by_hand.decode(), **earlier)
    assert content(str(tmp_path / "packages/exchange-SECOND.tar.gz"), "releases/SECOND/relup") == by_hand
