# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a package store is for: packages are put there when they are built, and taken from there, with what goes along with them, where they are missing.

The directory on the controller is what the tasks work with; the store is what stays when the controller is gone. A package of a version is made once
(_build/once): other content is refused, by name. The same content with another relup takes the place of what is there, as on the controller.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._build.once import refuse_other_content
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import write_file
from ansible_collections.erlang.otp.plugins.module_utils._package.contents import read_digests
from ansible_collections.erlang.otp.plugins.plugin_utils._package.facts import checksum_of, release_of
from ansible_collections.erlang.otp.plugins.plugin_utils._store.layout import (
    RECORD,
    File,
    Record,
    key_of,
    names_along,
    place_of,
    read_record,
    write_record,
)

# Another one puts the same package at the same time.
TRIES = 5


class Store(t.Protocol):
    """What a kind of store does, with paths as of layout. See directory.py."""

    def shown(self, path: str) -> str: ...

    def read(self, path: str) -> bytes | None: ...

    def fetch(self, path: str) -> t.Iterator[bytes]: ...

    def send(self, source: str, path: str) -> None: ...

    def create(self, path: str, content: bytes) -> bool: ...

    def replace(self, path: str, content: bytes) -> bool: ...

    def listed(self) -> dict[str, t.Any]: ...

    def note(self, key: str, data: t.Any) -> bool: ...


def record_of(store: Store, key: str) -> Record | None:
    """The record of the package in the store; None if it has none. Raises OtpError and OSError."""
    path = f"{key}/{RECORD}"
    content = store.read(path)
    return None if content is None else read_record(content, key, store.shown(path))


def take(store: Store, directory: str, package: str) -> bool | None:
    """Have the package in the directory as it is in the store, with what goes along. Whether it had to be brought; None if the store does not have it.

    Raises OtpError, also where the directory has other content under this name, and OSError.
    """
    key = key_of(package)
    record = record_of(store, key)
    if record is None:
        return None
    local = os.path.join(directory, package)
    is_same = os.path.isfile(local) and checksum_of(local) == record.sha256
    if os.path.isfile(local) and not is_same:
        with _brought(store, record) as brought:
            refuse_other_content(
                *(record.name, record.version, read_digests(brought), local),
                way_out=f"The other one is in the package store ({store.shown(key)}). If no host has the one on the controller, remove {local}.",
            )
    os.makedirs(directory, exist_ok=True)
    # The package last: where it is, the rest is.
    missing = [name for name in reversed(names_along(key)) if name in record.files and not _is_there(os.path.join(directory, name), record.files[name])]
    for name in names_along(key) if not is_same else ():
        if name not in record.files:
            # A signature of another package.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(directory, name))
    for name in missing:
        write_file(os.path.join(directory, name), _checked(store, record, name), mode=0o644)
    return bool(missing)


def put(store: Store, directory: str, package: str, *, check_mode: bool = False) -> bool:
    """Have the package of the directory in the store, with what goes along; whether that changes the store.

    Raises OtpError, also where the store has other content under this name, and OSError.
    """
    key, local = key_of(package), os.path.join(directory, package)
    release = release_of(local)
    if f"{release['name']}-{release['version']}" != key or release["base"]:
        raise OtpError(f"{local} is {'a thin' if release['base'] else 'the'} package of {release['name']} {release['version']}: put the full one, by its name.")
    paths = {name: os.path.join(directory, name) for name in names_along(key) if os.path.isfile(os.path.join(directory, name))}
    files = {name: File(checksum_of(path), os.path.getsize(path)) for name, path in paths.items()}
    for dummy in range(TRIES):
        found = record_of(store, key)
        if found and found.sha256 != files[package].sha256:
            with _brought(store, found) as brought:
                refuse_other_content(
                    *(found.name, found.version, read_digests(local), brought),
                    way_out=f"If no host has the earlier one, remove {store.shown(key)}.",
                    shown=store.shown(place_of(key, package, found.files[package])),
                )
        along = found.files if found and found.sha256 == files[package].sha256 else {}
        record = Record(release["name"], release["version"], {**along, **files}, release["upgrade_from"], sorted(release["made_from"]))
        if check_mode:
            return record != found
        if record == found:
            return store.note(key, record.as_data())
        for name in files:
            if along.get(name) != files[name]:
                store.send(paths[name], place_of(key, name, files[name]))
        if (store.replace if found else store.create)(f"{key}/{RECORD}", write_record(record)):
            store.note(key, record.as_data())
            return True
    raise OtpError(f"{store.shown(key)} is written by others all the time. See which jobs build {package}, and let one of them do it.")


def _is_there(path: str, file: File) -> bool:
    return os.path.isfile(path) and checksum_of(path) == file.sha256


def _checked(store: Store, record: Record, name: str) -> t.Iterator[bytes]:
    """The file of the store, in pieces. Raises OtpError at the end of one that is not what was put there."""
    file = record.files[name]
    path = place_of(record.key, name, file)
    digest = hashlib.sha256()
    try:
        for piece in store.fetch(path):
            digest.update(piece)
            yield piece
    except FileNotFoundError:
        raise OtpError(f"the package store lacks {store.shown(path)}, {_way_out(store, record)}") from None
    if digest.hexdigest() != file.sha256:
        raise OtpError(
            f"{store.shown(path)} is not what was put there: its sha256 is {digest.hexdigest()}, and that of {name} was {file.sha256}. It is damaged, or"
            f" was exchanged: find out by whom. It is not taken, {_way_out(store, record)}"
        )


def _way_out(store: Store, record: Record) -> str:
    return (
        f"although its record has it. Remove {store.shown(f'{record.key}/{RECORD}')}, and put the package there again from a controller that has it,"
        " or build it again."
    )


@contextlib.contextmanager
def _brought(store: Store, record: Record) -> t.Iterator[str]:
    """A copy of the package, to be compared."""
    with tempfile.TemporaryDirectory(prefix="erlang.otp-") as place:
        path = os.path.join(place, record.package)
        with open(path, "wb") as file:
            file.writelines(_checked(store, record, record.package))
        yield path
