# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host for the tests of a deployment: the release is really installed; only the node is a number."""

from __future__ import annotations

import grp
import os
import pwd

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _node
from ansible_collections.erlang.otp.plugins.module_utils._node import rotate_cookie as _rotate_cookie
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import read_cookie
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Known, Running
from ansible_collections.erlang.otp.plugins.module_utils._target_system import node_state as _node_state
from ansible_collections.erlang.otp.plugins.module_utils._target_system import release as _release
from ansible_collections.erlang.otp.plugins.module_utils._target_system.options import File, SystemOptions
from ansible_collections.erlang.otp.plugins.module_utils._target_system.system import System
from ansible_collections.erlang.otp.plugins.module_utils._tree import newer as _newer
from ansible_collections.erlang.otp.plugins.module_utils._tree import previous as _previous
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import pid_file
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import release_members, write_package

USER = pwd.getpwuid(os.getuid()).pw_name
GROUP = grp.getgrgid(pwd.getpwuid(os.getuid()).pw_gid).gr_name
SCRIPT = File("bin/start", "#!/bin/sh\n", 0o755)


def running(*releases: tuple[str, str]) -> Running:
    """The node with these releases, as version and status."""
    known = tuple(Known("SYSTEM", version, status, ()) for version, status in releases)
    return Running("a@localhost", 1, 1, "started", True, known, "", "", "")


class Host:
    """A host on which a node is a number in its pid file, and its answer what the test says."""

    def __init__(self, directory, monkeypatch):
        self.root = str(directory / "srv" / "system")
        self.pid = None
        self.starts = 0
        self.silence = ""
        # What the node answers to; None: to any.
        self.cookie = None
        self.has_no_epmd = False
        self.answer = running(("FIRST", "permanent"))
        self.packages = {
            version: write_package(directory / f"{version}.tar.gz", release_members(version, app_version=number))
            for version, number in (("FIRST", "1.0"), ("SECOND", "2.0"))
        }
        self.node = _node.Node(root=self.root, user=USER, home=str(directory / "home"), log_directory=self.root + "/log", name="a@localhost")
        monkeypatch.setattr(_node_state, "find_emulator", lambda root: self.pid)
        monkeypatch.setattr(_previous, "find_emulator", lambda root: self.pid)
        monkeypatch.setattr(_newer, "started_at", lambda pid: os.stat(pid_file(self.root)).st_mtime_ns)
        monkeypatch.setattr(_node, "has_no_epmd", lambda node, pid: self.has_no_epmd)
        monkeypatch.setattr(_node, "start_epmd", self.start_epmd)
        monkeypatch.setattr(_rotate_cookie, "find_emulator", lambda root: self.pid)
        monkeypatch.setattr(_rotate_cookie, "_set_cookie", self.set_cookie)
        monkeypatch.setattr(_node, "find_settled", lambda root: self.pid)
        monkeypatch.setattr(_release, "emulators", lambda tree: [self.pid] if self.pid else [])
        monkeypatch.setattr(_node, "start", self.start)
        monkeypatch.setattr(_node, "halt", self.stop)
        monkeypatch.setattr(_node, "ask", self.ask)
        monkeypatch.setattr(_node, "wait_until_answering", lambda node, timeout, stops=True: (self.pid, self.ask(node)))

    def start(self, node):
        self.starts += 1
        self.cookie = self.in_file
        self.pid = 1000 + self.starts
        with open(pid_file(self.root), "w") as file:
            file.write(f"{self.pid}\n")

    def stop(self, node):
        self.pid = None

    def start_epmd(self, node):
        self.has_no_epmd = False

    def ask(self, node, cookie=""):
        if self.silence or (self.cookie or self.in_file) != (cookie or self.in_file):
            raise _node.NoAnswer(self.silence or "wrong cookie")
        return self.answer

    @property
    def in_file(self):
        return read_cookie(self.node.cookie_file)

    def set_cookie(self, node, cookie):
        self.ask(node)
        self.cookie = cookie

    def settle(self, check_mode=False, version="FIRST", **wanted):
        values = {
            "node": self.node,
            "group": GROUP,
            "manage_user": False,
            "pipe_directory": self.root + "/run/pipe",
            "run_directory": self.root + "/run",
            "package": {"package": self.packages.get(version), "checksum": None, "release": None},
            "configuration": {"sys_config": None, "vm_args": None, "variables": {}, "secrets": {}},
            "files": (SCRIPT,),
            "cookie": "secret",
            "state": "started",
            "start_timeout": 1,
            "restart_on_change": False,
            **wanted,
        }
        changes = Changes(check_mode=check_mode)
        system = System(SystemOptions(**values), changes)
        return system.apply(), changes.actions, system


def configuration(text=None, arguments=None):
    return {"sys_config": text, "vm_args": arguments, "variables": {}, "secrets": {}}
