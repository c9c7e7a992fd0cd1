# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A package that hosts fetch from a mirror, and that must be signed: the controller fetches package and signature once in a run, and verifies them.

The hosts get the digest of what was verified. A mirror that has something else for them is refused there.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import io
import json
import os
import shutil
import typing as t
import urllib.error

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._package.download import URL_OPTIONS, download, shown
from ansible_collections.erlang.otp.plugins.module_utils._package.limits import MAX_SIZE
from ansible_collections.erlang.otp.plugins.plugin_utils._package.signature import SUFFIX, Policy, Verified, verify

# A signature has some hundred bytes.
LARGEST_SIGNATURE = 64 << 10


def verify_url(url: str, policy: Policy, options: t.Mapping[str, t.Any] | None, directory: str) -> Verified:
    """Who has signed the package of the URL. options: as of URL_OPTIONS; directory: that of the run. Raises OtpError and OSError."""
    found = _fetched(url, json.dumps(dict(options or {}), default=str, sort_keys=True), directory)
    if isinstance(found, OtpError):
        raise found
    return verify(found, policy, shown=shown(url))


@functools.lru_cache
def _fetched(url: str, options: str, directory: str) -> str | OtpError:
    """The path of the copy, which has its signature beside it; or why there is none, so that a server that fails is not asked for each host."""
    valid = ArgumentSpecValidator(URL_OPTIONS).validate(json.loads(options))
    path = os.path.join(directory, f"erlang.otp-{hashlib.sha256(url.encode()).hexdigest()}.tar.gz")
    try:
        if valid.error_messages:
            raise OtpError(f"otp_package_url_options (option url_options): {'; '.join(valid.error_messages)}.")
        with open(f"{path}.lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not os.path.exists(path):
                _fetch_signature(url, valid.validated_parameters, path)
                # Last, as its name says that both are there.
                _save(download(url, None, max_size=MAX_SIZE, options=valid.validated_parameters), path)
    except OtpError as error:
        return error
    return path


def _fetch_signature(url: str, options: dict[str, t.Any], path: str) -> None:
    """Without one, verify() says so."""
    place, mark, query = url.partition("?")
    try:
        _save(download(place + SUFFIX + mark + query, None, max_size=LARGEST_SIGNATURE, options=options), path + SUFFIX)
    except OtpError as error:
        if not isinstance(error.__cause__, urllib.error.HTTPError) or error.__cause__.code not in (404, 410):
            raise


def _save(file: io.BufferedRandom, path: str) -> None:
    with file, open(f"{path}.new", "wb") as new:
        shutil.copyfileobj(file, new, 1 << 20)
    os.replace(f"{path}.new", path)
