# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host whose systems are worked on, if it is not the host that runs this code: a box without Python (``docs/design.md``, Clients and boxes).

The files of a box are copied below a directory (``destdir``) of the controller. Its processes and its node cannot be copied, so code that
looks at a process, or calls a node, first checks whether it belongs to another host.
"""

from __future__ import annotations

import contextlib
import contextvars
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.identity import in_image

_HOST: contextvars.ContextVar[t.Any] = contextvars.ContextVar("host", default=None)


def remote_host() -> t.Any:
    """The other host, a BoxHost of plugin_utils/_box/host.py; None if this host is worked on."""
    return _HOST.get()


@contextlib.contextmanager
def working_on(host: t.Any) -> t.Iterator[None]:
    """Work on that host in this context."""
    token = _HOST.set(host)
    try:
        with in_image():
            yield
    finally:
        _HOST.reset(token)
