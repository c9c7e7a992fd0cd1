# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sha256 of a package, by which a package is known."""

from __future__ import annotations

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError

_READ = 1 << 18


def sha256(path: str) -> str:
    """The digest of the file as 64 hexadecimal digits."""
    import hashlib

    digest = hashlib.sha256()
    buffer = memoryview(bytearray(_READ))
    with open(path, "rb", buffering=0) as file:
        size = file.readinto(buffer)
        while size:
            digest.update(buffer[:size])
            size = file.readinto(buffer)
    return digest.hexdigest()


def digest_of(checksum: str) -> str:
    """The digits of a checksum "sha256:..."; raises OtpError for any other."""
    algorithm, dummy, digest = checksum.strip().partition(":")
    if algorithm != "sha256" or len(digest) != 64 or set(digest.lower()) - set("0123456789abcdef"):
        raise OtpError(f"checksum {checksum!r} is not sha256: and 64 hexadecimal digits")
    return digest.lower()


def verify(package: str, digest: str) -> None:
    """Raise OtpError unless the file has this digest."""
    found = sha256(package)
    if found != digest:
        raise OtpError(f"package {package}: its sha256 is {found}, and {digest} was expected: it is damaged, or another package")
