# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of otp_release_handler.

Rule: each option reaches the request, and the defaults of both agree.
"""

from __future__ import annotations

import os

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._handler.request import Request
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress
from ansible_collections.erlang.otp.plugins.module_utils._node.verify import Check
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom
from ansible_collections.erlang.otp.plugins.modules.otp_release_handler import ARGUMENT_SPEC, request_of

NO_PACKAGE = {"package": None, "checksum": None, "url_options": None, "optional_native": [], "release": None}


def request(**given) -> Request:
    defaults = {name: spec.get("default") for name, spec in ARGUMENT_SPEC.items()}
    return request_of({**defaults, "root": "/srv/x", "release": "2", **given})


def test_the_defaults_are_those_of_a_request() -> None:
    assert request() == Request(root="/srv/x", release="2", state="permanent", package=NO_PACKAGE)


@pytest.mark.parametrize(
    ("given", "name", "expected"),
    [
        ({"state": "absent"}, "state", "absent"),
        ({"name": "x"}, "name", "x"),
        ({"transport": "offline"}, "transport", "offline"),
        ({"allow_restart": True}, "allow_restart", True),
        ({"rollback": False}, "rollback", False),
        ({"force": True}, "force", True),
        ({"timeout": 1.5}, "timeout", 1.5),
        ({"restart_timeout": 1.5}, "restart_timeout", 1.5),
        ({"verify_timeout": 1.5}, "verify_timeout", 1.5),
        ({"install_options": {"code_change_timeout": 7.0}}, "install_options", {"code_change_timeout": 7.0}),
        ({"keep_env": ["rabbit"]}, "keep_env", ["rabbit"]),
        ({"lock_timeout": 1.5}, "lock_timeout", 1.5),
        ({"package": "~/p.tar.gz"}, "package", {**NO_PACKAGE, "package": os.path.expanduser("~/p.tar.gz")}),
        ({"checksum": "sha256:0"}, "package", {**NO_PACKAGE, "checksum": "sha256:0"}),
        ({"url_options": {"retries": 0}}, "package", {**NO_PACKAGE, "url_options": {"retries": 0}}),
        ({"optional_native": ["wx"]}, "package", {**NO_PACKAGE, "optional_native": ["wx"]}),
        ({"_package_release": {"version": "2"}}, "package", {**NO_PACKAGE, "release": {"version": "2"}}),
        ({"node": "n@h", "cookie": "c", "epmd_port": 1}, "address", NodeAddress(node="n@h", cookie="c", epmd_port=1)),
        ({"node": "n", "cookie_file": "/c", "host": "::1", "port": 2}, "address", NodeAddress(node="n", cookie_file="/c", host="::1", port=2)),
        ({"pipe_dir": "/run/x"}, "address", NodeAddress(pipe_dir="/run/x")),
        (
            {"verify": [{"module": "m", "function": "f", "arguments": ["a"], "expect": "{ok,_}"}]},
            "verify",
            (Check("m", "f", [Atom("a")], (Atom("ok"), Atom("_"))),),
        ),
    ],
)
def test_options(given, name, expected) -> None:
    assert getattr(request(**given), name) == expected
