# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Applications and releases of OTP's own cases, built with otp_release_build's logic, relups included."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

from handler_site import System
from other_otp import renumber
from release_workshop import MINIMAL, Workshop
from waiting import wait_until

from ansible_collections.erlang.otp.plugins.module_utils._build.otp import Otp, find_otp
from ansible_collections.erlang.otp.plugins.module_utils._node.reconnecting import reap_emulator

ERTS = "14.9.9"
SUPERVISOR = """\
-behaviour(supervisor).
-export([start/2, stop/1, init/1]).
start(_, _) -> supervisor:start_link({local, ?MODULE}, ?MODULE, []).
stop(_) -> ok.
init([]) -> {ok, {#{}, [#{id => a, start => {a, start_link, []}}]}}.
"""
SERVER = """\
-behaviour(gen_server).
-export([start_link/0, init/1, handle_call/3, handle_cast/2, code_change/3, version/0]).
start_link() -> gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).
init([]) -> {ok, []}.
handle_call(_, _, State) -> {reply, State, State}.
handle_cast(_, State) -> {noreply, State}.
code_change(_, State, _) -> {ok, State}.
version() -> "%s".
"""


class Cases:
    """A directory with applications and the packages of releases, by the releases' versions."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.otp = find_otp(None)
        self.packages: dict[str, str] = {}

    def application(
        self,
        name: str,
        version: str,
        modules: t.Mapping[str, str],
        *,
        description: str = "A case",
        keys: str = "",
        appup: str = "",
    ) -> Path:
        """An application of these modules, given as source without -module; its directory. appup: all after the version."""
        directory = self.directory / f"lib/{name}-{version}"
        (directory / "ebin").mkdir(parents=True)
        (directory / "src").mkdir()
        sources = []
        for module, text in modules.items():
            sources.append(directory / "src" / f"{module}.erl")
            sources[-1].write_text(f"-module({module}).\n{text}", "utf-8")
        subprocess.run(["erlc", "+debug_info", "-o", directory / "ebin", *sources], check=True)
        properties = f'{{description, "{description}"}}, {{vsn, "{version}"}}, {{modules, [{", ".join(modules)}]}}, {{registered, []}}'
        resource = f"%% coding: utf-8\n{{application, {name}, [{properties}, {{applications, [kernel, stdlib, sasl]}}{keys}]}}.\n"
        (directory / "ebin" / f"{name}.app").write_text(resource, "utf-8")
        if appup:
            (directory / "ebin" / f"{name}.appup").write_text(f'{{"{version}", {appup}}}.\n', "utf-8")
        return directory

    def release(
        self,
        version: str,
        *applications: str,
        name: str = "CASE",
        up: t.Sequence[str] = (),
        down: t.Sequence[str] = (),
        otp: Otp | None = None,
        **options: t.Any,
    ) -> dict[str, t.Any]:
        """Build a release of kernel, stdlib, sasl and these applications (NAME-VERSION), with a relup from and to earlier ones."""
        workshop = Workshop(self.directory, otp or self.otp)
        given = {
            "rel": workshop.rel(*MINIMAL, *applications, stem=version, name=name, version=version),
            "otp_root": workshop.otp.root,
            "sys_config": "[].\n",
            "output_dir": str(self.directory / version),
            "upgrade_from": tuple(self.packages[earlier] for earlier in up),
            "downgrade_to": tuple(self.packages[earlier] for earlier in down),
        }
        result = workshop.build(**{**given, **options})
        self.packages[version] = result["package"]
        return result


def restarts(result: t.Mapping[str, t.Any]) -> dict[str, str]:
    """How each way of the relup of a release that was built restarts the emulator: "up P1H": "none"."""
    return {f"{way['direction']} {way['from'] if way['direction'] == 'up' else way['to']}": way["restarts"] for way in result["relup"]}


def reboot(system: System) -> None:
    """As an operator does it; and wait until heart has started the permanent release."""
    before = system.pid
    system.call("init", "reboot")

    def is_back() -> bool:
        reap_emulator(before)
        return system.observe().status == "started" and system.pid != before

    wait_until(is_back, "heart has started the node again")


def make_upgrade_cases(directory: Path) -> Cases:
    """The releases of OTP's case upgrade: P1G; P1H and P1I with two versions of an application; P2A and P2B on another ERTS."""
    cases = Cases(directory)
    newer = renumber(cases.otp, cases.directory / "newer", erts=ERTS)
    way = '[{"1.0", [{load_module, a}]}]'
    for version, appup, env in (("1.0", "", "[{key1, val1}, {key2, val2}]"), ("1.1", f"{way}, {way}", "[{key1, val1}, {key2, newval2}]")):
        keys = f", {{mod, {{a_sup, []}}}}, {{env, {env}}}"
        cases.application("a", version, {"a": SERVER % version, "a_sup": SUPERVISOR}, keys=keys, appup=appup)
    cases.release("P1G")
    cases.release("P1H", "a-1.0", up=["P1G"], down=["P1G"])
    cases.release("P1I", "a-1.1", up=["P1H", "P1G"], down=["P1H", "P1G"])
    said = cases.release("P2A", "a-1.1", up=["P1H", "P1I"], down=["P1H", "P1I"], otp=newer)
    assert restarts(said) == {
        "up P1H": "restart_new_emulator",
        "up P1I": "restart_new_emulator",
        "down P1H": "restart_emulator",
        "down P1I": "restart_emulator",
    }
    said = cases.release("P2B", "a-1.1", up=["P1H"], down=["P1H"], otp=newer, restart_emulator=True)
    assert restarts(said)["down P1H"] == "restart_emulator"
    return cases
