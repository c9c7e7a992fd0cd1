# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fragments of a package, and the package file.

Rules: a package is made new, no link is followed; it is flushed; a package that fails is removed; all its
members have the same time.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import tarfile

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._build import assemble as _assemble
from ansible_collections.erlang.otp.plugins.module_utils._build.assemble import (
    Assembler,
    describe_package,
    end_fragment,
    strippable,
    write_package,
)
from ansible_collections.erlang.otp.plugins.module_utils._build.cache import Cache
from ansible_collections.erlang.otp.plugins.module_utils._build.package_members import Group
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats import tar_writer as _tar_writer
from ansible_collections.erlang.otp.plugins.module_utils._formats.gzip_writer import Workers, gzip_parts
from ansible_collections.erlang.otp.plugins.module_utils._formats.tar_writer import PackageMember
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.file_calls import FileCalls


def group(tmp_path, content: bytes = b"content") -> Group:
    (tmp_path / "pea.beam").write_bytes(content)
    return Group("pea", [PackageMember("lib/pea/ebin/pea.app", content=b"app"), PackageMember("lib/pea/ebin/pea.beam", source=str(tmp_path / "pea.beam"))])


def assembler(tmp_path, strip: str = "") -> Assembler:
    return Assembler(cache=Cache(str(tmp_path / "cache")), mtime=0, strip=strip)


def beam_in(fragment) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(b"".join(gzip_parts([fragment, end_fragment()])))) as archive:
        return archive.extractfile("lib/pea/ebin/pea.beam").read()


def test_what_is_not_known_is_made_and_cached(tmp_path):
    pea = group(tmp_path)
    keys = assembler(tmp_path).find_keys([pea], known=())
    assert (tmp_path / "cache" / keys["pea"]).exists()
    (tmp_path / "pea.beam").unlink()
    assert beam_in(assembler(tmp_path).fragment(pea, keys["pea"])) == b"content"


def test_what_is_known_is_not_made(tmp_path):
    pea = group(tmp_path)
    keys = assembler(tmp_path / "other").find_keys([pea], known=())
    again = assembler(tmp_path)
    assert again.find_keys([pea], known=keys.values()) == keys
    assert again.lacks(keys["pea"])
    assert beam_in(again.fragment(pea, keys["pea"])) == b"content"


def test_another_content_has_another_key(tmp_path):
    first = assembler(tmp_path).find_keys([group(tmp_path)], known=())
    assert assembler(tmp_path).find_keys([group(tmp_path, b"other")], known=()) != first


@pytest.mark.parametrize("stripped", [b"stripped", gzip.compress(b"stripped", mtime=0)], ids=["plain", "gzipped"])
def test_stripped_files_go_in_inflated(tmp_path, stripped):
    pea = group(tmp_path)
    stripping = assembler(tmp_path, strip="all")
    keys = stripping.find_keys([pea], known=())
    assert stripping.lacks(keys["pea"])
    (tmp_path / "0").write_bytes(stripped)
    assert strippable(pea) == [str(tmp_path / "pea.beam")]
    fragment = stripping.fragment(pea, keys["pea"], {str(tmp_path / "pea.beam"): str(tmp_path / "0")})
    assert beam_in(fragment) == b"stripped"
    assert not assembler(tmp_path, strip="all").lacks(keys["pea"])


def test_without_a_key_nothing_is_cached(tmp_path):
    assert beam_in(assembler(tmp_path).fragment(group(tmp_path))) == b"content"
    assert os.listdir(str(tmp_path / "cache")) == []


@pytest.fixture
def everything_is_large(monkeypatch):
    for module in (_assemble, _tar_writer):
        monkeypatch.setattr(module, "LARGE", 0)


def test_a_large_group_is_read_when_it_is_written_and_has_the_same_bytes(tmp_path, everything_is_large):
    pea = group(tmp_path)
    large = assembler(tmp_path)
    keys = large.find_keys([pea], known=())
    assert not (tmp_path / "cache" / keys["pea"]).exists()
    parts = b"".join(large.fragment(pea, keys["pea"]).parts)
    assert (tmp_path / "cache" / keys["pea"]).exists()
    assert b"".join(large.fragment(pea, keys["pea"]).parts) == parts
    assert assembler(tmp_path / "other").find_keys([pea], known=()) == keys


def test_a_small_group_has_the_key_and_the_bytes_of_a_large_one(tmp_path):
    pea = group(tmp_path)
    small = assembler(tmp_path)
    keys = small.find_keys([pea], known=())
    parts = b"".join(small.fragment(pea, keys["pea"]).parts)
    with pytest.MonkeyPatch.context() as patch:
        for module in (_assemble, _tar_writer):
            patch.setattr(module, "LARGE", 0)
        large = Assembler(cache=Cache(None), mtime=0, strip="")
        assert large.find_keys([pea], known=()) == keys
        assert b"".join(large.fragment(pea, keys["pea"]).parts) == parts


def test_a_file_that_changes_while_it_is_read_is_neither_packed_nor_cached(tmp_path, everything_is_large):
    pea = group(tmp_path)
    large = assembler(tmp_path)
    keys = large.find_keys([pea], known=())
    (tmp_path / "pea.beam").write_bytes(b"CONTENT")
    fragments = [large.fragment(pea, keys["pea"]), end_fragment()]
    with pytest.raises(OtpError, match="^A file of pea changed while it was read into the package. Build again when nothing writes to it."):
        write_package(str(tmp_path / "package"), fragments)
    assert not (tmp_path / "package").exists() and os.listdir(str(tmp_path / "cache")) == []
    again = assembler(tmp_path)
    assert beam_in(again.fragment(pea, again.find_keys([pea], known=())["pea"])) == b"CONTENT"


def test_more_fragments_than_the_memory_is_for_are_made_when_they_are_written(tmp_path, monkeypatch):
    monkeypatch.setattr(_assemble, "HELD", 1)
    groups = [Group(str(number), [PackageMember(f"file{number}", content=bytes(100))]) for number in range(9)]
    first = assembler(tmp_path)
    first._workers = Workers(1)
    keys = first.find_keys(groups, known=())
    assert os.listdir(str(tmp_path / "cache")) == [keys["0"]]
    parts = [b"".join(first.fragment(each, keys[each.name]).parts) for each in groups]
    assert {*os.listdir(str(tmp_path / "cache"))} == {*keys.values()}
    again = assembler(tmp_path)
    assert not any(again.lacks(keys[each.name]) for each in groups)
    # Another build may empty the cache meanwhile.
    shutil.rmtree(tmp_path / "cache")
    assert [b"".join(again.fragment(each, keys[each.name]).parts) for each in groups] == parts


def test_a_large_stripped_file_is_inflated_beside_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(_assemble, "LARGE", 4)
    (tmp_path / "0").write_bytes(gzip.compress(b"stripped", mtime=0))
    fragment = assembler(tmp_path, strip="all").fragment(group(tmp_path), None, {str(tmp_path / "pea.beam"): str(tmp_path / "0")})
    assert beam_in(fragment) == b"stripped" and (tmp_path / "0.plain").read_bytes() == b"stripped"


def test_the_package(tmp_path):
    fragments = [assembler(tmp_path).fragment(group(tmp_path)).load(), end_fragment()]
    written = write_package(str(tmp_path / "package"), fragments)
    content = (tmp_path / "package").read_bytes()
    assert [member.name for member in tarfile.open(tmp_path / "package")] == ["lib/pea/ebin/pea.app", "lib/pea/ebin/pea.beam"]
    assert (written.sha256, written.size) == (hashlib.sha256(content).hexdigest(), len(content))
    assert describe_package(written.path, fragments) == written


def test_a_package_that_fails_half_way_leaves_nothing(tmp_path):
    def fragments():
        yield end_fragment()
        raise OSError("half way")

    with pytest.raises(OSError, match="half way"):
        write_package(str(tmp_path / "package"), fragments())
    assert os.listdir(str(tmp_path)) == []


def test_a_package_is_flushed_and_made_new(tmp_path, monkeypatch):
    calls = FileCalls(monkeypatch)
    write_package(str(tmp_path / "p"), [end_fragment()])
    assert calls.named("create", "flush") == [("create", "p", calls.done[0][2]), ("flush", "p")]
    victim = tmp_path / "victim"
    victim.write_bytes(b"whole")
    (tmp_path / "link").symlink_to(victim)
    with pytest.raises(FileExistsError):
        write_package(str(tmp_path / "link"), [end_fragment()])
    assert victim.read_bytes() == b"whole"


def test_a_package_that_fails_is_removed(tmp_path):
    def fragments():
        yield end_fragment()
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        write_package(str(tmp_path / "p"), fragments())
    assert not (tmp_path / "p").exists()


def test_all_members_of_a_package_have_the_same_time(tmp_path):
    pea = group(tmp_path)
    os.utime(tmp_path / "pea.beam", (1, 1))
    fragment = Assembler(cache=Cache(None), mtime=315532800, strip="").fragment(pea)
    with tarfile.open(fileobj=io.BytesIO(b"".join(gzip_parts([fragment, end_fragment()])))) as archive:
        assert [member.mtime for member in archive] == [315532800, 315532800]
