# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A package on this host, opened once: whatever its path leads to later, checksum and content are read from this one file.

Another user may still write to the file. So what ``read()`` returns is summed up, and ``verify_read()`` compares that before anything is published.
"""

from __future__ import annotations

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
        """descriptor: of the file, if ``package`` is only a name for errors. Raises OSError, and OtpError for a path that is not a file."""
        # A named pipe must not block the opening.
        opened = os.open(package, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK) if descriptor is None else descriptor
        super().__init__(opened, "rb")
        self.package = package
        self._read = hashlib.sha256()
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            self.close()
            raise OtpError(f"package {package}: it is not a file")

    def read(self, size: int | None = -1) -> t.Any:
        """The next bytes of the content."""
        found = super().read(size)
        self._read.update(found)
        return found

    def sha256(self) -> str:
        """The digest of the whole file, as it is now; ``read()`` goes on where it was."""
        return sha256_of(self.fileno())

    def verify(self, digest: str) -> None:
        """Raise OtpError unless the file has this digest."""
        found = self.sha256()
        if found != digest:
            raise OtpError(f"package {self.package}: its sha256 is {found}, and {digest} was expected: it is damaged, or another package")

    def verify_read(self, digest: str) -> None:
        """Raise OtpError unless what was read, to the end, has this digest."""
        found = self._read.hexdigest()
        if found != digest:
            raise OtpError(
                f"package {self.package}: it changed while it was read: its sha256 was {digest}, and that of what was read is {found}."
                " Nothing has been installed. Let no other user write to the file, and run again."
            )
