# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules for a box without Python (``otp_box``): the same options, results and code, run on the controller."""

from __future__ import annotations

import os
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.values import mapped
from ansible_collections.erlang.otp.plugins.module_utils._handler.request import HandlerError
from ansible_collections.erlang.otp.plugins.module_utils._install.outcome import PackageNeeded
from ansible_collections.erlang.otp.plugins.module_utils._node.lifecycle import Node
from ansible_collections.erlang.otp.plugins.module_utils._target_system.node_change import NodeError, change_node
from ansible_collections.erlang.otp.plugins.module_utils._target_system.options import node_of, parse_options, service_manager
from ansible_collections.erlang.otp.plugins.module_utils._tree.record import find_record
from ansible_collections.erlang.otp.plugins.modules import (
    otp_node,
    otp_release_config,
    otp_release_handler,
    otp_release_info,
    otp_release_verify,
    otp_rpc,
)
from ansible_collections.erlang.otp.plugins.plugin_utils._box.box import Box, BoxTarget
from ansible_collections.erlang.otp.plugins.plugin_utils._box.host import open_box
from ansible_collections.erlang.otp.plugins.plugin_utils._box.system import BoxSystem
from ansible_collections.erlang.otp.plugins.plugin_utils._box.verification import bring_contents, look_on_box

Parameters = dict[str, t.Any]
Result = dict[str, t.Any]


def run_on_box(action: ActionBase, name: str, parameters: Parameters, task_vars: dict[str, t.Any] | None, package: str | None) -> Result:
    """The result of the module for these checked parameters. package: a file on the controller, instead of that option."""
    variables = task_vars or {}
    if parameters.get("remote_src"):
        return {"failed": True, "msg": "remote_src is not supported for a host without Python (otp_box): package must be a file on the controller."}

    def value(variable: str) -> str:
        return str(action._templar.template(variables.get(variable, "")) or "")

    parameters = {**parameters, "package": package or parameters.get("package")}
    changes = Changes(check_mode=bool(action._task.check_mode))
    root = (parameters.get("root") or value("otp_root")).rstrip("/")
    target = BoxTarget(
        root=root,
        pipe_dir=parameters.get("pipe_dir") or value("otp_pipe_dir") or f"{root}/run/pipe",
        user=parameters.get("user") or value("otp_user"),
        writes=name in WRITERS and not changes.check_mode and parameters.get("repair") is not False,
        lock_timeout=parameters.get("lock_timeout") or 60.0,
    )
    try:
        if name == "otp_target_system" and parameters.get("state") == "absent":
            raise OtpError(f"a system is not removed from a box without Python (otp_box): stop the node, and remove {root} and its init script there.")
        if name in ("otp_target_system", "otp_node"):
            node = node_of(parameters, service_manager(parameters["service"], init="rcS"))
            own = tuple(file["path"] for file in parameters.get("own_files") or [])
            target = target._replace(init_script=node.service.files[0].path if node.service else "", outside=paths_outside(node, parameters), own=own)
        with open_box(action, target) as box:
            return _run(name, parameters, changes, box)
    except OtpError as error:
        return {"failed": True, "msg": str(error), "actions": changes.actions}


def _run(name: str, parameters: Parameters, changes: Changes, box: Box) -> Result:
    package, checksum = parameters.get("package"), parameters.get("checksum")
    if package and checksum and find_record(box.destdir + box.target.root, checksum.rpartition(":")[2]) is None:
        box.add_package(package)
    try:
        result = MODULES[name](parameters, changes, box)
    except PackageNeeded as needed:
        result = {"needs_package": True, "msg": str(needed)}
    except (HandlerError, NodeError) as error:
        if not changes.check_mode:
            # The history has what happened.
            box.send_changes()
        result = {"failed": True, "msg": str(error), **error.result}
    except (OtpError, OSError) as error:
        box.has_failed = True
        result = {"failed": True, "msg": str(error) if isinstance(error, OtpError) else f"{error.filename}: {error.strerror}.", **getattr(error, "result", {})}
    else:
        if not changes.check_mode:
            box.send_changes()
    result = {"changed": changes.changed and not result.get("needs_package"), "actions": changes.actions, **result}
    line = {"round_trips": box.shell.round_trips, "sent": box.shell.sent, "received": box.shell.received}
    warnings = {"warnings": [*result.get("warnings", []), *box.warnings]} if result.get("warnings") or box.warnings else {}
    # The paths of the box instead of those of the copy.
    shown = mapped({**result, **warnings}, lambda value: value.replace(box.logs, "").replace(box.destdir, "") if isinstance(value, str) else value)
    return {**shown, "line": line, "transferred": box.has_sent}


def _target_system(parameters: Parameters, changes: Changes, box: Box) -> Result:
    options = parse_options(parameters, init="rcS" if box.inspection.has_rcs else "none")
    if options.node.service is None:
        box.target = box.target._replace(init_script="")
    system = BoxSystem(options, changes, box)
    result = system.apply()
    return {**result, "diff": system.diff, "warnings": system.warnings}


def _handler(parameters: Parameters, changes: Changes, box: Box) -> Result:
    request = otp_release_handler.request_of(parameters)
    transport = request.transport if request.transport == "offline" else "auto"
    address = request.address._replace(pipe_dir=box.target.pipe_dir)
    return otp_release_handler.apply(request._replace(destdir=box.destdir, transport=transport, address=address), changes)


def _node(parameters: Parameters, changes: Changes, box: Box) -> Result:
    request = otp_node.request_of(parameters, init="rcS" if box.inspection.has_rcs else "none")
    if request.node.service is None:
        box.target = box.target._replace(init_script="")
    # The box starts and stops it by the init script or bin/start.
    return change_node(request._replace(destdir=box.destdir, node=request.node._replace(service=None)), changes)


def _config(parameters: Parameters, changes: Changes, box: Box) -> Result:
    # The box gets the owner of the system with the delivery.
    parameters = {**parameters, "owner": None, "group": None}
    return otp_release_config.configure(parameters, changes, destdir=box.destdir)


def _info(parameters: Parameters, changes: Changes, box: Box) -> Result:
    return otp_release_info.describe({**parameters, "destdir": box.destdir})


def _rpc(parameters: Parameters, changes: Changes, box: Box) -> Result:
    if changes.check_mode and not parameters["read_only"]:
        return {"skipped": True, "msg": "Not called in check mode. Set read_only if the function changes nothing."}
    result: Result = {"changed": not parameters["read_only"]}
    otp_rpc.call(parameters, result)
    return result


def _verify(parameters: Parameters, changes: Changes, box: Box) -> Result:
    known = [manifest for manifest in (parameters["_manifests"] or {}).values() if "files" in manifest]
    bring_contents(box, known)
    # The node of a box is called through its pipes.
    parameters = {**parameters, "pipe_dir": box.target.pipe_dir}
    return otp_release_verify.describe(parameters, changes, destdir=box.destdir, look=look_on_box(box))


MODULES: dict[str, t.Callable[[Parameters, Changes, Box], Result]] = {
    "otp_node": _node,
    "otp_target_system": _target_system,
    "otp_release_handler": _handler,
    "otp_release_config": _config,
    "otp_release_info": _info,
    "otp_release_verify": _verify,
    "otp_rpc": _rpc,
}
WRITERS = {"otp_node", "otp_target_system", "otp_release_handler", "otp_release_config", "otp_release_verify"}


def paths_outside(node: Node, parameters: Parameters) -> tuple[str, ...]:
    """The paths of the system that may be outside of its root directory."""
    run_directory, pipe_directory = parameters["run_dir"] or f"{node.root}/run", parameters["pipe_dir"] or f"{node.root}/run/pipe"
    paths = [node.home, node.cookie_file, node.log_directory, run_directory, pipe_directory]
    if node.service:
        paths += [os.path.dirname(node.service.files[0].path), node.service.files[0].path]
    return tuple(paths)
