# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A package of a version is made once.

Rules: content counts, and not how it was packed; what differs is named, applications first; another release, or a damaged package, is in nobody's way.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._build.once import refuse_other_content
from ansible_collections.erlang.otp.plugins.module_utils._core.checksum import sha256
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._package.contents import differences, read_digests
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import member, release_members, tar_bytes, write_package


def package(directory: Path, name: str, version: str = "FIRST", **changed: bytes) -> str:
    """A package; changed: other contents, by the last part of their paths."""
    members = release_members(version)
    for path in members:
        members[path] = changed.get(path.rpartition("/")[2].replace(".", "_"), members[path])
    return write_package(directory / name, members)


def refused(built: str, earlier: str, version: str = "FIRST") -> str:
    with pytest.raises(OtpError) as caught:
        refuse_other_content("SYSTEM", version, read_digests(built), earlier, way_out="Remove it.")
    return str(caught.value)


def test_other_content_is_refused_and_named(tmp_path: Path) -> None:
    built = package(tmp_path, "new", pea_beam=b"other", sys_config=b"[{a, []}].\n")
    said = refused(built, package(tmp_path, "old"))
    assert "release SYSTEM FIRST has been built before, with other content" in said and said.endswith("Remove it.")
    assert f"({tmp_path}/old): application pea 1.0, releases/FIRST/sys.config. A package" in said


def test_the_same_content_packed_in_another_way_is_the_same(tmp_path: Path) -> None:
    built = package(tmp_path, "new")
    members = release_members()
    for path in [*members][::-1]:
        members[path] = members.pop(path)
    (tmp_path / "old").write_bytes(gzip.compress(tar_bytes(members), compresslevel=1))
    assert sha256(built) != sha256(str(tmp_path / "old"))
    refuse_other_content("SYSTEM", "FIRST", read_digests(built), str(tmp_path / "old"), way_out="")


def test_what_leads_to_a_release_is_no_content(tmp_path: Path) -> None:
    of_the_way = ("releases/FIRST/relup", "releases/FIRST/relup.json", "lib/pea-1.0/ebin/pea.appup")
    members = {**release_members(), **dict.fromkeys(of_the_way, b"from ZEROTH")}
    refuse_other_content("SYSTEM", "FIRST", read_digests(write_package(tmp_path / "with", members)), package(tmp_path, "without"), way_out="")


def test_another_release_or_a_damaged_package_is_not_in_the_way(tmp_path: Path) -> None:
    digests = read_digests(package(tmp_path, "new", pea_beam=b"other"))
    refuse_other_content("SYSTEM", "FIRST", digests, package(tmp_path, "second", "SECOND"), way_out="")
    refuse_other_content("OTHER", "FIRST", digests, package(tmp_path, "old"), way_out="")
    (tmp_path / "torn").write_bytes((tmp_path / "old").read_bytes()[:300])
    refuse_other_content("SYSTEM", "FIRST", digests, str(tmp_path / "torn"), way_out="")


def test_a_link_and_a_file_that_is_gone_are_differences(tmp_path: Path) -> None:
    with_link = {**release_members(), "lib/pea-1.0/priv/x": member("lib/pea-1.0/priv/x", b"2", target="run.sh"), "etc/x": b"x"}
    digests = read_digests(write_package(tmp_path / "a", with_link))
    other = {**with_link, "lib/pea-1.0/priv/x": member("lib/pea-1.0/priv/x", b"2", target="other.sh")}
    assert differences(digests, read_digests(write_package(tmp_path / "b", other))) == "application pea 1.0"
    del other["etc/x"]
    assert differences(digests, read_digests(write_package(tmp_path / "c", other))) == "application pea 1.0, etc/x"
    assert differences({str(number): "" for number in range(10)}, {}) == "0, 1, 2, 3, 4, 5, 6, 7 and 2 more"
