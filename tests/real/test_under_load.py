# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The telephone exchange upgraded and downgraded while its subscribers go on calling: no call fails, and none is forgotten."""

from __future__ import annotations

import threading
import time
import typing as t
from pathlib import Path

import pytest
from exchange_line import Line
from handler_site import System
from upgrade_site import bring_exchange
from waiting import free_port, wait_until

from ansible_collections.erlang.otp.plugins.module_utils._build.build import build_release
from ansible_collections.erlang.otp.plugins.module_utils._build.inputs import Options
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes

VERSIONS = {"FIRST": "1.0", "SECOND": "2.0", "THIRD": "3.0"}
LIFE = ("FIRST", "SECOND", "THIRD", "SECOND", "FIRST", "THIRD", "FIRST")
CLIENTS = 4
CALLS_BETWEEN = 1000


class Exchange:
    """The packages of the exchange by release, with relups between all of them, as System takes them; and its port."""

    def __init__(self, directory: Path) -> None:
        source = directory / "exchange"
        bring_exchange(source)
        self.port = free_port()
        self.packages: dict[str, str] = {}
        for release, version in VERSIONS.items():
            earlier = tuple(self.packages.values())
            options = Options(
                rel=str(source / f"{release.lower()}.rel"),
                code_path=(str(source / version / "ebin"),),
                sys_config=f'[{{exchange, [{{ip, "127.0.0.1"}}, {{port, {self.port}}}]}}].\n',
                upgrade_from=earlier,
                downgrade_to=earlier,
                output_dir=str(directory / release),
                cache_dir=str(directory / "cache"),
            )
            self.packages[release] = build_release(options, Changes())["package"]


class Client(threading.Thread):
    """Calls one call after another over a line that stays open, and each twentieth over a line of its own. The exchange numbers them."""

    def __init__(self, port: int, name: str, ended: threading.Event) -> None:
        super().__init__()
        self.port = port
        self.subscriber = name
        self.ended = ended
        self.calls = 0
        self.failures: list[str] = []
        self.slowest = 0.0

    def run(self) -> None:
        line = Line(self.port)
        while not self.ended.wait(0.001):
            began = time.monotonic()
            try:
                said = line.ask(f"dial {self.subscriber}") if self.calls % 20 else self.call_apart()
            except OSError as error:
                said = str(error)
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.calls += 1
            if said != f"dialled {self.subscriber} {self.calls}":
                self.failures.append(f"call {self.calls}: {said!r}")
                break
        line.close()

    def call_apart(self) -> str:
        line = Line(self.port)
        try:
            return line.ask(f"dial {self.subscriber}")
        finally:
            line.close()


class Load:
    """Clients that call all the time."""

    def __init__(self, port: int) -> None:
        self.ended = threading.Event()
        self.clients = [Client(port, f"subscriber{number}", self.ended) for number in range(CLIENTS)]

    def __enter__(self) -> Load:
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.ended.set()
        for client in self.clients:
            client.join()

    @property
    def calls(self) -> int:
        return sum(client.calls for client in self.clients)

    @property
    def failures(self) -> list[str]:
        return [failure for client in self.clients for failure in client.failures]

    def go_on(self) -> None:
        """Until each of the clients has called some more."""
        targets = [client.calls + CALLS_BETWEEN // CLIENTS for client in self.clients]

        def is_done() -> bool:
            return all(client.calls >= target for client, target in zip(self.clients, targets))

        wait_until(lambda: self.failures or is_done(), "all clients have called")
        assert self.failures == []

    def slowest_since(self) -> float:
        """The longest call in milliseconds since this was asked the last time."""
        slowest = max(client.slowest for client in self.clients)
        for client in self.clients:
            client.slowest = 0.0
        return slowest * 1000


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Exchange:
    return Exchange(tmp_path_factory.mktemp("exchange"))


@pytest.fixture
def system(exchange: Exchange) -> t.Iterator[System]:
    with System(exchange) as system:
        yield system.start()


def test_no_call_fails_and_none_is_forgotten(exchange: Exchange, system: System, record_property: t.Callable[[str, str], None]) -> None:
    pid = system.pid
    idle = Line(exchange.port)
    with Load(exchange.port) as load:
        load.go_on()
        for before, after in zip(LIFE, LIFE[1:]):
            calls = load.calls
            load.slowest_since()
            said = system.take(after, "permanent")
            load.go_on()
            assert (said["restarted"], said["after"]["running"], load.failures) == (False, after, [])
            assert idle.ask("version") == f"version {VERSIONS[after]}"
            record_property("figure", f"under load, {before} to {after}: {load.calls - calls} calls, 0 failures, the longest {load.slowest_since():.0f} ms")
    assert load.failures == [] and system.pid == pid
    for client in load.clients:
        assert idle.ask(f"calls {client.subscriber}") == f"calls {client.subscriber} {client.calls}"
    assert idle.ask("calls") == f"calls {load.calls}"
    idle.close()
    record_property("figure", f"under load, altogether: {load.calls} calls of {CLIENTS} clients, 0 failures, all counted by the exchange; one emulator")


def test_a_call_that_fails_would_be_seen(exchange: Exchange, system: System) -> None:
    """A reboot of the node, which no relup needs, is noticed by every client."""
    with Load(exchange.port) as load:
        load.go_on()
        system.take("SECOND", "current")
        system.take("FIRST", "rebooted_old")
    assert len(load.failures) == CLIENTS
