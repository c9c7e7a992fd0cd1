# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Downloads a package by http or https, on the host itself, with the library and the options of ansible.builtin.get_url.

The server is not trusted: what it sends has a limit, a minimal rate and a deadline. A module with a URL comes to the host in Ansible's own way, which
brings that library along.
"""

from __future__ import annotations

import io

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._package.limits import MAX_SIZE

URL_OPTIONS: dict = {
    "url_username": {"type": "str"},
    "url_password": {"type": "str", "no_log": True},
    "force_basic_auth": {"type": "bool", "default": False},
    "headers": {"type": "dict", "default": {}, "no_log": True},
    "client_cert": {"type": "path"},
    "client_key": {"type": "path", "no_log": False},
    "ca_path": {"type": "path"},
    "validate_certs": {"type": "bool", "default": True},
    "use_proxy": {"type": "bool", "default": True},
    "timeout": {"type": "int", "default": 30},
    "deadline": {"type": "int", "default": 3600},
    "retries": {"type": "int", "default": 2},
}
# Bytes a second, on average over the seconds of the option timeout.
SLOWEST = 1000
REDIRECTS = 10
# Not sent to another server.
_SECRETS = ("url_username", "url_password", "headers", "client_cert", "client_key")
_OF_ANSIBLE = (*_SECRETS, "force_basic_auth", "ca_path", "validate_certs", "use_proxy", "timeout")
_TRY_AGAIN = (408, 425, 429, 500, 502, 503, 504)


class _Interrupted(OtpError):
    """A failure that another attempt may not have."""


def is_url(package: str | None) -> bool:
    """Whether the package is a URL."""
    return package is not None and package.startswith(("http://", "https://"))


def download(url: str, digest: str | None, *, max_size: int = MAX_SIZE, options: dict | None = None) -> io.BufferedRandom:
    """The content of the URL, whose sha256 must be digest (64 hexadecimal digits), as a file to be read from its beginning. Raises OtpError.

    digest: None only where a signature is verified next. max_size: in bytes. options: as of URL_OPTIONS; by default, proxies are those of the
    environment, certificates those that the host trusts.
    """
    import time
    import urllib.parse

    from ansible_collections.erlang.otp.plugins.module_utils._core.files import unnamed_file

    options = {**{name: entry.get("default") for name, entry in URL_OPTIONS.items()}, **(options or {})}
    if urllib.parse.urlsplit(url).username is not None:
        raise OtpError("the URL of the package has a user name: give one without (url_options has url_username and url_password)")
    attempt = 0
    while True:
        file = unnamed_file()
        try:
            found = _fetch(url, file, max_size, options)
            break
        except _Interrupted as error:
            file.close()
            attempt += 1
            if attempt > options["retries"]:
                raise OtpError(f"cannot get the package from {shown(url)}: {error}. Nothing has been installed.") from error
            time.sleep(min(2 ** (attempt - 1), 30))
        except BaseException:
            file.close()
            raise
    if digest is not None and found != digest:
        file.close()
        raise OtpError(f"package {shown(url)}: its sha256 is {found}, and {digest} was expected: it is damaged, or another package")
    file.seek(0)
    return file


def shown(url: str) -> str:
    """The URL without its query, in which a secret may be."""
    return url.partition("?")[0]


def redirected(url: str, location: str) -> str:
    """Where a server leads that redirects the URL. Raises OtpError for what is not http or https, or less safe than the URL."""
    import urllib.parse

    target = urllib.parse.urljoin(url, location)
    before, after = urllib.parse.urlsplit(url), urllib.parse.urlsplit(target)
    if after.scheme not in ("http", "https") or (before.scheme, after.scheme) == ("https", "http") or after.username is not None:
        raise OtpError(f"cannot get the package from {shown(url)}: it redirects to {after.scheme}://, which is not followed. Nothing has been installed.")
    return target


def _fetch(url: str, file: io.BufferedRandom, max_size: int, options: dict) -> str:
    """Write the content to the file; its sha256. Raises OtpError, also _Interrupted."""
    import hashlib
    import http.client
    import urllib.error

    from ansible.module_utils.urls import ConnectionError as AnsibleError

    digest, received = hashlib.sha256(), 0
    try:
        with _Watch(options["timeout"], options["deadline"]) as watch, _opened(url, options) as response:
            size = response.length
            if size is not None and size > max_size:
                raise _too_large(url, size, max_size)
            # One that returns what is there, and does not wait for more.
            block = response.read1(1 << 18)
            while block:
                received += len(block)
                watch.received = received
                if received > max_size:
                    raise _too_large(url, received, max_size)
                digest.update(block)
                file.write(block)
                block = response.read1(1 << 18)
    except urllib.error.HTTPError as error:
        kind = _Interrupted if error.code in _TRY_AGAIN else OtpError
        raise kind(str(error) if kind is _Interrupted else f"cannot get the package from {shown(url)}: {error}. Nothing has been installed.") from error
    except http.client.IncompleteRead as error:
        raise _Interrupted(f"it is truncated: the connection ended after {received} bytes") from error
    except (OSError, ValueError, http.client.HTTPException, AnsibleError) as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise OtpError(
                f"cannot get the package from {shown(url)}: the certificate of the server does not verify ({getattr(error, 'reason', error)})."
                " Give the file with the certificate of its authority as ca_path in url_options (in the inventory: otp_package_url_options),"
                " or add that to those which the host trusts. Nothing has been installed."
            ) from error
        raise _Interrupted(str(getattr(error, "reason", error)) or type(error).__name__) from error
    if size is not None and received < size:
        raise _Interrupted(f"it is truncated: {received} of {size} bytes came")
    return digest.hexdigest()


def _too_large(url: str, size: int, max_size: int) -> OtpError:
    return OtpError(f"cannot get the package from {shown(url)}: it has {size} bytes or more, and {max_size} are allowed. Nothing has been installed.")


def _opened(url: str, options: dict):
    """The response of the server to which the URL leads in the end."""
    import urllib.error
    import urllib.parse

    from ansible.module_utils.urls import open_url

    for dummy in range(REDIRECTS + 1):
        try:
            return open_url(url, follow_redirects="none", decompress=False, **{name: options[name] for name in _OF_ANSIBLE})
        except urllib.error.HTTPError as error:
            location = error.headers.get("location") if error.code in (301, 302, 303, 307, 308) else None
            if not location:
                raise
            error.close()
        target = redirected(url, location)
        if urllib.parse.urlsplit(target)[:2] != urllib.parse.urlsplit(url)[:2]:
            options = {**options, **dict.fromkeys(_SECRETS), "force_basic_auth": False}
        url = target
    raise OtpError(f"cannot get the package from {shown(url)}: it redirects more than {REDIRECTS} times. Nothing has been installed.")


class _Watch:
    """Ends a download that is too slow or takes too long. By a signal: a server that sends a byte now and then holds up any single call."""

    def __init__(self, timeout: int, deadline: int) -> None:
        self.received = 0
        self._seen = 0
        self._window = min(timeout, deadline)
        self._left, self._deadline = deadline, deadline

    def __enter__(self) -> _Watch:
        import signal

        self._before = signal.signal(signal.SIGALRM, self._check)
        signal.setitimer(signal.ITIMER_REAL, self._window, self._window)
        return self

    def __exit__(self, *dummy: object) -> None:
        import signal

        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._before)

    def _check(self, *dummy: object) -> None:
        self._left -= self._window
        came = self.received - self._seen
        if came < self._window * SLOWEST:
            raise _Interrupted(f"it is too slow: {came} bytes came in {self._window} s (timeout in url_options)")
        if self._left <= 0:
            raise _Interrupted(f"it was not complete after {self._deadline} s (deadline in url_options)")
        self._seen = self.received
