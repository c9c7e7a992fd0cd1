# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RELEASES and start_erl.data are changed in an order that survives a power cut.

Rules: both are copied before either is changed; start_erl.data, which decides what boots, is changed last; the copies go when both are changed.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import FileOptions
from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import parse_rel
from ansible_collections.erlang.otp.plugins.module_utils._tree.register import make_permanent
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.file_calls import FileCalls

RELEASES = """\
[{release,"R","2","2.0",[{kernel,"2","lib/kernel-2"}],unpacked},
 {release,"R","1","1.0",[{kernel,"1","lib/kernel-1"}],permanent}].
"""


def test_what_boots_next_is_changed_last_and_copied_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "releases").mkdir()
    (tmp_path / "releases/RELEASES").write_text(RELEASES)
    (tmp_path / "releases/start_erl.data").write_text("1.0 1\n")
    tree = Tree(str(tmp_path))
    release = parse_rel(b'{release,{"R","2"},{erts,"2.0"},[{kernel,"2"}]}.', filename="R.rel")
    calls = FileCalls(monkeypatch)
    make_permanent(tree, release, tree.releases(), Changes(), FileOptions())
    assert [call[1] for call in calls.named("rename", "replace")] == ["RELEASES.saved", "start_erl.data.saved", "RELEASES", "start_erl.data"]
    assert [call[0] for call in calls.named("rename", "replace", "unlink")][4:] == ["unlink", "unlink"]
    assert (tmp_path / "releases/start_erl.data").read_text().split() == ["2.0", "2"]
