# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: a node of another user, or one that does not answer to the options, is refused before anything is changed; its process is noted last, and a
node whose process is noted is as any other; heart and release_handler are only changed where that is needed. ``tests/real/test_adoption.py`` has real nodes.
"""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _lifecycle
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Known, Running
from ansible_collections.erlang.otp.plugins.module_utils._node.service import Service
from ansible_collections.erlang.otp.plugins.module_utils._target_system import adoption as _adoption
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import is_noted
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

KNOWN = Known("x", "1", "permanent", ("kernel-8",))
HEALTHY = Running("x@host", 1, 1, "started", True, (KNOWN,), None, "", "")


class Host:
    """A system whose emulator is this process."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tree = Tree(str(directory))
        (directory / "run").mkdir()
        (directory / "releases/1").mkdir(parents=True)
        (directory / "releases/start_erl.data").write_text("13.1.5 1")
        self.node = _lifecycle.Node(str(directory), pwd.getpwuid(os.getuid()).pw_name, "/home", "/log", "x")
        self.pid, self.calls, self.flags = os.getpid(), [], "-sname x"
        monkeypatch.setattr(_adoption, "_call", lambda node, function, *arguments: self.calls.append((function.__name__, *arguments)))
        monkeypatch.setattr(_adoption, "_name_of", lambda pid: self.flags)
        monkeypatch.setattr(_lifecycle, "ask", self.ask)

    def ask(self, node: _lifecycle.Node, *, cookie: str = "") -> Running:
        if cookie != "right":
            raise _lifecycle.NoAnswer("it refuses the cookie")
        return HEALTHY

    def check(self, cookie: str = "right") -> None:
        _adoption.check_owner_and_name(self.node, self.tree, self.pid, cookie)

    def take_over(self, answer: Running | None, *, check_mode: bool = False) -> list[str]:
        changes = Changes(check_mode=check_mode)
        _adoption.take_over(self.node, self.tree, self.pid, answer, changes)
        return [action.split()[0] for action in changes.actions]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


def test_the_node_of_the_options_alone(host: Host) -> None:
    host.check()
    Path(host.tree.path("releases/1/vm.args")).write_text("-setcookie other\n")
    refused = "-sname x, and does not answer as x: it refuses the cookie.*which is in .*/releases/1/vm.args, or in RELX_COOKIE"
    with pytest.raises(OtpError, match=refused) as caught:
        host.check("wrong")
    assert "other" not in str(caught.value).split()
    host.node = host.node._replace(user="nobody")
    with pytest.raises(OtpError, match=f"runs as user {os.getuid()}, and otp_user is nobody"):
        host.check()
    host.node = host.node._replace(user=pwd.getpwuid(os.getuid()).pw_name)
    host.check()


def test_a_unit_of_its_own_is_replaced_and_not_doubled(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_adoption, "unit_of", lambda pid: "theirs")
    # That of sshd, for one that was started by hand.
    monkeypatch.setattr(_adoption, "names_directory", lambda unit, directory: False)
    host.check()
    monkeypatch.setattr(_adoption, "names_directory", lambda unit, directory: (unit, directory) == ("theirs", host.node.root))
    for service in (None, Service("systemd", "ours", True, ()), Service("sysv", "theirs", True, ())):
        host.node = host.node._replace(service=service)
        with pytest.raises(OtpError, match=r"The unit theirs\.service has, .* Set otp_service_name to theirs and otp_service_manager to systemd"):
            host.check()
    host.node = host.node._replace(service=Service("systemd", "theirs", True, ()))
    host.check()


def test_a_node_without_a_name_cannot_be_asked(host: Host) -> None:
    host.flags = ""
    host.check("wrong")


def test_only_what_is_needed_is_changed_and_the_process_is_noted_last(host: Host) -> None:
    assert host.take_over(HEALTHY, check_mode=True) == ["note"] and not is_noted(host.node.root, host.pid)
    made_up = HEALTHY._replace(releases=(KNOWN._replace(libraries=()),), heart="bin/x daemon")
    assert host.take_over(made_up) == ["restart", "have", "note"]
    root = host.node.root
    assert host.calls == [("read_again",), ("_set_command", f"{root}/bin/start {root}/releases/start_erl.data")]
    assert is_noted(root, host.pid)
    # From now on it is as any other.
    host.check("wrong")


def test_an_interrupted_run_is_repeated(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*dummy) -> None:
        raise OtpError("it does not answer")

    monkeypatch.setattr(_adoption, "_call", fail)
    with pytest.raises(OtpError):
        host.take_over(HEALTHY._replace(heart="bin/x daemon"))
    assert not is_noted(host.node.root, host.pid)
