# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release package of the controller for a host that may have it already: ask first, send only when asked.

The module is the only one who decides. It is called with the package's sha256 in place of the package, and says
``needs_package`` when it cannot do without: so a run that changes nothing is one round trip, and sends nothing. Where a thin
package of the same release lies beside the package, it goes to the hosts that say that they know its base.
"""

from __future__ import annotations

import os
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.plugin_utils._box.action import is_box, on_box
from ansible_collections.erlang.otp.plugins.plugin_utils._package.facts import digest_of, release_of
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.stdin_transport import Carrier

SUFFIX = ".tar.gz"
# As the role release calls it.
THIN = "-thin.tar.gz"


def run_module(action: ActionBase, carrier: Carrier | None, arguments: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
    """Run the task's module with these arguments, of which ``package`` is a file of the controller.

    carrier: brings the module to the host; None: Ansible does.
    Returns what the module says, with ``transferred``. Raises AnsibleActionFail.
    """
    package = action._find_needle("files", arguments["package"])
    try:
        digest = digest_of(package)
        _check(package, arguments.get("checksum"), digest)
        arguments = {**arguments, "package": None, "checksum": digest}
        if action._task.check_mode or arguments.get("state") == "ready":
            # Check mode will do without the package, and so there is no second question. Others judge it before it is sent.
            arguments["_package_release"] = release_of(package)
    except OtpError as error:
        raise AnsibleActionFail(str(error)) from error
    if carrier and is_box(action, task_vars):
        # Its work is done here, where the package is.
        return on_box(action, carrier.name, arguments, task_vars, package=package)
    said = carrier.run(action, arguments, task_vars) if carrier else None
    sent = said is not None and _is_needed(action, said)
    if carrier and sent:
        package, arguments = _smallest(package, arguments, said)
        said = carrier.run(action, arguments, task_vars, package=package)
    return _run_with_files(action, arguments, task_vars, package) if said is None else {**said, "transferred": sent}


def _is_needed(action: ActionBase, said: dict[str, t.Any]) -> bool:
    return bool(said.get("needs_package")) and not action._task.check_mode


def _smallest(package: str, arguments: dict[str, t.Any], said: dict[str, t.Any] | None) -> tuple[str, dict[str, t.Any]]:
    """The package to send to a host that has said what it knows, and the arguments with its checksum."""
    from ansible_collections.erlang.otp.plugins.module_utils._package.thin_base import read_base  # where something is sent alone

    thin = package[: -len(SUFFIX)] + THIN if package.endswith(SUFFIX) else ""
    if thin and said and said.get("known_packages") and os.path.isfile(thin):
        try:
            base = read_base(thin)
        except OtpError:
            # It is damaged, and can be done without.
            base = None
        if base is not None and f"sha256:{base.full}" == arguments["checksum"] and base.sha256 in said["known_packages"]:
            return thin, {**arguments, "checksum": digest_of(thin)}
    return package, arguments


def _run_with_files(action: ActionBase, arguments: dict[str, t.Any], task_vars: dict[str, t.Any] | None, package: str) -> dict[str, t.Any]:
    """The same by Ansible's way of running a module."""
    shell = action._connection._shell
    try:
        said: dict[str, t.Any] = action._execute_module(module_args=arguments, task_vars=task_vars)
        sent = _is_needed(action, said)
        if sent:
            # Without pipelining the module has needed one already; a second would leave the first behind, with the task's secrets.
            if shell.tmpdir is None:
                action._make_tmp_path()
            package, arguments = _smallest(package, arguments, said)
            there = shell.join_path(shell.tmpdir, "package.tar.gz")
            action._transfer_file(package, there)
            # So that a user whom the task becomes can read it.
            action._fixup_perms2((shell.tmpdir, there))
            said = action._execute_module(module_args={**arguments, "package": there}, task_vars=task_vars)
            if said.get("msg"):
                # The operator knows it by this name.
                said["msg"] = str(said["msg"]).replace(there, package)
                said.pop("exception", None)
    finally:
        action._remove_tmp_path(shell.tmpdir)
    return {**said, "transferred": sent}


def _check(package: str, wanted: str | None, digest: str) -> None:
    if wanted and wanted.strip().lower() != digest:
        raise OtpError(f"package {package}: its checksum is {digest}, and {wanted} was expected: it is damaged, or another package")
