# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An upgrade of a client node, from the host of its master: unpacked there once; the client's own release_handler does the rest.

OTP system documentation, "Releases", Disk-Less and/or Read-Only Clients; release_handler(3). The masters write all files for the client,
into its directory there. So its history is there as well, and its own part of each release: all but libraries and ERTS.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._client import preflight as _client_preflight
from ansible_collections.erlang.otp.plugins.module_utils._client.directory import rel_name, release_files
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import flush_directory, open_file, read_file
from ansible_collections.erlang.otp.plugins.module_utils._core.options import named
from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import Release
from ansible_collections.erlang.otp.plugins.module_utils._handler import preflight as _preflight
from ansible_collections.erlang.otp.plugins.module_utils._handler.check import check_boot
from ansible_collections.erlang.otp.plugins.module_utils._handler.live_environment import check_environment
from ansible_collections.erlang.otp.plugins.module_utils._handler.local import apply_local
from ansible_collections.erlang.otp.plugins.module_utils._handler.remove import check_not_in_use, forget, record_removal
from ansible_collections.erlang.otp.plugins.module_utils._handler.request import HandlerError, Request
from ansible_collections.erlang.otp.plugins.module_utils._handler.running import RunningUpgrade
from ansible_collections.erlang.otp.plugins.module_utils._handler.unpack import install_package, no_release
from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import Unreachable
from ansible_collections.erlang.otp.plugins.module_utils._tree.client_tree import ClientTree, read_config, with_section
from ansible_collections.erlang.otp.plugins.module_utils._tree.publish import remove_tree
from ansible_collections.erlang.otp.plugins.module_utils._tree.register import read_release
from ansible_collections.erlang.otp.plugins.module_utils._tree.relup_step import RelupStep, find_relup_step
from ansible_collections.erlang.otp.plugins.module_utils._tree.repair import repair


def apply_client(request: Request, changes: Changes) -> dict[str, t.Any]:
    """Take the release to the requested state on the client. Returns and raises what apply_local() does."""
    if request.transport not in ("auto", "distribution"):
        raise OtpError(f"client {request.client}: the transport {request.transport} is not for clients: use distribution, from the host of their master")
    address = request.address._replace(node=request.address.node or request.client)
    upgrade = ClientUpgrade(request._replace(address=address), changes)
    return upgrade.carry_out(upgrade.apply)


class ClientUpgrade(RunningUpgrade):
    """The steps of an upgrade as a client does them."""

    tree: ClientTree
    facts: _client_preflight.ClientFacts

    def apply(self) -> None:
        _client_preflight.check_is_client(self.tree)
        self.result["transport"] = self.transport
        try:
            self.facts = _client_preflight.read_facts(self.session, timeout=self.request.timeout)
        except Unreachable as error:
            if self.request.down == "skip":
                return self.leave_down()
            remedy = "Start it. While it is down, otp_release_client can switch it to another release"
            raise HandlerError(f"client {self.request.client} cannot be reached: {str(error).rstrip('.')}. {remedy}.") from error
        super().apply()

    def begin(self) -> None:
        self.observe()
        self.report(_client_preflight.check_client(self.tree, self.facts, self.running))
        super().begin()

    def ensure_releases_known(self) -> None:
        """Restart the release_handler of a client that booted without a master.

        It knows one release without libraries, and would overwrite RELEASES with that. Another release_handler reads RELEASES.
        """
        # It may know of others that were unpacked since.
        if not self.running.has_handler or all(known.libraries for known in self.running.releases):
            return
        # A power cut of the master may have torn it.
        repair(self.tree, self.changes, self.tree.file_options())
        self.changes.do(f"restart release_handler of {self.request.client}, which started without a master, so that it reads RELEASES", self.read_again)
        if not self.changes.check_mode:
            self.record("reread", release=self.running.current or "")
            self.observe()

    def check_memory(self) -> None:
        """Nothing: see ensure_releases_known, which check mode only predicts."""

    def unpack(self) -> None:
        """Unpack the release on the master, register it with the client, and write the client's own part of it."""
        package, shared = self.request.package, self.tree.shared
        if package.get("package") or package.get("checksum") or read_release(shared, self.version) is None:
            self._unpack_on_master()
        release = read_release(shared, self.version)
        sentence = f"register release {self.version} with the client {self.request.client}"
        if release is None:
            # In check mode, with a package that is still on the controller.
            self.changes.actions.append(sentence)
            return
        if self.running.status_of(self.version) is None:
            path = shared.path("releases", self.version, rel_name(self.tree, release))
            if self.changes.do(sentence, self.call_with_copies, "set_unpacked", path, []) is not None:
                self.observe()
                self.record("unpack", before=self.running.current)
        self._ensure_files(release)

    def _unpack_on_master(self) -> None:
        """Through the release_handler of the master, if it runs; into the root directory of a machine type as any installation."""
        request, package, shared = self.request, self.request.package, self.tree.shared
        if not (package.get("package") or package.get("checksum")):
            raise no_release(self, shared)
        if request.machine_type:
            install_package(self, shared)
            return
        address = request.address._replace(node=request.master or self.facts.masters[0], host="", port=0)
        # The master has it for the client alone, and on another host.
        package = {**package, "optional_native": None}
        unpacked = request._replace(
            client="", state="unpacked", package=package, address=address, transport="auto", configuration=None, keep=0, down="offline", verify=()
        )
        apply_local(unpacked, self.changes)

    def _ensure_files(self, release: Release) -> None:
        """Boot script, relup and .rel in the client's directory, by release_handler, on all masters; and a configuration."""
        if self.version not in (self.running.current, self.running.permanent):
            for name, content in release_files(self.tree, release).items():
                if read_file(self.tree.path("releases", self.version, name)) != content:
                    sentence = f"install {name} of release {self.version} for the client {self.request.client}"
                    source = self.tree.shared.path("releases", self.version, name)
                    self.changes.do(sentence, self.call_with_copies, "install_file", self.version, source)
        content = read_config(self.tree, self.version)
        if content is None:
            content = read_config(self.tree, self.running.permanent or "") or b"[].\n"
        path = self.tree.path("releases", self.version, "sys.config")
        new = with_section(content, _client_preflight.client_section(self.tree, self.facts), source=path)
        if read_file(path) != new:
            self.changes.do(f"write {path} with the parameters that make the node a client", self._write_configuration, path, new)

    def _write_configuration(self, path: str, content: bytes) -> None:
        """Keep the permissions of an existing file: it may contain secrets."""
        mode = os.stat(path).st_mode & 0o777 if os.path.exists(path) else 0o640
        self.tree.file_options()._replace(mask=0o777).file(path, content, mode)

    def configure(self, configuration: t.Mapping[str, t.Any]) -> None:
        """As on any node, with the parameters that make the node a client. The release may be the one that boots."""
        given = configuration.get("sys_config")
        if given is not None:
            content = with_section(given.encode("utf-8"), _client_preflight.client_section(self.tree, self.facts), source="the given sys.config")
            configuration = {**configuration, "sys_config": content.decode("utf-8")}
        super().configure(configuration)

    def check(self) -> RelupStep | None:
        """As on any node, and the restarts that a client cannot do."""
        shared = self.tree.shared
        release = read_release(shared, self.version)
        if self.tree.has("releases", self.version) or release is None:
            step = super().check()
        else:
            # In check mode, of a release that the client does not know yet.
            problems = [*_preflight.check_tree(self.tree), *_preflight.check_release(shared, release, like=self.program())]
            problems += _preflight.check_relup(shared, self.running, self.version, method="client", allow_restart=self.request.allow_restart)
            problems += check_environment(self, self.version)
            self.report(problem for problem in problems if problem.kind != "sys_config")
            step = find_relup_step(shared, self.running.current or "", self.version)
        self.report(_client_preflight.check_client_step(self.tree, self.facts, step, self.version))
        return step

    def method(self) -> str:
        """By the relup: heart on the client's host would need a file there."""
        if self.request.method == "restart":
            raise OtpError(f"client {self.request.client}: a client is not restarted on a release. Set {named('method')} to hot or auto.")
        return "hot"

    def prepare(self) -> None:
        """As on any node. Where no relup leads to an old release, the client can be rebooted on it."""
        try:
            super().prepare()
        except HandlerError as error:
            worst = [problem for problem in self.result["problems"] if problem["fatal"]]
            if [problem["kind"] for problem in worst] != ["no_way"] or self.running.status_of(self.version) != "old":
                raise
            if not self.request.allow_restart:
                text = f"{error} Release {self.version} is old here and can be booted instead: set {named('allow_restart')} to allow it."
                raise HandlerError(text) from error
            worst[0]["fatal"] = False
            check_boot(self)
            self.result["way"] = "reboot"

    def install(self) -> None:
        """As on any node. A sys.config that was written since the release was unpacked may lack the client's parameters."""
        release = read_release(self.tree.shared, self.version)
        if release is not None and self.tree.has("releases", self.version):
            self._ensure_files(release)
        super().install()

    def program(self) -> str:
        """The emulator of the release that runs: the client's machine need not be like the master's."""
        start = read_release(self.tree.shared, self.running.current or "")
        return self.tree.path(f"erts-{start.erts_version}" if start else "erts-", "bin", "beam.smp")

    def refresh_bin(self) -> None:
        """The bin of a client has only its start script, which does not depend on the release."""

    def flush(self) -> None:
        """Flush what the masters wrote in place. The copy of sys.config gets the permissions of sys.config."""
        for name in ("RELEASES", "start_erl.data", "start.boot", "sys.config"):
            path = self.tree.path("releases", name)
            if os.path.exists(path):
                with open_file(path) as file:
                    os.fsync(file.fileno())
        if self.tree.is_static:
            mode = os.stat(self.tree.path("releases", self.version, "sys.config")).st_mode & 0o777
            os.chmod(self.tree.path("releases", "sys.config"), mode)
        flush_directory(self.tree.path("releases"))

    def remove(self, version: str) -> None:
        """Remove the client's own part. Libraries and ERTS are the master's, which removes them when no client knows them any more."""
        check_not_in_use(self, version)
        forget(self, version)
        directory = self.tree.path("releases", version)
        if os.path.lexists(directory):
            self.changes.do(f"remove {directory}", remove_tree, directory)
        record_removal(self, version)
