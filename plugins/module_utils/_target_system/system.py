# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All that a host should have of one target system, in one go: user, package, configuration, scripts, cookie, node."""

from __future__ import annotations

import contextlib
import os
import time
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._config.configure import configure_release
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import Owner, ensure_directory, ensure_file
from ansible_collections.erlang.otp.plugins.module_utils._core.remote_host import remote_host
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _node
from ansible_collections.erlang.otp.plugins.module_utils._node import service as _service
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import COOKIE_FILE
from ansible_collections.erlang.otp.plugins.module_utils._target_system.service_user import ensure_cookie, ensure_user
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator, pid_file, started_at
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree, emulators


class File(t.NamedTuple):
    """A file of the system, such as a script; its path is relative to the root directory."""

    path: str
    content: str
    mode: int
    secret: bool = False


class Wanted(t.NamedTuple):
    """What the host should have."""

    node: _node.Node
    group: str
    manage_user: bool
    pipe_directory: str
    # Where the emulator's process number is, that is what $ROOT/run leads to.
    run_directory: str
    # Of install_release: package, checksum, release, variables.
    package: dict[str, t.Any]
    # Of configure_release: sys_config, vm_args, variables, secrets.
    configuration: dict[str, t.Any]
    files: tuple[File, ...]
    cookie: str | None
    state: str  # started, stopped, present
    start_timeout: float
    restart_on_change: bool
    destdir: str = ""  # where the files are written, of an image or of a box elsewhere


class System:
    """Takes a host to what is wanted: ``settle`` runs the steps, each of which records in ``changes`` what it does."""

    def __init__(self, wanted: Wanted, changes: Changes) -> None:
        self.wanted = wanted
        self.changes = changes
        self.tree = Tree(wanted.node.root, wanted.destdir)
        self.owner = Owner(-1, -1)
        self.diff: list[dict[str, str]] = []
        self.warnings: list[str] = []
        self.release: dict[str, t.Any] = {"name": None, "version": None}
        self.pending: str | None = None
        # Of a restart: from stopping until it answers.
        self.unreachable_seconds: float | None = None
        # Paths of what this run writes, or in check mode would write.
        self.renewed: set[str] = set()

    def settle(self) -> dict[str, t.Any]:
        """Do it all and return the result.

        Raises PackageNeeded, before anything is touched, when the host lacks the release and no package is given.
        """
        node, wanted, changes = self.wanted.node, self.wanted, self.changes
        before = self.tree.start_erl_data()
        if wanted.package["package"] is None and not changes.check_mode:
            # Is the package needed? Then nothing must have been touched before it is asked for.
            self.install(Changes(check_mode=True))
        if wanted.state == "stopped":
            # First, so that the rest finds a system that does not run.
            self.stop_node()
        self.owner = self.have_owner()
        self.install(changes)
        directories = ((node.home, 0o750), (node.log_directory, 0o750), (wanted.run_directory, 0o755), (wanted.pipe_directory, 0o700))
        for path, mode in directories:
            ensure_directory(self.here(path), mode=mode, owner=self.owner, changes=changes)
        self.have_run_link()
        self.configure()
        for file in wanted.files:
            self.write(file)
        if wanted.cookie is not None and ensure_cookie(self.here(node.home), wanted.cookie, owner=self.owner, changes=changes):
            self.renewed.add(self.here(os.path.join(node.home, COOKIE_FILE)))
        self.ensure_service()
        running = self.have_state()
        return {
            "before": before.release_version if before else None,
            "release": self.release,
            "pending": self.pending,
            "node": {"name": node.name, **running},
            "unreachable_seconds": self.unreachable_seconds,
        }

    def here(self, path: str) -> str:
        """Where a file of the host lies now."""
        return self.wanted.destdir + path

    def have_owner(self) -> Owner:
        """Have the service user."""
        return ensure_user(self.wanted.node.user, self.wanted.group, self.wanted.node.home, manage=self.wanted.manage_user, changes=self.changes)

    def have_run_link(self) -> None:
        """Have $ROOT/run lead to where the run directory is, if that is elsewhere."""
        path = os.path.dirname(pid_file(self.tree.directory))
        if self.wanted.run_directory == os.path.dirname(pid_file(self.tree.root)):
            return
        if os.path.isdir(path) and not os.path.islink(path):
            raise OtpError(f"{path} is a directory, and otp_run_dir is {self.wanted.run_directory}: stop the node and remove {path} first.")
        if not os.path.islink(path) or os.readlink(path) != self.wanted.run_directory:
            self.changes.do(f"link {path} to {self.wanted.run_directory}", link, self.wanted.run_directory, path, self.owner)

    def ensure_service(self) -> None:
        """Have what starts the node at boot, if anything does."""
        if self.wanted.node.service is not None:
            self.diff.extend(_service.ensure_service(self.wanted.node.service, self.changes))

    def install(self, changes: Changes) -> None:
        """Have the wanted release in the tree. It becomes permanent unless the node runs another one: that takes an upgrade."""
        start = self.tree.start_erl_data()
        if not self.wanted.package["checksum"] and not self.wanted.package["package"]:
            if start is None and self.changes.check_mode:
                changes.actions.append("install the release that is built first")
                return
            if start is None:
                raise OtpError(f"there is no release below {self.tree.root}, and no package is given: set otp_package, or have one built.")
            permanent = next((entry for entry in self.tree.releases() or [] if entry.version == start.release_version), None)
            self.release = {"name": permanent.name if permanent else None, "version": start.release_version}
            return
        runs = start is not None and bool(emulators(self.tree))
        said = install_release(
            root=self.tree.root,
            destdir=self.tree.destdir,
            changes=changes,
            state="present" if runs else "permanent",
            uid=self.owner.uid,
            gid=self.owner.gid,
            **self.wanted.package,
        )
        if changes is not self.changes:
            return
        self.release = {"name": said["name"], "version": said["release"]}
        if said["diff"]["before"] != said["diff"]["after"]:
            self.diff.append({"before_header": "releases", "after_header": "releases", **said["diff"]})
        if not runs or start.release_version == said["release"]:
            return
        if self.wanted.state == "stopped":
            # In check mode it runs still.
            changes.actions.append(f"make release {said['release']} permanent")
        else:
            self.pending = (
                f"release {said['release']} is installed beside {start.release_version}, which is permanent and runs: upgrade to it, or stop the node first"
            )

    def write(self, file: File) -> None:
        """Have the file; a secret one is not in the diff."""
        path = self.tree.path(file.path)
        if self.tree.has():
            ensure_directory(os.path.dirname(path), mode=0o755, owner=self.owner, changes=self.changes)
        content = file.content.encode("utf-8")
        before = ensure_file(path, content, mode=file.mode, owner=self.owner, sentence=f"write {path}", changes=self.changes)
        if before is None:
            return
        self.renewed.add(path)
        if not file.secret:
            self.diff.append({"before_header": path, "after_header": path, "before": before.decode("utf-8", "replace"), "after": file.content})

    def configure(self) -> None:
        """Have sys.config and vm.args of the wanted release."""
        directory = self.tree.path("releases", self.release["version"] or "-")
        if self.changes.check_mode and not os.path.isdir(directory):
            self.changes.actions.append("configure the release")
            return
        said = configure_release(directory=directory, uid=self.owner.uid, gid=self.owner.gid, changes=self.changes, **self.wanted.configuration)
        self.diff.extend(said["diff"])
        self.renewed.update(path for path in (said["sys_config"], said["vm_args"]) if f"write {path}" in self.changes.actions)
        if said["vm_args"] and b"-setcookie" in (read_file(said["vm_args"]) or b"").split():
            self.warnings.append(f"{said['vm_args']} has -setcookie: every user of the host sees the cookie in the list of processes. Use otp_cookie.")

    def stop_node(self) -> None:
        """Have the node stopped."""
        node = self.wanted.node
        if find_emulator(node.root) is not None or (node.service and _service.is_up(node.service)):
            self.changes.do(f"stop the node {node.name or node.root}", _node.halt, node)

    def have_state(self) -> dict[str, t.Any]:
        """Have the node started, stopped, or as it is; return how it is then."""
        wanted, node, changes = self.wanted, self.wanted.node, self.changes
        title = node.name or node.root
        pid = find_emulator(node.root)
        if wanted.state == "stopped" or (wanted.state == "present" and pid is None):
            return {"running": False}
        if pid is None:
            changes.do(f"start the node {title}", _node.start, node)
            return self.answer(has_started=True)
        if node.service and not _service.is_run_by(node.service, pid):
            self.warnings.append(f"the node {title} runs and was not started by {node.service.name}.service: restart it, by otp_restart_on_change.")
        renewed = self.newer_than(pid)
        if renewed and wanted.state == "started" and wanted.restart_on_change:
            began = time.monotonic()
            changes.do(f"stop the node {title}: it runs without {', '.join(renewed)}", _node.halt, node)
            changes.do(f"start the node {title}", _node.start, node)
            told = self.answer(has_started=True)
            if not changes.check_mode:
                self.unreachable_seconds = round(time.monotonic() - began, 3)
            return told
        if renewed:
            self.warnings.append(
                f"the node {title} was started before {', '.join(renewed)} changed and runs without the change:"
                " restart it, by otp_restart_on_change, or upgrade."
            )
        # With another name or cookie than it was started with it cannot be asked.
        askable = not {self.tree.path("bin", "start"), self.here(os.path.join(node.home, COOKIE_FILE))} & set(renewed)
        return self.answer(has_started=False, must=wanted.state == "started" and askable)

    def answer(self, *, has_started: bool, must: bool = True) -> dict[str, t.Any]:
        """What the node says about itself. If it must answer, wait for it."""
        node = self.wanted.node
        if self.changes.check_mode and has_started:
            return {"running": True}
        pid, answer = find_emulator(node.root), None
        if must and not self.changes.check_mode and (has_started or node.name or remote_host()):
            pid, answer = _node.wait_until_answering(node, timeout=self.wanted.start_timeout)
        elif node.name:
            try:
                answer = _node.ask(node)
            except _node.NoAnswer as no_answer:
                self.warnings.append(f"the node {node.name} does not answer: {no_answer}")
        told: dict[str, t.Any] = {"running": pid is not None, "pid": pid}
        if answer is not None:
            told["status"] = answer.status
            told["releases"] = [{"name": name, "version": version, "status": status} for name, version, status in answer.releases]
            # What is not permanent and runs is current.
            ranked = sorted(answer.releases, key=lambda release: release[2] != "current")
            told["release"] = next((version for dummy, version, status in ranked if status in ("current", "permanent")), None)
        return told

    def newer_than(self, pid: int) -> list[str]:
        """The files that the running emulator has read at its start, or its start script, and that have changed since.

        Whoever makes another release permanent has had its configuration loaded, so that start_erl.data counts as well.
        """
        start = self.tree.start_erl_data()
        if start is None:
            return []
        read_at_start = [self.tree.path("bin", "start"), self.tree.path("bin", "start_erl")]
        read_at_start += [self.tree.path("releases", start.release_version, name) for name in ("sys.config", "vm.args")]
        read_at_start.append(self.here(os.path.join(self.wanted.node.home, COOKIE_FILE)))
        known = max(started_at(pid, self.tree.root), time_of(self.tree.path("releases", "start_erl.data")) or 0)
        return [path for path in read_at_start if path in self.renewed or (time_of(path) or 0) > known]


def link(target: str, path: str, owner: Owner) -> None:
    """Have the link, in place of another one."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    os.symlink(target, path)
    os.lchown(path, *owner)


def time_of(path: str) -> int | None:
    """When the file was written, in nanoseconds since the epoch; None when there is none."""
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None
