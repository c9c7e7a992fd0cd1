# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading what others may have written: files, JSON texts, names of directories. It is bounded, and nothing is waited for.

The second run on a host, the most frequent one, imports this file: it needs nothing that is slow to start with.
"""

from __future__ import annotations

import errno
import io
import os
import stat

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError

# More than any file that is read as a whole has, and less than the memory of a host.
MAX_FILE = 64 << 20
NOT_A_FILE = "{} is not a regular file. Find out who has put it there, and remove it."


def open_file(path: str, *, buffering: int = -1, dir_fd: int | None = None, follow: bool = True) -> io.BufferedReader:
    """The regular file, open for reading. Raises OSError, and OtpError for anything else in its place: reading a pipe or a device may never end.

    dir_fd: the open directory that the path is in. follow: whether its last name may be a link.
    """
    try:
        # Neither a pipe without a writer nor a lease on the file is waited for.
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
        descriptor = os.open(path, flags, dir_fd=dir_fd)
    except OSError as error:
        if error.errno not in (errno.ENXIO, errno.ENODEV, errno.ELOOP):  # a socket, a device without a driver, a link
            raise
        raise OtpError(NOT_A_FILE.format(path)) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OtpError(NOT_A_FILE.format(path))
    return open(descriptor, "rb", buffering=buffering)  # type: ignore[return-value]


def read_file(path: str, *, limit: int = MAX_FILE, dir_fd: int | None = None, follow: bool = True) -> bytes | None:
    """The content of the file; None if it does not exist. Raises OSError, and OtpError for what is not a regular file, or larger than limit bytes."""
    try:
        with open_file(path, dir_fd=dir_fd, follow=follow) as file:
            size = os.fstat(file.fileno()).st_size
            content = file.read(size + 1) if size <= limit else b""
            if len(content) > size:
                # It grows, or is one of /proc, which have no size.
                content += file.read(limit - size)
    except FileNotFoundError:
        return None
    if max(size, len(content)) > limit:
        raise OtpError(f"{path} has more than {limit} bytes, the limit for such a file. Look at what is in it, and replace it.")
    return content


def read_end(path: str, size: int) -> bytes | None:
    """The last bytes of the file, so many at most; None if it does not exist. Raises as read_file()."""
    try:
        with open_file(path) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - size))
            return file.read(size)
    except FileNotFoundError:
        return None


def from_json(content):
    """The data in a JSON text that anybody may have written. Raises ValueError for no JSON, for what is nested too deeply, and for huge numbers."""
    import json  # not needed where no record is read

    try:
        return json.loads(content, parse_int=_integer)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _integer(digits: str) -> int:
    if len(digits) > 20:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def is_directory_name(text: str) -> bool:
    """Whether the text, as a part of a path, names a file or directory there and leads nowhere else."""
    return text not in ("", ".", "..") and "/" not in text and text.isprintable()
