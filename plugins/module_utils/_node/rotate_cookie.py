# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A running node gets another cookie, through the old one: erlang:set_cookie/2. It is not restarted, and its connections stay.

The cookie file has the old one until the node has the new one. So a run that was interrupted in between finds the node by the new one.
"""

from __future__ import annotations

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _lifecycle
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import connect, read_cookie
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator


def rotate_cookie(node: _lifecycle.Node, cookie: str, changes: Changes) -> bool:
    """Give the node the cookie if it runs and its cookie file has another one. To be called before that file is written.

    Return whether the node has the cookie then, or would have it in check mode; False as well for a node that answers to neither. Raises OtpError.
    """
    if not node.name or _is_in_file(node, cookie) or find_emulator(node.root) is None:
        return False
    try:
        _lifecycle.ask(node)
    except _lifecycle.NoAnswer:
        return _answers(node, cookie)
    changes.do(f"give the running node {node.name} its new cookie", _set_cookie, node, cookie)
    return True


def _is_in_file(node: _lifecycle.Node, cookie: str) -> bool:
    """Whether the file has this cookie, or none at all."""
    try:
        return read_cookie(node.cookie_file) == cookie
    except OtpError:
        return True


def _answers(node: _lifecycle.Node, cookie: str) -> bool:
    try:
        _lifecycle.ask(node, cookie=cookie)
    except _lifecycle.NoAnswer:
        return False
    return True


def _set_cookie(node: _lifecycle.Node, cookie: str) -> None:
    with connect(_lifecycle.address_of(node)) as connection:
        connection.call("erlang", "set_cookie", [Atom(node.name), Atom(cookie)])
