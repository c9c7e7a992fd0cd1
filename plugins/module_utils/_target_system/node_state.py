# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The node of a target system: stopped first, or started last and asked. A node that runs is not restarted: the playbooks do that, batch by batch."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.remote_host import remote_host
from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _lifecycle
from ansible_collections.erlang.otp.plugins.module_utils._node import rotate_cookie as _rotate_cookie
from ansible_collections.erlang.otp.plugins.module_utils._node import service as _service
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Running
from ansible_collections.erlang.otp.plugins.module_utils._target_system import adoption as _adoption
from ansible_collections.erlang.otp.plugins.module_utils._target_system.boot import boot
from ansible_collections.erlang.otp.plugins.module_utils._target_system.options import SystemOptions
from ansible_collections.erlang.otp.plugins.module_utils._tree.newer import find_newer
from ansible_collections.erlang.otp.plugins.module_utils._tree.previous import Previous
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator, find_starters, is_noted, second_emulator
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

WITHOUT_HEART = "it runs without heart until its next restart: heart does not start it after a crash"


class NodeState:
    """Stops, starts and asks the node; the warnings are collected in ``warnings``."""

    def __init__(self, options: SystemOptions, tree: Tree, changes: Changes, warnings: list[str]) -> None:
        self.options, self.node, self.tree, self.changes, self.warnings = options, options.node, tree, changes, warnings
        self.title = self.node.name or self.node.root
        self.previous = Previous(tree)
        # In check mode, the cookie of a node that is taken over; else that of its file. Then what taking it over has changed.
        self.cookie = ""
        self.actions: list[str] = []
        # The files of otp_files that it reads at its start.
        self.reads: list[str] = []

    def stop(self) -> None:
        """Stop the node if it runs, or if its service is about to start it."""
        root = self.node.root
        if find_emulator(root) or find_starters(root) or (self.node.service and _service.is_up(self.node.service)):
            self.changes.do(f"stop the node {self.title}", _lifecycle.halt, self.node)

    def find_pid(self) -> int | None:
        """The process of the emulator that runs, or that heart is about to start."""
        return _lifecycle.find_settled(self.node.root)

    def address(self) -> NodeAddress:
        """How to call the node: through the pipes if it is not distributed."""
        return _lifecycle.address_of(self.node) if self.node.name else NodeAddress(pipe_dir=self.options.pipe_directory)

    def ensure(self, written: set[str]) -> dict[str, t.Any]:
        """Start the node if its state needs that. written: files that this run wrote. Return the state of the node. Raises OtpError."""
        state, pid = self.options.state, _lifecycle.find_settled(self.node.root)
        if state == "stopped" or (state == "present" and pid is None):
            return {"running": False}
        if pid is None and self.options.defer_start and not self.changes.check_mode:
            return {"running": False, "to_start": True}
        if pid is None:
            return self.start()
        if self.node.service and not _service.is_run_by(self.node.service, pid):
            self.warnings.append(
                f"the node {self.title} was not started by {self.node.service.name}.service, so systemd does not supervise it: restart it,"
                " by the playbook erlang.otp.restart."
            )
        has_no_epmd = _lifecycle.has_no_epmd(self.node, pid)
        if has_no_epmd:
            self.changes.do(f"start EPMD, which has ended while the node {self.title} runs", _lifecycle.start_epmd, self.node)
        if not is_noted(self.node.root, pid):
            self.take_over(pid)
        newer = self.find_newer(pid, written)
        if newer and not self.options.restart_on_change:
            # Of these files, an upgrade loads no other one without a restart.
            or_upgrade = ", or upgrade it" if all(path.endswith("/sys.config") and path not in self.reads for path in newer) else ""
            self.warnings.append(
                f"the node {self.title} runs with an earlier version of {', '.join(newer)}: restart it, by the playbook erlang.otp.restart or with"
                f" otp_restart_on_change{or_upgrade}."
            )
        # A node whose name or cookie has changed since its start cannot be asked, nor one whose EPMD only the run starts.
        is_lost = has_no_epmd and self.changes.check_mode
        is_other = {self.tree.path("bin", "start"), self.options.path(self.node.cookie_file)} & set(newer)
        answer = self.ask(must_answer=state == "started" and not is_lost and not is_other)
        # It costs a look at each process of the host, and what is wrong with a host that stays as it is the playbook status says.
        second = second_emulator(self.node.root, answer["pid"]) if self.changes.changed else ""
        answer.update({"second_emulator": second} if second else {})
        return self.with_outdated(answer, newer or self.untried(is_read="status" in answer or not self.node.name))

    def check(self) -> None:
        """Raise OtpError, before anything is changed, for a node that is not that of the options, and was not started by bin/start."""
        pid = None if self.options.state == "stopped" or self.options.destdir else find_emulator(self.node.root)
        if pid is not None:
            _adoption.check_owner_and_name(self.node, self.tree, pid, self.options.cookie or "")

    def take_over(self, pid: int) -> None:
        """Take over the node that another script has started. Raises OtpError."""
        answer = None
        self.cookie = self.options.cookie or "" if self.changes.check_mode else ""
        with contextlib.suppress(_lifecycle.NoAnswer):
            answer = _lifecycle.ask(self.node, cookie=self.cookie) if self.node.name else None
        before = len(self.changes.actions)
        _adoption.take_over(self.node, self.tree, pid, answer, self.changes)
        self.actions = self.changes.actions[before:]
        if answer is None:
            self.warnings.append(f"the node {self.title} was started without a name, and so it cannot be asked before its next restart.")

    def start(self) -> dict[str, t.Any]:
        """Start the node, and return its state. Raises OtpError."""
        started = self.changes.do(f"start the node {self.title}", boot, self.node, self.previous, self.changes, timeout=self.options.start_timeout)
        return self.with_outdated(self.described(*started), self.untried(is_read=True)) if started else {"running": True, "outdated": []}

    def with_outdated(self, state: dict[str, t.Any], outdated: list[str]) -> dict[str, t.Any]:
        """The state of the node, with the files that it has not read, or not been tried with."""
        to_restart = bool(outdated) and self.options.restart_on_change and self.options.state == "started"
        return {**state, "outdated": outdated, **({"to_restart": True} if to_restart else {})}

    def untried(self, *, is_read: bool) -> list[str]:
        """Files that the node has read since they changed, and that have passed no gate yet. is_read: whether it answers.

        If no restart follows, there is no gate: what is kept of them is forgotten.
        """
        if self.options.restart_on_change:
            return self.previous.kept()
        if is_read and self.previous.exists():
            self.changes.do("forget the files that the node was started with before", self.previous.forget)
        return []

    def ask(self, *, must_answer: bool) -> dict[str, t.Any]:
        """The status and the releases of the node that runs. If it must answer, wait for that. Raises OtpError if it does not."""
        pid, answer = find_emulator(self.node.root), None
        if must_answer and (self.node.name or remote_host()):
            pid, answer = _lifecycle.wait_until_answering(self.node, timeout=self.options.start_timeout, stops=not self.changes.check_mode)
        elif self.node.name:
            try:
                answer = _lifecycle.ask(self.node, cookie=self.cookie)
            except _lifecycle.NoAnswer as error:
                self.warnings.append(f"the node {self.node.name} does not answer: {error}")
        return self.described(pid, answer)

    @property
    def has_heart(self) -> bool:
        """Whether bin/start starts it with heart."""
        return any(file.path == "bin/start" and " -heart" in file.content for file in self.options.files)

    def described(self, pid: int | None, answer: Running | None) -> dict[str, t.Any]:
        """The state of a node with this process and this answer."""
        result: dict[str, t.Any] = {"running": pid is not None, "pid": pid}
        if answer is not None:
            result["status"] = answer.status
            result["releases"] = [{"name": known.name, "version": known.version, "status": known.status} for known in answer.releases]
            result["release"] = answer.current
            if answer.heart is None and self.has_heart:
                result["note"] = WITHOUT_HEART
        return result

    def rotate_cookie(self, cookie: str) -> bool:
        """Give the running node its new cookie, before the file has it. Return whether the node has it, or would have it in check mode. Raises OtpError."""
        # No node runs in an image, and a box is called through its pipes.
        return not self.options.destdir and _rotate_cookie.rotate_cookie(self.node, cookie, self.changes)

    def find_newer(self, pid: int, written: set[str]) -> list[str]:
        """The files that the emulator read at its start, or its start scripts, that have changed since: not a cookie that it has got in another way."""
        cookie_file = self.options.path(self.node.cookie_file)
        newer = find_newer(self.tree, self.tree.start_erl_data(), pid, cookie_file, *self.reads, written=written)
        if cookie_file in newer and cookie_file not in written and self.node.name and not self.options.destdir:
            with contextlib.suppress(_lifecycle.NoAnswer):
                _lifecycle.ask(self.node)
                newer.remove(cookie_file)
        return newer
