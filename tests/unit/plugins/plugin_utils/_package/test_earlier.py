# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From which packages a relup is made.

Rules: from what each host runs, or boots next; a release without a package is named with its hosts; what the last package leads from stays, if it is there;
a host says what its releases are, and no name leads out of the directory.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible_collections.erlang.otp.plugins.module_utils._tree.made_from import format_made_from
from ansible_collections.erlang.otp.plugins.plugin_utils._package.earlier import find_earlier
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import release_members, write_package


def answer(version: str, *, running: str | None = None, name: str = "SYSTEM") -> dict[str, t.Any]:
    releases = [{"name": name, "version": each} for each in (version, running) if each]
    return {"permanent": {"release": version}, "running": running and {"release": running}, "releases": releases}


def test_what_hosts_run_or_boot(tmp_path: Path) -> None:
    for version in ("FIRST", "SECOND", "FOURTH"):
        (tmp_path / f"SYSTEM-{version}.tar.gz").touch()
    answers = {"a": answer("SECOND"), "b": answer("SECOND", running="FIRST"), "c": answer("THIRD"), "d": {"failed": True}, "e": {"permanent": None}}
    assert find_earlier(answers, str(tmp_path), "SYSTEM", "THIRD") == (["SYSTEM-FIRST.tar.gz", "SYSTEM-SECOND.tar.gz"], [], {})
    assert find_earlier({}, str(tmp_path), "SYSTEM", "THIRD") == ([], [], {})


def test_what_is_in_the_package_store_counts_as_if_it_were_there(tmp_path: Path) -> None:
    def stored(version: str, *earlier: str) -> dict[str, t.Any]:
        return {"name": "SYSTEM", "version": version, "upgrade_from": dict.fromkeys(earlier, "none"), "made_from": [*earlier]}

    store = [stored("1"), stored("2", "1"), {**stored("1"), "name": "OTHER"}]
    answers = {"a": answer("1"), "b": answer("0"), "c": answer("1", name="OTHER")}
    found = find_earlier(answers, str(tmp_path), "SYSTEM", "3", store, "/srv/packages")
    assert found.packages == ["OTHER-1.tar.gz", "SYSTEM-1.tar.gz"] and found.between == {"SYSTEM-1.tar.gz": ["SYSTEM-2.tar.gz"]}
    (problem,) = found.problems
    assert problem.startswith(f"b has release 0, and neither the package store /srv/packages nor {tmp_path} has SYSTEM-0.tar.gz to make a relup from. Copy")
    # Its way out.
    (tmp_path / "SYSTEM-0.tar.gz").touch()
    assert find_earlier({"b": answer("0")}, str(tmp_path), "SYSTEM", "3", [], "/srv/packages") == (["SYSTEM-0.tar.gz"], [], {})


def test_a_release_without_a_package_is_named_with_its_hosts(tmp_path: Path) -> None:
    answers = {f"h{number}": answer("FIRST") for number in range(10)} | {"x": answer("SECOND")}
    packages, problems, _between = find_earlier(answers, str(tmp_path), "SYSTEM", "THIRD")
    assert packages == [] and len(problems) == 2
    assert problems[0].startswith(f"h0, h1, h2, h3, h4, h5, h6, h7 and 2 more have release FIRST, and {tmp_path} has no SYSTEM-FIRST.tar.gz")
    assert problems[1].startswith("x has release SECOND") and "otp_upgrade_method to restart" in problems[1]


def test_the_ways_of_the_last_package_stay(tmp_path: Path) -> None:
    made_from = {version: {"sha256": "", "applications": {}, "libraries": {}} for version in ("FIRST", "LOST")}
    relup = {"releases/SECOND/relup": b'{"SECOND",[{"FIRST",[],[]}],[]}.\n', "releases/SECOND/relup.json": format_made_from(made_from)}
    write_package(tmp_path / "SYSTEM-SECOND.tar.gz", {**relup, **release_members("SECOND")})
    for version in ("FIRST", "ZEROTH"):
        (tmp_path / f"SYSTEM-{version}.tar.gz").touch()
    found = find_earlier({"a": answer("ZEROTH")}, str(tmp_path), "SYSTEM", "SECOND")
    assert found == (["SYSTEM-FIRST.tar.gz", "SYSTEM-ZEROTH.tar.gz"], [], {})


def test_the_releases_through_which_a_node_may_go(tmp_path: Path) -> None:
    """Those that relups of packages reach without a restart, the nearest first; never the one that is built, nor what is no package of this release."""

    def package(file: str, version: str, earlier: str, instructions: str = "[]") -> None:
        relup = {f"releases/{version}/relup": f'{{"{version}",[{{"{earlier}",[],{instructions}}}],[]}}.\n'.encode()}
        write_package(tmp_path / file, {**relup, **release_members(version)})

    for version, earlier in (("2", "1"), ("3", "2"), ("4", "1"), ("a", "3")):
        package(f"SYSTEM-{version}.tar.gz", version, earlier)
    package("SYSTEM-5.tar.gz", "5", "1", "[restart_emulator]")
    package("SYSTEM-6-thin.tar.gz", "6", "1")
    for name in ("SYSTEM-1.tar.gz", "SYSTEM-7.tar.gz"):
        (tmp_path / name).touch()
    expected = {"SYSTEM-1.tar.gz": ["SYSTEM-2.tar.gz", "SYSTEM-3.tar.gz", "SYSTEM-a.tar.gz"], "SYSTEM-3.tar.gz": ["SYSTEM-a.tar.gz"]}
    assert find_earlier({"x": answer("1"), "y": answer("3"), "z": answer("a")}, str(tmp_path), "SYSTEM", "4").between == expected


def test_no_name_of_a_host_leads_out_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "packages").mkdir()
    (tmp_path / "SYSTEM-FIRST.tar.gz").touch()
    for hostile in (answer("FIRST", name="../SYSTEM"), answer("/etc/passwd"), answer("FIRST", name=t.cast("str", ["a"])), {"permanent": {}, "releases": [{}]}):
        assert find_earlier({"a": hostile}, str(tmp_path / "packages"), "SYSTEM", "SECOND") == ([], [], {})
