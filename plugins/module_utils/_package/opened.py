# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A package on this host, opened once: whatever its path leads to later, checksum and content are read from this one file.

Another user may still write to the file. Unless that cannot be, what ``read()`` returns is summed up, and ``verify_read()`` compares that before anything
is published.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import stat
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.checksum import sha256_of
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError


class OpenPackage(io.FileIO):
    """The open file of a package, to be read once from its beginning."""

    def __init__(self, package: str, descriptor: int | None = None) -> None:
        """descriptor: of a file of this process alone, for which ``package`` is only a name. Raises OSError, and OtpError for a path that is not a file."""
        # A named pipe must not block the opening.
        opened = os.open(package, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK) if descriptor is None else descriptor
        super().__init__(opened, "rb")
        self.package = package
        status = os.fstat(opened)
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise OtpError(f"package {package}: it is not a file")
        # What comes through standard input is in a file of this process, too.
        is_ours = descriptor is not None or package.startswith(f"/proc/{os.getpid()}/fd/") or _is_ours(opened, status)
        self._read = None if is_ours else hashlib.sha256()

    def read(self, size: int | None = -1) -> t.Any:
        """The next bytes of the content."""
        found = super().read(size)
        if self._read is not None:
            self._read.update(found)
        return found

    def again(self) -> OpenPackage:
        """The same file, to be read once more from its beginning, when this one is not read any more."""
        other = OpenPackage(self.package, os.dup(self.fileno()))
        other._read = None if self._read is None else hashlib.sha256()
        return other

    def sha256(self) -> str:
        """The digest of the whole file, as it is now; ``read()`` goes on where it was."""
        return sha256_of(self.fileno())

    def verify(self, digest: str) -> None:
        """Raise OtpError unless the file has this digest."""
        found = self.sha256()
        if found != digest:
            raise OtpError(f"package {self.package}: its sha256 is {found}, and {digest} was expected: it is damaged, or another package")

    def verify_read(self, digest: str) -> None:
        """Raise OtpError unless what was read, to the end, has this digest, which ``verify()`` or ``sha256()`` found before."""
        found = digest if self._read is None else self._read.hexdigest()
        if found != digest:
            raise OtpError(
                f"package {self.package}: it changed while it was read: its sha256 was {digest}, and that of what was read is {found}."
                " Nothing has been installed. Let no other user write to the file, and run again."
            )


def _is_ours(descriptor: int, status: os.stat_result) -> bool:
    """Whether no other user than root can write to the file: neither by its permissions, nor because it was opened before."""
    if status.st_uid not in (0, os.geteuid()) or status.st_mode & 0o022:
        return False
    try:
        # Granted only if the file is open for writing nowhere (fcntl(2), "Leases").
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except (OSError, AttributeError):
        return False
    return True
