# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the controller knows of a release package, found out once in a run of Ansible, which has a process for each task and host."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import typing as t
from pathlib import Path

from ansible import constants as C


def digest_of(package: str) -> str:
    """Its checksum, such as ``sha256:...``. Raises OSError."""
    return str(_once(package, _digest))


def release_of(package: str) -> dict[str, t.Any]:
    """The release that it has, as otp_release_handler is told of it. Raises OtpError."""
    release: dict[str, t.Any] = _once(package, _release)
    return release


def _once(package: str, work: t.Callable[[str], t.Any]) -> t.Any:
    """What work(package) returns, which JSON can say. It is kept in the directory that Ansible has for a run and removes at its end."""
    status = os.stat(package)
    key = f"{work.__name__} {os.path.realpath(package)} {status.st_ino} {status.st_mtime_ns} {status.st_size}"
    kept = Path(C.DEFAULT_LOCAL_TMP, f"erlang-otp-{hashlib.sha256(os.fsencode(key)).hexdigest()}.json")  # type: ignore[attr-defined]
    try:
        return json.loads(kept.read_bytes())
    except FileNotFoundError:
        found = work(package)
    # Whole at once: others read it at the same time.
    with tempfile.NamedTemporaryFile("w", dir=kept.parent, delete=False) as file:
        json.dump(found, file)
    os.replace(file.name, kept)
    return found


# What these import is not needed where all is known.


def _digest(package: str) -> str:
    from ansible_collections.erlang.otp.plugins.module_utils._core.checksum import sha256

    return f"sha256:{sha256(package)}"


def _release(package: str) -> dict[str, t.Any]:
    from ansible_collections.erlang.otp.plugins.module_utils._package.read import read_upgrade_paths
    from ansible_collections.erlang.otp.plugins.module_utils._package.thin_base import read_base

    base = read_base(package)
    release, upgrade_from = read_upgrade_paths(package)
    return {
        "name": release.name,
        "version": release.version,
        "erts_version": release.erts_version,
        "applications": {item.name: item.version for item in release.applications},
        "upgrade_from": upgrade_from,
        "base": base and base._asdict(),
    }
