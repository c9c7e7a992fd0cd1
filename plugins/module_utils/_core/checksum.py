# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sha256 of a package, by which a package is known."""

from __future__ import annotations

import os

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.reading import open_file

_READ = 1 << 18


def sha256(path: str) -> str:
    """The digest of the file as 64 hexadecimal digits."""
    with open_file(path, buffering=0) as file:
        return sha256_of(file.fileno())


def sha256_of(descriptor: int) -> str:
    """The digest of the whole open file, wherever it is being read."""
    import hashlib

    digest = hashlib.sha256()
    position = 0
    block = os.pread(descriptor, _READ, position)
    while block:
        digest.update(block)
        position += len(block)
        block = os.pread(descriptor, _READ, position)
    return digest.hexdigest()


def digest_of(checksum: str) -> str:
    """The digits of a checksum "sha256:..."; raises OtpError for any other."""
    algorithm, dummy, digest = checksum.strip().partition(":")
    if algorithm != "sha256" or len(digest) != 64 or set(digest.lower()) - set("0123456789abcdef"):
        raise OtpError(f"checksum {checksum!r} is not sha256: and 64 hexadecimal digits")
    return digest.lower()
