# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: the copy of a box stays in its directory, and nothing in it leads elsewhere, whatever names, links and contents the box has; what is
not a file that the controller can have is refused by name; a file that only the box has is a mark, which no content can imitate.
"""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.plugin_utils._box.delivery import prepare_delivery
from ansible_collections.erlang.otp.plugins.plugin_utils._box.inspection import Entry, Inspection
from ansible_collections.erlang.otp.plugins.plugin_utils._box.mirror import MARK, Mirror

SHA = 64 * "a"
FILE = Entry("-", 0o644, 0, 0, 3, "")
DIRECTORY = Entry("d", 0o755, 0, 0, 0, "")


def link(target: str) -> Entry:
    return Entry("l", 0o777, 0, 0, len(target), target)


@pytest.mark.parametrize(
    "path",
    ["../evil", "bin/../../evil", "bin/..", "lib//a", "lib/./a", "", "a\nb", "a\x1b[2J", "a\0b", "a" * 256, "a/" * 600 + "a", "/etc/passwd", "/srv/other"],
)
def test_a_path_that_is_not_one_of_the_system_is_refused(tmp_path: Path, path: str) -> None:
    mirror = Mirror(str(tmp_path / "copy"), "/srv/exchange")
    with pytest.raises(OtpError, match="Nothing was changed") as caught:
        mirror.fill(Inspection(entries={path: FILE}))
    assert str(caught.value).isprintable() and len(str(caught.value)) < 400
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("lib/a", "/etc/passwd"),
        ("lib/a", "../../etc/passwd"),
        ("lib/a", "b/../../../etc/passwd"),
        ("releases/1", "{outside}"),
        ("lib/a", ""),
        ("lib/a", "."),
    ],
)
def test_a_link_that_leads_elsewhere_is_a_mark(tmp_path: Path, path: str, target: str) -> None:
    mirror = Mirror(str(tmp_path / "copy"), "/srv/exchange")
    mirror.fill(Inspection(entries={"lib": DIRECTORY, "lib/b": link("c"), "releases": DIRECTORY, path: link(target.format(outside=tmp_path))}))
    assert mirror.place(path).read_bytes() == MARK + path.encode() and not mirror.place(path).is_symlink()
    assert prepare_delivery(mirror, {}) is None


@pytest.mark.parametrize(("path", "target"), [("lib/a/b.so", "b.so.1"), ("lib/a/b.so", "../c/d"), ("releases/now", "FIRST")])
def test_a_link_within_the_system_is_one_in_the_copy(tmp_path: Path, path: str, target: str) -> None:
    mirror = Mirror(str(tmp_path / "copy"), "/srv/exchange")
    mirror.fill(Inspection(entries={path: link(target)}))
    assert os.readlink(mirror.place(path)) == target


def test_the_link_of_the_run_directory_stays_in_the_copy(tmp_path: Path) -> None:
    mirror = Mirror(str(tmp_path / "copy"), "/srv/exchange", ("/run/exchange",))
    mirror.fill(Inspection(entries={"run": link("/run/exchange"), "/run/exchange": DIRECTORY}))
    assert mirror.place("run").resolve() == tmp_path / "copy/run/exchange"
    assert mirror.link_on_box("run") == "/run/exchange"
    with pytest.raises(OtpError, match="/srv/exchange/run on the box is a link"):
        Mirror(str(tmp_path / "other"), "/srv/exchange").fill(Inspection(entries={"run": link("/run/../etc")}))


@pytest.mark.parametrize("path", ["bin", "lib", "log", "releases", "erts-15.2"])
def test_a_link_in_the_place_of_a_directory_of_the_system_is_named(tmp_path: Path, path: str) -> None:
    mirror = Mirror(str(tmp_path / "copy"), "/srv/exchange")
    with pytest.raises(OtpError, match=f"/srv/exchange/{path} on the box is a link to '/etc'.*Put a directory"):
        mirror.fill(Inspection(entries={path: link("/etc"), f"{path}/start": FILE}))


@pytest.mark.parametrize("entry", [link("{outside}"), link("lib"), FILE, Entry("p", 0o644, 0, 0, 0, ""), Entry("c", 0o644, 0, 0, 0, "")])
def test_nothing_is_written_behind_what_is_not_a_directory(tmp_path: Path, entry: Entry) -> None:
    (tmp_path / "outside").mkdir()
    entry = entry._replace(target=entry.target.format(outside=tmp_path / "outside"))
    mirror = Mirror(f"{tmp_path}/copy", "/srv/exchange", ("/var/exchange", "/var/exchange/pipe"))
    entries = {"lib": DIRECTORY, "run": entry, "run/emulator.pid": FILE, "/var/exchange": entry, "/var/exchange/pipe": FILE}
    mirror.fill(Inspection(entries=entries, files={"run/emulator.pid": (b"1", 7)}))
    assert not mirror.place("run/emulator.pid").exists() and not mirror.place("/var/exchange/pipe").exists()
    assert list((tmp_path / "outside").iterdir()) == []


def test_pipes_devices_and_sockets_are_not_in_the_copy(tmp_path: Path) -> None:
    mirror = Mirror(str(tmp_path / "copy"), "/srv/exchange")
    mirror.fill(Inspection(entries={f"lib/{kind}": Entry(kind, 0o644, 0, 0, 0, "") for kind in "pcbs"}))
    assert mirror.seen.keys() <= {"lib"}


def test_the_root_directory_is_a_directory(tmp_path: Path) -> None:
    with pytest.raises(OtpError, match="/srv/exchange on the box is not a directory"):
        Mirror(str(tmp_path / "copy"), "/srv/exchange").fill(Inspection(entries={"/srv/exchange": link("/etc")}))


def test_two_names_that_are_one_on_the_controller_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a file system that takes capitals for small letters."""
    mirror = Mirror(str(tmp_path / "copy"), "/srv/exchange")
    place = mirror.place
    monkeypatch.setattr(mirror, "place", lambda path: place(path.lower()))
    with pytest.raises(OtpError, match="the box has 'lib/a' and another name that is the same"):
        mirror.fill(Inspection(entries={"lib": DIRECTORY, "lib/A": link("b"), "lib/a": FILE}))


def test_a_file_that_begins_with_the_mark_is_not_taken_for_one_of_ours(tmp_path: Path) -> None:
    mirror = Mirror(str(tmp_path), "/srv/exchange")
    mirror.fill(Inspection(entries={"releases/a": FILE}, files={"releases/a": (MARK + b"/etc/shadow", 7)}))
    assert mirror.place("releases/a").read_bytes() == MARK + b"releases/a"
    mirror.place("releases/b").write_bytes(MARK + b"/etc/shadow")
    delivery = prepare_delivery(mirror, {})
    assert delivery and not [step for step in steps_of(delivery.stream) if step.startswith("copy") or "shadow" in step]


def test_what_only_the_box_has_is_marked_by_its_sum_or_its_path(tmp_path: Path) -> None:
    mirror = Mirror(str(tmp_path), "/srv/exchange")
    mirror.fill(
        Inspection(entries={"bin/epmd": FILE, "lib/a": FILE, "releases/RELEASES": FILE}, sums={"bin/epmd": SHA}, files={"releases/RELEASES": (b"[].", 7)})
    )
    assert mirror.place("bin/epmd").read_bytes() == MARK + SHA.encode()
    assert mirror.place("lib/a").read_bytes() == MARK + b"lib/a"
    assert (mirror.place("releases/RELEASES").read_bytes(), mirror.place("releases/RELEASES").stat().st_mtime) == (b"[].", 7)
    assert prepare_delivery(mirror, {}) is None
    # The same content elsewhere is copied on the box.
    mirror.place("lib/a").write_bytes(mirror.place("bin/epmd").read_bytes())
    delivery = prepare_delivery(mirror, {})
    assert delivery is not None
    assert "copy 644 lib/a /srv/exchange/bin/epmd" in steps_of(delivery.stream)


def steps_of(stream: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(stream)) as archive:
        steps = archive.extractfile("steps")
        return steps.read().decode().splitlines() if steps else []


def test_no_program_of_the_box_runs_here_with_another_users_rights(tmp_path: Path) -> None:
    mirror = Mirror(str(tmp_path / "copy"), "/srv/exchange")
    mirror.fill(Inspection(entries={"bin": DIRECTORY, "bin/su": FILE._replace(mode=0o6755)}))
    assert mirror.place("bin/su").stat().st_mode & 0o7777 == 0o755
