# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: only plain files are read; sizes and times are octal digits and nothing else; what is not there in full is damaged; a file larger than
the limit is left out.
"""

from __future__ import annotations

import io
import tarfile
import typing as t

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.plugin_utils._box import small_files as _small_files
from ansible_collections.erlang.otp.plugins.plugin_utils._box.small_files import small_files

NAME = "releases/RELEASES"


def archive(files: t.Mapping[str, bytes], **fields: t.Any) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as made:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), 1700000000
            for field, value in fields.items():
                setattr(member, field, value)
            made.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def test_files_are_read() -> None:
    files = {NAME: b"[].\n", "releases/" + "v" * 150: bytes(513), "releases/empty": b""}
    assert list(small_files(archive(files))) == [(name, content, 1700000000) for name, content in files.items()]
    assert list(small_files(b"")) == []


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE])
def test_what_is_not_a_plain_file_is_left_out(kind: bytes) -> None:
    whole = archive({NAME: b""}, type=kind)
    assert list(small_files(whole[:124] + b"10000000000\0" + whole[136:])) == []


@pytest.mark.parametrize("place", [124, 136], ids=["size", "time"])
@pytest.mark.parametrize("field", [b"-0000000001\0", b"\x80" + bytes(10) + b"\x01", b"0000000009\0\0", b"0x000000010\0", b"0_1\0\0\0\0\0\0\0\0\0"])
def test_a_number_is_octal_digits(place: int, field: bytes) -> None:
    whole = archive({NAME: b"[].\n"})
    with pytest.raises(OtpError, match="not an octal number"):
        list(small_files(whole[:place] + field + whole[place + 12 :]))


def test_a_size_that_is_not_there_is_damage() -> None:
    whole = archive({NAME: b"[].\n"})
    with pytest.raises(OtpError, match="not whole"):
        list(small_files(whole[:124] + b"77777777777\0" + whole[136:]))


def test_a_large_file_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_small_files, "MAX_FILE", 3)
    assert [name for name, dummy, dummy in small_files(archive({NAME: b"[].\n", "releases/small": b"[]."}))] == ["releases/small"]
