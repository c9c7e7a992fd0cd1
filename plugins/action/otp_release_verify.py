# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks the host which releases it has, says what their packages on the controller have, and brings those from which files are put back."""

from __future__ import annotations

import os
import typing as t

from ansible import constants as C
from ansible.plugins.action import ActionBase

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.terminal import cleaned
from ansible_collections.erlang.otp.plugins.plugin_utils._box.action import is_box, on_box
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.numbers import refuse_numbers
from ansible_collections.erlang.otp.plugins.plugin_utils._package.known import what_is_known
from ansible_collections.erlang.otp.plugins.plugin_utils._secrecy.vaulted import without_vaulted
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.packages import send_package
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.signed import rule_of
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.stdin_transport import StdinTransport
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.this_run import operator, run_of

TRANSPORT = StdinTransport("otp_release_verify")


class ActionModule(ActionBase):
    """Otherwise the module does everything."""

    # Ansible makes no temporary directory on the host, which costs a round trip, until it is needed.
    TRANSFERS_FILES = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        refuse_numbers(arguments)
        try:
            # Ansible forks for each task.
            claim = {"operator": arguments.get("operator") or operator(), "_run": run_of(os.getppid())}
            result.update(self._verify({**arguments, **claim}, task_vars))
        except OtpError as error:
            return {**result, "failed": True, "msg": str(error)}
        # Ansible's own way repeats the options: here what is in all packages.
        result.pop("invocation", None)
        return without_vaulted(cleaned(result), task_vars, self._task.args)

    def _verify(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        answer = TRANSPORT.execute(self, arguments, task_vars)
        if "needs_manifests" not in answer:
            return answer
        rule, places = rule_of(self, task_vars), [str(place) for place in arguments.get("packages") or [] if place]
        directory = C.DEFAULT_LOCAL_TMP  # type: ignore[attr-defined]
        manifests = {
            version: what_is_known(places, name, version, rule.checksum_of, directory)
            for name, version in ((str(release["name"]), str(release["version"])) for release in answer["needs_manifests"])
        }
        arguments = {**arguments, "_manifests": manifests}
        answer = TRANSPORT.execute(self, arguments, task_vars)
        actions: list[str] = []
        for version in [] if self._task.check_mode else answer.get("to_restore") or []:
            if "package" in manifests.get(version, {}):
                answer = self._put_back({**arguments, "_restore": version}, manifests[version]["package"], task_vars)
                actions += answer.get("actions") or []
                answer.update(actions=actions, changed=bool(actions))
            if answer.get("failed"):
                break
        return answer

    def _put_back(self, arguments: dict[str, t.Any], package: str, task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        """The answer to a call that has the package. The controller does the work of a box, to which only files go."""
        if is_box(self, task_vars):
            return on_box(self, TRANSPORT.name, arguments, task_vars, package=package)
        return send_package(self, TRANSPORT, arguments, task_vars, package)
