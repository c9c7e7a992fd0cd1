# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""otp_release_info, which asks a real node."""

from __future__ import annotations

import typing as t

import pytest
from handler_site import NEVER, Releases, System, refused

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _node
from ansible_collections.erlang.otp.plugins.modules.otp_release_info import ARGUMENT_SPEC, describe


@pytest.fixture
def system(releases: Releases) -> t.Iterator[System]:
    with System(releases) as system:
        yield system.start()


def test_info_of_a_running_node(system: System) -> None:
    def info(**more: t.Any) -> dict[str, t.Any]:
        defaults = {name: spec.get("default") for name, spec in ARGUMENT_SPEC.items()}
        way = {"node": system.name, "cookie_file": str(system.cookie_file), "epmd_port": system.port}
        return describe({**defaults, **way, "root": system.root, **more})

    assert info()["running"]["release"] == "FIRST" and info()["disagreements"] == [] and info()["history"] == []
    system.take("SECOND", "current")
    told = info()
    assert (told["running"]["release"], told["running"]["permanent"], told["running"]["pid"]) == ("SECOND", "FIRST", system.pid)
    assert told["uncommitted"]["release"] == "SECOND" and told["running"]["erts_version"] == told["permanent"]["erts_version"]
    assert 0 <= told["running"]["uptime"] < 600 and told["running"]["started"] <= told["uncommitted"]["time"]
    assert told["disagreements"] == ["release SECOND runs and is not committed: after its next start the node runs FIRST"]
    install_release(root=system.root, package=system.releases.packages["BARE"], changes=Changes())
    assert "RELEASES lists release BARE (unpacked), the node does not know it: it was installed after the node's start" in info()["disagreements"]
    refused(system, "SECOND", verify=[NEVER], verify_timeout=2.0)
    told = info(history=1)
    assert "counter:version/0 returned" in told["failed_releases"]["SECOND"]["reason"] and [entry["action"] for entry in told["history"]] == ["verify"]
    assert not info(node="nobody@localhost")["running"]["answers"] and "does not answer" in info(node="nobody@localhost")["disagreements"][-1]
    assert info(node=None)["running"] is None
    _node.stop(system.root)
    stopped = info()
    assert stopped["running"]["pid"] is None and not stopped["running"]["answers"]
