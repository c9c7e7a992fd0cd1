# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operator's files of a host (``otp_files``), rendered on the controller for the option own_files of otp_target_system."""

from __future__ import annotations

import base64
import typing as t
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import lookup_loader

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.plugin_utils._secrecy.vaulted import is_encrypted

# Each run brings all of them to each host, and a module's options are kept in memory.
MAX_SIZE = 1 << 20
# What both know under the same name.
SAME = ("path", "mode", "secret", "on_change")

Data = t.Mapping[str, t.Any]


def own_files(action: ActionBase, files: t.Iterable[Data], task_vars: dict[str, t.Any] | None) -> list[dict[str, t.Any]]:
    """The option own_files for the variable otp_files. Raises OtpError, which names the file, for a source that cannot be read or rendered."""
    found = []
    for file in files:
        try:
            found.append(own_file(action, file, task_vars))
        except (AnsibleError, OSError, UnicodeError) as error:
            raise OtpError(f"otp_files, {file['path']}: {error}") from error
    return found


def own_file(action: ActionBase, file: Data, task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
    """One of them. What is in an encrypted file is in no diff."""
    found = {name: file[name] for name in SAME if file.get(name) is not None}
    if file.get("template"):
        path = action._find_needle("templates", str(file["template"]))
        found["content"] = rendered(action, path, task_vars)
    elif file.get("file"):
        path = action._find_needle("files", str(file["file"]))
        content = content_of(action, path)
        try:
            found["content"] = content.decode("utf-8")
        except UnicodeDecodeError:
            found.update(content=base64.b64encode(content).decode("ascii"), encoding="base64")
    else:
        path, found["content"] = "", str(file["content"])
    if path and is_encrypted(path):
        found["secret"] = True
    size = len(found["content"].encode("utf-8"))
    if size > MAX_SIZE:
        raise OtpError(f"otp_files, {file['path']}: it has {size} bytes, and at most {MAX_SIZE} are sent in each run: put it into the package.")
    return found


def content_of(action: ActionBase, path: str) -> bytes:
    """The content of the file, decrypted if it is encrypted: what was decrypted stays on no disk."""
    real = action._loader.get_real_file(path)
    try:
        return Path(real).read_bytes()
    finally:
        action._loader.cleanup_tmp_file(real)


def rendered(action: ActionBase, path: str, task_vars: dict[str, t.Any] | None) -> str:
    """The text of the template, as ansible.builtin.template has it, with what it includes from where that finds it."""
    lookup = lookup_loader.get("template", loader=action._loader, templar=action._templar)
    variables = {**(task_vars or {}), "ansible_search_path": action._task.get_search_path()}
    (text,) = lookup.run([path], variables=variables)
    return str(text)
