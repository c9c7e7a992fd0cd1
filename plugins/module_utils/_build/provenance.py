# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What only the build host knows of a build that is done: when, with which Erlang/OTP, and from which revisions and packages of Hex its code is."""

from __future__ import annotations

import os
import platform
import time
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._build.checkouts import read_checkout, top_of
from ansible_collections.erlang.otp.plugins.module_utils._build.hex_package import read_hex_package
from ansible_collections.erlang.otp.plugins.module_utils._build.otp import read_otp
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError


def provenance_of(build: dict[str, t.Any]) -> dict[str, t.Any]:
    """Plain data about the build of which this is the result. Raises OtpError if its package is no longer there."""
    directories = {str(item["name"]): str(item["directory"]) for item in build["applications"]}
    checkouts, warnings = _checkouts_of(directories)
    packages = {name: read_hex_package(directory, name) for name, directory in directories.items()}
    return {
        "time": _time_of(str(build["package"])),
        "machine": platform.machine(),
        "system": platform.platform(),
        "otp_version": _otp_version(directories.get("kernel", "")),
        "checkouts": checkouts,
        "hex": {name: package._asdict() for name, package in packages.items() if package},
        "warnings": warnings,
    }


def _time_of(package: str) -> str:
    """When it was built: a build that changes nothing leaves it as it is."""
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(os.stat(package).st_mtime))
    except OSError as error:
        raise OtpError(f"package {package} of the build: {error.strerror}. Build it again.") from error


def _otp_version(kernel: str) -> str:
    try:
        return read_otp(os.path.dirname(os.path.dirname(kernel))).otp_version
    except OtpError:
        # A kernel that was copied elsewhere.
        return ""


def _checkouts_of(directories: dict[str, str]) -> tuple[dict[str, t.Any], list[str]]:
    """By application, and what git could not say. Each checkout is asked once."""
    tops = {name: top_of(directory) for name, directory in directories.items()}
    found: dict[str, t.Any] = {}
    warnings: list[str] = []
    for top in sorted(set(filter(None, tops.values()))):
        try:
            found[top] = read_checkout(top)._asdict()
        except OtpError as error:
            warnings.append(str(error))
    return {name: found[top] for name, top in tops.items() if top in found}, warnings
