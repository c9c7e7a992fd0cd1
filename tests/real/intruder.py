# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The service user who attacks root, and what belongs to root and must stay as it is."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pwd
import shutil
import signal
import stat
import sys
import tempfile
import traceback
import typing as t
from pathlib import Path

from ansible.module_utils import basic
from waiting import LIMIT

USER = "daemon"
SECRET = "the-secret-of-root"


def attack(act: t.Callable[[], object]) -> None:
    """Call the function in a process of USER, which has none of root's rights. It must succeed."""
    user = pwd.getpwnam(USER)
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([user.pw_gid])
            os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
            os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
            act()
            os._exit(0)
        finally:
            traceback.print_exc()
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


@contextlib.contextmanager
def replaced(path: Path, make: t.Callable[[Path], object]) -> t.Iterator[None]:
    """Something else of USER's in the place of what is there, which is put back in the end, whatever is there then."""
    kept = Path(f"{path}.was")

    def act() -> None:
        if os.path.lexists(path):
            path.rename(kept)
        make(path)

    attack(act)
    try:
        yield
    finally:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif os.path.lexists(path):
            path.unlink()
        if os.path.lexists(kept):
            kept.rename(path)


def run_module(name: str, /, *, watch: t.Callable[[str, tuple], None] | None = None, **options: t.Any) -> dict[str, t.Any]:
    """What the module returns, which root runs in a process of its own. It must end. watch: called there with what Python audits."""
    module = importlib.import_module(f"ansible_collections.erlang.otp.plugins.modules.{name}")
    with tempfile.TemporaryFile("w+") as output:
        child = os.fork()
        if child == 0:
            signal.alarm(int(LIMIT))
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            sys.stdout = sys.stderr = output
            basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": options}).encode()
            basic._ANSIBLE_PROFILE = "legacy"
            try:
                if watch:
                    sys.addaudithook(watch)
                module.main()
            except SystemExit:
                pass
            except BaseException:
                traceback.print_exc()
            output.flush()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0, f"{name} has not ended"
        output.seek(0)
        text = output.read()
    assert SECRET not in text
    assert "Traceback" not in text, text
    result = json.loads(text)
    assert "exception" not in result, text
    return result


def state_of(directory: Path) -> dict[str, t.Any]:
    """Owner, mode and content of the directory and of what is in it, by path."""
    found = {}
    for path in [directory, *sorted(directory.rglob("*"))]:
        status = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
        found[str(path)] = (status.st_uid, status.st_gid, status.st_mode, content)
    return found
