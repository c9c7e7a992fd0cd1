# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A package store on a web server that takes PUT and GET, with Ansible's own library and the options of ansible.builtin.get_url.

A server need not say what it has, so an index is kept there. It is a copy: a package counts when its own record is there, which is written after its files.
"""

from __future__ import annotations

import http.client
import os
import typing as t
import urllib.error
import urllib.parse

from ansible.module_utils.urls import ConnectionError as AnsibleError
from ansible.module_utils.urls import open_url

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._package.download import download
from ansible_collections.erlang.otp.plugins.module_utils._package.limits import MAX_SIZE
from ansible_collections.erlang.otp.plugins.plugin_utils._store.layout import INDEX, LARGEST_INDEX, LARGEST_RECORD, read_index, write_index

BLOCK = 1 << 20
NONE = (404, 410)
OF_A_REQUEST = ("url_username", "url_password", "client_cert", "client_key", "ca_path", "validate_certs", "use_proxy", "timeout")
# Others write the index meanwhile.
TRIES = 5


class Server:
    """The store below a URL. Paths are relative to it. Every method may raise OtpError. options: as of URL_OPTIONS; they are in no message."""

    def __init__(self, url: str, options: t.Mapping[str, t.Any]) -> None:
        self.url = url.rstrip("/")
        # A file is sent once, so that no server has to ask for the credentials after it.
        self.options = {**options, "force_basic_auth": bool(options["url_username"])}

    def shown(self, path: str) -> str:
        """The URL for a message, and for the request."""
        return f"{self.url}/{urllib.parse.quote(path)}"

    def read(self, path: str) -> bytes | None:
        """The content of a record; None if there is none."""
        try:
            with download(self.shown(path), None, max_size=LARGEST_INDEX if path == INDEX else LARGEST_RECORD, options=self.options) as file:
                return file.read()
        except OtpError as error:
            if _code(error.__cause__) in NONE:
                return None
            raise self._failure(error) from error

    def fetch(self, path: str) -> t.Iterator[bytes]:
        """The content of a file, in pieces."""
        try:
            file = download(self.shown(path), None, max_size=MAX_SIZE, options=self.options)
        except OtpError as error:
            raise self._failure(error) from error
        with file:
            while block := file.read(BLOCK):
                yield block

    def send(self, source: str, path: str) -> None:
        """Put a file there. What came of one that was interrupted is in no record, and is written again."""
        with open(source, "rb") as file:
            self._put(path, file, os.fstat(file.fileno()).st_size, {})

    def create(self, path: str, content: bytes) -> bool:
        """Write a record if there is none; else False. A server may not know the condition, so what is there afterwards is compared."""
        return self._put(path, content, len(content), {"If-None-Match": "*"}) and self.read(path) == content

    def replace(self, path: str, content: bytes) -> bool:
        """Write a record in the place of the one that is there. False if another one was written at the same time."""
        return self._put(path, content, len(content), {}) and self.read(path) == content

    def listed(self) -> dict[str, t.Any]:
        """The records of the index as data, by key."""
        return read_index(self.read(INDEX))

    def note(self, key: str, data: t.Any) -> bool:
        """Write the record into the index as well; whether it was missing. Another one who writes the index may take it out again, so it is looked for."""
        for attempt in range(TRIES):
            found = self.listed()
            if found.get(key) == data:
                return attempt > 0
            content = write_index({**found, key: data})
            self._put(INDEX, content, len(content), {})
        raise OtpError(f"{self.shown(INDEX)} is written by others all the time, or the server does not keep it: it lacks {key}, which is there. Run again.")

    def _put(self, path: str, data: t.Any, size: int, headers: dict[str, str]) -> bool:
        """Whether the server has taken it; False if its condition is not met. Raises OtpError."""
        headers = {**self.options["headers"], "Content-Length": str(size), "Content-Type": "application/octet-stream", **headers}
        options = {name: self.options[name] for name in OF_A_REQUEST}
        try:
            open_url(self.shown(path), data=data, headers=headers, method="PUT", follow_redirects="none", force_basic_auth=True, **options).close()
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 412:
                return False
            raise OtpError(
                f"the package store {self.url} does not take {self.shown(path)}: {error}. It must take PUT, make directories for it, and accept what"
                " otp_package_store_options (option url_options) has for it."
            ) from error
        except (OSError, ValueError, http.client.HTTPException, AnsibleError) as error:
            raise self._failure(getattr(error, "reason", error)) from error
        return True

    def _failure(self, reason: object) -> OtpError:
        found = str(reason).replace(" Nothing has been installed.", "")
        return OtpError(
            f"the package store {self.url}: {found or type(reason).__name__}. See that the server runs, and that otp_package_store and"
            " otp_package_store_options (options store and url_options) have its URL and what it asks for."
        )


def _code(error: BaseException | None) -> int:
    return error.code if isinstance(error, urllib.error.HTTPError) else 0
