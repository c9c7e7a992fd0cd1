# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A package store in a directory and on a web server: the same rules, whatever keeps it.

Rules: what is taken is what was put, with what goes along; nothing is a package before it is whole; a package of a version is made once; what was changed in
the store is refused by name, and the way out leads out; who has no right is told what is asked for, without a secret.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleError

from ansible_collections.erlang.otp.plugins.action import otp_package_store
from ansible_collections.erlang.otp.plugins.action.otp_package_store import ActionModule, open_store
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._tree.made_from import format_made_from
from ansible_collections.erlang.otp.plugins.plugin_utils._store.directory import Directory
from ansible_collections.erlang.otp.plugins.plugin_utils._store.layout import records_of
from ansible_collections.erlang.otp.plugins.plugin_utils._store.remote import Remote
from ansible_collections.erlang.otp.plugins.plugin_utils._store.server import Server as ServerStore
from ansible_collections.erlang.otp.plugins.plugin_utils._store.store import put, take
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import release_members, write_package
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils.package_server import Server

PACKAGE = "SYSTEM-FIRST.tar.gz"
ALONG = ["SYSTEM-FIRST-thin.tar.gz", "SYSTEM-FIRST.cdx.json", "SYSTEM-FIRST.tar.gz.sig"]
TOKEN = "Bearer of-the-store"


class Place(t.NamedTuple):
    """A store; its variables; the directory in which it keeps its files; and the directories of two controllers."""

    store: t.Any
    variables: dict[str, t.Any]
    files: Path
    here: Path
    there: Path


class Depot:
    """In the place of the connection to another host: a shell and copies, as that user."""

    def run(self, command: str) -> tuple[int, str, str]:
        said = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
        return said.returncode, said.stdout, said.stderr

    def send(self, source: str, target: str) -> None:
        self.copy(source, target)

    def fetch(self, source: str, target: str) -> None:
        self.copy(source, target)

    def copy(self, source: str, target: str) -> None:
        try:
            shutil.copyfile(source, target)
        except OSError as error:
            raise AnsibleError(str(error)) from error


@pytest.fixture(params=["directory", "host", "server"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> t.Iterator[Place]:
    files, here, there = (tmp_path / name for name in ("store", "here", "there"))
    files.mkdir()
    here.mkdir()
    if request.param == "directory":
        yield Place(Directory(str(files)), {"store": str(files)}, files, here, there)
        return
    if request.param == "host":
        yield Place(Remote(Depot(), "depot", str(files)), {"store": f"ssh://depot{files}"}, files, here, there)
        return
    server = Server(files, TOKEN)
    with server.at_work():
        variables = {"store": server.url + "/", "url_options": {"headers": {"Authorization": TOKEN}, "retries": 0}}
        yield Place(open_store(variables["store"], variables["url_options"]), variables, files, here, there)


def release(place: Path, version: str = "FIRST", *, relup: str = "", **more: bytes) -> Path:
    """A package with what goes along."""
    members = release_members(version, **more)
    if relup:
        made_from = {relup: {"sha256": "", "applications": {}, "libraries": {}}}
        members |= {f"releases/{version}/relup": f'{{"{version}",[{{"{relup}",[],[]}}],[]}}.\n'.encode()}
        members |= {f"releases/{version}/relup.json": format_made_from(made_from)}
    package = write_package(place / f"SYSTEM-{version}.tar.gz", members)
    for ending in (".tar.gz.sig", "-thin.tar.gz", ".cdx.json"):
        (place / f"SYSTEM-{version}{ending}").write_text(f"{ending} of {hashlib.sha256(Path(package).read_bytes()).hexdigest()}")
    return Path(package)


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_what_was_put_is_taken_with_what_goes_along(place: Place) -> None:
    release(place.here)
    (place.here / "SYSTEM-FIRST.notes").touch()
    assert take(place.store, str(place.there), PACKAGE) is None and not place.there.exists()
    assert put(place.store, str(place.here), PACKAGE) and not put(place.store, str(place.here), PACKAGE)
    assert take(place.store, str(place.there), PACKAGE) and not take(place.store, str(place.there), PACKAGE)
    (place.here / "SYSTEM-FIRST.notes").unlink()
    assert contents(place.there) == contents(place.here) and sorted(contents(place.there)) == sorted([*ALONG, PACKAGE])
    # A signature that came later.
    (place.here / ALONG[2]).write_text("another key")
    assert put(place.store, str(place.here), PACKAGE) and take(place.store, str(place.there), PACKAGE)
    assert contents(place.there) == contents(place.here)
    # What the store has stays where a controller lacks it.
    (place.here / ALONG[1]).unlink()
    assert not put(place.store, str(place.here), PACKAGE)


def test_what_it_has(place: Place) -> None:
    assert place.store.listed() == {}
    for version, relup in (("FIRST", ""), ("SECOND", "FIRST")):
        release(place.here, version, relup=relup)
        put(place.store, str(place.here), f"SYSTEM-{version}.tar.gz")
    (place.files / "lost+found").mkdir()
    found = records_of(place.store.listed())
    assert [(record.name, record.version, record.upgrade_from, record.made_from) for record in found] == [
        ("SYSTEM", "FIRST", {}, []),
        ("SYSTEM", "SECOND", {"FIRST": "none"}, ["FIRST"]),
    ]
    assert found[0].sha256 == hashlib.sha256((place.here / PACKAGE).read_bytes()).hexdigest()


def test_other_content_is_refused_by_name_on_the_way_in_and_out(place: Place) -> None:
    release(place.here)
    put(place.store, str(place.here), PACKAGE)
    place.there.mkdir()
    other = release(place.there, app_version="2.0")
    before = {path: path.stat().st_mtime_ns for path in place.files.glob("**/*")}
    with pytest.raises(OtpError, match="SYSTEM FIRST has been built before, with other content .*SYSTEM-FIRST.tar.gz.*application pea 1.0") as refused:
        put(place.store, str(place.there), PACKAGE)
    assert f"If no host has the earlier one, remove {place.store.shown('SYSTEM-FIRST')}." in str(refused.value)
    assert {path: path.stat().st_mtime_ns for path in place.files.glob("**/*")} == before
    kept = other.read_bytes()
    with pytest.raises(OtpError, match="SYSTEM FIRST has been built before, with other content") as refused:
        take(place.store, str(place.there), PACKAGE)
    assert f"If no host has the one on the controller, remove {other}." in str(refused.value) and other.read_bytes() == kept
    # Its ways out.
    other.unlink()
    assert take(place.store, str(place.there), PACKAGE) and contents(place.there) == contents(place.here)
    release(place.there, app_version="2.0")
    shutil.rmtree(place.files / "SYSTEM-FIRST")
    assert put(place.store, str(place.there), PACKAGE)


def test_the_same_release_with_another_relup_takes_the_place(place: Place) -> None:
    package = "SYSTEM-SECOND.tar.gz"
    release(place.here, "SECOND", relup="FIRST")
    put(place.store, str(place.here), package)
    take(place.store, str(place.there), package)
    release(place.here, "SECOND", relup="ZEROTH")
    (place.here / "SYSTEM-SECOND.tar.gz.sig").unlink()
    assert put(place.store, str(place.here), package)
    assert records_of(place.store.listed())[0].made_from == ["ZEROTH"]
    # No signature of the one before is left beside it.
    assert take(place.store, str(place.there), package) and contents(place.there) == contents(place.here)


@pytest.mark.parametrize("name", [PACKAGE, ALONG[2]])
def test_one_byte_is_refused_by_name_and_the_way_out(place: Place, name: str) -> None:
    release(place.here)
    put(place.store, str(place.here), PACKAGE)
    (file,) = place.files.glob(f"SYSTEM-FIRST/*/{name}")
    content = file.read_bytes()
    file.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    with pytest.raises(OtpError) as refused:
        take(place.store, str(place.there), PACKAGE)
    shown = place.store.shown(f"SYSTEM-FIRST/{file.parent.name}/{name}")
    digests = [hashlib.sha256(each).hexdigest() for each in (file.read_bytes(), content)]
    assert str(refused.value).startswith(f"{shown} is not what was put there: its sha256 is {digests[0]}, and that of {name} was {digests[1]}.")
    assert PACKAGE not in contents(place.there) and not [each for each in contents(place.there) if each.startswith(".")]
    record = place.store.shown("SYSTEM-FIRST/package.json")
    assert f"Remove {record}, and put the package there again" in str(refused.value)
    (place.files / "SYSTEM-FIRST/package.json").unlink()
    assert put(place.store, str(place.here), PACKAGE) and take(place.store, str(place.there), PACKAGE)
    assert contents(place.there) == contents(place.here)
    file.unlink()
    (place.there / name).unlink()
    with pytest.raises(OtpError, match="SYSTEM-FIRST"):
        take(place.store, str(place.there), PACKAGE)


def test_what_is_not_whole_is_no_package(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    release(place.here)
    sent = []

    def send(source: str, path: str) -> None:
        if len(sent) == 2:
            raise OtpError("the line is cut")
        sent.append(path)
        kind.send(place.store, source, path)

    kind = type(place.store)
    monkeypatch.setattr(place.store, "send", send, raising=False)
    with pytest.raises(OtpError, match="the line is cut"):
        put(place.store, str(place.here), PACKAGE)
    assert len(sent) == 2 and place.store.listed() == {} and take(place.store, str(place.there), PACKAGE) is None
    monkeypatch.undo()
    assert put(place.store, str(place.here), PACKAGE) and take(place.store, str(place.there), PACKAGE)


@pytest.mark.parametrize("app_version", ["1.0", "2.0"])
def test_two_jobs_that_build_the_same_version_at_once(place: Place, monkeypatch: pytest.MonkeyPatch, app_version: str) -> None:
    """Each finds none; when the first is about to write its record, the second one has: the same content is well, and other content is refused."""
    place.there.mkdir()
    release(place.here)
    release(place.there, app_version=app_version)
    kind, found = type(place.store), []

    def create(path: str, content: bytes) -> bool:
        monkeypatch.undo()
        found.append(put(place.store, str(place.there), PACKAGE))
        return kind.create(place.store, path, content)

    monkeypatch.setattr(place.store, "create", create, raising=False)
    if app_version == "1.0":
        assert not put(place.store, str(place.here), PACKAGE)
    else:
        with pytest.raises(OtpError, match="SYSTEM FIRST has been built before, with other content"):
            put(place.store, str(place.here), PACKAGE)
    assert found == [True]
    shutil.rmtree(place.here)
    take(place.store, str(place.here), PACKAGE)
    assert contents(place.here) == contents(place.there)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"name": "SYSTEM", "version": "FIRST", "files": {}, "upgrade_from": {}, "made_from": []}',
        b'{"files": {"../x": {"sha256": "", "size": 1}}}',
    ],
)
def test_a_record_that_is_none(place: Place, content: bytes) -> None:
    (place.files / "SYSTEM-FIRST").mkdir()
    (place.files / "SYSTEM-FIRST/package.json").write_bytes(content)
    with pytest.raises(OtpError) as refused:
        take(place.store, str(place.there), PACKAGE)
    assert str(refused.value).startswith(f"{place.store.shown('SYSTEM-FIRST/package.json')} is not the record of package {PACKAGE}: ")
    assert records_of(place.store.listed()) == []


def test_names_that_lead_elsewhere(place: Place) -> None:
    for name in ("../SYSTEM-FIRST.tar.gz", ".SYSTEM-FIRST.tar.gz", "SYSTEM-FIRST.tgz", "SYSTEM-FIRST-thin.tar.gz"):
        with pytest.raises(OtpError, match=r"give NAME-VERSION.tar.gz"):
            take(place.store, str(place.there), name)


@pytest.fixture(autouse=True)
def _depot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otp_package_store, "Connected", lambda _action: Depot())


def ensure(place: Place, *, check_mode: bool = False, **options: t.Any) -> dict[str, t.Any]:
    action = t.cast("t.Any", object.__new__(ActionModule))
    action._task = type("Task", (), {"check_mode": check_mode, "delegate_to": "depot"})
    known = {"url_options": {}, "take": [], "put": [], "required": True, "directory": str(place.there), **place.variables, **options}
    return t.cast("dict[str, t.Any]", action.ensure(known, {}))


def test_the_action(place: Place) -> None:
    release(place.here)
    put_it = {"directory": str(place.here), "put": [str(place.here / PACKAGE)]}
    assert ensure(place, check_mode=True, **put_it)["put"] == [PACKAGE] and ensure(place)["packages"] == []
    assert ensure(place, **put_it)["put"] == [PACKAGE] and not ensure(place, **put_it)["changed"]
    # Names and paths in the directory; others are left alone, and so is what a host may say.
    said = ensure(place, take=[PACKAGE, str(place.there / ALONG[0]), "/elsewhere/x.tar.gz", "https://example.com/x.tar.gz", ""], check_mode=True)
    assert (said["changed"], said["taken"], said["missing"]) == (True, [PACKAGE], []) and contents(place.there) == contents(place.here)
    assert [record["version"] for record in said["packages"]] == ["FIRST"]
    said = ensure(place, take=["SYSTEM-SECOND.tar.gz", "..-\n.tar.gz", "a/b-1.tar.gz"], required=False)
    assert (said["changed"], said["missing"]) == (False, ["SYSTEM-SECOND.tar.gz"])
    with pytest.raises(OtpError) as refused:
        ensure(place, take=["SYSTEM-SECOND.tar.gz"])
    store = place.variables["store"]
    assert str(refused.value).startswith(f"neither the package store {store} nor {place.there} has SYSTEM-SECOND.tar.gz. The store has {PACKAGE}.")
    # Copied to the controller by hand.
    release(place.there, "SECOND")
    assert not ensure(place, take=["SYSTEM-SECOND.tar.gz"])["changed"]
    with pytest.raises(OtpError, match="is a thin package|is the package|is not the name|not a gzip|read"):
        ensure(place, directory=str(place.there), put=[ALONG[0]])


@pytest.mark.parametrize(
    "store",
    [
        "packages",
        "https://anna:secret@example.com/x",
        "https://example.com/x?sig=secret",
        "https:///x",
        "ftp://example.com",
        "ssh://depot",
        "ssh://anna@depot/x",
    ],
)
def test_what_is_no_store(store: str) -> None:
    with pytest.raises(OtpError, match=r"^otp_package_store \(option store\) is "):
        open_store(store, {})
    # The ways out: as the message says.
    assert open_store("https://example.com/x", {"url_username": "anna", "url_password": "secret"}).shown("y") == "https://example.com/x/y"
    with pytest.raises(OtpError, match=r"^otp_package_store_options \(option url_options\): .*header"):
        open_store("https://example.com/x", {"header": {}})


def test_a_directory_that_is_not_mounted_is_not_an_empty_store(tmp_path: Path) -> None:
    with pytest.raises(OtpError, match="mount it, or make it once"):
        open_store(str(tmp_path / "nfs"), {})
    with pytest.raises(OtpError, match="nfs is not a directory on depot. Mount it, or make it once"):
        open_store(f"ssh://depot{tmp_path}/nfs", {}, line=Depot(), of="depot")
    with pytest.raises(OtpError, match="and the task is for north: delegate it to depot"):
        open_store(f"ssh://depot{tmp_path}", {}, line=Depot(), of="north")
    assert open_store(f"ssh://depot{tmp_path}", {}, line=Depot(), of="depot").listed() == {}


@pytest.mark.parametrize("kind", [Directory, lambda root: Remote(Depot(), "depot", root)], ids=["directory", "host"])
def test_a_directory_that_others_share(tmp_path: Path, kind: t.Callable[[str], t.Any]) -> None:
    """What is made has the rights of the store's own directory; and no link there leads out of it."""
    store, here, elsewhere = tmp_path / "store", tmp_path / "here", tmp_path / "elsewhere"
    for each in (store, here, elsewhere):
        each.mkdir()
    store.chmod(0o2775)
    release(here)
    (store / "SYSTEM-FIRST").symlink_to(elsewhere)
    with pytest.raises(OtpError, match="SYSTEM-FIRST is not a directory"):
        put(kind(str(store)), str(here), PACKAGE)
    assert not [*elsewhere.iterdir()]
    (store / "SYSTEM-FIRST").unlink()
    umask = os.umask(0o077)
    try:
        put(kind(str(store)), str(here), PACKAGE)
    finally:
        os.umask(umask)
    assert {oct(path.stat().st_mode & 0o7777) for path in store.glob("**/*")} == {"0o2775", "0o664"}


def test_a_server_that_does_not_let_in_or_does_not_take(tmp_path: Path) -> None:
    release(tmp_path)
    server = Server(tmp_path / "web", TOKEN)
    with server.at_work():
        wrong = ServerStore(server.url, open_store(server.url, {"headers": {"Authorization": "Bearer wrong-secret"}, "retries": 0}).options)
        for attempt in (lambda: take(wrong, str(tmp_path / "there"), PACKAGE), lambda: wrong.send(str(tmp_path / PACKAGE), "x/y")):
            with pytest.raises(OtpError) as refused:
                attempt()
            assert "401" in str(refused.value) and "otp_package_store_options (option" in str(refused.value) and "secret" not in str(refused.value)
        assert {credential for _method, _path, credential in server.asked} == {"Bearer wrong-secret"}
        right = open_store(server.url, {"headers": {"Authorization": TOKEN}})
        assert put(right, str(tmp_path), PACKAGE) and take(right, str(tmp_path / "there"), PACKAGE)
    with pytest.raises(OtpError, match=r"^the package store http://127.0.0.1:\d+: .*See that the server runs"):
        take(wrong, str(tmp_path / "there"), PACKAGE)


def test_an_index_that_was_lost_is_made_again(tmp_path: Path) -> None:
    """Two jobs may write it at the same time; and anybody may damage it. A package counts by its own record."""
    release(tmp_path)
    server = Server(tmp_path / "web", TOKEN)
    with server.at_work():
        store = open_store(server.url, {"headers": {"Authorization": TOKEN}, "retries": 0})
        put(store, str(tmp_path), PACKAGE)
        for content in (b"{", b'{"packages": []}', b'{"packages": {"other-1": {}}}'):
            (server.directory / "index.json").write_bytes(content)
            assert records_of(store.listed()) == [] and take(store, str(tmp_path / "there"), PACKAGE) in (True, False)
            assert put(store, str(tmp_path), PACKAGE) and [record.version for record in records_of(store.listed())] == ["FIRST"]
