# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: at each moment sys.config is that of the package or that of the providers, and the run after one that was killed puts that of the package back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._tree import resolved_config
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree


class Killed(BaseException):
    """The run has been killed."""


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    (tmp_path / "releases/1").mkdir(parents=True)
    (tmp_path / "run").mkdir()
    (tmp_path / "releases/1/sys.config").write_text("built")
    (tmp_path / "run/1.config").write_text("secret")
    return Tree(str(tmp_path))


def in_place(tree: Tree) -> str:
    return Path(tree.path("releases/1/sys.config")).read_text()


def test_there_and_back(tree: Tree) -> None:
    before = os.stat(tree.path("releases/1/sys.config"))
    resolved_config.put_in_place(tree, "1", tree.path("run/1.config"))
    assert in_place(tree) == "secret" and resolved_config.built_config(tree, "1") == b"built"
    resolved_config.put_all_back(tree)
    assert in_place(tree) == "built" and tree.names("releases", "1") == ["sys.config"]
    assert os.path.samestat(os.stat(tree.path("releases/1/sys.config")), before)
    resolved_config.put_all_back(tree)
    assert in_place(tree) == "built"


@pytest.mark.parametrize("step", ["symlink", "link", "replace"])
def test_killed(tree: Tree, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    done = getattr(os, step)

    def kill(*arguments: str) -> None:
        done(*arguments)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(os, step, kill)
        with pytest.raises(Killed):
            resolved_config.put_in_place(tree, "1", tree.path("run/1.config"))
    assert in_place(tree) in ("built", "secret")
    resolved_config.put_all_back(tree)
    assert in_place(tree) == "built" and not tree.has("releases/1/sys.config.built")
    resolved_config.put_in_place(tree, "1", tree.path("run/1.config"))
    assert in_place(tree) == "secret"


def test_a_release_without_configuration(tree: Tree) -> None:
    assert resolved_config.built_config(tree, "2") is None
