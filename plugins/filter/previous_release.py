# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter previous_release."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: previous_release
short_description: The release that a system would be rolled back to
version_added: 0.1.0
author:
  - The erlang.otp authors
description:
  - Tells from the history of a system which release it came from to the one that is permanent now.
  - Ways back do not count. After an upgrade from FIRST to SECOND to THIRD and back to SECOND that is FIRST, not THIRD.
options:
  _input:
    description: What M(erlang.otp.otp_release_info) has returned, with the whole history.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Ask for the releases and what happened to them
  erlang.otp.otp_release_info:
    root: /srv/exchange
    history: 10000
  register: installed

- name: Roll back to the release before
  erlang.otp.otp_release_handler:
    root: /srv/exchange
    node: exchange@north
    release: "{{ installed | erlang.otp.previous_release }}"
"""

RETURN = r"""
_value:
  description: The version of the release. Without a history, the only old release. Empty if there is no such release, or more than one.
  type: str
"""

COMMITS = ("commit", "offline", "reboot")


def previous_release(info: t.Any) -> str:
    """The version of the old release below the permanent one, or an empty string."""
    if not isinstance(info, dict) or "releases" not in info:
        raise AnsibleFilterError("previous_release needs what otp_release_info has returned")
    statuses = {release["version"]: release["status"] for release in info["releases"]}
    old = [version for version, status in statuses.items() if status == "old"]
    path = path_of(info.get("history") or [])
    permanent = next((version for version, status in statuses.items() if status == "permanent"), None)
    if permanent not in path:
        return old[0] if len(old) == 1 else ""
    below = path[: path.index(permanent)]
    return next((version for version in reversed(below) if version in old), "")


def path_of(history: t.Iterable[dict[str, t.Any]]) -> list[str]:
    """The releases from the first one to that which was committed last, each reached from the one before it."""
    path: list[str] = []
    for entry in history:
        if entry["action"] not in COMMITS or entry["outcome"] != "ok":
            continue
        for version in (entry["from"], entry["release"]):
            if version in path:
                del path[path.index(version) + 1 :]
            elif version:
                path.append(version)
    return path


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Callable]:
        return {"previous_release": previous_release}
