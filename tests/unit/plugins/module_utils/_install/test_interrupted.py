# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An installation killed at its steps, by SIGKILL: the system boots as before, and the next run converges.

Every seventh step, and each of them with OTP_TESTS=full (``make test-full``). The fault harness (``tests/real/test_faults.py``) does the same to whole runs.
"""

from __future__ import annotations

import functools
import os
import shutil
import signal
import traceback
import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._build.thin import make_thin
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
from ansible_collections.erlang.otp.plugins.module_utils._install.remove import remove_release
from ansible_collections.erlang.otp.plugins.module_utils._package.read import read_package
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import release_members, tree, with_variable, write_package

# A number that shares no factor with what repeats.
STRIDE = 1 if os.environ.get("OTP_TESTS") == "full" else 7
# All by which a run changes files. open() counts too: it may create.
MUTATORS = ("mkdir", "open", "write", "rename", "replace", "symlink", "unlink", "rmdir", "chmod", "fchmod", "fsync", "makedirs")


def killed_at(step: int, run: t.Callable[[], t.Any]) -> bool:
    """Do the run in a child that is killed before its step-th change of files; whether it was, and not done before."""
    child = os.fork()
    if child == 0:
        left = [step]

        def counting(function, *args, **keywords):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **keywords)

        for name in MUTATORS:
            setattr(os, name, functools.partial(counting, getattr(os, name)))
        try:
            run()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def boots(root: Path) -> str | None:
    """The release that would boot. Whatever start_erl.data names must be there whole, and permanent or about to be so."""
    system = Tree(str(root))
    start = system.start_erl_data()
    if start is None:
        return None
    entries = {entry.version: entry for entry in system.releases() or []}
    entry = entries[start.release_version]
    for library in entry.libraries:
        assert (root / library.directory / "ebin" / f"{library.name}.app").is_file()
        assert (root / library.directory / "ebin" / f"{library.name}.beam").is_file()
    assert (root / "releases" / start.release_version / "start.boot").is_file()
    assert os.access(root / f"erts-{start.erts_version}" / "bin" / "erlexec", os.X_OK)
    assert all(os.access(root / "bin" / name, os.X_OK) for name in ("erl", "start", "start_erl", "run_erl", "to_erl", "epmd"))
    return start.release_version


@pytest.fixture
def first(tmp_path: Path) -> str:
    return write_package(tmp_path / "first.tar.gz", release_members())


@pytest.fixture
def second(tmp_path: Path) -> str:
    return write_package(tmp_path / "second.tar.gz", release_members("SECOND", app_version="2.0", erts="15.2.7"))


def kill_at_steps(tmp_path: Path, begin: Path | None, run: t.Callable[[Path], t.Any], may_boot: set[str | None]) -> int:
    """Returns how many steps there were, or a few more (fewer than STRIDE)."""
    # The same path each time: it stands in the scripts.
    root = tmp_path / "root"

    def start_over() -> None:
        shutil.rmtree(root, ignore_errors=True)
        if begin is not None:
            shutil.copytree(begin, root, symlinks=True)

    start_over()
    run(root)
    wanted = tree(root)
    step = 1
    while True:
        start_over()
        if not killed_at(step, lambda: run(root)):
            return step - 1
        assert boots(root) in may_boot, f"killed at step {step}"
        run(root)
        assert tree(root) == wanted, f"killed at step {step}"
        step += STRIDE


def test_first_install(tmp_path: Path, first: str) -> None:
    def run(root: Path) -> None:
        install_release(root=str(root), package=first, changes=Changes(), flush=False)

    assert kill_at_steps(tmp_path, None, run, {None, "FIRST"}) > 50


def installed(tmp_path: Path, *packages: str) -> Path:
    """A system below tmp_path/root with these packages, moved away to be copied from."""
    root = tmp_path / "root"
    for package in packages:
        install_release(root=str(root), package=package, changes=Changes(), flush=False)
    return root.rename(tmp_path / "begin")


def test_second_release(tmp_path: Path, first: str, second: str) -> None:
    def run(root: Path) -> None:
        install_release(root=str(root), package=second, changes=Changes())

    assert kill_at_steps(tmp_path, installed(tmp_path, first), run, {"FIRST"}) > 50


def test_a_thin_package_with_copies(tmp_path: Path) -> None:
    same: dict[str, bytes] = {f"ebin/same{number}.beam": bytes(300) for number in range(3)}
    first, second = (
        write_package(tmp_path / f"{version}.tar.gz", {**release_members(version, app_version=pea), **{f"lib/pea-{pea}/{path}": same[path] for path in same}})
        for version, pea in (("FIRST", "1.0"), ("SECOND", "2.0"))
    )
    thin = make_thin(second, read_package(second), first, str(tmp_path / "thin.tar.gz"), mtime=0)
    assert len(thin.base.copies["lib/pea-2.0"].files) == 3

    def run(root: Path) -> None:
        install_release(root=str(root), package=thin.written.path, changes=Changes(), flush=False)

    assert kill_at_steps(tmp_path, installed(tmp_path, first), run, {"FIRST"}) > 50


def test_second_release_permanent(tmp_path: Path, first: str, second: str) -> None:
    def run(root: Path) -> None:
        install_release(root=str(root), package=second, changes=Changes(), flush=False, state="permanent")

    assert kill_at_steps(tmp_path, installed(tmp_path, first), run, {"FIRST", "SECOND"}) > 50


def test_permanent(tmp_path: Path, first: str, second: str) -> None:
    def run(root: Path) -> None:
        install_release(root=str(root), package=second, changes=Changes(), state="permanent")

    assert kill_at_steps(tmp_path, installed(tmp_path, first, second), run, {"FIRST", "SECOND"}) > 20


def test_remove(tmp_path: Path, first: str, second: str) -> None:
    def run(root: Path) -> None:
        remove_release(root=str(root), version="SECOND", changes=Changes())

    assert kill_at_steps(tmp_path, installed(tmp_path, first, second), run, {"FIRST"}) > 20


def test_libraries_elsewhere(tmp_path: Path, first: str) -> None:
    """They are there whole before a release names them, and go after none does."""
    package = write_package(tmp_path / "elsewhere.tar.gz", with_variable(release_members("SECOND", app_version="2.0")))
    variables = {"SECOND_ROOT": str(tmp_path / "root/second")}

    def run(root: Path) -> None:
        install_release(root=str(root), package=package, changes=Changes(), flush=False, variables=variables)

    def remove(root: Path) -> None:
        remove_release(root=str(root), version="SECOND", changes=Changes())

    assert kill_at_steps(tmp_path, installed(tmp_path, first), run, {"FIRST"}) > 50
    assert kill_at_steps(tmp_path, (tmp_path / "root").rename(tmp_path / "whole"), remove, {"FIRST"}) > 20
    assert not (tmp_path / "root/second/apps/pea-2.0").exists()
