# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A client node that is restarted, started or stopped, as its master sees it: what is to be done, its answer, and the way back. Its host does the rest.

As ``_target_system/node_change``, whose results it has. What a restart leads back to is in ``_client/kept``.
"""

from __future__ import annotations

import contextlib
import time
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._client.kept import KeptOfClient
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import lock
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import as_owner
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress, connect
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import observe
from ansible_collections.erlang.otp.plugins.module_utils._node.verify import Check, verify
from ansible_collections.erlang.otp.plugins.module_utils._tree.client_tree import ClientTree
from ansible_collections.erlang.otp.plugins.module_utils._tree.mark import Claim, check_claim, remove_mark, write_mark
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import HANDLER_LOCK

# In results: the release of a node that does not answer.
UNKNOWN = "?"
PAUSE = 0.2
DOING = {"started": "starting the node", "stopped": "stopping the node"}


class NotUp(OtpError):
    """The node has not answered in time. Its log is on its own host. ``result`` is for that of the module."""

    result = {"is_up": False}


class ClientNodeRequest(t.NamedTuple):
    """The options of otp_client_node. processes: what the client's host says; outdated, is_newer: of the files that are there."""

    root: str
    client: str
    state: str  # started, stopped, restarted: what is to be done; answering, restored, committed
    address: NodeAddress
    machine_type: str = ""
    processes: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()
    is_newer: bool = False
    only_changed: bool = False
    down: str = "fail"
    start_timeout: float = 60.0
    verify: tuple[Check, ...] = ()
    verify_timeout: float = 30.0
    claim: Claim = Claim()
    hold: float | None = None

    @property
    def emulator(self) -> str:
        """What identifies the emulator that runs; "" if none does."""
        return next((line.partition(" ")[2] for line in self.processes if line.startswith("emulator ")), "")

    @property
    def pid(self) -> int | None:
        number = self.emulator.partition(" ")[0]
        return int(number) if number.isdecimal() else None


def change_client(request: ClientNodeRequest, changes: Changes) -> dict[str, t.Any]:
    """Do the part of the master, and return what otp_node returns. Raises OtpError; Held for a client that is another run's; NotUp."""
    tree = ClientTree(request.root, request.client, request.machine_type)
    with as_owner(tree.root):
        if tree.start_erl_data() is None:
            raise OtpError(f"client {request.client} has no directory below {tree.root}: make it first, by the playbook erlang.otp.clients.")
        with contextlib.nullcontext() if changes.check_mode else lock(tree.path(HANDLER_LOCK)):
            return ClientChange(request, tree, changes).apply()


class ClientChange:
    """One call. ``result`` grows while it is carried out."""

    def __init__(self, request: ClientNodeRequest, tree: ClientTree, changes: Changes) -> None:
        self.request, self.tree, self.changes = request, tree, changes
        self.mark = check_claim(tree, request.claim)
        self.release = tree.start_erl_data().release_version
        self.kept = KeptOfClient(tree.client_directory, request.emulator, self.release)
        self.is_newer = request.is_newer or self.kept.is_newer()
        self.running: str | None = None
        self.result: dict[str, t.Any] = {"way": "none", "restarted": False, "rolled_back": False, "unreachable_seconds": None}
        self.result.update(release=self.release, emulator=request.emulator, held=self.mark is not None)
        self.result["outdated"] = sorted({*request.outdated, *self.kept.outdated()})

    def apply(self) -> dict[str, t.Any]:
        asks = self.request.state in ("started", "stopped", "restarted")
        if asks and self.request.processes:
            try:
                self.running = self.ask()[1]
            except OtpError:
                self.running = UNKNOWN
        self.result["before"] = self.known()
        getattr(self, self.request.state)()
        if self.request.hold is not None and not self.changes.check_mode:
            self.settle_mark(self.result["way"] != "none" if asks else bool(self.request.hold))
        return self.result

    def settle_mark(self, is_held: bool) -> None:
        """Mark the client as this run's, or give it back."""
        self.result["held"] = is_held
        if not is_held:
            return remove_mark(self.tree)
        doing = self.mark.doing if self.mark else DOING.get(self.request.state, "restarting the node")
        write_mark(self.tree, self.request.claim, doing, self.request.hold or 0, renewed=self.mark)

    def known(self) -> dict[str, t.Any]:
        return {"running": self.running, "permanent": self.release, "pid": self.request.pid}

    def ask(self) -> tuple[str, str | None]:
        """What init says of the node, and the release that it runs. Raises OtpError, also of a node that is about to end."""
        with connect(self.request.address) as connection:
            connection.call("application", "which_applications", [4000], timeout=5.0)
            found = observe(connection, timeout=5.0)
        return found.status, found.current

    def started(self) -> None:
        self.result["way"] = "none" if self.request.processes else "start"

    def stopped(self) -> None:
        self.result["way"] = "stop" if self.request.processes else "none"
        self.result["release"] = None

    def restarted(self) -> None:
        outdated = self.result["outdated"]
        if not self.request.processes and not outdated:
            if self.request.down == "fail":
                raise OtpError("the node is down: start it, by the playbook erlang.otp.start, or set otp_down to skip.")
            return
        if self.running not in (None, UNKNOWN, self.release):
            raise OtpError(
                f"release {self.running} runs and is not committed, so the node would run {self.release} after a restart:"
                " commit it by the playbook erlang.otp.upgrade, or roll it back by erlang.otp.rollback."
            )
        if self.request.only_changed and not outdated:
            return
        # An interrupted run has restarted it, or heart has.
        is_tried = self.request.only_changed and self.request.processes and not self.is_newer
        self.result.update(way="commit" if is_tried else "restart", restarted=not is_tried)

    def answering(self) -> None:
        """Wait until the node runs its release, and make the calls that it must pass."""
        deadline = time.monotonic() + self.request.start_timeout
        while True:
            try:
                status, self.running = self.ask()
                if (status, self.running) == ("started", self.release):
                    break
                reason = f"it runs release {self.running}" if status == "started" else f"init reports {status}"
            except OtpError as error:
                reason = str(error).rstrip(".")
            if time.monotonic() > deadline:
                raise NotUp(f"the node {self.request.client} has not answered with release {self.release} within {self.request.start_timeout:g} s: {reason}.")
            time.sleep(PAUSE)
        if self.request.verify:
            with connect(self.request.address) as connection:
                verify(connection, self.request.verify, timeout=self.request.verify_timeout)
        self.result.update(after=self.known())

    def restored(self) -> None:
        """Put back what is kept. restarted: whether the node is to be restarted with it, or started."""
        is_kept = bool(self.result["outdated"])
        self.result.update(rolled_back=is_kept, restarted=not self.request.processes or is_kept and not self.is_newer)
        if self.kept.exists():
            self.changes.do(f"put back {', '.join(self.kept.kept())}", self.kept.put_back)

    def committed(self) -> None:
        """Forget the files that the node was started with before."""
        if self.kept.exists():
            self.changes.do("forget the files that the client was started with before", self.kept.forget)
