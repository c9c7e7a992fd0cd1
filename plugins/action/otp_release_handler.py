# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings the package over only when the host lacks it, and those of releases in between where no relup leads to the release at once."""

from __future__ import annotations

import os
import time
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.options import named
from ansible_collections.erlang.otp.plugins.module_utils._package.download import is_url
from ansible_collections.erlang.otp.plugins.plugin_utils._secrecy.vaulted import without_vaulted
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.signed import rule_of
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.stdin_transport import StdinTransport
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.this_run import run_as_operator

TRANSPORT = StdinTransport("otp_release_handler")
# Problems of a release to which no relup leads without a restart.
NO_WAY = ("no_way", "restart")
# Of releases in between.
LONGEST = 20
# What belongs to the release, and not to those in between.
OF_THE_RELEASE = ("checksum", "thin_checksum", "url_options", "_package_release")


class ActionModule(ActionBase):
    """Otherwise the module does everything."""

    # Ansible makes no temporary directory on the host, which costs a round trip, until it is needed.
    TRANSFERS_FILES = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if no_release := arguments.pop("_no_release", None):
            return {**result, "failed": True, "msg": no_release}
        has_steps, starts = (boolean(arguments.pop(name, False), strict=False) for name in ("_has_steps", "_starts"))
        directory = str(arguments.pop("_between_dir", None) or "")
        found = run_as_operator(self, TRANSPORT, arguments, task_vars)
        if directory and lacks_way(found, arguments):
            found = self.run_through(found, arguments, directory, task_vars)
        result.update(found)
        if result.get("needs_package") and not result.get("failed"):
            result.update(failed=True, msg=f"{result['msg']}: set {named('package')}.")
        if starts and result.get("way") == "none" and result["before"]["running"] is None:
            result["way"] = "start"
        result.update(ended=time.time(), has_steps=has_steps)
        return without_vaulted(result, task_vars, arguments)

    def run_through(self, found: dict[str, t.Any], arguments: dict[str, t.Any], directory: str, task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        """Bring the releases in between, from packages in the directory. found: the answer of a host that may not know of these packages: it is asked again."""
        # Only where no relup leads to the release.
        from ansible_collections.erlang.otp.plugins.plugin_utils._package.earlier import package_name, packages_in
        from ansible_collections.erlang.otp.plugins.plugin_utils._package.facts import release_of

        release, package = arguments.get("_package_release") or {}, arguments.get("package")
        if package and not is_url(package):
            package = self._find_needle("files", package)
            release, directory = release_of(package), os.path.dirname(package)
        directory = os.path.expanduser(directory)
        packages = packages_in(directory, str(release.get("name", "")))
        packages.pop(arguments["release"], None)
        again = found
        if packages and not found.get("between"):
            again = run_as_operator(self, TRANSPORT, {**arguments, "_between": packages}, task_vars)
        if not again.get("between") or again.get("failed"):
            return again if again.get("between") else found
        if not is_way(again["between"]):
            return {**again, "failed": True, "msg": "the host answers with what cannot be the releases in between. Look at what runs there.", "between": []}
        paths = {version: os.path.join(directory, package_name(release["name"], version)) for version in again["between"] if version in packages}
        try:
            # Before the first of them is brought.
            rule = rule_of(self, task_vars)
            for path in paths.values() if rule.policies else ():
                rule.checksum_of(path)
        except OtpError as error:
            raise AnsibleActionFail(str(error)) from error
        results = []
        for version in again["between"]:
            one = {**{name: value for name, value in arguments.items() if name not in OF_THE_RELEASE}, "release": version, "state": "unpacked"}
            results.append(run_as_operator(self, TRANSPORT, {**one, "package": paths.get(version)}, task_vars))
            if results[-1].get("failed"):
                return {**again, **results[-1], "msg": f"release {version}, which is in between: {results[-1]['msg']}"}
        if not self._task.check_mode:
            # Now all of it is there to be checked.
            results.append(run_as_operator(self, TRANSPORT, arguments, task_vars))
        last = results[-1] if not self._task.check_mode else again
        return {
            **last,
            "changed": any(each.get("changed") for each in (found, again, *results)),
            "actions": [action for each in (again, *results) for action in each.get("actions") or []],
        }


def is_way(between: t.Any) -> bool:
    """Whether a host may have found these releases. What it answers decides how often it is asked."""
    return isinstance(between, list) and len(between) <= LONGEST and all(isinstance(version, str) for version in between)


def lacks_way(result: dict[str, t.Any], arguments: dict[str, t.Any]) -> bool:
    """Whether no relup leads to the release at once, and without a restart. The node then goes through others, is restarted, or refused."""
    if arguments.get("state") != "ready" or arguments.get("method") == "restart" or arguments.get("client"):
        return False
    return result.get("way") == "restart" or bool(result.get("between")) or any(problem["kind"] in NO_WAY for problem in result.get("problems") or [])
