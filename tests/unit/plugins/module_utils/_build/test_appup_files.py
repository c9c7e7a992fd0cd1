# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Appups for review: where the builds are that are compared; a file that an author has reviewed stays; a draft where something has to be decided."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._build.appup_files import Options, make_appup_files, read_build
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.beam_files import beam
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import release_members, write_package


def build(directory: Path, version: str, code: bytes = b"") -> Path:
    ebin = directory / "pea/ebin"
    ebin.mkdir(parents=True)
    (ebin / "pea.app").write_text(f'{{application, pea, [{{vsn, "{version}"}}, {{modules, [pea]}}]}}.\n')
    (ebin / "pea.beam").write_bytes(code or beam("pea", code=version))
    return directory


@pytest.fixture
def options(tmp_path):
    return Options(old=(str(build(tmp_path / "1", "1.0")),), new=str(build(tmp_path / "2", "2.0")), output_dir=str(tmp_path / "out"))


def test_a_file_is_made_once(options, tmp_path):
    foretold = make_appup_files(options, Changes(check_mode=True))
    assert not (tmp_path / "out").exists()
    first = make_appup_files(options, Changes())
    path = f"{tmp_path}/out/pea.appup"
    assert first == foretold and first["actions"] == [f"write {path}"] and first["problem"] == ""
    assert first["appups"] == [{"application": "pea", "version": "2.0", "from": ["1.0"], "path": path, "made": True, "questions": [], "remarks": [REMARK]}]
    again = make_appup_files(options, Changes())
    assert (again["changed"], again["diff"], again["appups"][0]["made"]) == (False, [], False)


REMARK = (
    "Whether records and structs of pea have changed cannot be seen in stripped code. To have it compared, compile both builds with debug information"
    " and do not strip them (otp_strip, strip_beams of mix)."
)


def test_a_reviewed_file_stays(options, tmp_path):
    reviewed = tmp_path / "out/pea.appup"
    reviewed.parent.mkdir()
    reviewed.write_text('{"2.0", [{<<".*">>, []}], [{<<".*">>, []}]}.\n')
    assert make_appup_files(options, Changes())["changed"] is False and "<<" in reviewed.read_text()
    for text in ('{"2.0", [{"0.9", []}], [{"1.0", []}]}.\n', '{"2.0", [{"1.0", []}], []}.\n', '{"2.1", [{"1.0", []}], [{"1.0", []}]}.\n'):
        reviewed.write_text(text)
        with pytest.raises(OtpError, match=r"pea\.appup does not lead to 2\.0 from 1\.0, and back\. Remove it"):
            make_appup_files(options, Changes())
        assert reviewed.read_text() == text
    assert make_appup_files(options._replace(force=True), Changes())["changed"] and "load_module" in reviewed.read_text()
    # One beside the .app file as well.
    reviewed.replace(tmp_path / "2/pea/ebin/pea.appup")
    assert make_appup_files(options, Changes())["appups"][0]["path"] == options.new and not reviewed.exists()


def test_a_question_makes_a_draft(options, tmp_path):
    (tmp_path / "2/pea/ebin/pea.beam").write_bytes(beam("pea", code="2", calls=["erlang:load_nif/2"]))
    made = make_appup_files(options, Changes())
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["pea.appup.draft"]
    assert made["problem"].startswith("The appup of pea 2.0 can't be made from compiled code alone: pea runs code when it is loaded")
    assert made["problem"].endswith(f"Write {tmp_path}/out/pea.appup. The draft beside that path has the instructions that are clear.")
    # The author decides what is left.
    written = tmp_path / "out/pea.appup"
    written.write_text('{"2.0", [{"1.0", [restart_new_emulator]}], [{"1.0", [restart_new_emulator]}]}.\n')
    assert make_appup_files(options, Changes())["problem"] == "" and "restart_new_emulator" in written.read_text()


def test_where_builds_are(options, tmp_path):
    package = write_package(tmp_path / "first.tar.gz", {**release_members(), "lib/pea-1.0/ebin/pea.appup": b""})
    found = read_build(package, "old", str(tmp_path / "scratch"))
    assert {name: application.version for name, application in found.items()} == {"kernel": "8.5.3", "stdlib": "4.2", "pea": "1.0"}
    assert sorted(path.name for path in Path(found["pea"].ebin).iterdir()) == ["pea.app", "pea.appup", "pea.beam"]
    # The directory of a build has the package, and a .rel file names one of two versions.
    (tmp_path / "first.rel").write_bytes(release_members()["releases/system.rel"])
    assert set(read_build(str(tmp_path), "old", str(tmp_path / "again"))) == set(found)
    for version in ("1.0", "2.0"):
        build(tmp_path / f"rel/lib/pea-{version}", version)
        (tmp_path / f"rel/lib/pea-{version}/pea/ebin").replace(tmp_path / f"rel/lib/pea-{version}/ebin")
    (tmp_path / "rel/releases/SECOND").mkdir(parents=True)
    (tmp_path / "rel/releases/SECOND/system.rel").write_bytes(release_members("SECOND", app_version="2.0")["releases/system.rel"])
    assert read_build(f"{tmp_path}/rel/releases/SECOND/system.rel", "new", "")["pea"].ebin == f"{tmp_path}/rel/lib/pea-2.0/ebin"
    with pytest.raises(OtpError, match=r"new: .*/rel has pea 1\.0 and 2\.0\. Name the \.rel file of the release, or its package"):
        read_build(f"{tmp_path}/rel", "new", "")


def test_what_is_refused(options, tmp_path):
    for changed, message in (
        ({"old": ("/nowhere",)}, "old: /nowhere does not exist"),
        ({"new": str(tmp_path / "1/pea/ebin/pea.beam")}, "is neither a gzip file nor a tar file"),
        ({"applications": ("bean",)}, "has no application bean. It has pea"),
    ):
        with pytest.raises(OtpError, match=message):
            make_appup_files(options._replace(**changed), Changes())
    (tmp_path / "2/pea/ebin/pea.beam").unlink()
    with pytest.raises(OtpError, match=r"2/pea/ebin/pea\.beam does not exist, and pea\.app lists the module"):
        make_appup_files(options, Changes())
