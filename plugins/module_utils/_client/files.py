# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of a client node beside its releases: scripts, environment and cookie, and the emulator of a client without a disk.

OTP system documentation, "Releases", Disk-Less and/or Read-Only Clients. They are on the master or on the client's host. Root writes and reads
each with the rights of who owns the directory that it is in (``_core/identity``).
"""

from __future__ import annotations

import base64
import os
import typing as t
import zlib

from ansible_collections.erlang.otp.plugins.module_utils._client.kept import KeptOfClient, settle
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import flush_directory, read_file
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import as_owner
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import Owner, check_owner, ensure_directory, ensure_file
from ansible_collections.erlang.otp.plugins.module_utils._core.reading import MAX_FILE
from ansible_collections.erlang.otp.plugins.module_utils._tree.publish import remove_tree


class Directory(t.NamedTuple):
    """A directory; a new one gets the mode. uid: -1 for any owner."""

    path: str
    mode: int
    uid: int


class File(t.NamedTuple):
    """A file. uid: -1 for any owner."""

    path: str
    content: bytes
    mode: int
    uid: int


def ensure_files(
    *, absent: t.Sequence[str], directories: t.Sequence[Directory], files: t.Sequence[File], changes: Changes, kept: KeptOfClient | None = None
) -> None:
    """Remove what is absent, make the directories, write the files, in this order. kept: what keeps the files that are replaced. Raises OtpError."""
    for path in (*absent, *(item.path for item in directories), *(item.path for item in files)):
        if not path.startswith("/") or os.path.normpath(path) != path or path == "/":
            raise OtpError(f"{path!r} is not an absolute path in its plain form, other than '/'.")
    for path in absent:
        with as_owner(os.path.dirname(path)):
            if os.path.lexists(path):
                changes.do(f"remove {path}", _remove, path)
    for directory in directories:
        _check(directory)
        ensure_directory(directory.path, mode=directory.mode, owner=Owner(directory.uid, -1), changes=changes)
    for file in files:
        _check(file)
        if kept is None:
            ensure_file(file.path, file.content, mode=file.mode, owner=Owner(file.uid, -1), sentence=f"write {file.path}", changes=changes)
        else:
            kept.ensure(file.path, file.content, mode=file.mode, owner=Owner(file.uid, -1), changes=changes)


def settle_kept(kept: KeptOfClient, state: str, restart_on_change: bool, changes: Changes) -> dict[str, t.Any]:
    """What is kept: put back or forgotten (state), or as it is. Returns outdated and is_newer, of KeptOfClient."""
    with as_owner(kept.directory):
        found = {"outdated": kept.outdated() if state else settle(kept, restart_on_change, changes), "is_newer": kept.is_newer()}
        if kept.exists() and state == "put_back":
            changes.do(f"put back {', '.join(kept.kept())}", kept.put_back)
        elif kept.exists() and state == "forgotten":
            changes.do("forget the files that the client was started with before", kept.forget)
        return found


def _check(item: Directory | File) -> None:
    """Raise OtpError if what is there cannot belong to the given user."""
    above = os.path.dirname(item.path)
    with as_owner(above):
        check_owner(item.uid, above)


def _remove(path: str) -> None:
    if os.path.islink(path) or not os.path.isdir(path):
        os.unlink(path)
    else:
        remove_tree(path)
    flush_directory(os.path.dirname(path))


def read_programs(paths: t.Sequence[str]) -> list[dict[str, str]]:
    """The files as options of otp_client_files, to be the same on another host. Raises OtpError for what is missing, or no regular file."""
    found = []
    for path in paths:
        with as_owner(os.path.dirname(path)):
            content = read_file(path)
        if content is None:
            raise OtpError(f"{path} does not exist. Install a release with its emulator there first.")
        # Never the mode that is there: it may have set-uid.
        found.append({"path": path, "compressed": compressed(content), "mode": "0755"})
    return found


def compressed(content: bytes) -> str:
    """The content in the form of the option compressed."""
    return base64.b64encode(zlib.compress(content)).decode("ascii")


def decompressed(text: str, *, name: str) -> bytes:
    """The content of the option compressed, of a file that errors name. Raises OtpError, also for what is larger than any file of a system."""
    try:
        stream = zlib.decompressobj()
        content = stream.decompress(base64.b64decode(text, validate=True), MAX_FILE)
    except (ValueError, zlib.error) as error:
        raise OtpError(f"files: compressed of {name} is damaged: {error}.") from None
    if not stream.eof:
        raise OtpError(f"files: compressed of {name} is not whole, or larger than {MAX_FILE} bytes.")
    return content
