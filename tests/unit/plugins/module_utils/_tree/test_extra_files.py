# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: the extra files in the root are those of the permanent release; what was changed on the host is kept beside if the release brings another file, and
what the operator has listed is the operator's; root follows no link of another user.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import FileOptions
from ansible_collections.erlang.otp.plugins.module_utils._tree import extra_files as _extra_files
from ansible_collections.erlang.otp.plugins.module_utils._tree.extra_files import follow_extra, is_extra, list_of
from ansible_collections.erlang.otp.plugins.module_utils._tree.own_files import Entry, format_list
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree


@pytest.fixture
def root_directory():
    """A directory that every user may enter."""
    directory = Path(tempfile.mkdtemp(dir="/var/tmp"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


class Root:
    """A root directory with releases that have nothing but extra files. A text that begins with -> is where a link leads."""

    def __init__(self, directory, **releases):
        self.tree = Tree(str(directory))
        for version, files in releases.items():
            self.write(files, "releases", version, "extra")
            os.makedirs(self.tree.path("releases", version), exist_ok=True)
            with open(self.tree.path("releases", version, "extra_files"), "wb") as file:
                file.write(list_of(self.tree.path("releases", version, "extra")))

    def write(self, files, *names):
        for path, text in files.items():
            place = self.tree.path(*names, path)
            os.makedirs(os.path.dirname(place), exist_ok=True)
            if os.path.lexists(place):
                os.unlink(place)
            if text.startswith("->"):
                os.symlink(text[2:], place)
                continue
            with open(place, "w") as file:
                file.write(text)

    def files(self):
        """What is in the root, but for releases."""
        found = {}
        for above, directories, files in os.walk(self.tree.directory):
            directories[:] = [name for name in directories if name != "releases"]
            for name in (*files, *(name for name in directories if os.path.islink(os.path.join(above, name)))):
                path = os.path.join(above, name)
                text = "->" + os.readlink(path) if os.path.islink(path) else open(path).read()
                found[os.path.relpath(path, self.tree.directory)] = text
        return found

    def follow(self, version, **how):
        """The sentences, which check mode foretells, and a second time says nothing."""
        before, foretold, changes = self.files(), Changes(check_mode=True), Changes()
        kept = follow_extra(self.tree, version, foretold, FileOptions(), **how)
        assert self.files() == before
        assert follow_extra(self.tree, version, changes, FileOptions(), **how) == kept
        self.kept = kept
        assert changes.actions == foretold.actions or how
        again = Changes()
        assert follow_extra(self.tree, version, again, FileOptions()) == [] and again.actions == []
        return changes.actions


ONE = {"etc/a": "a1", "etc/same": "same", "only/one/b": "b", "link": "->etc/a"}
TWO = {"etc/a": "a2", "etc/same": "same", "etc/new": "new", "link": "->etc/new"}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("etc/a", True),
        ("NOTES", True),
        (".erlang", True),
        ("", False),
        ("bin/start", False),
        ("lib/x", False),
        ("log/x", False),
        ("releases/NAME.rel", False),
        ("erts-15/bin/x", False),
        (".staging/x", False),
        ("run/x", False),
        ("tls/key.pem", False),
    ],
)
def test_which_files_are_extra_files(path, found):
    assert is_extra(path) is found


def test_they_follow_the_release_there_and_back(tmp_path):
    root = Root(tmp_path, FIRST=ONE, SECOND=TWO)
    assert root.follow("FIRST", is_first=True) == [] and root.files() == ONE
    names = "etc/a, etc/new, link, without only/one/b"
    assert root.follow("SECOND") == [f"bring the extra files below {tmp_path} to release SECOND: {names}"] and root.files() == TWO
    assert not (tmp_path / "only").exists()
    root.follow("FIRST")
    assert root.files() == ONE and not (tmp_path / "etc/new").exists()


def test_what_was_changed_on_the_host_is_kept_beside_if_there_is_another_file(tmp_path):
    root = Root(tmp_path, FIRST=ONE, SECOND=TWO)
    root.follow("FIRST")
    root.write({"etc/a": "by hand", "etc/same": "by hand too", "only/one/b": "and this", "etc/new": "in the way", "link": "->by/hand"})
    sentences = root.follow("SECOND")
    kept = ["etc/a", "etc/new", "link", "only/one/b"]
    why = {path: "was on this host before" if path == "etc/new" else "was changed on this host" for path in kept}
    assert sentences[:4] == [f"keep {tmp_path}/{path}, which {why[path]}, as {tmp_path}/{path}.kept" for path in kept]
    assert [each.cause for each in root.kept] == [f"{tmp_path}/{path} of the package {why[path]}, and is kept as {tmp_path}/{path}.kept" for path in kept]
    assert root.files() == {
        **TWO,
        "etc/same": "by hand too",
        "etc/a.kept": "by hand",
        "etc/new.kept": "in the way",
        "only/one/b.kept": "and this",
        "link.kept": "->by/hand",
    }
    root.follow("FIRST")
    assert root.files()["etc/same"] == "by hand too" and root.files()["etc/a"] == "a1" and root.files()["etc/a.kept"] == "by hand"


def test_an_interrupted_run_is_completed(tmp_path):
    root = Root(tmp_path, FIRST=ONE, SECOND=TWO)
    root.follow("FIRST")
    root.write({"etc/a": "by hand"})
    root.write({"etc/new": "new"})
    os.rename(tmp_path / "etc/a", tmp_path / "etc/a.kept")
    root.follow("SECOND")
    assert root.files() == {**TWO, "etc/a.kept": "by hand"}


def test_what_the_operator_has_listed_stays(tmp_path):
    root = Root(tmp_path, FIRST=ONE, SECOND=TWO)
    root.follow("FIRST")
    root.write({"etc/a": "of otp_files"})
    (tmp_path / "releases/own_files").write_bytes(format_list({"etc/a": Entry(64 * "0")}))
    root.follow("SECOND")
    assert root.files() == {**TWO, "etc/a": "of otp_files"}


def test_a_release_of_an_earlier_version_of_the_collection_changes_nothing(tmp_path):
    root = Root(tmp_path, SECOND=TWO)
    root.write(ONE)
    os.mkdir(tmp_path / "releases/FIRST")
    assert root.follow("FIRST") == [] and root.files() == ONE
    root.follow("SECOND")
    kept = {f"{path}.kept": ONE[path] for path in ("etc/a", "link")}
    assert all("was on this host before" in each.cause for each in root.kept), "whether it was changed is not known"
    assert root.files() == {**TWO, **kept, "only/one/b": "b"}, "what the first one has brought is not known"


def test_a_list_names_no_other_file(tmp_path):
    root = Root(tmp_path, FIRST=ONE, SECOND=TWO)
    root.follow("FIRST")
    (tmp_path / "elsewhere").write_text("x")
    # Nothing of this machine: the rule is taken out to see whether this test notices.
    lines = [f"{64 * '0'} - {path}\n" for path in ("../elsewhere", f"{tmp_path}/elsewhere", "bin/start", "a/../b")]
    with open(tmp_path / "releases/extra_files", "a") as file:
        file.writelines(lines)
    assert root.follow("SECOND")[0].endswith("SECOND: etc/a, etc/new, link, without only/one/b")


def test_what_was_kept_before_stays(tmp_path):
    root = Root(tmp_path, FIRST=ONE, SECOND=TWO)
    root.follow("FIRST")
    (tmp_path / "etc/a.kept").mkdir()
    for number, version in enumerate(("SECOND", "FIRST", "SECOND"), 2):
        root.write({"etc/a": f"by hand {number}"})
        root.follow(version)
        assert [each.name for each in root.kept] == [f"{tmp_path}/etc/a.kept{number}"]
    assert [root.files()[f"etc/a.kept{number}"] for number in (2, 3, 4)] == ["by hand 2", "by hand 3", "by hand 4"]


@pytest.mark.parametrize("way", ["->elsewhere", "a file"])
def test_what_is_in_the_way_of_a_file_stays_and_is_named(tmp_path, way):
    root = Root(tmp_path, FIRST={"first": "1", "etc/old": "x"}, SECOND={"etc/a": "of the package", "other": "o"})
    root.follow("FIRST")
    root.write({"elsewhere/a": "the operator's", "elsewhere/old": "x"})
    shutil.rmtree(tmp_path / "etc")
    root.write({"etc": way})
    root.follow("SECOND")
    (kept,) = root.kept
    reason = "a link" if way == "->elsewhere" else "no directory"
    assert kept.cause == f"{tmp_path}/etc/a of the package was not brought: {tmp_path}/etc is {reason} on this host"
    assert f"{tmp_path}/releases/SECOND/extra/etc/a" in kept.remedy
    assert root.files() == {"elsewhere/a": "the operator's", "elsewhere/old": "x", "etc": way, "other": "o"}


def test_a_link_or_a_file_of_the_earlier_release_is_in_no_way(tmp_path):
    releases = {"FIRST": {"etc": "->conf", "conf/a": "a"}, "SECOND": {"etc/a": "b", "conf": "file"}}
    root = Root(tmp_path, **releases)
    for version in ("FIRST", "SECOND", "FIRST"):
        root.follow(version)
        kept = {path: text for path, text in root.files().items() if not path.split("/")[0].endswith(".kept")}
        assert kept == releases[version]


def test_a_large_sparse_file_is_not_read(tmp_path):
    root = Root(tmp_path, FIRST=ONE, SECOND=TWO)
    root.follow("FIRST")
    os.truncate(tmp_path / "etc/a", 1 << 42)
    follow_extra(root.tree, "SECOND", Changes(), FileOptions())
    assert (tmp_path / "etc/a").read_text() == "a2" and (tmp_path / "etc/a.kept").stat().st_size == 1 << 42


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("links", [("etc/sub",), ("etc/sub/a",), ()])
def test_root_has_only_the_rights_of_who_can_write_the_place(root_directory, links):
    """The operator has given etc to the service user, who puts links there, also while root works."""
    user, victim = 65534, root_directory / "victim"
    root = Root(root_directory / "root", FIRST={"etc/sub/a": "a1", "etc/sub/gone": "g"}, SECOND={"etc/sub/a": "a2", "etc/new/b": "b"})
    root.follow("FIRST")
    subprocess.run(["chown", "-R", f"{user}:{user}", root.tree.path("etc")], check=True)
    victim.mkdir()
    (victim / "a").write_text("a1")
    (victim / "gone").write_text("g")
    for link in links:
        os.rename(root.tree.path(link), root.tree.path("etc/aside"))
        os.symlink(victim / "a" if link.endswith("a") else victim, root.tree.path(link))
    follow_extra(root.tree, "SECOND", Changes(), FileOptions(0, 0))
    assert sorted(path.name for path in victim.iterdir()) == ["a", "gone"] and (victim / "a").read_text() == "a1"
    new = os.stat(root.tree.path("etc/new/b"))
    assert (new.st_uid, new.st_gid) == (user, user), "root gives nothing away there"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_link_that_is_put_there_meanwhile_is_refused_by_the_kernel(root_directory, monkeypatch):
    root, victim = Root(root_directory / "root", FIRST={"etc/sub/a": "a1"}, SECOND={"etc/sub/a": "a2"}), root_directory / "victim"
    root.follow("FIRST")
    subprocess.run(["chown", "-R", "65534:65534", root.tree.path("etc")], check=True)
    victim.mkdir()
    (victim / "a").write_text("a1")
    found = _extra_files._problem_of

    def exchange(*arguments):
        problem = found(*arguments)
        os.rename(root.tree.path("etc/sub"), root.tree.path("etc/aside"))
        os.symlink(victim, root.tree.path("etc/sub"))
        return problem

    monkeypatch.setattr(_extra_files, "_problem_of", exchange)
    with pytest.raises((PermissionError, OtpError)):
        follow_extra(root.tree, "SECOND", Changes(), FileOptions())
    assert (victim / "a").read_text() == "a1"
