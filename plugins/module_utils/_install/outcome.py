# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The result of an installation: the release in the tree, or that the package is needed."""

from __future__ import annotations

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError


class PackageNeeded(OtpError):
    """The host lacks the package: call again with it. Nothing has been changed. known: the sha256 of those that it has."""

    def __init__(self, message: str, known: list[str] | None = None) -> None:
        super().__init__(message)
        self.known = known or []


class OtherContent(OtpError):
    """The tree has other content of the same name than the package. release: that of the package, as install_release() takes it; parts: which directories."""

    def __init__(self, message: str, release: dict, parts: list[str]) -> None:
        super().__init__(message)
        self.release = release
        self.parts = parts


def result_of(record: dict, root: str, status: str, *, kept=(), before: str = "", after: str = "") -> dict:
    """The result about the release; before and after are the texts of a diff."""
    return {
        "name": record["name"],
        "release": record["version"],
        "erts_version": record["erts_version"],
        "status": status,
        "applications": record["applications"],
        "sha256": record["sha256"],
        "directory": f"{root}/releases/{record['version']}",
        "kept": sorted(kept),
        "diff": {"before": before, "after": after},
    }
