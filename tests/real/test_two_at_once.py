# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two controllers work on a host at once: one run stands still before a change that it makes to the file system while the other one runs.

The other one waits for a lock, or comes to its end; both succeed, and leave what they leave one after the other.
"""

from __future__ import annotations

import os
import re
import typing as t

import pytest
from fault_site import ROOT, Host, Manifest, Operation, target_system
from handler_site import Releases

ALL = os.environ.get("OTP_FAULTS") == "all"
# What is unpacked is written in one way, file by file.
ALIKE = re.compile(r"/\.staging/(lib|erts-|\d)")
# Of the other changes, one in so many. A prime number, so that each time it is another kind.
EACH = 3 if ALL else 23
OTHER = "/srv/other"
# Seconds in which a run on an idle machine comes to its end, if it does not wait for another one.
SECONDS = 2.0


class Pair(t.NamedTuple):
    """Two operations that are carried out at once, and the one before them."""

    one: Operation
    other: Operation
    before: Operation | None = None


def pairs(packages: dict[str, str]) -> dict[str, Pair]:
    def deploy(release: str, **more: t.Any) -> Operation:
        return Operation("otp_target_system", lambda host: target_system(host, packages[release], **more))

    neighbour = deploy("SECOND", root=OTHER, name="other@localhost", service="other")
    upgrade = {"root": ROOT, "transport": "offline", "release": "SECOND", "state": "permanent", "package": packages["SECOND"]}
    return {
        "two deploys of a system": Pair(deploy("FIRST"), deploy("FIRST")),
        "two systems that share a user": Pair(deploy("FIRST"), neighbour),
        "an upgrade and a deploy": Pair(Operation("otp_release_handler", lambda _host: upgrade), deploy("SECOND"), deploy("FIRST")),
        "a deploy and an upgrade": Pair(deploy("SECOND"), Operation("otp_release_handler", lambda _host: upgrade), deploy("FIRST")),
    }


NAMES = list(pairs(dict.fromkeys(("FIRST", "SECOND"), "")))


@pytest.fixture(scope="module")
def host() -> t.Iterator[Host]:
    with Host() as host:
        host.save("nothing")
        yield host


def succeed(host: Host, operation: Operation) -> list[str]:
    """Run it; the changes that it makes to the file system."""
    outcome = host.run(operation, counted=True)
    assert outcome.result is not None and not outcome.message, outcome.message + outcome.output
    return outcome.trace


def files(host: Host) -> Manifest:
    """All but the history: which of two runs made a release permanent is not decided."""
    return {path: facts for path, facts in host.manifest().items() if not path.endswith("history.jsonl")}


@pytest.mark.parametrize("name", NAMES)
def test_one_stands_still_while_the_other_runs(host: Host, releases: Releases, name: str, record_property: t.Callable[[str, str], None]) -> None:
    pair = pairs(releases.packages)[name]
    host.restore("nothing")
    if pair.before:
        succeed(host, pair.before)
    host.save("before")
    changes = succeed(host, pair.one)
    succeed(host, pair.other)
    expected = files(host)
    numbers = [number for number, change in enumerate(changes, 1) if not ALIKE.search(change)][::EACH]
    waited = 0
    for at in numbers:
        host.restore("before")
        change = host.pause(pair.one, at)
        assert change
        waited += not host.spawn(pair.other, seconds=SECONDS)
        for outcome in (host.go_on(), host.go_on()):
            assert outcome.result is not None and not outcome.message, f"{change}: {outcome.message}{outcome.output}"
        found = files(host)
        assert {path: (found.get(path), expected.get(path)) for path in {*found, *expected} if found.get(path) != expected.get(path)} == {}, change
    assert waited
    record_property("figure", f"{name}: at {len(numbers)} of {len(changes)} changes, {waited} times one waited for the other")


def test_a_node_is_upgraded_while_it_is_deployed(host: Host, releases: Releases) -> None:
    """Both come to their end, and the node runs the release, wherever the upgrade stands still."""
    package = releases.packages["SECOND"]
    parameters = {"root": ROOT, "release": "SECOND", "state": "permanent", "package": package, "node": "exchange@localhost", "cookie": "COOKIEOFTESTS"}
    upgrade = Operation("otp_release_handler", lambda host: {**parameters, "epmd_port": host.port})
    deploy = Operation("otp_target_system", lambda host: {**target_system(host, package), "service": None, "state": "started"})
    host.restore("nothing")
    succeed(host, Operation("otp_target_system", lambda host: target_system(host, releases.packages["FIRST"])))
    host.save("before")
    host.start()
    changes = [change for change in succeed(host, upgrade) if not ALIKE.search(change)]
    for at in range(5, len(changes), EACH * 2):
        host.end()
        host.restore("before")
        host.start()
        assert host.pause(upgrade, at)
        host.spawn(deploy, seconds=SECONDS)
        for outcome in (host.go_on(), host.go_on()):
            assert outcome.result is not None and not outcome.message, outcome.message + outcome.output
        running = host.look()
        assert running["current"] == running["permanent"] == "SECOND" and running["version"] == "2.0"
        assert not [path for path in host.manifest() if path.endswith((".new", ".saved")) or "/.staging" in path]
    host.end()
