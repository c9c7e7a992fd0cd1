# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that survive a power cut: written beside, flushed, renamed; and a lock on a directory."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import os
import re
import time
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.reading import NOT_A_FILE, open_file, read_end, read_file

# Those of reading are for everything that works on files.
__all__ = [
    "NOT_A_FILE",
    "flush_directory",
    "inherited_owner",
    "lock",
    "open_file",
    "read_end",
    "read_file",
    "remove_left_over",
    "unnamed_file",
    "write_file",
]

# The directory for large temporary files; not every /tmp is on a disk.
LARGE = "/var/tmp"


def make_parents(path: str) -> None:
    """Make the directories above the path that are missing, for every user to pass through, whatever the umask."""
    umask = os.umask(0o022)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    finally:
        os.umask(umask)


def inherited_owner(directory: str) -> tuple[int, int]:
    """User and group number for a new file in the directory: those of the directory if root writes, else -1, -1, the process's own."""
    if os.geteuid() != 0:
        return -1, -1
    found = os.stat(directory or ".")
    return found.st_uid, found.st_gid


def write_file(
    path: str, content: bytes | t.Iterator[bytes], *, mode: int = 0o644, uid: int = -1, gid: int = -1, flush: bool = True, beside: str | None = None
) -> None:
    """Replace the file, so that at any moment a reader, or a boot after a power cut (only with flush), sees the whole old or the whole new file.

    The file has its mode and owner (numeric; -1: unchanged) before it has any content or its name. beside: another directory of the same
    file system for the temporary file; what killed processes left there is removed. content: in pieces, if it is large.
    """
    directory, name = os.path.split(path)
    new = os.path.join(beside or directory, f".{name}.{os.getpid()}.new")
    remove_left_over(beside or directory, name)
    try:
        # A user who may not read the finished file must not read it in between.
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            if (uid, gid) != (-1, -1):
                os.fchown(descriptor, uid, gid)
            os.fchmod(descriptor, mode)
            with open(descriptor, "wb", closefd=False) as file:
                for piece in content if isinstance(content, t.Iterator) else (content,):
                    file.write(piece)
            if flush:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(new, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(new)
        raise
    if flush:
        flush_directory(directory)


def remove_left_over(directory: str, name: str = "") -> None:
    """Remove the temporary files of processes that ended while they wrote the file, or any file. After a boot, process numbers are used again."""
    pattern = re.compile(r"[.]%s[.](\d+)[.]new" % (re.escape(name) or ".+"))
    for found in filter(None, map(pattern.fullmatch, os.listdir(directory or "."))):
        if int(found[1]) == os.getpid() or not os.path.exists(f"/proc/{found[1]}"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(directory, found[0]))


def flush_directory(path: str) -> None:
    """Flush the names in the directory to the disk: a rename alone does not."""
    descriptor = os.open(path or ".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot flush a directory.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def lock(path: str, *, timeout: float = 60.0):
    """Hold the lock file at path; if another process holds it, wait for at most timeout seconds.

    The kernel frees the lock when its holder ends. A lock file that root makes belongs to the directory's owner, who may run this the next
    time. Raises OtpError, which names the file and the holder's process, also if the holder has removed the file.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.fchown(descriptor, *inherited_owner(os.path.dirname(path)))
        deadline = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
                    raise OtpError(
                        f"{path} is locked by process {holder}: another run works on this system; waited {timeout:g} s. Try again after it has ended."
                    ) from None
                time.sleep(0.1)
        if not os.fstat(descriptor).st_nlink:
            raise OtpError(f"{path} is gone: the run that held it has failed, and has removed the new directory again. Run again.")
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        yield
    finally:
        os.close(descriptor)


def unnamed_file() -> io.BufferedRandom:
    """A new file without a name: it disappears with the process. Raises OSError."""
    import tempfile

    return tempfile.TemporaryFile(dir=large_directory())  # type: ignore[return-value]


def large_directory() -> str | None:
    """Where large temporary files go; None for the directory of all of them."""
    return LARGE if os.access(LARGE, os.W_OK) else None
