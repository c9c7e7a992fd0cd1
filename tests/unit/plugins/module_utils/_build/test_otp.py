# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An Erlang/OTP tree.

Rules: of two ERTS the one that bin/erl starts counts; without a tree, that of erl on PATH counts, and a wrapper is asked; what is not a tree is
an error.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._build.otp import Otp, find_otp, read_otp
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError


def make_tree(root: Path, *versions: str, started: str = "") -> Path:
    for version in versions:
        (root / f"erts-{version}" / "bin").mkdir(parents=True)
        (root / f"erts-{version}" / "bin" / "erlexec").write_text("")
    (root / "lib").mkdir()
    if started:
        (root / "releases" / "25").mkdir(parents=True)
        (root / "releases" / "25" / "OTP_VERSION").write_text("25.2.3\n")
        (root / "releases" / "start_erl.data").write_text(started)
    return root


def test_a_tree(tmp_path):
    tree = make_tree(tmp_path / "otp", "13.1.5", started="13.1.5 25")
    otp = read_otp(str(tree))
    assert otp == Otp(str(tree), "13.1.5", "25.2.3")
    assert otp.erts_bin == f"{tree}/erts-13.1.5/bin"
    assert otp.lib == f"{tree}/lib"


def test_a_tree_without_releases(tmp_path):
    assert read_otp(str(make_tree(tmp_path / "otp", "13.1.5"))).otp_version == ""


def test_of_two_erts_the_started_one(tmp_path):
    assert read_otp(str(make_tree(tmp_path / "otp", "13.1.5", "15.2", started="15.2 27\n"))).erts_version == "15.2"
    with pytest.raises(OtpError, match=r"more than one ERTS \(13.1.5, 15.2\)"):
        read_otp(str(make_tree(tmp_path / "other", "13.1.5", "15.2")))


def test_no_tree(tmp_path):
    with pytest.raises(OtpError, match="is not an Erlang/OTP tree: it has no erts-VSN/bin/erlexec. Set otp_erlang_root"):
        read_otp(str(tmp_path))
    with pytest.raises(OtpError, match="nowhere is not an Erlang/OTP tree"):
        find_otp(str(tmp_path / "nowhere"))
    assert read_otp(str(make_tree(tmp_path / "otp", "13.1.5"))).erts_version == "13.1.5"


def test_the_tree_of_erl_on_path(tmp_path, monkeypatch):
    tree = make_tree(tmp_path / "lib" / "erlang", "13.1.5")
    (tree / "bin").mkdir()
    (tree / "bin" / "erl").write_text("")
    (tree / "bin" / "erl").chmod(0o755)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "erl").symlink_to("../lib/erlang/bin/erl")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert find_otp(None).root == str(tree)


def test_a_wrapper_is_asked(tmp_path, monkeypatch):
    tree = make_tree(tmp_path / "otp", "13.1.5")
    (tmp_path / "bin").mkdir()
    wrapper = tmp_path / "bin" / "erl"
    wrapper.write_text(f"#!/bin/sh\nprintf %s {tree}\n")
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert find_otp(None).root == str(tree)
    wrapper.write_text("#!/bin/sh\necho no version is set\n")
    with pytest.raises(OtpError, match="does not return its root directory. Its output: no version is set Set otp_erlang_root"):
        find_otp(None)
    assert find_otp(str(tree)).root == str(tree)


def test_no_erl(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OtpError, match="erl is not on PATH of the build host. Install Erlang/OTP .*or set otp_erlang_root"):
        find_otp(None)
    assert find_otp(str(make_tree(tmp_path / "otp", "13.1.5"))).erts_version == "13.1.5"
