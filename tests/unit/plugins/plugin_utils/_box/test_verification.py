# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: a file of the box is known by its sha256 or by its content, and else a mark; only modules and resource files of a package are asked for, and not
those of a box that has too many; owner and permissions are those on the box, and what was put back will be the user's who has the system.
"""

from __future__ import annotations

import hashlib
import os
import types
import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.plugin_utils._box import verification
from ansible_collections.erlang.otp.plugins.plugin_utils._box.inspection import Entry, Inspection
from ansible_collections.erlang.otp.plugins.plugin_utils._box.mirror import MARK, Mirror
from ansible_collections.erlang.otp.plugins.plugin_utils._box.verification import bring_contents, look_on_box
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import release_members, write_package

ROOT = "/srv/exchange"
SAME, OTHER, ADDED, SCRIPT = "lib/pea-1.0/ebin/pea.app", "lib/pea-1.0/ebin/pea.beam", "lib/pea-1.0/ebin/more.beam", "releases/FIRST/start.boot"


class Box:
    """What is used of a box: it lists its files, has their sums when it is asked for them, and the content of those that are named."""

    def __init__(self, directory: Path, contents: dict[str, bytes]) -> None:
        self.target = types.SimpleNamespace(root=ROOT)
        self.mirror = Mirror(str(directory / "copy"), ROOT)
        self.contents, self.asked = contents, []
        self.refresh()

    def refresh(self, SUMS: str = "", OWN: str = "") -> None:
        self.asked.append(OWN.split())
        entries = {ROOT: Entry("d", 0o755, 100, 100, 0, "")}
        for path, content in self.contents.items():
            above = path.split("/")[:-1]
            entries |= {"/".join(above[: depth + 1]): Entry("d", 0o755, 100, 100, 0, "") for depth in range(len(above))}
            entries[path] = Entry("-", 0o4755, 7, 7, len(content), "")
        sums = {path: hashlib.sha256(content).hexdigest() for path, content in self.contents.items()} if SUMS else {}
        self.inspection = Inspection(entries=entries, sums=sums, files={path: (self.contents[path], 0) for path in OWN.split()})
        self.mirror.fill(self.inspection)


@pytest.fixture
def box(tmp_path: Path) -> Box:
    members: dict[str, t.Any] = release_members()
    assert {SAME, OTHER, SCRIPT} <= members.keys()
    return Box(tmp_path, {SAME: members[SAME], OTHER: b"other", ADDED: b"more", SCRIPT: b"other"})


@pytest.fixture
def known(tmp_path: Path) -> list[dict[str, t.Any]]:
    return [{"package": write_package(tmp_path / "SYSTEM-FIRST.tar.gz", release_members()), "files": {name: [] for name in release_members()}}]


def test_what_is_known_of_a_file(box: Box, known: list[dict[str, t.Any]]) -> None:
    bring_contents(box, known)
    assert box.asked == [[], [], [OTHER]]
    assert [box.mirror.place(path).read_bytes() for path in (SAME, OTHER)] == [box.contents[SAME], b"other"]
    assert all(box.mirror.place(path).read_bytes().startswith(MARK) for path in (ADDED, SCRIPT))


def test_a_box_that_has_too_many_is_not_asked(box: Box, known: list[dict[str, t.Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "MOST", 0)
    bring_contents(box, known)
    assert box.asked == [[], []] and box.mirror.place(OTHER).read_bytes().startswith(MARK)


def test_without_a_package_nothing_is_asked(box: Box) -> None:
    bring_contents(box, [])
    assert box.asked == [[]]


def test_owner_and_permissions(box: Box) -> None:
    look, place = look_on_box(box), box.mirror.place(SCRIPT)
    assert look("", os.lstat(place)) == (100, 0o755) and look(SCRIPT, os.lstat(place)) == (7, 0o4755)
    new = place.with_name("new")
    new.write_bytes(b"put back")
    new.chmod(0o640)
    new.replace(place)
    assert look(SCRIPT, os.lstat(place)) == (100, 0o640)
    assert look("releases/FIRST/none", os.lstat(place)) == (100, 0o640)
