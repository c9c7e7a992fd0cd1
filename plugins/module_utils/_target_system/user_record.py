# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which users and groups this collection has created on a host, and for which systems: what is not recorded here is never removed.

A file of root beside the accounts, because what the service user can write proves nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.files import flush_directory, make_parents, read_file, write_file
from ansible_collections.erlang.otp.plugins.module_utils._core.reading import from_json

PLACE = "/etc/erlang.otp/users"


class UserRecord(t.NamedTuple):
    """made: of "user" and "group"; systems: the home directory of each root directory that uses the user."""

    made: tuple[str, ...] = ()
    systems: t.Mapping[str, str] = {}


def path_of(user: str) -> str:
    return f"{PLACE}/{user}.json"


def read_user_record(user: str) -> UserRecord:
    """The record of the user, empty if there is none. Raises OSError; ValueError if it is damaged."""
    content = read_file(path_of(user))
    return UserRecord(**from_json(content)) if content else UserRecord()


def write_user_record(user: str, record: UserRecord) -> None:
    """Write the record, or remove that of a user of no system. To be called as root, with the lock of the accounts."""
    path = path_of(user)
    if record.systems:
        make_parents(path)
        write_file(path, json.dumps(record._asdict(), sort_keys=True).encode() + b"\n")
        return
    with contextlib.suppress(OSError):
        os.unlink(path)
        flush_directory(PLACE)
        os.removedirs(PLACE)


def add_to_user_record(user: str, root: str, home: str, made: str = "") -> None:
    """Record that the system uses the user, and that the user or the group has been made for it."""
    before = read_user_record(user)
    write_user_record(user, UserRecord(tuple(sorted({*before.made, made} - {""})), {**before.systems, root: home}))
