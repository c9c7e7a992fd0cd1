# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What counts of a file: the code of a module, the term of a resource file, all bytes of any other file."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._formats.significant import digest_of_file, digest_of_pieces
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import beam

CASES = [
    ("pea.beam", beam(AtU8=b"pea", Code=b"1", CInf=b"/home/a"), beam(AtU8=b"pea", Code=b"1", CInf=b"/home/b", Dbgi=b"x"), True),
    ("pea.beam", beam(AtU8=b"pea", Code=b"1"), beam(AtU8=b"pea", Code=b"2"), False),
    ("pea.beam", b"not a module", b"nor this", False),
    ("pea.app", b'{application,pea,[{vsn,"1"}]}.', b'%% made\n{application, pea,\n [{vsn, "1"}]}.\n', True),
    ("pea.app", b'{application,pea,[{vsn,"1"}]}.', b'{application,pea,[{vsn,"2"}]}.', False),
    ("pea.app", b"{", b"{ ", False),
    ("pea.conf", b"{a,b}.", b"{a, b}.", False),
    ("pea.so", beam(Code=b"1", CInf=b"/home/a"), beam(Code=b"1", CInf=b"/home/b"), False),
]


@pytest.mark.parametrize(("name", "one", "other", "is_same"), CASES)
def test_what_counts(tmp_path: Path, name: str, one: bytes, other: bytes, is_same: bool) -> None:
    digests = [digest_of_pieces(name, len(content), [content[:5], content[5:]]) for content in (one, other)]
    assert (digests[0] == digests[1]) is is_same
    (tmp_path / name).write_bytes(one)
    assert digest_of_file(str(tmp_path / name)) == digests[0]
