# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of a target system, as the module otp_target_system gets them, checked and with their defaults."""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import parse_mode
from ansible_collections.erlang.otp.plugins.module_utils._core.values import texts
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import CHECK
from ansible_collections.erlang.otp.plugins.module_utils._node.lifecycle import Node
from ansible_collections.erlang.otp.plugins.module_utils._node.service import Service, ServiceFile
from ansible_collections.erlang.otp.plugins.module_utils._node.service_manager import MANAGERS, Found, find_manager
from ansible_collections.erlang.otp.plugins.module_utils._tree.mark import Claim, claim_of

if t.TYPE_CHECKING:
    from ansible_collections.erlang.otp.plugins.module_utils._target_system.own_files import OwnFile

# Argument specs of modules.
FILE: dict[str, dict[str, t.Any]] = {
    "path": {"type": "str", "required": True},
    "content": {"type": "str", "required": True},
    "mode": {"type": "str", "default": "0644"},
    "managers": {"type": "list", "elements": "str", "choices": ["systemd", "sysv", "rcS", "none"], "default": []},
}
SERVICE: dict[str, t.Any] = {
    "type": "dict",
    "options": {
        "manager": {"type": "str", "choices": ["auto", "systemd", "sysv"], "required": True},
        "name": {"type": "str", "required": True},
        "at_boot": {"type": "bool", "default": True},
        "files": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": {**FILE, "optional": {"type": "bool", "default": False}},
        },
    },
}
# The files of a node that is distributed over TLS.
TLS: dict[str, t.Any] = {
    "type": "dict",
    "options": {
        "certificate": {"type": "str", "required": True},
        "key": {"type": "str", "required": True, "no_log": True},
        "ca": {"type": "str", "default": ""},
    },
}
# A file of otp_files.
OWN_FILE: dict[str, dict[str, t.Any]] = {
    "path": {"type": "str", "required": True},
    "content": {"type": "str", "required": True},
    "encoding": {"type": "str", "choices": ["text", "base64"], "default": "text"},
    "mode": {"type": "str", "default": "0640"},
    "secret": {"type": "bool", "default": False, "no_log": False},
    "on_change": {"type": "dict", "options": {"restart": {"type": "bool", "default": False}, "rpc": {"type": "dict", "options": CHECK}}},
}


class File(t.NamedTuple):
    """A file of the system, such as a script; its path is relative to the root directory."""

    path: str
    content: str
    mode: int
    secret: bool = False


class SystemOptions(t.NamedTuple):
    """The expected state of a target system."""

    node: Node
    group: str
    manage_user: bool
    pipe_directory: str
    # The directory of the emulator's pid file: $ROOT/run is this directory or a link to it.
    run_directory: str
    # Of install_release: package, checksum, url_options, optional_native, release, variables.
    package: dict[str, t.Any]
    # Of configure_release: sys_config, vm_args, host_flags, variables, secrets.
    configuration: dict[str, t.Any]
    files: tuple[File, ...]
    cookie: str | None
    state: str  # started, stopped, present
    start_timeout: float
    # Whether a restart follows, by the play: then nothing is to be warned of.
    restart_on_change: bool
    # Whether a node that is down is left to a later task.
    defer_start: bool = False
    destdir: str = ""  # where the files of an image are written, or those of the copy of a box
    claim: Claim = Claim()
    environment_secrets: t.Mapping[str, str] = {}  # more variables of the node's environment, which are in no diff
    warnings: tuple[str, ...] = ()
    tls: t.Mapping[str, str] | None = None  # certificate, key, ca: PEM
    own_files: tuple[OwnFile, ...] = ()

    def path(self, path: str) -> str:
        """Where a file of the host is written: below destdir."""
        return self.destdir + path


def node_of(parameters: dict[str, t.Any], found: Found) -> Node:
    """The node for the checked parameters of a module, with the service manager that was found. Raises OtpError."""
    root, user = parameters["root"], parameters["user"]
    return Node(
        root=root,
        user=user,
        home=parameters["home"] or f"/var/lib/{user}",
        log_directory=parameters["log_dir"] or f"{root}/log",
        name=parameters["node_name"],
        environment=texts("environment", parameters["environment"]),
        pipe_directory=parameters["pipe_dir"] or f"{root}/run/pipe",
        service=None if found.manager == "none" else _service(parameters["service"], found.manager),
    )


def parse_options(parameters: dict[str, t.Any], *, init: str = "") -> SystemOptions:
    """The options for the checked parameters of the module. init: of MANAGERS, that of a box; empty: the host is looked at. Raises OtpError."""
    root, user, destdir = parameters["root"], parameters["user"], (parameters["destdir"] or "").rstrip("/")
    found = service_manager(parameters["service"], destdir, init)
    node = node_of(parameters, found)

    def given(*names: str) -> dict[str, t.Any]:
        return {name: parameters[name] for name in names}

    return SystemOptions(
        node=node,
        group=parameters["group"] or user,
        pipe_directory=node.pipe_directory,
        tls=parameters["tls"],
        run_directory=parameters["run_dir"] or f"{root}/run",
        destdir=destdir,
        package={
            **given("package", "checksum", "url_options", "optional_native"),
            "release": parameters["_package_release"],
            "variables": texts("boot_variables", parameters["boot_variables"]),
        },
        configuration={**given("sys_config", "vm_args", "host_flags"), **{name: texts(name, parameters[name]) for name in ("variables", "secrets")}},
        files=tuple(_file(entry) for entry in parameters["files"] if _is_for(entry, found.manager)),
        warnings=(found.warning,) if found.warning else (),
        claim=claim_of(parameters),
        environment_secrets=texts("environment_secrets", parameters["environment_secrets"]),
        defer_start=bool(parameters["_defer_start"]),
        own_files=_own_files(parameters["own_files"]) if parameters["own_files"] else (),
        **given("manage_user", "cookie", "state", "start_timeout", "restart_on_change"),
    )


def _file(entry: dict[str, t.Any]) -> File:
    if entry["path"].startswith("/") or ".." in entry["path"].split("/"):
        raise OtpError(f"files: {entry['path']!r} is not a path below the root directory. Give a relative path without '..'.")
    return File(entry["path"], entry["content"], parse_mode(entry["mode"]), entry["secret"])


def _own_files(given: list[dict[str, t.Any]]) -> tuple[OwnFile, ...]:
    # Lazy, for start-up time: few systems have any.
    from ansible_collections.erlang.otp.plugins.module_utils._target_system.own_files import parse_files

    return parse_files(given)


def service_manager(entry: dict[str, t.Any] | None, destdir: str = "", init: str = "") -> Found:
    """What starts the node at boot, for the option service of a module. init: that of a box."""
    if not entry or entry["manager"] != "auto":
        return Found(entry["manager"] if entry else "none")
    if init:
        return Found(init)
    firsts = {manager: next((file["path"] for file in entry["files"] if _is_for(file, manager)), "") for manager in MANAGERS}
    return find_manager(firsts, destdir)


def every_service(entry: dict[str, t.Any]) -> list[Service]:
    """The service for each manager that has files in it."""
    managers = MANAGERS if entry["manager"] == "auto" else (entry["manager"],)
    return [_service(entry, manager) for manager in managers if any(_is_for(file, manager) for file in entry["files"])]


def _is_for(file: dict[str, t.Any], manager: str) -> bool:
    return not file["managers"] or manager in file["managers"]


def _service(entry: dict[str, t.Any], manager: str) -> Service:
    given = [file for file in entry["files"] if _is_for(file, manager)]
    files = tuple(ServiceFile(file["path"], file["content"], parse_mode(file["mode"]), file["optional"]) for file in given)
    if not files or not all(file.path.startswith("/") for file in files):
        raise OtpError("service: files is empty, or has a path that is not absolute. Give the unit or the init script first, each with an absolute path.")
    return Service("sysv" if manager == "rcS" else manager, entry["name"], entry["at_boot"], files)
