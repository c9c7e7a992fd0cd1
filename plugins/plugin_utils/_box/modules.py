# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our modules for a box without Python: the same options and results, by the same code, on the controller.

``otp_box`` in the inventory says that a host is one. No module is sent there.
"""

from __future__ import annotations

import os
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._handler.request import HandlerError, settle
from ansible_collections.erlang.otp.plugins.module_utils._install.install import PackageNeeded
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import COOKIE_FILE
from ansible_collections.erlang.otp.plugins.module_utils._tree.record import find_record
from ansible_collections.erlang.otp.plugins.modules import otp_release_config, otp_release_handler, otp_release_info, otp_rpc, otp_target_system
from ansible_collections.erlang.otp.plugins.plugin_utils._box.box import Box, BoxTarget
from ansible_collections.erlang.otp.plugins.plugin_utils._box.host import open_box
from ansible_collections.erlang.otp.plugins.plugin_utils._box.system import BoxSystem, add_known_files

Parameters = dict[str, t.Any]
Result = dict[str, t.Any]


def run_on_box(action: ActionBase, name: str, parameters: Parameters, task_vars: dict[str, t.Any] | None, package: str | None) -> Result:
    """The module's result for these checked parameters. package: a file of the controller, in the place of that option."""
    variables = task_vars or {}
    if parameters.get("remote_src"):
        return {"failed": True, "msg": "remote_src is not for a box without Python (otp_box): package is a file of the controller."}

    def value(variable: str) -> str:
        return str(action._templar.template(variables.get(variable, "")) or "")

    parameters = {**parameters, "package": package or parameters.get("package")}
    changes = Changes(check_mode=bool(action._task.check_mode))
    target = BoxTarget(
        root=(parameters.get("root") or value("otp_root")).rstrip("/"),
        pipe_dir=parameters.get("pipe_dir") or value("otp_pipe_dir"),
        user=parameters.get("user") or value("otp_user"),
        writes=name in WRITERS and not changes.check_mode,
        lock_timeout=parameters.get("lock_timeout") or 60.0,
    )
    target = target._replace(pipe_dir=target.pipe_dir or f"{target.root}/run/pipe")
    wanted = service = None
    try:
        if name == "otp_target_system":
            wanted = otp_target_system.wanted_of(parameters)
            service = wanted.node.service
            target = target._replace(init_script=service.files[0].path if service else "", outside=outside_of(wanted))
        with open_box(action, target) as box:
            result = _run(name, parameters, wanted, changes, box)
    except OtpError as error:
        return {"failed": True, "msg": str(error), "actions": changes.actions}
    return result


def _run(name: str, parameters: Parameters, wanted: t.Any, changes: Changes, box: Box) -> Result:
    package, checksum = parameters["package"], parameters.get("checksum")
    if package and checksum and find_record(box.destdir + box.target.root, checksum.rpartition(":")[2]) is None:
        box.add_package(package)
    try:
        result = WORK[name](parameters, wanted, changes, box)
    except PackageNeeded as needed:
        result = {"needs_package": True, "msg": str(needed)}
    except HandlerError as error:
        if not changes.check_mode:
            # The history has what happened.
            box.send_changes()
        result = {"failed": True, "msg": str(error), **error.result}
    except OtpError as error:
        box.has_failed = True
        result = {"failed": True, "msg": str(error)}
    except OSError as error:
        box.has_failed = True
        result = {"failed": True, "msg": f"{error.filename}: {error.strerror}."}
    else:
        if not changes.check_mode:
            box.send_changes()
    result = {"changed": changes.changed and not result.get("needs_package"), "actions": changes.actions, **result}
    line = {"round_trips": box.shell.round_trips, "sent": box.shell.sent, "received": box.shell.received}
    warnings = [*result.get("warnings", []), *box.warnings]
    return {**without_destdir(box.destdir, result), "line": line, "transferred": box.has_sent, **({"warnings": warnings} if warnings else {})}


def _target_system(parameters: Parameters, wanted: t.Any, changes: Changes, box: Box) -> Result:
    service = wanted.node.service
    add_known_files(box, wanted, service)
    wanted = wanted._replace(node=wanted.node._replace(service=None), destdir=box.destdir)
    system = BoxSystem(wanted, service, changes, box)
    result = system.settle()
    return {**result, "diff": system.diff, "warnings": without_destdir(box.destdir, system.warnings)}


def _handler(parameters: Parameters, wanted: t.Any, changes: Changes, box: Box) -> Result:
    order = otp_release_handler.order_of(parameters)
    transport = order.transport if order.transport == "offline" else "auto"
    return settle(order._replace(destdir=box.destdir, transport=transport, address=order.address._replace(pipe_dir=box.target.pipe_dir)), changes)


def _config(parameters: Parameters, wanted: t.Any, changes: Changes, box: Box) -> Result:
    # Owners are the system's.
    here = {**parameters, "root": parameters["root"], "owner": None, "group": None}
    return otp_release_config.configure(here, changes, destdir=box.destdir)


def _info(parameters: Parameters, wanted: t.Any, changes: Changes, box: Box) -> Result:
    return otp_release_info.describe({**parameters, "destdir": box.destdir})


def _rpc(parameters: Parameters, wanted: t.Any, changes: Changes, box: Box) -> Result:
    if changes.check_mode and not parameters["read_only"]:
        return {"skipped": True, "msg": "Not called in check mode: read_only says that a function changes nothing."}
    result: Result = {"changed": not parameters["read_only"]}
    otp_rpc.call(parameters, result)
    return result


WORK: dict[str, t.Callable[[Parameters, t.Any, Changes, Box], Result]] = {
    "otp_target_system": _target_system,
    "otp_release_handler": _handler,
    "otp_release_config": _config,
    "otp_release_info": _info,
    "otp_rpc": _rpc,
}
WRITERS = {"otp_target_system", "otp_release_handler", "otp_release_config"}


def outside_of(wanted: t.Any) -> tuple[str, ...]:
    """What the box has of the system outside of its root directory."""
    node = wanted.node
    paths = [node.home, os.path.join(node.home, COOKIE_FILE), node.log_directory, wanted.run_directory, wanted.pipe_directory]
    if node.service:
        paths += [os.path.dirname(node.service.files[0].path), node.service.files[0].path]
    return tuple(paths)


def without_destdir(destdir: str, value: t.Any) -> t.Any:
    """The value with the paths of the box instead of those of the copy."""
    if isinstance(value, str):
        return value.replace(destdir, "")
    if isinstance(value, dict):
        return {key: without_destdir(destdir, inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_destdir(destdir, inner) for inner in value]
    return value
