# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration of a release: ``sys.config`` (Kernel, config(4)) and ``vm.args`` in its release directory.

A release without a readable sys.config does not boot, and a hot upgrade to it loses every application's environment, silently.
So nothing is replaced before the new content has passed the check that the emulator makes when it starts.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import Owner, check_owner, ensure_file
from ansible_collections.erlang.otp.plugins.module_utils._formats.distribution_flags import places_of_port
from ansible_collections.erlang.otp.plugins.module_utils._formats.substitute import Replacement, substitute
from ansible_collections.erlang.otp.plugins.module_utils._formats.sys_config import parse_sys_config
from ansible_collections.erlang.otp.plugins.module_utils._formats.vm_args import without_cookie, without_flags, words
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import declared_encoding, decode

SYS_CONFIG = "sys.config"
VM_ARGS = "vm.args"
# start_erl passes -config always: a release without the file would not boot.
EMPTY_SYS_CONFIG = b"[].\n"
COOKIE_LEFT_OUT = (
    "{source} has -setcookie, which would show the cookie to every user of the host, so it is left out of {path}."
    " Set otp_cookie, and remove -setcookie from the release: the node reads its cookie from a file of its user."
)
FLAG_LEFT_OUT = "{source} has {flags}, which the variables of this host decide. It is left out."
TWO_PORTS = (
    "the port of the node is given twice: {flag} -erl_epmd_port, and {parameter} the parameter erl_epmd_node_listen_port of kernel."
    " A node of OTP 27.2 or later does not start with both. Leave one of them out."
)
OF_THE_HOST = "the variables of this host give (otp_epmd false, or otp_erl_flags)"
# Of a sys.config that mix has written with config providers.
PROVIDERS = b"config_provider_init"
PROVIDERS_REPLACED = (
    "{path} runs config providers (runtime.exs) when the system boots, and the given sys.config would replace it, so that they would not run."
    " Leave out otp_sys_config, and give the values in otp_environment, which runtime.exs reads."
)


class Content(t.NamedTuple):
    """The new content of a file, where it is from (for errors), and the variables in it."""

    data: bytes
    source: str
    replacements: list[Replacement]


def configure_release(
    *,
    directory: str,
    variables: dict[str, str] | None = None,
    secrets: dict[str, str] | None = None,
    sys_config: str | None = None,
    vm_args: str | None = None,
    host_flags: t.Collection[str] = (),
    uid: int = -1,
    gid: int = -1,
    mode: int = 0o640,
    sources: t.Mapping[str, bytes] | None = None,
    keep: t.Callable[[str], None] | None = None,
    changes: Changes,
) -> dict[str, t.Any]:
    """Ensure sys.config and vm.args in the release directory: as given, else made from ``sys.config.src`` and ``vm.args.src``, else as they are.

    The variables of the .src files get the values of variables and secrets; given content is not changed. If nothing else gives a content, an
    empty sys.config is written, and no vm.args. uid and gid of -1 mean the owner of the present file, else of the directory.
    host_flags: flags that the start script gives. They are left out of vm.args, because the emulator takes the first of two. A parameter of an application is
    named as ``-kernel NAME``, and only compared.
    sources: in check mode, the files of a release whose directory is not there yet, by name.
    keep: called with the path of a file before it is replaced.
    A -setcookie is left out of vm.args, and of the diff. Returns the paths ``sys_config`` and ``vm_args`` (or None), the names of the used
    ``variables``, ``warnings``, and ``diff``, which is empty if there are secrets.
    Raises OtpError, before anything is written, that names file, line and variable but no value.
    """
    if sources is None and not os.path.isdir(directory):
        raise OtpError(f"{directory} is not a directory. Install the release before you configure it.")
    values = {**(variables or {}), **(secrets or {})}
    contents = _contents(directory, Files(directory) if sources is None else sources, {SYS_CONFIG: sys_config, VM_ARGS: vm_args}, values)
    _check_port(contents, host_flags)
    result: dict[str, t.Any] = {"sys_config": None, "vm_args": None, "variables": [], "diff": [], "warnings": []}
    for name, content in contents.items():
        path = result[name.replace(".", "_")] = os.path.join(directory, name)
        flags: list[str] = []
        if name == VM_ARGS:
            if without_cookie(content.data) != content.data:
                content = content._replace(data=without_cookie(content.data))
                result["warnings"].append(COOKIE_LEFT_OUT.format(source=content.source, path=path))
            data, flags = without_flags(content.data, host_flags)
            content = content._replace(data=data)
        if not os.path.isdir(directory):
            is_there = (sources or {}).get(name) == content.data
            changes.actions.append(f"set mode and owner of {path}" if is_there else f"write {path}")
            continue
        owner = _owner(path, directory, uid, gid)
        before = ensure_file(path, content.data, mode=mode, owner=owner, sentence=f"write {path}", changes=changes, keep=keep)
        if flags and before is not None:
            # Otherwise each run would warn of a file that is made from vm.args.src.
            result["warnings"].append(FLAG_LEFT_OUT.format(source=content.source, flags=", ".join(flags)))
        if before is not None and not secrets:
            before = without_cookie(before) if name == VM_ARGS else before
            shown = {"before": before.decode("utf-8", "replace"), "after": content.data.decode("utf-8", "replace")}
            result["diff"].append({"before_header": path, "after_header": path, **shown})
        result["variables"] = sorted({*result["variables"], *(replacement.name for replacement in content.replacements)})
    return result


class Files:
    """Those of a directory, as a mapping has them."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def get(self, name: str) -> bytes | None:
        return read_file(os.path.join(self.directory, name))


def _contents(directory: str, sources: Files | t.Mapping[str, bytes], given: dict[str, str | None], values: dict[str, str]) -> dict[str, Content]:
    """The content of each file. Raises one OtpError with the problems of all of them."""
    contents = {}
    problems = []
    for name, text in given.items():
        try:
            content = _content(directory, sources, name, text, values)
            if name == SYS_CONFIG:
                content = content or Content(EMPTY_SYS_CONFIG, name, [])
                parse_sys_config(content.data, source=content.source, replacements=content.replacements)
            if content is not None:
                contents[name] = content
        except OtpError as error:
            problems.append(str(error))
    if problems:
        raise OtpError(". ".join(problems))
    return contents


def _check_port(contents: dict[str, Content], host_flags: t.Collection[str]) -> None:
    """Raise OtpError if a node without EPMD has its port in the two ways that exclude each other."""
    vm_args = contents[VM_ARGS].data if VM_ARGS in contents else b""
    places = places_of_port(words(without_flags(vm_args, host_flags)[0]), contents[SYS_CONFIG].data, host_flags)
    if all(places):
        flag, parameter = (OF_THE_HOST if place == "host" else f"{contents[place].source} has" for place in places)
        raise OtpError(TWO_PORTS.format(flag=flag, parameter=parameter))


def _content(directory: str, sources: Files | t.Mapping[str, bytes], name: str, given: str | None, values: dict[str, str]) -> Content | None:
    path = os.path.join(directory, name)
    if given is not None:
        if name == SYS_CONFIG and PROVIDERS in (sources.get(name) or b""):
            raise OtpError(PROVIDERS_REPLACED.format(path=path))
        return Content(given.encode("utf-8"), f"the given {name}", [])
    source = path + ".src"
    template = sources.get(name + ".src")
    if template is not None:
        text, replacements = substitute(decode(template, filename=source), values, filename=source)
        try:
            return Content(text.encode(declared_encoding(template)), source, replacements)
        except UnicodeEncodeError:
            raise OtpError(f"{source}: the value of a variable has characters that latin-1 lacks, which the file's coding comment declares") from None
    present = sources.get(name)
    return None if present is None else Content(present, path, [])


def _owner(path: str, directory: str, uid: int, gid: int) -> Owner:
    """The requested owner, else that of the present file, else of the directory, as far as this user may give it."""
    check_owner(uid, directory)
    found = os.stat(path if os.path.exists(path) else directory)
    if os.geteuid() != 0:
        found_group = found.st_gid if found.st_gid in (os.getegid(), *os.getgroups()) else -1
        return Owner(uid, found_group if gid == -1 else gid)
    return Owner(found.st_uid if uid == -1 else uid, found.st_gid if gid == -1 else gid)
