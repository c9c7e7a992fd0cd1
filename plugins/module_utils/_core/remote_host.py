# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host whose systems are worked on, when that is not the one on which this runs: a box without Python, from the controller.

Its files are a copy below some directory (``destdir``). What cannot be copied, its processes and its node, is asked for here: whatever
looks at a process, or reaches a node, first looks whether it is one of another host.
"""

from __future__ import annotations

import contextlib
import contextvars
import typing as t

_HOST: contextvars.ContextVar[t.Any] = contextvars.ContextVar("host", default=None)


def elsewhere() -> t.Any:
    """The other host, as plugin_utils/_box/box.py has it; None when this one is worked on."""
    return _HOST.get()


@contextlib.contextmanager
def working_on(host: t.Any) -> t.Iterator[None]:
    """Work on that host for a while."""
    token = _HOST.set(host)
    try:
        yield
    finally:
        _HOST.reset(token)
