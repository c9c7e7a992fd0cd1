# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node started with files that have changed; if it does not boot with them, with those that it was started with before."""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _lifecycle
from ansible_collections.erlang.otp.plugins.module_utils._node.lifecycle import Node
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Running
from ansible_collections.erlang.otp.plugins.module_utils._tree.previous import Previous

Started = t.Tuple[int, t.Optional[Running]]


class RolledBack(OtpError):
    """The node runs with the files that it was started with before."""


def boot(node: Node, previous: Previous, changes: Changes, *, timeout: float) -> Started:
    """Start the node, and wait until it answers. Return its process and its answer.

    Raises RolledBack if it only boots with the kept files, which are in their place then; OtpError if none are kept, or if it does not boot at all.
    """
    try:
        _lifecycle.start(node)
        return _lifecycle.wait_until_answering(node, timeout=timeout)
    except OtpError as error:
        if not previous.kept():
            raise
        go_back(node, previous, changes, str(error), timeout=timeout)
        raise RolledBack(f"{error} The files that it was started with before are back, and it runs with them.") from error


def go_back(node: Node, previous: Previous, changes: Changes, reason: str, *, timeout: float) -> None:
    """Put the kept files back, and restart the node with them. reason: why, for the error. Raises OtpError if it does not boot."""
    names = ", ".join(previous.kept())
    changes.do(f"stop the node {node.name or node.root}", _lifecycle.halt, node)
    changes.do(f"put back {names}", previous.put_back)
    try:
        changes.do(f"start the node {node.name or node.root} with them", _lifecycle.start, node)
        if not changes.check_mode:
            _lifecycle.wait_until_answering(node, timeout=timeout)
    except OtpError as error:
        raise OtpError(f"{reason} And with the files that it was started with before, which are back ({names}): {error}") from error
