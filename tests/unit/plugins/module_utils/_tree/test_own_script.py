# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: a script of relx or mix is kept and is not a program any more; ours stays; no release takes the name of another script."""

from __future__ import annotations

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import FileOptions
from ansible_collections.erlang.otp.plugins.module_utils._tree.own_script import MARK, find_scripts, is_own, script_of, set_aside
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/tele").write_text("#!/bin/sh\nrelx\n")
    (tmp_path / "bin/tele").chmod(0o755)
    return Tree(str(tmp_path))


def test_of_the_package(tree, tmp_path):
    changes = Changes(check_mode=True)
    set_aside(tree, "bin/tele", changes, FileOptions())
    assert changes.changed and (tmp_path / "bin/tele").exists() and not (tmp_path / "bin/tele.orig").exists()
    set_aside(tree, "bin/tele", Changes(), FileOptions())
    assert not (tmp_path / "bin/tele").exists() and (tmp_path / "bin/tele.orig").read_text() == "#!/bin/sh\nrelx\n"
    assert (tmp_path / "bin/tele.orig").stat().st_mode & 0o777 == 0o644
    changes = Changes()
    set_aside(tree, "bin/tele", changes, FileOptions())
    assert not changes.changed


def test_ours_stays(tree, tmp_path):
    (tmp_path / "bin/tele").write_bytes(b"#!/bin/sh\n" + MARK + b"\n")
    changes = Changes()
    set_aside(tree, "bin/tele", changes, FileOptions())
    assert is_own(tree, "bin/tele") and not changes.changed


def test_scripts_of_relx_with_a_version(tree, tmp_path):
    for name, content in (("tele-1.0", "RELX_X=1"), ("tele-admin", "mine")):
        (tmp_path / "bin" / name).write_text(content)
    set_aside(tree, "bin/tele", Changes(), FileOptions())
    assert sorted(path.name for path in (tmp_path / "bin").iterdir()) == ["tele-1.0.orig", "tele-admin", "tele.orig"]


def test_hooks_of_relx_are_named(tree, tmp_path):
    assert set_aside(tree, "bin/tele", Changes(check_mode=True), FileOptions()) == []
    (tmp_path / "bin/tele").write_text('RELX_X=1\nPRE_START_HOOKS="hooks/pre_start"\nPOST_STOP_HOOKS=""\nSTATUS_HOOK="hooks/status"\n')
    (warning,) = set_aside(tree, "bin/tele", Changes(), FileOptions())
    assert "nothing on this host does: PRE_START_HOOKS (hooks/pre_start), STATUS_HOOK (hooks/status). otp_hooks" in warning
    # The operator has been warned.
    assert set_aside(tree, "bin/tele", Changes(), FileOptions()) == []


def test_what_a_package_will_bring_is_foretold(tree, tmp_path):
    hook = 'RELX_X=1\nSTATUS_HOOK="hooks/status"\n'
    package = {"bin/tele": hook.encode(), "bin/tele-2.0": b"RELX_X=1", "bin/tele-1.0.orig": b"RELX_X=1", "bin/tool": b"RELX_X=1"}
    coming = find_scripts("bin/tele", package)
    assert coming == {"bin/tele-2.0": [], "bin/tele": ["STATUS_HOOK (hooks/status)"]}
    # With ours there, the installation leaves out that of the package.
    (tmp_path / "bin/tele").write_bytes(MARK)
    changes = Changes(check_mode=True)
    assert set_aside(tree, "bin/tele", changes, FileOptions(), coming=coming) == []
    assert changes.actions == [f"keep {tmp_path}/bin/tele-2.0 of the package as {tmp_path}/bin/tele-2.0.orig"]
    (tmp_path / "bin/tele").unlink()
    (warning,) = set_aside(tree, "bin/tele", Changes(check_mode=True), FileOptions(), coming=coming)
    assert "STATUS_HOOK (hooks/status)" in warning


@pytest.mark.parametrize(("name", "path"), [("tele", "bin/tele"), ("start", None), ("erl", None), ("environment", None), ("a/b", None), ("", None)])
def test_script_of(name, path):
    assert script_of(name) == path
