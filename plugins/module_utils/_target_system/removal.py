# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A target system taken off its host: node, service, EPMD, libraries elsewhere, root directory, other directories, user, in this order.

Each step finds what is there, so that an interrupted removal is completed by the next one. What only root can remove is below directories that only
root can write; all else is removed with the rights of its owner, and no link is followed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import signal
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import lock, read_file
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import as_owner, as_root, kill
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import find_group, find_user
from ansible_collections.erlang.otp.plugins.module_utils._install.remove import leave_directory
from ansible_collections.erlang.otp.plugins.module_utils._install.variable_libraries import systems
from ansible_collections.erlang.otp.plugins.module_utils._node import service as _service
from ansible_collections.erlang.otp.plugins.module_utils._node.epmd import PORT, names_at
from ansible_collections.erlang.otp.plugins.module_utils._node.service_manager import MANAGED
from ansible_collections.erlang.otp.plugins.module_utils._target_system.options import SystemOptions
from ansible_collections.erlang.otp.plugins.module_utils._target_system.service_user import LOCK as ACCOUNTS
from ansible_collections.erlang.otp.plugins.module_utils._target_system.service_user import run_first
from ansible_collections.erlang.otp.plugins.module_utils._target_system.system import System
from ansible_collections.erlang.otp.plugins.module_utils._target_system.user_record import UserRecord, read_user_record, write_user_record
from ansible_collections.erlang.otp.plugins.module_utils._tree.client_tree import CLIENTS
from ansible_collections.erlang.otp.plugins.module_utils._tree.mark import check_claim
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import names_of
from ansible_collections.erlang.otp.plugins.module_utils._tree.publish import remove_tree
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import LOCK, Tree

# What run_erl, the emulator and this collection write in a directory that others may use as well.
OURS = re.compile(r"erlang\.(log|pipe)\.\d+(\.[rw])?|run_erl\.log|erl_crash\.dump|emulator\.pid")


class Removal(System):
    """Takes the system off the host."""

    def __init__(self, options: SystemOptions, changes: Changes, services: t.Sequence[_service.Service]) -> None:
        """services: all that may have been written for the system, by whichever manager of services."""
        super().__init__(options, changes)
        # Of files that a deployment would not replace.
        self.warnings.clear()
        self.services = services
        self.has_epmd = False

    def apply(self) -> dict[str, t.Any]:
        with self.as_owner():
            check_claim(self.tree, self.options.claim)
            self.check()
            before = self.tree.start_erl_data()
            self.node.stop()
        for service in self.services:
            self.remove_service(service)
        self.stop_epmd()
        for directory in self.options.package["variables"].values():
            other = Tree(directory)
            if os.path.isdir(directory) and self.tree.root in systems(other):
                leave_directory(other, self.tree, self.changes)
        self.remove_root()
        for path in (self.options.pipe_directory, self.options.run_directory, self.options.node.log_directory):
            self.remove_directory(path)
        self.remove_user()
        return {
            "pending": None,
            "at_boot": None,
            "before": before.release_version if before else None,
            "release": {"name": None, "version": None},
            "node": {"name": self.options.node.name, "running": False},
            "is_removed": True,
        }

    def check(self) -> None:
        """Raise OtpError for a directory that is not the root of a system, and for the system of clients."""
        names = self.tree.names()
        if set(names) - {LOCK} and not self.tree.has("releases"):
            raise OtpError(f"{self.tree.root} has no directory releases, so it is not the root directory of a target system, and stays.")
        clients = self.tree.names(CLIENTS)
        if clients:
            raise OtpError(
                f"{self.tree.path(CLIENTS)} has {', '.join(clients)}, whose nodes run from this system: remove these clients first, with"
                " otp_client_state=absent and the playbook erlang.otp.clients."
            )

    def remove_service(self, service: _service.Service) -> None:
        """The unit or script, if it is of this system, with the other files; itself last, because it shows whose they are."""
        first, *others = service.files
        content = (read_file(first.path) or b"").decode("utf-8", "replace")
        titles = [f"Erlang/OTP target system {root}\n" for root in (self.tree.root, self.tree.root.replace("%", "%%"))]
        if MANAGED not in content or not any(title in content for title in titles):
            return
        is_systemd = service.manager == "systemd"
        if is_systemd or not re.match(r"S\d\d", os.path.basename(first.path)):
            if _service.is_at_boot(service) is not False:
                self.changes.do(f"disable {service.name} at boot", _service.set_at_boot, service._replace(at_boot=False))
        for file in (*others, first):
            if MANAGED.encode() in (read_file(file.path) or b""):
                self.changes.do(f"remove {file.path}", _unlink_as_root, file.path)
        if is_systemd:
            self.changes.do("make systemd read its units again", _service.must, ["systemctl", "daemon-reload"])

    def stop_epmd(self) -> None:
        """EPMD that the node has started, unless other nodes of the host are registered with it."""
        pids = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _is_epmd(pid, self.tree.root)]
        if not pids:
            return
        own = self.options.node.name.partition("@")[0]
        others = set(names_at("127.0.0.1", int(self.options.node.environment.get("ERL_EPMD_PORT") or PORT))) - {own}
        if others:
            self.has_epmd = True
            self.warnings.append(f"EPMD of this system (process {pids[0]}) runs until the host boots: it knows {', '.join(sorted(others))} as well.")
            return
        with self.as_owner():
            for pid in pids:
                self.changes.do("stop EPMD", kill, pid, signal.SIGTERM)

    def remove_root(self) -> None:
        """The root directory; its directory releases last, by which the next run knows an interrupted removal."""
        root = self.tree.root
        with self.as_owner():
            names = sorted({*self.tree.names()} - {LOCK}, key=lambda name: (name == "releases", name))
            if not self.tree.has() or os.path.ismount(root) and not names:
                return
            self.changes.do(f"remove {root}", self._empty_root, names)
        self._remove_empty(root)

    def _empty_root(self, names: list[str]) -> None:
        with lock(self.tree.path(LOCK)):
            _remove(self.tree.root, names[:-1])
            _remove(self.tree.root, [LOCK, *names[-1:]])

    def remove_directory(self, path: str) -> None:
        """A directory outside of the root directory: as a whole if it is the service user's, else what the system has written there."""
        if f"{path}/".startswith(f"{self.tree.root}/"):
            return
        user = find_user(self.options.node.user)
        with as_owner(path):
            if not os.path.isdir(path):
                return
            names = os.listdir(path)
            is_own = user is not None and os.stat(path).st_uid == user.pw_uid != 0
            ours = names if is_own else [name for name in names if OURS.fullmatch(name)]
            left = sorted({*names}.difference(ours))
            if left and not ours:
                return
            self.changes.do(f"remove what the system has in {path}" if left else f"remove {path}", _remove, path, ours)
        if left:
            self.warnings.append(f"{path} stays, because it has {', '.join(left[:3])}{' and more' if left[3:] else ''}, which may be of others.")
        else:
            self._remove_empty(path)

    def _remove_empty(self, path: str) -> None:
        """Remove the empty directory with the rights of who can write the one above it, and the link that leads to it."""
        if self.changes.check_mode:
            return
        with as_owner(os.path.dirname(path)):
            try:
                os.rmdir(os.path.realpath(path))
                if os.path.islink(path):
                    os.unlink(path)
            except OSError as error:
                # The disk of the system stays.
                if error.errno != errno.EBUSY:
                    raise

    def remove_user(self) -> None:
        """The user and the group that were created for this system, with the home directory, if no other system has them."""
        user, group, home = self.options.node.user, self.options.group, self.options.node.home
        record = read_user_record(user)
        others = {root: at for root, at in record.systems.items() if root != self.tree.root and os.path.isdir(f"{root}/releases")}
        if "user" not in record.made or self.has_epmd:
            if self.changes.changed and find_user(user):
                why = "its EPMD runs" if self.has_epmd else "there is no record that this collection created the user"
                self.warnings.append(f"the user {user} and {home}, which has the cookie, stay: {why}. Remove them if nothing else needs them.")
            return
        if home not in others.values():
            self.remove_directory(home)
        if others:
            if self.changes.changed and not self.changes.check_mode:
                _as_accounts(write_user_record, user, record._replace(systems=others))
            return
        groups = [group] if "group" in record.made else []
        self.changes.do(f"remove the system user {' and the group '.join([user, *groups])}", _as_accounts, _remove_accounts, user, groups)


def _remove(directory: str, names: t.Sequence[str]) -> None:
    """Remove these files and directories, in this order. Raises OtpError for what belongs to another user."""
    for name in names:
        path = os.path.join(directory, name)
        try:
            if os.path.isdir(path) and not os.path.islink(path):
                remove_tree(path)
            else:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
        except PermissionError:
            raise OtpError(f"{path} has files of another user than the one of the system: remove it by hand, and run this again.") from None


def _unlink_as_root(path: str) -> None:
    with as_root(), contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _is_epmd(pid: int, root: str) -> bool:
    try:
        program = (read_file(f"/proc/{pid}/cmdline") or b"").split(b"\0")[0]
    except ProcessLookupError:
        # It has ended meanwhile.
        return False
    return program.endswith(b"/epmd") and any(program.startswith(name + b"/") for name in names_of(root))


def _as_accounts(function, *args) -> None:
    with as_root():
        if os.geteuid() != 0:
            raise OtpError("only root can remove a user: use become.")
        with lock(ACCOUNTS):
            function(*args)


def _remove_accounts(user: str, groups: list[str]) -> None:
    if find_user(user):
        run_first([["userdel", user], ["deluser", user]])
    for group in filter(find_group, groups):
        run_first([["groupdel", group], ["delgroup", group]])
    write_user_record(user, UserRecord())
