# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a package: what is taken, a table of what is refused and with which words, and damaged files."""

from __future__ import annotations

import gzip
import os
import stat
import tarfile
import threading
import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._formats.gzip_reader import Inflated
from ansible_collections.erlang.otp.plugins.module_utils._package.extract import PackageError, Rules, Writer, checked_members
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import member, tar_bytes, tree, write_package


def extract(package: str, directory: Path, **keywords: t.Any) -> dict[str, t.Any]:
    """Write all members below the directory; returns what is there then."""
    directory.mkdir()
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        writer = Writer(descriptor)
        with Inflated(package) as stream:
            for path, found, pieces in checked_members(stream, **keywords):
                if path:
                    writer.write(path, found, pieces)
    finally:
        os.close(descriptor)
    return tree(directory)


def contents(found: dict[str, t.Any]) -> dict[str, t.Any]:
    return {path: content for path, (mode, content) in found.items() if not stat.S_ISDIR(mode)}


LONG = "lib/" + "/".join(["a-very-long-directory-name-indeed"] * 9) + "/" + "x" * 120
PLAIN = {"a": b"one", "d/e/f": b"", LONG: b"long", "d/\u03b1\u03b2": b"greek", "big": bytes(range(256)) * 9000}


@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_formats(tmp_path: Path, format: int) -> None:
    package = write_package(tmp_path / "p", {**PLAIN, "l": member("l", tarfile.SYMTYPE, target="d/e/f")}, format=format)
    assert contents(extract(package, tmp_path / "out")) == {**PLAIN, "l": "d/e/f"}


def test_ustar_prefix(tmp_path: Path) -> None:
    name = "lib/" + "d" * 90 + "/" + "f" * 90
    assert contents(extract(write_package(tmp_path / "p", {name: b"x"}, format=tarfile.USTAR_FORMAT), tmp_path / "out")) == {name: b"x"}


def test_plain_tar(tmp_path: Path) -> None:
    (tmp_path / "p").write_bytes(tar_bytes(PLAIN))
    assert contents(extract(str(tmp_path / "p"), tmp_path / "out")) == PLAIN


def test_dot_prefix(tmp_path: Path) -> None:
    package = write_package(tmp_path / "p", {".": None, "./lib": None, "./lib/a": b"x"})
    assert contents(extract(package, tmp_path / "out")) == {"lib/a": b"x"}


def test_modes(tmp_path: Path) -> None:
    package = write_package(tmp_path / "p", {name: member(name, mode=mode) for name, mode in (("a", 0o777), ("b", 0o640), ("c", 0))})
    found = extract(package, tmp_path / "out")
    assert {name: oct(stat.S_IMODE(found[name][0])) for name in found} == {"a": "0o755", "b": "0o640", "c": "0o400"}


def test_cookie_is_not_for_everybody(tmp_path: Path) -> None:
    found = extract(write_package(tmp_path / "p", {"releases/COOKIE": b"secret"}), tmp_path / "out")
    assert stat.S_IMODE(found["releases/COOKIE"][0]) == 0o600


@pytest.mark.parametrize("target, path", [("b", "a"), ("../b", "d/a"), ("../../x/y", "lib/pea-1.0/priv"), ("./b/./c", "a")])
def test_links_within(tmp_path: Path, target: str, path: str) -> None:
    package = write_package(tmp_path / "p", {"link": member(path, tarfile.SYMTYPE, target=target)})
    extract(package, tmp_path / "out")
    assert os.readlink(tmp_path / "out" / path) == target


def link(name: str, target: str) -> tarfile.TarInfo:
    return member(name, tarfile.SYMTYPE, target=target)


REFUSED = {
    "absolute": ([member("/proc/none/x")], "'/proc/none/x': its name is absolute"),
    "dots": ([member("lib/../../x")], "'lib/../../x': its name has the part '..'"),
    "only dots": ([member("..")], "'..': its name has the part '..'"),
    "dot inside": ([member("lib/./x")], "its name has the part '.'"),
    "two slashes": ([member("lib//x")], "its name has the part ''"),
    "empty": ([member("")], "its name is empty"),
    "root": ([member("./.")], "its name has the part '.'"),
    "root as file": ([member(".")], "it would take the place of the root directory"),
    "NUL": ([member("releases/\u00e9\0b")], "has a NUL character"),
    "link out": ([link("lib/x", "../../etc")], "'lib/x': it is a link to '../../etc', which leads out of the root directory"),
    "link up and out": ([link("x", "..")], "leads out of the root directory"),
    "absolute link": ([link("x", "/proc/none")], "links in a package are relative"),
    "empty link": ([link("x", "")], "links in a package are relative"),
    "link through a link": ([link("x/l", "../y"), link("m", "x/l/../..")], "'..' is allowed only at the beginning"),
    "written through": ([link("lib/x/l", "../y"), member("lib/x/l/f")], "'lib/x/l/f': it is below lib/x/l, which is a link"),
    "written through deep": ([link("l", "y"), member("l/a/b/c")], "it is below l, which is a link"),
    "below a file": ([member("a"), member("a/b")], "it is below a, which is a file"),
    "link for lib": ([link("lib", "other")], "a directory that the release needs for itself"),
    "link for a library": ([link("lib/pea-1.0", "../other")], "a directory that the release needs for itself"),
    "link for erts": ([link("erts-13.1.5", "other")], "a directory that the release needs for itself"),
    "hard link": ([member("a"), member("b", tarfile.LNKTYPE, target="a")], "'b': it is a hard link"),
    "device": ([member("d", tarfile.CHRTYPE)], "'d': it is a character device"),
    "block device": ([member("d", tarfile.BLKTYPE)], "'d': it is a block device"),
    "fifo": ([member("d", tarfile.FIFOTYPE)], "'d': it is a named pipe"),
    "unknown": ([member("d", b"Z")], "'d': it is a member of type b'Z'"),
    "set-uid": ([member("bin/su", mode=0o4755)], "'bin/su': it has the set-uid bit set"),
    "set-gid": ([member("bin/su", mode=0o2755)], "'bin/su': it has the set-gid bit set"),
    "both": ([member("bin/su", mode=0o6755)], "the set-uid and set-gid bit set"),
    "sticky": ([member("tmp", tarfile.DIRTYPE, mode=0o1777)], "'tmp/': it has the sticky bit set"),
    "twice, another mode": ([member("a"), member("a", mode=0o755)], "'a': it is in the package twice, and the two differ"),
    "twice, another target": ([link("a", "b"), link("./a", "c")], "'./a': it is in the package twice, and the two differ"),
    "file over directory": ([member("a/b"), member("a")], "'a': it is in the package twice"),
    "directory over file": ([member("a"), member("a", tarfile.DIRTYPE)], "'a/': it is in the package twice"),
    "link over file": ([member("a"), link("a", "b")], "'a': it is in the package twice"),
    "file over link": ([link("a", "b"), member("a")], "'a': it is in the package twice"),
    "case": ([member("lib/a/README"), member("lib/a/Readme")], "differs from lib/a/README only in case"),
    "case of a directory": ([member("lib/A/x"), member("lib/a/y")], "differs from lib/A only in case"),
    "unicode form": ([member("\u00e9"), member("e\u0301")], "only in case or in unicode form"),
    "unicode case": ([member("\u03a3"), member("\u03c3")], "only in case or in unicode form"),
    "too many": ([member(str(number)) for number in range(11)], "'10': the package has more than 10 members"),
    "too large": ([member("a", size=900), member("b", size=200)], "'b': up to here the package unpacks to 1100 bytes: max_size allows 1000"),
}


# As mix packs the files of rel/overlays.
COPIES = {"bin/server": b"one", "d/l": link("d/l", "f"), "d/f": b"", "./bin/server": b"one", "./d/l": link("./d/l", "f"), "././bin/server": b"one"}


def test_packed_twice(tmp_path: Path) -> None:
    assert contents(extract(write_package(tmp_path / "p", COPIES), tmp_path / "out")) == {"bin/server": b"one", "d/l": "f", "d/f": b""}
    message = refused(write_package(tmp_path / "q", {**COPIES, "././bin/server": b"two"}))
    assert message == f"package {tmp_path / 'q'}: '././bin/server': it is in the package twice, and the two differ"


@pytest.mark.parametrize("case", REFUSED)
def test_refused(tmp_path: Path, case: str) -> None:
    infos, message = REFUSED[case]
    package = write_package(tmp_path / "p.tar.gz", dict(enumerate(infos)), format=tarfile.PAX_FORMAT)
    with pytest.raises(PackageError) as error:
        extract(package, tmp_path / "out", max_size=1000, max_members=10)
    assert str(error.value).startswith(f"package {package}: ")
    assert message in str(error.value)
    # The first members of each case are harmless; of the last, nothing has been written anywhere.
    assert {path.name for path in tmp_path.iterdir()} == {"p.tar.gz", "out"}


def test_a_bomb_is_refused_before_it_is_written(tmp_path: Path) -> None:
    """The header states a size that the limit forbids; the content is never inflated to the end."""
    package = tmp_path / "p"
    with gzip.open(package, "wb", compresslevel=1) as file:
        info = tarfile.TarInfo("zeros")
        info.size = 5 << 30
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        file.write(bytes(1 << 24))
    with pytest.raises(PackageError, match="'zeros': up to here the package unpacks to 5368709120 bytes"):
        extract(str(package), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


GOOD = gzip.compress(tar_bytes({"a": os.urandom(50_000), "b": b"x"}), mtime=0)
TAR = gzip.decompress(GOOD)
DAMAGED = {
    "empty": (b"", "neither a gzip file nor a tar file"),
    "text": (b"<html>404</html>", "neither a gzip file nor a tar file"),
    "truncated": (GOOD[:20_000], "it is truncated"),
    "truncated in the trailer": (GOOD[:-3], "it is truncated"),
    "truncated header": (GOOD[:5], "it is truncated"),
    "flipped": (GOOD[:25_000] + bytes([GOOD[25_000] ^ 0xFF]) + GOOD[25_001:], "its compressed data is broken"),
    "wrong crc": (GOOD[:-8] + b"\0\0\0\0" + GOOD[-4:], "its compressed data is broken"),
    "garbage": (GOOD + b"garbage", "something else follows the end of the gzip data"),
    "several members": (GOOD + GOOD, "several members, which release_handler cannot read"),
    "tar truncated": (gzip.compress(TAR[:30_000]), "'a': it ends in the middle: it is truncated"),
    "no end blocks": (gzip.compress(TAR[: 512 + 50_176]), "it is truncated"),
    "garbage after the archive": (gzip.compress(TAR + b"x" * 512), "something else follows the end of the archive"),
    "header checksum": (gzip.compress(b"b" + TAR[1:]), "wrong checksum"),
    "lone zero block": (gzip.compress(TAR[: 512 + 50_176] + bytes(512) + TAR[512 + 50_176 :]), "one block of zeros"),
    "plain tar truncated": (TAR[:30_000], "it is truncated"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged(tmp_path: Path, case: str) -> None:
    content, message = DAMAGED[case]
    (tmp_path / "p").write_bytes(content)
    with pytest.raises(PackageError) as error:
        extract(str(tmp_path / "p"), tmp_path / "out")
    assert f"package {tmp_path / 'p'}: " in str(error.value)
    assert message in str(error.value)


def test_not_utf8(tmp_path: Path) -> None:
    info = tarfile.TarInfo("caf\udce9")
    content = info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape") + bytes(1024)
    (tmp_path / "p").write_bytes(gzip.compress(content))
    with pytest.raises(PackageError, match="a member's name is not UTF-8"):
        extract(str(tmp_path / "p"), tmp_path / "out")


@pytest.mark.parametrize("size", [1, 511, 512, 513, 100_000])
def test_stream_in_pieces(tmp_path: Path, size: int) -> None:
    """Whatever is asked for at once, the same bytes come."""
    content = os.urandom(300_000)
    (tmp_path / "p").write_bytes(gzip.compress(content))
    with Inflated(str(tmp_path / "p")) as stream:
        found = b"".join(stream.read(min(size, len(content) - at)) for at in range(0, 100_000, size))
        assert found == content[: len(found)]


def test_the_thread_ends_when_reading_stops_early(tmp_path: Path) -> None:
    package = write_package(tmp_path / "p", {"a": os.urandom(6 << 20), "b": b"x"})
    before = threading.active_count()
    with Inflated(package) as stream:
        for path, dummy_member, dummy_pieces in checked_members(stream):
            assert path == "a"
            break
    assert threading.active_count() == before


def refused(package: str) -> str:
    with pytest.raises(PackageError) as error, Inflated(package) as stream:
        for _found in checked_members(stream):
            pass
    return str(error.value)


def test_a_name_is_no_longer_than_a_path_can_be(tmp_path: Path) -> None:
    assert refused(write_package(tmp_path / "p", {"lib/" + "x" * 5000: b""})).endswith("its name is longer than 4095 bytes")
    assert refused(write_package(tmp_path / "q", {"lib/" + "\u03b1" * 2100: b""})).endswith("its name is longer than 4095 bytes")


def test_a_name_is_not_deep(tmp_path: Path) -> None:
    assert refused(write_package(tmp_path / "p", {"a/" * 2000 + "a": b""})).endswith("it is in more than 100 directories")


def test_names_are_not_long_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{Rules.__module__}.MAX_NAMES", 1000)
    package = write_package(tmp_path / "p", {f"lib/{number:0200}": b"" for number in range(10)})
    assert refused(package).endswith("the names in the package are longer than 1000 bytes together")
    links = {f"{number}": member(f"{number}", tarfile.SYMTYPE, target="x" * 300) for number in range(4)}
    assert refused(write_package(tmp_path / "q", links)).endswith("the names in the package are longer than 1000 bytes together")
