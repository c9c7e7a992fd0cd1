# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the controller knows of a release package, for the module that is asked before the package is sent."""

from __future__ import annotations

import functools
import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.checksum import sha256


def release_of(package: str) -> dict[str, t.Any]:
    """The release that it has, as the option _package_release takes it; read once in a process. Raises OtpError and OSError."""
    return {**_read_release(*_version_of(package))}


@functools.lru_cache
def _read_release(package: str, *dummy_version: int) -> dict[str, t.Any]:
    # Lazy, for start-up time: each process of Ansible imports the filters that import this file.
    from ansible_collections.erlang.otp.plugins.module_utils._package.read import read_upgrade_paths
    from ansible_collections.erlang.otp.plugins.module_utils._package.thin_base import read_base

    base = read_base(package)
    release, upgrade_from, made_from = read_upgrade_paths(package)
    return {
        "name": release.name,
        "version": release.version,
        "erts_version": release.erts_version,
        "applications": {item.name: item.version for item in release.applications},
        "upgrade_from": upgrade_from,
        "made_from": made_from,
        "base": base and base._asdict(),
    }


def checksum_of(package: str) -> str:
    """Its sha256 as 64 hexadecimal digits, read once in a process. Raises OtpError and OSError."""
    return _read_checksum(*_version_of(package))


@functools.lru_cache
def _read_checksum(package: str, *dummy_version: int) -> str:
    return sha256(package)


def _version_of(package: str) -> tuple[str, int, int, int]:
    status = os.stat(package)
    return os.path.realpath(package), status.st_ino, status.st_mtime_ns, status.st_size


def digests_of(package: str) -> dict[str, str]:
    """What is in the package, as of read_digests(). Raises OtpError and OSError."""
    from ansible_collections.erlang.otp.plugins.module_utils._package.contents import read_digests

    return read_digests(package)
