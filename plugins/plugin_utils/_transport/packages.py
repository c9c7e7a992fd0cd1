# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release package of the controller for a host that may have it already: ask first, send only if the host needs it.

Only the module decides. Its first call has the package's sha256 instead of the package, and it answers ``needs_package`` if it needs
more: so a run that changes nothing is one round trip, and sends nothing. If a thin package of the same release is beside the package,
hosts that know its base get that one; in the place of a package with a given checksum, only if its own checksum is given as well. A host that
lacks a part of the base gets the full package after it.

All packages go to hosts through here, so here is the rule of ``otp_allowed_signers`` (signed): without a signature nothing is sent, and nothing fetched.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import typing as t

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.terminal import cleaned
from ansible_collections.erlang.otp.plugins.module_utils._package.download import is_url
from ansible_collections.erlang.otp.plugins.plugin_utils._box.action import is_box, on_box
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.numbers import refuse_numbers
from ansible_collections.erlang.otp.plugins.plugin_utils._package.facts import contents_in_run, release_of, thin_of
from ansible_collections.erlang.otp.plugins.plugin_utils._secrecy.quiet import execute_quietly
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.signed import ANY, Rule, rule_of
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.stdin_transport import StdinTransport
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.watched import reporter, watched_upload

# A larger package is uploaded as a file, because each process of Ansible would have it in memory.
STDIN_LIMIT = 16 << 20
UPLOADED = "erlang-otp-package.tar.gz"
# Removes what interrupted uploads have left, and reports the room. While an upload or its module still needs a file, it is younger than five
# minutes. Directories of other users stay, whose names lead anywhere: the one above them may be /var/tmp.
PREPARE = """find {directory} -mindepth 1 -maxdepth 1 -type d -user "$(id -u)" -exec sh -c 'for each; do
[ -z "$(find "$each/{name}" -mmin +5 2>/dev/null)" ] || rm -rf "$each"; done' sh {{}} + ; df -Pk {directory}"""


def run_module(action: ActionBase, transport: StdinTransport | None, arguments: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
    """Run the task's module with these arguments, of which ``package`` may be a file of the controller.

    transport: brings the module to the host; None: Ansible does.
    Returns the module's result, with ``transferred``, as a terminal may show it. Raises AnsibleActionFail.
    """
    refuse_numbers(arguments)
    try:
        return cleaned(_run_with_package(action, transport, arguments, task_vars))  # type: ignore[no-any-return]
    except OtpError as error:
        raise AnsibleActionFail(str(error)) from error


def _run_with_package(
    action: ActionBase, transport: StdinTransport | None, arguments: dict[str, t.Any], task_vars: dict[str, t.Any] | None
) -> dict[str, t.Any]:
    arguments = dict(arguments)
    package, thin_checksum, is_pinned = arguments.get("package"), arguments.pop("thin_checksum", None), bool(arguments.get("checksum"))
    rule = rule_of(action, task_vars)
    if package:
        arguments = rule.of_a_mirror(arguments) if is_url(package) else rule.of_a_file(arguments)
    if is_url(package) and arguments.get("checksum") and transport and not is_box(action, task_vars):
        # Asked without the package first. To fetch it, the module goes Ansible's own way, which brings Ansible's library for that along.
        result = _run(action, transport, {**arguments, "package": None}, task_vars)
        return {**(_run(action, None, arguments, task_vars) if result.get("needs_package") else result), "transferred": False}
    if not package or is_url(package) or boolean(arguments.get("remote_src", False), strict=False):
        return {**_run(action, transport, arguments, task_vars), "transferred": False}
    package = action._find_needle("files", package)
    digest = rule.checksum_of(package)
    _check(package, arguments.get("checksum"), digest)
    arguments = {**arguments, "package": None, "checksum": digest}
    # With --check the host is asked first, and then gets a report of the package if it needs that. Otherwise a task in check mode is one round trip.
    is_asked_first = action._task.check_mode and bool((task_vars or {}).get("ansible_check_mode")) and not is_box(action, task_vars)
    if not is_asked_first and (action._task.check_mode or arguments.get("state") == "ready"):
        arguments["_package_release"] = release_of(package)
    if transport and is_box(action, task_vars):
        # The controller does the work of a box, and has the package.
        return on_box(action, transport.name, arguments, task_vars, package=package)
    result = _run(action, transport, arguments, task_vars)
    if result.get("needs_package") and action._task.check_mode:
        # Nothing is sent but a report of what is in the package.
        contents = contents_in_run(package, C.DEFAULT_LOCAL_TMP)  # type: ignore[attr-defined]
        result = _run(action, transport, {**arguments, "_package_release": contents}, task_vars)
    if not result.get("needs_package") or action._task.check_mode:
        return {**result, "transferred": False}
    smallest, chosen = package, arguments
    if thin_checksum or not is_pinned:
        smallest, chosen = _smallest(package, arguments, result, thin_checksum, rule)
    sent = send_package(action, transport, chosen, task_vars, smallest)
    if smallest != package and sent.pop("needs_full_package", False):
        sent = _and_then(sent, send_package(action, transport, arguments, task_vars, package))
    return {**sent, "transferred": True}


def _and_then(refused: dict[str, t.Any], result: dict[str, t.Any]) -> dict[str, t.Any]:
    """The result with the full package, after that of a thin one: the host lacks a part of its base, which an operator wants to know."""
    reason = str(refused["msg"]).partition(" Give the full package")[0]
    actions = [*refused.get("actions", []), *(action for action in result.get("actions", []) if action not in refused.get("actions", []))]
    warnings = [*result.get("warnings", []), f"{reason} The full package was sent. The playbook erlang.otp.verify names each file that has changed."]
    return {**result, "changed": bool(actions) or result.get("changed", False), "actions": actions, "warnings": warnings}


def send_package(
    action: ActionBase, transport: StdinTransport | None, arguments: dict[str, t.Any], task_vars: dict[str, t.Any] | None, package: str
) -> dict[str, t.Any]:
    """The result of the module, which gets this file of the controller as its option package."""
    sent = transport.run(action, arguments, task_vars, package=package) if transport and os.path.getsize(package) <= STDIN_LIMIT else None
    if sent is None:
        with _uploaded(action, package, reporter(action, task_vars, str)) as path:
            sent = _run(action, transport, {**arguments, "package": path}, task_vars)
        if sent.get("msg"):
            # The operator knows the package by its name on the controller.
            sent["msg"] = str(sent["msg"]).replace(path, package)
            sent.pop("exception", None)
    return sent


def _run(action: ActionBase, transport: StdinTransport | None, arguments: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
    if transport:
        return transport.execute(action, arguments, task_vars)
    return execute_quietly(action, arguments, task_vars)


def _smallest(package: str, arguments: dict[str, t.Any], result: dict[str, t.Any], thin_checksum: str | None, rule: Rule = ANY) -> tuple[str, dict[str, t.Any]]:
    """The package to send to a host whose answer names the packages that it knows, and the arguments with its checksum.

    A thin package says itself which full one it replaces. thin_checksum, if there is one, is the checksum that it must have.
    Raises OtpError for one that must be signed, and is not.
    """
    from ansible_collections.erlang.otp.plugins.module_utils._package.thin_base import read_base  # only where a package is sent

    thin = thin_of(package)
    if thin and result.get("known_packages") and os.path.isfile(thin):
        digest = rule.checksum_of(thin)
        try:
            base = read_base(thin)
        except OtpError:
            # A damaged thin package is not needed.
            base = None
        if base is not None and f"sha256:{base.full}" == arguments["checksum"] and base.sha256 in result["known_packages"]:
            if not thin_checksum or thin_checksum.strip().lower() == digest:
                return thin, {**arguments, "checksum": digest}
    return package, arguments


@contextlib.contextmanager
def _uploaded(action: ActionBase, package: str, report: t.Callable[[str], None] | None = None) -> t.Iterator[str]:
    """The path of the package in a private temporary directory of the host, which is removed afterwards."""
    shell = action._connection._shell
    try:
        # Without pipelining the module needed a directory already. A second one would leave the first behind, with the task's secrets.
        if shell.tmpdir is None:
            action._make_tmp_path()
        directory = os.path.dirname(shell.tmpdir.rstrip("/"))
        prepare = PREPARE.format(directory=shlex.quote(directory), name=UPLOADED)
        _check_room(action._low_level_execute_command(prepare, sudoable=False)["stdout"], package, directory)
        path = shell.join_path(shell.tmpdir, UPLOADED)
        with watched_upload(package, report):
            action._transfer_file(package, path)
        # So that the user of become can read it.
        action._fixup_perms2((shell.tmpdir, path))
        yield path
    finally:
        action._remove_tmp_path(shell.tmpdir)


def _check_room(report: str, package: str, directory: str) -> None:
    """Without this, Ansible would upload what fits, by one of its methods after the other. report: of df. Raises AnsibleActionFail."""
    columns = report.splitlines()[-1].split() if report.strip() else []
    free, size = int(columns[3]) << 10 if len(columns) > 3 and columns[3].isdigit() else None, os.path.getsize(package)
    if free is not None and free < size:
        raise AnsibleActionFail(
            f"The package {package} cannot be uploaded to {directory} on the host: {free / 2**20:.1f} MiB is free there, and it needs"
            f" {size / 2**20:.1f} MiB. Make room, or set ansible_remote_tmp to another directory."
        )


def _check(package: str, expected: str | None, digest: str) -> None:
    if expected and expected.strip().lower() != digest:
        raise OtpError(f"The package {package} is damaged, or another package: its checksum is {digest}, and {expected} was expected.")
