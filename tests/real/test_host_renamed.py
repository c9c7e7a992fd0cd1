# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host gets another name while its node runs: the node keeps the name that it was started with, and answers to no other one."""

from __future__ import annotations

import typing as t

import pytest
from fault_site import ROOT, Host, Operation, Outcome, target_system
from handler_site import Releases

NORTH, SOUTH = "exchange@north", "exchange@south"


class Operator:
    """The runs for one host."""

    def __init__(self, host: Host, packages: dict[str, str]) -> None:
        self.host, self.packages = host, packages

    def deploy(self, name: str, **more: t.Any) -> Outcome:
        """A deploy with this name of the node in the inventory."""

        def params(host: Host) -> dict[str, t.Any]:
            return {**target_system(host, self.packages["FIRST"], name=name), "service": None, "state": "started", **more}

        return self.host.run(Operation("otp_target_system", params))

    def restart(self, name: str) -> Outcome:
        names = ("root", "user", "home", "environment", "log_dir", "start_timeout")

        def params(host: Host) -> dict[str, t.Any]:
            given = target_system(host, self.packages["FIRST"], name=name)
            return {**{name: given[name] for name in names if name in given}, "node_name": name, "state": "restarted"}

        return self.host.run(Operation("otp_node", params))

    def upgrade(self, name: str, state: str) -> Outcome:
        parameters = {"root": ROOT, "release": "SECOND", "state": state, "package": self.packages["SECOND"], "node": name, "cookie": "COOKIEOFTESTS"}
        return self.host.run(Operation("otp_release_handler", lambda host: {**parameters, "epmd_port": host.port}))


@pytest.fixture
def operator(releases: Releases) -> t.Iterator[Operator]:
    with Host() as host:
        host.rename("north")
        yield Operator(host, releases.packages)


def warnings(outcome: Outcome) -> str:
    assert outcome.result is not None
    return str(outcome.result.get("warnings", ""))


def done(outcome: Outcome) -> dict[str, t.Any]:
    assert outcome.result is not None and not outcome.message, outcome.message + outcome.output
    return outcome.result


def test_the_inventory_has_the_name_from_before(operator: Operator) -> None:
    """Everything works: the node is found by its name in the EPMD of its host."""
    done(operator.deploy(NORTH))
    operator.host.rename("south")
    again = done(operator.deploy(NORTH))
    assert not again["changed"] and again["node"]["release"] == "FIRST"
    done(operator.upgrade(NORTH, "permanent"))
    assert operator.host.look(NORTH)["permanent"] == "SECOND"


def test_the_inventory_has_the_new_name(operator: Operator) -> None:
    """An upgrade is refused with both names, a deploy says what to set, and with that the node gets the name."""
    done(operator.deploy(NORTH))
    operator.host.rename("south")
    refusal = operator.upgrade(SOUTH, "ready").message
    assert refusal.startswith(f"The node there is called {NORTH}, not {SOUTH}: use that name")
    told = operator.deploy(SOUTH)
    assert "runs with an earlier version of /srv/exchange/bin/start: restart it, by the playbook erlang.otp.restart" in warnings(told)
    assert f"The node there is called {NORTH}, not {SOUTH}" in warnings(told)
    restarted = done(operator.restart(SOUTH))
    assert restarted["restarted"] and restarted["after"]["running"] == "FIRST"
    assert not done(operator.deploy(SOUTH))["changed"]
    done(operator.upgrade(SOUTH, "permanent"))
    assert operator.host.look(SOUTH)["permanent"] == "SECOND"
