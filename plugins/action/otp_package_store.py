# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action otp_package_store, which has no module on the host: the controller puts packages into the store, and takes them from there."""

from __future__ import annotations

import os
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.terminal import cleaned
from ansible_collections.erlang.otp.plugins.module_utils._package.download import URL_OPTIONS, is_url
from ansible_collections.erlang.otp.plugins.plugin_utils._store.directory import Directory
from ansible_collections.erlang.otp.plugins.plugin_utils._store.layout import full_name, host_of, is_package, problem_of, records_of
from ansible_collections.erlang.otp.plugins.plugin_utils._store.remote import Line, Remote
from ansible_collections.erlang.otp.plugins.plugin_utils._store.server import Server
from ansible_collections.erlang.otp.plugins.plugin_utils._store.store import Store, put, take

LIST: dict[str, t.Any] = {"type": "list", "elements": "str", "default": []}
ARGUMENT_SPEC = {
    "store": {"type": "str", "required": True},
    "url_options": {"type": "dict", "default": {}, "no_log": True},
    "directory": {"type": "str", "required": True},
    "take": LIST,
    "required": {"type": "bool", "default": True},
    "put": LIST,
}


class ActionModule(ActionBase):
    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        options = self.validate_argument_spec(ARGUMENT_SPEC)[1]
        result = super().run(tmp, task_vars)
        try:
            result.update(self.ensure(options, task_vars or {}))
        except OtpError as error:
            raise AnsibleActionFail(str(error)) from error
        except OSError as error:
            raise AnsibleActionFail(f"{error.filename}: {error.strerror}.") from error
        return t.cast("dict[str, t.Any]", cleaned(result))

    def ensure(self, options: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        store = open_store(options["store"], options["url_options"], line=Connected(self), of=self._task.delegate_to or task_vars.get("inventory_hostname"))
        directory = os.path.abspath(os.path.expanduser(options["directory"]))
        names = asked_for(directory, options["take"], options["required"])
        taken = {name: take(store, directory, name) for name in names}
        missing = [name for name in names if taken[name] is None and not os.path.isfile(os.path.join(directory, name))]
        if missing and options["required"]:
            known = ", ".join(record.package for record in records_of(store.listed())) or "nothing"
            raise OtpError(
                f"neither the package store {options['store']} nor {directory} has {', '.join(missing)}. The store has {known}. Correct the name, or put"
                " the package there."
            )
        are_put = {name: put(store, directory, name, check_mode=self._task.check_mode) for name in names_in(directory, options["put"])}
        return {
            "changed": any(taken.values()) or any(are_put.values()),
            "taken": [name for name in names if taken[name]],
            "missing": missing,
            "put": [name for name, changed in are_put.items() if changed],
            "packages": [{**record.as_data(), "sha256": record.sha256} for record in records_of(store.listed())],
        }


class Connected:
    """The connection of the task, as its user logs in. The store works on no more than files there."""

    def __init__(self, action: ActionBase) -> None:
        self.action = action

    def run(self, command: str) -> tuple[int, str, str]:
        answer = self.action._low_level_execute_command(command, sudoable=False)
        return answer["rc"], answer["stdout"], answer["stderr"]

    def send(self, source: str, target: str) -> None:
        self.action._connection.put_file(source, target)

    def fetch(self, source: str, target: str) -> None:
        self.action._connection.fetch_file(source, target)


def open_store(store: str, url_options: dict[str, t.Any], *, line: Line | None = None, of: str | None = None) -> Store:
    """The store of this place. line: the connection to the host of the task; of: that host. Raises OtpError for a place that cannot be one."""
    problem = problem_of(store)
    if problem:
        raise OtpError(f"otp_package_store (option store) is {store!r}: {problem}.")
    valid = ArgumentSpecValidator(URL_OPTIONS).validate(url_options)
    if valid.error_messages:
        raise OtpError(f"otp_package_store_options (option url_options): {'; '.join(valid.error_messages)}.")
    host = host_of(store)
    if host:
        if line is None or host[0] != of:
            raise OtpError(f"otp_package_store (option store) is {store!r}, and the task is for {of}: delegate it to {host[0]}.")
        return Remote(line, *host)
    return Server(store, valid.validated_parameters) if is_url(store) else Directory(os.path.normpath(store))


def asked_for(directory: str, packages: t.Sequence[str], required: bool) -> list[str]:
    """The names of packages to take. A file that is there under a name that no package has is left alone, and so is what a host may call its release."""
    names = [full_name(name) for name in names_in(directory, packages)]
    return [name for name in dict.fromkeys(names) if is_package(name) or (required and not os.path.isfile(os.path.join(directory, name)))]


def names_in(directory: str, packages: t.Sequence[str]) -> list[str]:
    """The names of packages in the directory. What is a URL, or elsewhere, is not one of them."""
    paths = [os.path.abspath(os.path.join(directory if "/" not in each else "", os.path.expanduser(each))) for each in packages if each and not is_url(each)]
    return list(dict.fromkeys(os.path.basename(path) for path in paths if os.path.dirname(path) == directory))
