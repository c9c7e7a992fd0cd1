# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why an upgrade would fail.

Rules: each thing that is missing or wrong is one problem of its kind, with a remedy; what needs a restart needs allow_restart, heart and a start
script; what only warns is not fatal; a release that failed before is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import Release, ReleaseApplication
from ansible_collections.erlang.otp.plugins.module_utils._handler import preflight as _preflight
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Known, Running
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

RELEASE = Release("x", "2", "13.1.5", (ReleaseApplication("kernel", "8"), ReleaseApplication("sasl", "4")))
RELEASES = '[{release,"x","2","13.1.5",[{kernel,"8","lib/kernel-8"}],unpacked},{release,"x","1","13.1.5",[{kernel,"8","lib/kernel-8"}],permanent}].\n'


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A system in which nothing speaks against release 2."""
    root = tmp_path / "root"
    for directory in ("bin", "releases/1", "releases/2", "lib/kernel-8/ebin", "lib/sasl-4/ebin", "erts-13.1.5/bin"):
        (root / directory).mkdir(parents=True)
    for name in _preflight.PROGRAMS:
        shutil.copy(Path(sys.executable).resolve(), root / "erts-13.1.5/bin" / name)
    (root / "bin/start").write_text("#!/bin/sh\n")
    (root / "bin/start").chmod(0o755)
    (root / "releases/RELEASES").write_text(RELEASES)
    (root / "releases/start_erl.data").write_text("13.1.5 1\n")
    (root / "releases/2/start.boot").write_text("")
    (root / "releases/2/sys.config").write_text("[].\n")
    (root / "releases/2/relup").write_text('{"2", [{"1", [], [point_of_no_return]}], [{"1", [], [restart_emulator]}]}.\n')
    return Tree(str(root))


def running(tree: Tree, **more) -> Running:
    releases = (Known("x", "2", "unpacked", ("kernel-8",)), Known("x", "1", "permanent", ("kernel-8",)))
    node = Running("x@h", 1, 1, "started", True, releases, f"{tree.root}/bin/start {tree.root}/releases/start_erl.data", "", tree.root)
    return node._replace(**more)


def problems(tree: Tree, node: Running | None = None, **options) -> list[_preflight.Problem]:
    node = node or running(tree)
    found = [
        *_preflight.check_node(tree, node),
        *_preflight.check_tree(tree),
        *_preflight.check_release(tree, options.get("release", RELEASE), like=sys.executable),
    ]
    return found + [*_preflight.check_relup(tree, node, options.get("version", "2"), allow_restart=options.get("allow_restart", True))]


def kinds(found: list[_preflight.Problem]) -> list[tuple[str, bool]]:
    return [(problem.kind, problem.fatal) for problem in found]


def test_nothing_speaks_against_it(tree: Tree) -> None:
    assert problems(tree) == []


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("releases/2/relup", "no_way"),
        ("releases/2/sys.config", "sys_config"),
        ("releases/2/start.boot", "missing_file"),
        ("lib/sasl-4/ebin", "missing_file"),
        ("erts-13.1.5/bin/beam.smp", "erts"),
        ("erts-13.1.5/bin/heart", "erts"),
    ],
)
def test_what_is_missing(tree: Tree, path: str, kind: str) -> None:
    shutil.rmtree(tree.path(path)) if Path(tree.path(path)).is_dir() else Path(tree.path(path)).unlink()
    (problem,) = problems(tree)
    assert (problem.kind, problem.fatal) == (kind, True)
    assert Path(path).name in problem.cause
    assert problem.remedy


@pytest.mark.parametrize("content", ["", "[{kernel,[]}]", "[{kernel,[{a,1},{a,2}]}].", "[].\n[].\n", "{kernel,[]}.\n"])
def test_configuration_that_the_emulator_would_not_take(tree: Tree, content: str) -> None:
    Path(tree.path("releases/2/sys.config")).write_text(content)
    assert kinds(problems(tree)) == [("sys_config", True)]


def test_configuration_that_is_to_be_made(tree: Tree) -> None:
    Path(tree.path("releases/2/sys.config")).rename(tree.path("releases/2/sys.config.src"))
    assert "and must be made from sys.config.src" in problems(tree)[0].cause


def test_a_program_of_another_kind(tree: Tree) -> None:
    Path(tree.path("erts-13.1.5/bin/beam.smp")).write_text("#!/bin/sh\n")
    assert kinds(problems(tree)) == [("machine", True)]


def test_without_sasl(tree: Tree) -> None:
    without = RELEASE._replace(applications=RELEASE.applications[:1])
    for node, release in ((running(tree), without), (running(tree, lacks_sasl=True), RELEASE)):
        assert kinds(list(_preflight.check_sasl(node, release))) == [("sasl", True)]
    assert [*_preflight.check_sasl(running(tree), RELEASE)] == [*_preflight.check_node(tree, running(tree, has_handler=False, lacks_sasl=True))] == []
    assert kinds(list(_preflight.check_node(tree, running(tree, has_handler=False)))) == [("sasl", True)]


@pytest.mark.parametrize(
    ("more", "kind", "fatal"),
    [
        ({"heart": None}, "heart", True),
        ({"heart": ""}, "heart", True),
        ({"heart": "/etc/init.d/x start"}, "start_program", False),
        ({"start": "/no/such/program"}, "start_program", True),
    ],
)
def test_what_a_restart_needs(tree: Tree, more: dict, kind: str, fatal: bool) -> None:
    back = running(tree, releases=(Known("x", "2", "current", ("kernel-8",)), Known("x", "1", "permanent", ("kernel-8",))), **more)
    assert kinds(problems(tree, back, version="1")) == [(kind, fatal)]


def test_a_restart_is_to_be_allowed(tree: Tree) -> None:
    back = running(tree, releases=(Known("x", "2", "current", ("kernel-8",)), Known("x", "1", "permanent", ("kernel-8",))))
    assert kinds(problems(tree, back, version="1", allow_restart=False)) == [("restart", True)]


def test_a_path_that_heart_would_split(tree: Tree, tmp_path: Path) -> None:
    moved = Tree(str(Path(tree.root).rename(tmp_path / "the root")))
    assert kinds(list(_preflight.check_start_program(moved, running(moved)))) == [("start_line", True)]
    (tmp_path / "plain").symlink_to(moved.root)
    line = {"start": f"{tmp_path}/plain/bin/start", "heart": f"'{moved.root}/bin/start' '{moved.root}/releases/start_erl.data'"}
    assert kinds(list(_preflight.check_start_program(moved, running(moved, **line)))) == [("start_line", True)]
    assert list(_preflight.check_start_program(moved, running(moved, directory=f"{tmp_path}/plain/releases", **line))) == []
    greek = Tree(str(Path(moved.root).rename(tmp_path / "ρίζα")))
    assert list(_preflight.check_start_program(greek, running(greek))) == []


@pytest.mark.parametrize(
    ("more", "kind", "fatal"),
    [
        ({"status": "starting"}, "starting", True),
        ({"root": "/elsewhere"}, "other_root", True),
        ({"releases": (Known("x", "2", "permanent", ("kernel-8",)),)}, "disagreement", True),
        ({"releases": (Known("x", "2", "old", ()), Known("x", "1", "permanent", ("kernel-8",)))}, "incomplete_entry", False),
    ],
)
def test_the_node_and_the_files(tree: Tree, more: dict, kind: str, fatal: bool) -> None:
    assert kinds(list(_preflight.check_node(tree, running(tree, **more)))) == [(kind, fatal)]


def test_a_node_that_was_started_without_releases(tree: Tree) -> None:
    """It reads the file first if that is all that it knows. An entry without libraries that the file has as well was not made up."""
    made_up = running(tree, releases=(Known("x", "1", "permanent", ()),))
    assert kinds(list(_preflight.check_memory(tree, made_up))) == []
    has_learned = made_up._replace(releases=(*made_up.releases, Known("x", "2", "unpacked", ("kernel-8",))))
    assert kinds(list(_preflight.check_memory(tree, has_learned))) == [("made_up", True)]
    assert kinds(list(_preflight.check_memory(tree, running(tree)))) == []
    assert kinds(list(_preflight.check_memory(tree, made_up._replace(has_handler=False)))) == []
    os.unlink(tree.path("releases/RELEASES"))
    assert kinds(list(_preflight.check_memory(tree, made_up))) == [("made_up", True)]


@pytest.mark.parametrize("heart", [None, ""])
def test_without_heart_a_hot_upgrade_goes_on(tree: Tree, heart: str | None) -> None:
    assert kinds(problems(tree, running(tree, heart=heart))) == [("heart", False)]


def test_little_room(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_preflight, "LEAST_SPACE", 1 << 62)
    assert kinds(problems(tree)) == [("space", True)]


def test_what_mix_reads_only_at_boot(tree: Tree) -> None:
    Path(tree.path("releases/2/env.sh")).write_text("#!/bin/sh\n\n  # export A=1\n")
    assert list(_preflight.check_mix(tree, "2")) == []
    Path(tree.path("releases/2/env.sh")).write_text("#!/bin/sh\nexport A=1\n")
    assert kinds(list(_preflight.check_mix(tree, "2"))) == [("mix", False)]
    (problem, dummy) = _preflight.check_mix(tree, "2", method="auto", why_not="it is old")
    assert problem.fatal and problem.cause.endswith("it is old") and "runtime.exs" in problem.cause and "otp_allow_restart" in problem.remedy


def test_a_release_that_failed_before() -> None:
    failure = {"time": "2026-01-31T12:00:00Z", "reason": "it crashed."}
    (problem,) = _preflight.check_history("2", failure, force=False)
    assert str(problem).startswith("release 2 failed on this host at 2026-01-31T12:00:00Z: it crashed. Build")
    assert _preflight.fatal(_preflight.check_history("2", failure, force=True)) == []
    assert list(_preflight.check_history("2", None, force=False)) == []


def made_from(sha256: str = "a" * 64, sasl: str = "4", digest: str = "") -> dict:
    return {"1": {"sha256": sha256, "applications": {"kernel": "8", "sasl": sasl}, "libraries": {"lib/kernel-8": digest or "b" * 64}}}


@pytest.mark.parametrize(
    ("given", "recorded", "said"),
    [
        # The digest of an empty directory.
        (made_from(digest=hashlib.sha256(b"").hexdigest()), "c" * 64, None),
        (made_from(), "a" * 64, None),
        (made_from(), "c" * 64, "here it has another lib/kernel-8"),
        (made_from(""), "a" * 64, "another lib/kernel-8"),
        (made_from(), None, "another lib/kernel-8"),
        ({"0": made_from()["1"]}, None, None),
        ({"1": {"sha256": 1}}, None, None),
        ({"1": {**made_from()["1"], "libraries": {"../../etc": ""}}}, None, None),
    ],
)
def test_a_relup_is_from_what_the_host_has(tree: Tree, given: dict, recorded: str | None, said: str | None) -> None:
    Path(tree.path("releases/2/relup.json")).write_text(json.dumps(given))
    if recorded:
        record = {"name": "x", "version": "1", "erts_version": "13.1.5", "sha256": recorded, "applications": {"kernel": "8"}}
        Path(tree.path("releases/1/package.json")).write_text(json.dumps(record))
    found = problems(tree)
    assert kinds(found) == ([("other_package", True)] if said else [])
    assert said is None or said in str(found[0])


def test_a_relup_is_from_the_versions_of_the_host(tree: Tree) -> None:
    Path(tree.path("releases/RELEASES")).write_text(RELEASES.replace('{kernel,"8","lib/kernel-8"}],permanent', '{sasl,"5","lib/sasl-5"}],permanent'))
    (problem,) = _preflight.check_made_from(tree, "2", "1", made_from=made_from())
    assert "sasl 5 and not 4" in problem.cause
    # Down, the relup is that of the release that runs.
    assert [*_preflight.check_made_from(tree, "1", "2")] == []
