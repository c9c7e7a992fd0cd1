# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order of an upgrade on a node that runs: unpack, configure, check, install, verify, commit, tidy.

release_handler(3) and the OTP system documentation, "Creating and Upgrading a Target System". Each step has its own file,
which says which function it calls. A client node does some of the steps in another way: ``_client/upgrade``.
"""

from __future__ import annotations

import contextlib

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._handler.check import check_package, check_trial, check_upgrade, check_way, method_of
from ansible_collections.erlang.otp.plugins.module_utils._handler.commit import commit, predict_commit
from ansible_collections.erlang.otp.plugins.module_utils._handler.install import install, install_all
from ansible_collections.erlang.otp.plugins.module_utils._handler.node_upgrade import NodeUpgrade
from ansible_collections.erlang.otp.plugins.module_utils._handler.preflight import check_emulators, check_memory, check_node, check_start_program, fatal
from ansible_collections.erlang.otp.plugins.module_utils._handler.reboot_old import reboot_old
from ansible_collections.erlang.otp.plugins.module_utils._handler.remove import remove
from ansible_collections.erlang.otp.plugins.module_utils._handler.trial import boot, resume
from ansible_collections.erlang.otp.plugins.module_utils._handler.unpack import unpack
from ansible_collections.erlang.otp.plugins.module_utils._handler.upgrade import describe
from ansible_collections.erlang.otp.plugins.module_utils._handler.verify import notice_fall_back, verify_or_roll_back
from ansible_collections.erlang.otp.plugins.module_utils._handler.way import between
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import WITHOUT_RELEASES, is_made_up
from ansible_collections.erlang.otp.plugins.module_utils._tree.relup_step import RelupStep
from ansible_collections.erlang.otp.plugins.module_utils._tree.resolved_config import put_all_back


class RunningUpgrade(NodeUpgrade):
    """The steps in their order. All of them raise HandlerError and OtpError."""

    def apply(self) -> None:
        """Take the release to the requested state. Raises PackageNeeded too."""
        request = self.request
        self.result["transport"] = self.transport
        with self.session:
            try:
                self.begin()
                if request.state == "absent":
                    self.remove(self.version)
                elif request.state == "rebooted_old":
                    reboot_old(self)
                else:
                    self.advance()
            finally:
                self.describe()
            if request.keep and self.running.current == self.running.permanent == self.version:
                self.remove_older(self.remove)
                self.describe()

    def begin(self) -> None:
        """Observe the node, and compare it with the files and the history."""
        if not self.changes.check_mode:
            put_all_back(self.tree)
        resume(self)
        self.observe()
        self.ensure_releases_known()
        self.result["before"] = describe(self.running, self.tree)
        notice_fall_back(self)
        self.report(check_node(self.tree, self.running))
        if not self.request.client:
            self.report(check_emulators(self.tree, self.running))
        # Before an installation adds a missing bin/start, which does not have the flags of this node.
        self.start_problems = fatal(check_start_program(self.tree, self.running))

    def ensure_releases_known(self) -> None:
        """Have a release_handler that found no RELEASES when it started read it, if it lists the release that runs."""
        if not is_made_up(self.running) or not self.is_listed():
            return
        self.changes.do(f"restart release_handler of the node {self.session.node}, {WITHOUT_RELEASES}, so that it reads RELEASES", self.read_again)
        if not self.changes.check_mode:
            self.record("reread", release=self.running.current or "")
            self.observe()

    def is_listed(self) -> bool:
        """Whether RELEASES has the libraries of the release that runs. One that cannot be read is reported later."""
        with contextlib.suppress(OtpError):
            return any(entry.libraries for entry in self.tree.releases() or [] if entry.version == self.running.current)
        return False

    def advance(self) -> None:
        """Take the release from its present state to unpacked, ready, current or permanent."""
        request, runs = self.request, self.running.current == self.version
        if not runs or self.running.permanent != self.version:
            self.check_memory()
        if not runs and request.state != "unpacked":
            self.check_history()
        if request.state == "ready" and not runs and self.method() == "hot":
            # Reported with what is wrong with them as well.
            self.result["between"] = between(self)
            check_package(self)
        if self.running.status_of(self.version) is None or request.package.get("package") or self.has_other_package():
            self.unpack()
        if request.configuration is not None:
            self.configure(request.configuration)
        if request.state == "ready":
            self.prepare()
        if request.state in ("unpacked", "ready"):
            return
        if not runs:
            self.install()
        if self.changes.check_mode:
            predict_commit(self)
            return
        if request.verify or self.running.permanent != self.version:
            verify_or_roll_back(self)
        if request.state == "permanent":
            commit(self)

    def check_memory(self) -> None:
        """Refuse a node that would ruin RELEASES."""
        self.report(check_memory(self.tree, self.running))

    def unpack(self) -> None:
        unpack(self)

    def check(self) -> RelupStep | None:
        """Check the step to the release, and return it."""
        return check_upgrade(self)

    def prepare(self) -> None:
        """Find out how the node would come to the unpacked release: by a relup, by a boot, or not at all."""
        if self.running.current == self.version:
            self.result["way"] = "none" if self.running.permanent == self.version else "commit"
            return
        if self.method() == "restart":
            check_trial(self)
            self.result.update(way="restart", restarted=self.changes.check_mode)
        elif hops := between(self):
            self.result["between"] = hops
            check_way(self, hops)
            self.result["way"] = "upgrade"
        else:
            step = self.check()
            self.result.update(way="upgrade", restarted=self.changes.check_mode and bool(step and step.restarts))

    def install(self) -> None:
        """Bring the release to run."""
        if self.method() == "restart":
            check_trial(self)
            boot(self)
        elif hops := between(self):
            check_way(self, hops)
            install_all(self, [*hops, self.version])
        else:
            install(self, self.check())

    def method(self) -> str:
        """As of method_of()."""
        return method_of(self)

    def remove(self, version: str) -> None:
        """Remove the release of the version."""
        remove(self, version)

    def describe(self) -> None:
        """Add the present state of the node to the result, if it was observed."""
        if self.running:
            self.result["after"] = describe(self.running, self.tree)
