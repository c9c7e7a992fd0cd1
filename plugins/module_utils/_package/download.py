# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Downloads a package by http or https, on the host itself."""

from __future__ import annotations

import io

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError

# Seconds to wait for the next byte.
TIMEOUT = 30.0


def is_url(package: str | None) -> bool:
    """Whether the package is a URL."""
    return package is not None and package.startswith(("http://", "https://"))


def download(url: str, digest: str) -> io.BufferedRandom:
    """The content of the URL, whose sha256 must be digest (64 hexadecimal digits), as a file to be read from its beginning. Raises OtpError.

    Proxies are those of the environment, certificates those that the host trusts.
    """
    import hashlib
    import http.client
    import urllib.parse
    import urllib.request

    from ansible_collections.erlang.otp.plugins.module_utils._core.files import unnamed_file

    if urllib.parse.urlsplit(url).username is not None:
        raise OtpError("the URL of the package has a user name: give one without")
    found = hashlib.sha256()
    file = unnamed_file()
    try:
        with urllib.request.build_opener().open(url, timeout=TIMEOUT) as response:
            block = response.read(1 << 18)
            while block:
                found.update(block)
                file.write(block)
                block = response.read(1 << 18)
    except (OSError, ValueError, http.client.HTTPException) as error:
        file.close()
        raise OtpError(f"cannot get the package from {url}: {error}. Nothing has been installed.") from error
    if found.hexdigest() != digest:
        file.close()
        raise OtpError(f"package {url}: its sha256 is {found.hexdigest()}, and {digest} was expected: it is damaged, or another package")
    file.seek(0)
    return file
