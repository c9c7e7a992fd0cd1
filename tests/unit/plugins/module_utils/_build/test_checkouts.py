# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: the revision and whether files differ are what git says; asking runs nothing that the checkout brings, and writes nothing there."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._build.checkouts import read_checkout, top_of
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError

pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="needs git")


def git(top: Path, *arguments: str) -> str:
    name = ("-c", "user.name=anna", "-c", "user.email=anna@example.com")
    return subprocess.run(["git", "-C", top, *name, *arguments], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def top(tmp_path: Path) -> Path:
    top = tmp_path / "checkout"
    (top / "lib/pea/ebin").mkdir(parents=True)
    (top / "lib/pea/ebin/pea.app").write_text("first")
    (top / ".gitignore").write_text("/_build\n")
    git(top, "init", "-q")
    git(top, "add", ".")
    git(top, "commit", "-q", "-m", "first")
    return top


def test_the_revision_and_what_differs(top: Path) -> None:
    assert top_of(str(top / "lib/pea/ebin")) == str(top)
    assert read_checkout(str(top)) == (str(top), git(top, "rev-parse", "HEAD"), False)
    # What git ignores does not count.
    (top / "_build").mkdir()
    (top / "_build/pea.beam").write_text("pea")
    assert read_checkout(str(top)).dirty is False
    (top / "bean").write_text("bean")
    assert read_checkout(str(top)).dirty is True
    (top / "bean").unlink()
    (top / "lib/pea/ebin/pea.app").write_text("other")
    assert read_checkout(str(top)).dirty is True


def test_a_directory_without_a_checkout(tmp_path: Path) -> None:
    assert top_of(str(tmp_path / "lib/pea")) == ""


def test_what_git_refuses_is_an_error_that_names_the_checkout(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    with pytest.raises(OtpError, match=f"the git revision of {tmp_path} is not known: fatal: "):
        read_checkout(str(tmp_path))


def test_nothing_of_the_checkout_runs(top: Path, tmp_path: Path) -> None:
    mark, script = tmp_path / "ran", tmp_path / "script"
    script.write_text(f'#!/bin/sh\necho "$0 $*" >> {mark}\ncat\n')
    script.chmod(0o755)
    git(top, "config", "core.hooksPath", str(top / "hooks"))
    (top / "hooks").mkdir()
    shutil.copy(script, top / "hooks/post-index-change")
    (top / ".git/info/exclude").write_text("hooks\n")
    revision = git(top, "rev-parse", "HEAD")
    (top / ".git/info/attributes").write_text("*.app filter=evil\n")
    git(top, "config", "core.fsmonitor", str(script))
    git(top, "config", "filter.evil.clean", str(script))
    app = top / "lib/pea/ebin/pea.app"
    # The same content with another time is compared by git.
    os.utime(app, (1, 1))
    index = (top / ".git/index").read_bytes()
    assert read_checkout(str(top)) == (str(top), revision, False)
    assert not mark.exists() and (top / ".git/index").read_bytes() == index
    # Without our care, it does.
    git(top, "status")
    assert mark.exists()


def test_a_filter_that_cannot_be_switched_off_is_not_run(top: Path, tmp_path: Path) -> None:
    mark, script = tmp_path / "ran", tmp_path / "script"
    script.write_text(f"#!/bin/sh\necho >> {mark}\ncat\n")
    script.chmod(0o755)
    (top / ".git/info/attributes").write_text("*.app filter=e=vil\n")
    with (top / ".git/config").open("a") as config:
        config.write(f'[filter "e=vil"]\nclean = {script}\n')
    os.utime(top / "lib/pea/ebin/pea.app", (1, 1))
    assert read_checkout(str(top)).dirty is None and not mark.exists()
    git(top, "status")
    assert mark.exists()
