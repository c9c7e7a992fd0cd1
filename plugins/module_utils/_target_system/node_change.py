# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node started, stopped or restarted, as otp_node is asked for. A restart after a change of its files is a trial, until it is committed.

Embedded Systems User's Guide; init(3). What a trial leads back to is in ``_tree/previous``.
"""

from __future__ import annotations

import contextlib
import time
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import lock
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import as_owner
from ansible_collections.erlang.otp.plugins.module_utils._core.remote_host import remote_host
from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _lifecycle
from ansible_collections.erlang.otp.plugins.module_utils._node import service as _service
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress, connect
from ansible_collections.erlang.otp.plugins.module_utils._node.lifecycle import Node
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Running
from ansible_collections.erlang.otp.plugins.module_utils._node.verify import Check, verify
from ansible_collections.erlang.otp.plugins.module_utils._target_system.boot import RolledBack, boot, go_back
from ansible_collections.erlang.otp.plugins.module_utils._tree.mark import Claim, Mark, check_claim, remove_mark, write_mark
from ansible_collections.erlang.otp.plugins.module_utils._tree.newer import find_newer
from ansible_collections.erlang.otp.plugins.module_utils._tree.previous import Previous
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_starters
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import HANDLER_LOCK, LOCK, Tree

# In results: the release of a node that does not answer.
UNKNOWN = "?"


class NodeRequest(t.NamedTuple):
    """The options of otp_node."""

    node: Node
    state: str  # started, stopped, restarted, restored, committed
    pipe_directory: str
    only_changed: bool = False
    commit: bool = True
    down: str = "fail"  # or skip, offline
    start_timeout: float = 60.0
    verify: tuple[Check, ...] = ()
    verify_timeout: float = 30.0
    destdir: str = ""
    claim: Claim = Claim()
    hold: float | None = None  # for how many seconds the system is then the run's; 0: it is given back, None: as it is
    only_asks: bool = False  # predict what would be done, and mark the system if that is something


class NodeError(OtpError):
    """The node is not in the state; ``result`` is what had been found out by then."""

    result: dict[str, t.Any] = {}


def change_node(request: NodeRequest, changes: Changes) -> dict[str, t.Any]:
    """Take the node to the state, and return what happened. Raises NodeError, OtpError."""
    tree = Tree(request.node.root, request.destdir)
    with as_owner(tree.root, tree.destdir):
        if tree.start_erl_data() is None:
            raise OtpError(f"no release is installed below {tree.root}: deploy the system first.")
        with contextlib.ExitStack() as locks:
            for name in () if changes.check_mode else (HANDLER_LOCK, LOCK):
                locks.enter_context(lock(tree.path(name)))
            change = NodeChange(request, tree, changes, check_claim(tree, request.claim))
            try:
                return change.apply()
            except OtpError as error:
                if isinstance(error, RolledBack):
                    change.result["rolled_back"] = True
                failure = NodeError(str(error))
                failure.result = change.result
                raise failure from error


class NodeChange:
    """One call. ``result`` grows while it is carried out."""

    def __init__(self, request: NodeRequest, tree: Tree, changes: Changes, mark: Mark | None) -> None:
        """mark: that of the run that makes the request."""
        self.request, self.node, self.tree, self.mark = request, request.node, tree, mark
        self.can_mark = request.hold is not None and not changes.check_mode
        self.changes = Changes(check_mode=True) if request.only_asks and not changes.check_mode else changes
        self.previous = Previous(tree)
        self.title = self.node.name or self.node.root
        self.pid = _lifecycle.find_settled(self.node.root)
        self.start = tree.start_erl_data()
        self.answer: Running | None = None
        self.result: dict[str, t.Any] = {"way": "none", "restarted": False, "rolled_back": False, "unreachable_seconds": None}
        self.result.update(before=self.known(), outdated=self.outdated(), held=mark is not None)

    def known(self) -> dict[str, t.Any]:
        """Which release runs and which is permanent, and the process."""
        running = None
        if self.pid is not None:
            running = self.start.release_version
            if self.node.name or remote_host():
                try:
                    self.answer = _lifecycle.ask(self.node)
                    running = self.answer.current
                except _lifecycle.NoAnswer:
                    running = UNKNOWN
        return {"running": running, "permanent": self.start.release_version, "pid": self.pid}

    def outdated(self) -> list[str]:
        """The files that the node runs without a change of, or that it was restarted with and that are not committed."""
        newer = find_newer(self.tree, self.start, self.pid, self.tree.destdir + self.node.cookie_file) if self.pid is not None else []
        return newer or self.previous.kept()

    def apply(self) -> dict[str, t.Any]:
        if not self.request.only_asks:
            self.hold()
        getattr(self, self.request.state)()
        self.settle_mark()
        if not self.changes.check_mode:
            self.pid = _lifecycle.find_settled(self.node.root)
            self.result["after"] = self.known()
        self.result["release"] = None if self.request.state == "stopped" else self.start.release_version
        return self.result

    def hold(self) -> None:
        """Mark the system as this run's, or renew its mark, if the request says for how long."""
        if self.can_mark and self.request.hold:
            doing = {"started": "starting", "stopped": "stopping"}.get(self.request.state, "restarting") + " the node"
            write_mark(self.tree, self.request.claim, self.mark.doing if self.mark else doing, self.request.hold, renewed=self.mark)
            self.result["held"] = True

    def settle_mark(self) -> None:
        """Mark a system that has something to be done; give back one that is done."""
        if self.request.only_asks and self.result["way"] != "none":
            self.hold()
        elif self.can_mark and (self.request.only_asks or self.request.hold == 0):
            remove_mark(self.tree)
            self.result["held"] = False

    def started(self) -> None:
        """Start the node if it is down, and make the calls that it must pass."""
        if self.pid is None:
            self.result["way"] = "start"
            self.changes.do(f"start the node {self.title}", self.boot)
            self.verify()
            self.commit()

    def stopped(self) -> None:
        """Stop the node, and all that would start it again before the next boot of the host."""
        if self.pid is not None or find_starters(self.node.root) or (self.node.service and _service.is_up(self.node.service)):
            self.result["way"] = "stop"
            self.changes.do(f"stop the node {self.title}", _lifecycle.halt, self.node)

    def restarted(self) -> None:
        """Restart the node, and make the calls that it must pass. What fails goes back to the files that the node was started with."""
        if self.pid is None and not self.previous.kept():
            if self.request.down == "fail":
                raise OtpError("the node is down: start it, by the playbook erlang.otp.start, or set otp_down to skip.")
            return
        permanent = self.start.release_version
        if self.answer is not None and self.answer.current != permanent:
            raise OtpError(
                f"release {self.answer.current} runs and is not committed, so the node would run {permanent} after a restart:"
                " commit it by the playbook erlang.otp.upgrade, or roll it back by erlang.otp.rollback."
            )
        if self.request.only_changed and not self.result["outdated"]:
            return
        if self.request.only_changed and self.pid is not None and not self.is_newer():
            # An interrupted run has restarted it.
            self.result["way"] = "commit"
        else:
            self.result.update(way="restart", restarted=True)
            began = time.monotonic()
            self.changes.do(f"stop the node {self.title}", _lifecycle.halt, self.node)
            try:
                self.changes.do(f"start the node {self.title}", self.boot)
            finally:
                # With the earlier files as well.
                if not self.changes.check_mode:
                    self.result["unreachable_seconds"] = round(time.monotonic() - began, 3)
        self.verify()
        self.commit()

    def restored(self) -> None:
        """Put the kept files back, and see to it that the node runs with them, and answers."""
        self.result["way"] = "restart"
        kept, is_newer = self.previous.kept(), self.is_newer()
        if kept and self.pid is not None and is_newer and not remote_host():
            # It has not been restarted with the new ones. A box does not keep the times of files.
            self.changes.do(f"put back {', '.join(kept)}", self.previous.put_back)
            self.result["rolled_back"] = True
        elif kept:
            self.result["rolled_back"] = True
            go_back(self.node, self.previous, self.changes, "", timeout=self.request.start_timeout)
        elif self.pid is None:
            self.changes.do(f"start the node {self.title}", self.boot)
        if not self.changes.check_mode:
            _lifecycle.wait_until_answering(self.node, timeout=self.request.start_timeout)

    def committed(self) -> None:
        """Forget the files that the node was started with before."""
        if self.previous.exists():
            self.changes.do("forget the files that the node was started with before", self.previous.forget)

    def commit(self) -> None:
        """Forget what is kept, if no gate is to follow."""
        if self.request.commit:
            self.committed()

    def is_newer(self) -> bool:
        """Whether the node runs without a change of its files."""
        return self.pid is not None and bool(find_newer(self.tree, self.start, self.pid, self.tree.destdir + self.node.cookie_file))

    def boot(self) -> None:
        boot(self.node, self.previous, self.changes, timeout=self.request.start_timeout)

    def verify(self) -> None:
        """Make the calls of the request. Raises RolledBack, OtpError."""
        if self.changes.check_mode or not self.request.verify:
            return
        address = _lifecycle.address_of(self.node) if self.node.name else NodeAddress(pipe_dir=self.request.pipe_directory)
        try:
            with connect(address) as connection:
                verify(connection, self.request.verify, timeout=self.request.verify_timeout)
        except OtpError as error:
            reason = str(error).rstrip(".")
            if not self.previous.kept():
                raise OtpError(f"{reason}. No file of it has changed, so there is none to put back.") from error
            go_back(self.node, self.previous, self.changes, reason + ".", timeout=self.request.start_timeout)
            raise RolledBack(f"{reason}. The files that it was started with before are back, and it runs with them.") from error
