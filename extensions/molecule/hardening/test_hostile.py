# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The service user attacks root on a host with systemd, which is reached over SSH (docs/docsite/rst/guide_security.rst).

Each attack is made by a process of that user, between two deploys; what it is aimed at belongs to root. tests/real/test_hostile_host.py has more of them.
"""

from __future__ import annotations

import tempfile
import typing as t
from pathlib import Path

import pytest
from fleet import Fleet

USER = "exchange"
VICTIM = "/root/victim"
SECRET = "the-secret-of-root"
# PATH, what it becomes, and what that leads to.
ATTACK = """
import os, sys
path, kind, target = sys.argv[1:]
os.rename(path, path + ".was")
os.symlink(target, path) if kind == "link" else os.mkfifo(path, 0o666)
"""
BACK = """
import os, shutil, sys
path = sys.argv[1]
shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.path.lexists(path) and os.unlink(path)
os.rename(path + ".was", path)
"""
LOOK = f"find {VICTIM} -printf '%p %y %u %g %m\\n' | sort; cat {VICTIM}/secret"


@pytest.fixture(scope="module")
def fleet() -> t.Iterator[Fleet]:
    with tempfile.TemporaryDirectory(prefix="hostile-") as directory:
        fleet = Fleet(Path(directory))
        (host,) = fleet.hosts
        fleet.run(host, f"mkdir {VICTIM} && umask 077 && echo {SECRET} >{VICTIM}/secret && chmod 755 {VICTIM} && chmod 711 /root")
        yield fleet


@pytest.fixture(scope="module")
def root(fleet: Fleet) -> str:
    """Of the system, whose name has all kinds of characters: where its unit starts it."""
    return fleet.run(fleet.hosts[0], "dirname \"$(find /usr/local -path '*/bin/start')\" | xargs -0 dirname").rstrip("\n")


def as_user(fleet: Fleet, *command: str) -> str:
    return fleet.engine("exec", "--user", USER, fleet.hosts[0], *command)


@pytest.mark.parametrize(
    ("name", "kind", "target"),
    [
        ("bin", "link", VICTIM),
        ("run", "link", VICTIM),
        ("releases/FIRST/sys.config", "link", f"{VICTIM}/secret"),
        ("releases/RELEASES", "pipe", ""),
    ],
)
def test_a_deploy_after_an_attack(fleet: Fleet, root: str, name: str, kind: str, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # What root reads is shown.
    monkeypatch.setenv("ANSIBLE_DIFF_ALWAYS", "1")
    (host,) = fleet.hosts
    path = f"{root}/{name}"
    before = fleet.run(host, LOOK)
    as_user(fleet, "python3", "-c", ATTACK, path, kind, target)
    assert fleet.engine("exec", host, "stat", "-c", "%U %F", path).strip() == f"{USER} {'symbolic link' if kind == 'link' else 'fifo'}"
    reported: list[tuple[int, str]] = []
    try:
        for playbook in ("deploy", "status"):
            run = fleet.start(playbook, host)
            output = run.process.communicate(timeout=600)[0]
            reported.append((run.process.returncode, output))
            assert SECRET not in output and "Traceback" not in output, output
            assert fleet.run(host, LOOK) == before, output
        # What could not be done is named.
        code, output = reported[0]
        assert code == 0 or f"/{name}" in output, output
    finally:
        fleet.engine("exec", host, "python3", "-c", BACK, path)
    # No process of root's waits for anything.
    assert fleet.run(host, "pgrep -a -u root python3 || true") == ""


def test_a_deploy_when_all_is_as_it_was(fleet: Fleet) -> None:
    (host,) = fleet.hosts
    assert "failed=0" in fleet.start("deploy", host).end(0).output
    assert fleet.run(host, "systemctl is-active exchange") == "active\n"
