# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The states of a release on a client node, from its master's host: unpacked there once, and the rest by the client's own release_handler.

All that the client writes it has written by its masters, into its directory there. So its history is there as well, and what it
has of a release besides libraries and ERTS.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._client.directory import rel_name, release_files
from ansible_collections.erlang.otp.plugins.module_utils._client.preflight import Facts, ask, check_is_client, of_client, of_passage, section_now
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import flush_directory, read_file
from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import Release
from ansible_collections.erlang.otp.plugins.module_utils._handler import preflight as _preflight
from ansible_collections.erlang.otp.plugins.module_utils._handler.ready import stay_down
from ansible_collections.erlang.otp.plugins.module_utils._handler.request import HandlerError, Task, describe, settle
from ansible_collections.erlang.otp.plugins.module_utils._handler.running import Work
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import Unreachable
from ansible_collections.erlang.otp.plugins.module_utils._node.reconnecting import Session
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import observe
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom
from ansible_collections.erlang.otp.plugins.module_utils._tree.client_tree import ClientTree, read_config, with_section
from ansible_collections.erlang.otp.plugins.module_utils._tree.publish import remove_tree
from ansible_collections.erlang.otp.plugins.module_utils._tree.register import read_release
from ansible_collections.erlang.otp.plugins.module_utils._tree.relup_step import RelupStep, find_relup_step
from ansible_collections.erlang.otp.plugins.module_utils._tree.repair import repair


def settle_client(task: Task) -> None:
    """Take the release to the state on the client that the task's order names. Raises HandlerError, PackageNeeded, OtpError."""
    order = task.order
    tree = ClientTree(order.root, order.client, order.machine_type)
    if order.transport not in ("auto", "distribution"):
        raise OtpError(f"client {order.client}: the transport {order.transport} is not for clients. They are reached by distribution, from their master")
    check_is_client(tree)
    task.result["transport"] = "distribution"
    address = order.address._replace(node=order.address.node or order.client, transport="distribution")
    with Session(address, timeout=order.timeout, is_remote=True) as session:
        work = ClientWork(task, session)
        try:
            work.facts = ask(session, timeout=order.timeout)
        except Unreachable as error:
            if order.down == "skip":
                return stay_down(task)
            remedy = "Start it. While it is down, otp_release_client appoints another release to it"
            raise HandlerError(f"client {order.client} cannot be reached: {str(error).rstrip('.')}. {remedy}.") from error
        try:
            work.settle()
        finally:
            task.result["after"] = describe(work.running, tree) if work.running else task.result["after"]
        if order.keep and work.running.current == work.running.permanent == order.release:
            work.remove_older()


class ClientWork(Work):
    """An order carried out on a client."""

    tree: ClientTree
    facts: Facts

    def settle(self) -> None:
        self.running = observe(self.session, timeout=self.order.timeout)
        self.task.judge(of_client(self.tree, self.facts, self.running))
        self.have_libraries_known()
        super().settle()

    def have_libraries_known(self) -> None:
        """Of a client that booted without a master, release_handler knows one release without libraries, and would write that over RELEASES.

        Another release_handler reads RELEASES.
        """
        if not self.running.has_handler or all(known.libraries for known in self.running.releases):
            return
        # A power cut of the master may have torn it.
        repair(self.tree, self.changes, self.tree.file_options())
        self.changes.do(f"have release_handler of {self.order.client}, which started without a master, read RELEASES", self.restart_handler)
        if not self.changes.check_mode:
            self.task.record("reread", release=self.running.current or "")
            self.running = observe(self.session, timeout=self.order.timeout)

    def restart_handler(self) -> None:
        """Have sasl's supervisor start release_handler again."""
        for function in ("terminate_child", "restart_child"):
            self.session.call("supervisor", function, [Atom("sasl_sup"), Atom("release_handler")], timeout=self.order.timeout)

    def unpack(self) -> None:
        """Have the release's files on the master, have the client know it, and have what it needs of its own in its directory."""
        package = self.order.package
        shared = self.tree.shared
        if package.get("package") or package.get("checksum") or read_release(shared, self.version) is None:
            self.unpack_on_master()
        release = read_release(shared, self.version)
        if release is None:
            # In check mode, and the package is elsewhere.
            self.changes.actions.append(f"have the client {self.order.client} know release {self.version}")
            return
        if self.running.status_of(self.version) is None:
            path = shared.path("releases", self.version, rel_name(self.tree, release))
            sentence = f"have the client {self.order.client} know release {self.version}"
            if self.changes.do(sentence, self.operate, "set_unpacked", path, []) is not None:
                self.running = observe(self.session, timeout=self.order.timeout)
                self.task.record("unpack", before=self.running.current)
        self.have_files(release)

    def unpack_on_master(self) -> None:
        """By the release_handler of the master, if it runs; into a machine type's own root directory as any installation."""
        order, package = self.order, dict(self.order.package)
        has_package = package.get("package") or package.get("checksum")
        if not has_package:
            raise OtpError(f"{self.tree.shared.path('releases', self.version)} has no release {self.version}: give its package")
        if order.machine_type:
            said = install_release(root=self.tree.root, changes=self.changes, lock_timeout=order.lock_timeout, **package)
            if said["release"] != self.version:
                raise OtpError(f"the package has release {said['release']}, not {self.version}")
            return
        address = order.address._replace(node=order.master or self.facts.masters[0], host="", port=0)
        settle(
            order._replace(client="", state="unpacked", address=address, transport="auto", configuration=None, keep=0, down="offline", verify=()), self.changes
        )

    def have_files(self, release: Release) -> None:
        """Boot script, relup and .rel in the client's directory, by release_handler, on all masters; and a configuration."""
        lacking = [name for name, content in release_files(self.tree, release).items() if read_file(self.tree.path("releases", self.version, name)) != content]
        if self.version not in (self.running.current, self.running.permanent):
            for name in lacking:
                source = self.tree.shared.path("releases", self.version, name)
                self.changes.do(
                    f"install {name} of release {self.version} for the client {self.order.client}", self.operate, "install_file", self.version, source
                )
        self.have_configuration()

    def configure(self, configuration: t.Mapping[str, t.Any]) -> None:
        """As on any node; and with what makes the node a client, which what is given need not say. The release may be the one that boots."""
        given = configuration.get("sys_config")
        if given is not None:
            content = with_section(given.encode("utf-8"), section_now(self.tree, self.facts), source="the given sys.config")
            configuration = {**configuration, "sys_config": content.decode("utf-8")}
        super().configure(configuration)

    def have_configuration(self) -> None:
        """sys.config of the release: if there is none, as that of the permanent release; and with what makes the node a client."""
        content = read_config(self.tree, self.version)
        if content is None:
            content = read_config(self.tree, self.running.permanent or "") or b"[].\n"
        path = self.tree.path("releases", self.version, "sys.config")
        wanted = with_section(content, section_now(self.tree, self.facts), source=path)
        if read_file(path) != wanted:
            self.changes.do(f"write {path}, as the client needs it", self.write_configuration, path, wanted)

    def write_configuration(self, path: str, content: bytes) -> None:
        """In place of another one with its permissions; it may hold secrets."""
        mode = os.stat(path).st_mode & 0o777 if os.path.exists(path) else 0o640
        self.tree.file_options()._replace(mask=0o777).file(path, content, mode)

    def preflight(self) -> RelupStep | None:
        """As of any node; and what a client cannot do."""
        shared = self.tree.shared
        release = read_release(shared, self.version)
        if self.tree.has("releases", self.version) or release is None:
            passage = super().preflight()
        else:
            # In check mode, of a release that the client does not know yet.
            problems = [*_preflight.of_tree(self.tree), *_preflight.of_release(shared, release, like=self.program())]
            problems += _preflight.of_way(shared, self.running, self.version, allow_restart=self.order.allow_restart)
            self.task.judge(problem for problem in problems if problem.kind != "sys_config")
            passage = find_relup_step(shared, self.running.current or "", self.version)
        self.task.judge(of_passage(self.tree, self.facts, passage, self.version))
        return passage

    def install(self) -> None:
        """As on any node. What was configured since it was unpacked may lack what makes the node a client."""
        release = read_release(self.tree.shared, self.version)
        if release is not None and self.tree.has("releases", self.version):
            self.have_files(release)
        super().install()

    def program(self) -> str:
        """The emulator of the release that runs: the client's machine need not be the master's."""
        start = read_release(self.tree.shared, self.running.current or "")
        return self.tree.path(f"erts-{start.erts_version}" if start else "erts-", "bin", "beam.smp")

    def refresh_bin(self) -> None:
        """A client's bin has its start script alone, in which nothing depends on the release."""

    def flush(self) -> None:
        """Have on the disk what the master has written in place. A copy of sys.config is for no more eyes than sys.config."""
        for name in ("RELEASES", "start_erl.data", "start.boot", "sys.config"):
            path = self.tree.path("releases", name)
            if os.path.exists(path):
                with open(path, "rb") as file:
                    os.fsync(file.fileno())
        if self.tree.is_static:
            mode = os.stat(self.tree.path("releases", self.version, "sys.config")).st_mode & 0o777
            os.chmod(self.tree.path("releases", "sys.config"), mode)
        flush_directory(self.tree.path("releases"))

    def remove(self, version: str) -> None:
        """set_removed, and the release's directory. Libraries and ERTS are the master's, which removes them when no client knows them any more."""
        running = self.running
        if version in (running.current, running.permanent):
            how = "permanent" if version == running.permanent else "current: it runs, and is not committed yet"
            raise OtpError(f"release {version} is {how}: take the client {self.order.client} to another release first")
        if running.status_of(version) is not None:
            self.changes.do(f"have the client {self.order.client} forget release {version}", self.operate, "set_removed", version)
        directory = self.tree.path("releases", version)
        if os.path.lexists(directory):
            self.changes.do(f"remove {directory}", remove_tree, directory)
        if self.changes.changed and not self.changes.check_mode:
            self.running = observe(self.session, timeout=self.order.timeout)
            self.task.record("remove", release=version, before=running.current)
