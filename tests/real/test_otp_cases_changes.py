# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""OTP's cases otp_9402, otp_9417, upgrade_supervisor, upgrade_supervisor_fail, unicode_upgrade: what one upgrade changes in a node, and back."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest
from case_site import Cases, reboot
from handler_site import System

from ansible_collections.erlang.otp.plugins.module_utils._formats.releases_file import parse_releases
from ansible_collections.erlang.otp.plugins.module_utils._handler.request import HandlerError
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom, as_text

GREEK = "\u03b1\u03b2"
# A module that says its version, and may be run as a process.
SAYS = '-export([version/0]).\nversion() -> "%s".\n'
SUPERVISOR = """\
-behaviour(supervisor).
-export([start/2, stop/1, init/1]).
start(_, _) -> supervisor:start_link({local, ?MODULE}, ?MODULE, []).
stop(_) -> ok.
init([]) -> {ok, {#{intensity => 1, period => 5}, [#{id => worker, start => {watched, start_link, []}, shutdown => %s}]}}.
"""
WORKER = """\
-behaviour(gen_server).
-export([start_link/0, init/1, handle_call/3, handle_cast/2]).
start_link() -> gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).
init([]) -> {ok, 0}.
handle_call(_, _, State) -> {reply, State, State}.
handle_cast(_, State) -> {noreply, State}.
"""
BASE = ("same-1.0", "less-1.0", "watch-1.0")


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    cases = Cases(tmp_path_factory.mktemp("changes"))
    nothing = '[{"1.0", []}], [{"1.0", []}]'
    cases.application("same", "1.0", {"same": SAYS % "1.0"})
    cases.application("same", "1.1", {"same": SAYS % "1.0"}, appup=nothing)
    cases.application("less", "1.0", {"less": SAYS % "1.0", "less_lib": SAYS % "1.0"})
    appup = '[{"1.0", [{delete_module, less_lib}, {load_module, less}]}], [{"1.0", [{add_module, less_lib}, {load_module, less}]}]'
    cases.application("less", "1.1", {"less": SAYS % "1.1"}, appup=appup)
    way = '[{"1.0", [{update, watch_sup, supervisor}]}]'
    for version, shutdown, appup in (("1.0", "1000", ""), ("1.1", "2000", f"{way}, {way}"), ("1.2", "never", f"{way}, {way}")):
        modules = {"watch_sup": SUPERVISOR % shutdown, "watched": WORKER}
        cases.application("watch", version, modules, keys=", {mod, {watch_sup, []}}", appup=appup)
    cases.release("BASE", *BASE)
    for version, changed in (("9402", "same-1.1"), ("9417", "less-1.1"), ("SUPERVISOR", "watch-1.1"), ("FAIL", "watch-1.2")):
        applications = [changed if changed.startswith(name.partition("-")[0]) else name for name in BASE]
        cases.release(version, *applications, up=["BASE"], down=["BASE"])
    return cases


@pytest.fixture
def system(cases: Cases) -> t.Iterator[System]:
    with System(cases, first="BASE") as system:
        yield system.start()


def library(system: System, name: str) -> str:
    """Where the code server finds the application."""
    return os.path.relpath(as_text(system.call("code", "lib_dir", Atom(name))), system.root)


def version_known(system: System, name: str) -> str:
    """The version by the application controller."""
    return as_text(system.call("application", "get_key", Atom(name), Atom("vsn"))[1])


def which(system: System, module: str) -> t.Any:
    found = system.call("code", "which", Atom(module))
    return found.name if isinstance(found, Atom) else os.path.relpath(as_text(found), system.root)


def whereis(system: System, name: str) -> t.Any:
    return system.call("erlang", "whereis", Atom(name))


def test_otp_9402(system: System) -> None:
    """OTP: an application gets another version and no module changes; the code path is brought up to it all the same.
    Here so too, committed and after a reboot; and on the way down."""
    pid = system.pid
    system.call("same", "version")
    assert (library(system, "same"), which(system, "same")) == ("lib/same-1.0", "lib/same-1.0/ebin/same.beam")
    system.take("9402", "permanent")
    assert (library(system, "same"), version_known(system, "same")) == ("lib/same-1.1", "1.1")
    # What is loaded stays; what is loaded from now on comes from the new directory.
    assert which(system, "same") == "lib/same-1.0/ebin/same.beam"
    system.call("code", "purge", Atom("same"))
    assert system.call("code", "load_file", Atom("same")) == (Atom("module"), Atom("same"))
    assert which(system, "same") == "lib/same-1.1/ebin/same.beam" and system.pid == pid
    # The other applications are where they were.
    assert library(system, "less") == "lib/less-1.0"
    system.take("BASE", "permanent", package=False)
    assert (library(system, "same"), version_known(system, "same"), system.pid) == ("lib/same-1.0", "1.0", pid)
    system.take("9402", "absent")
    assert not os.path.exists(f"{system.root}/lib/same-1.1") and as_text(system.call("same", "version")) == "1.0"


def test_otp_9417(system: System) -> None:
    """OTP: a module is removed that was not loaded when the upgrade removes it. Here too nothing fails: afterwards the node cannot
    load it, and on the way down it has it again."""
    assert which(system, "less_lib") == "lib/less-1.0/ebin/less_lib.beam"
    # In embedded mode a boot loads it.
    system.call("code", "purge", Atom("less_lib"))
    system.call("code", "delete", Atom("less_lib"))
    assert system.call("code", "is_loaded", Atom("less_lib")) == Atom("false")
    system.take("9417", "permanent")
    assert which(system, "less_lib") == "non_existing" and version_known(system, "less") == "1.1"
    assert as_text(system.call("less", "version")) == "1.1" and which(system, "less") == "lib/less-1.1/ebin/less.beam"
    system.take("BASE", "permanent", package=False)
    assert which(system, "less_lib") == "lib/less-1.0/ebin/less_lib.beam"
    assert as_text(system.call("less_lib", "version")) == as_text(system.call("less", "version")) == "1.0"


def shutdown_of(system: System) -> int:
    """What the supervisor knows about its child."""
    found = system.call("supervisor", "get_childspec", Atom("watch_sup"), Atom("worker"))
    return dict(found[1].pairs)[Atom("shutdown")]


def test_upgrade_supervisor(system: System) -> None:
    """OTP: a supervisor takes over the child specification of its new version. Here so too, and neither the supervisor nor its child is
    another process; and on the way down."""
    processes = [whereis(system, name) for name in ("watch_sup", "watched")]
    assert shutdown_of(system) == 1000
    system.take("SUPERVISOR", "permanent")
    assert shutdown_of(system) == 2000 and version_known(system, "watch") == "1.1"
    assert [whereis(system, name) for name in ("watch_sup", "watched")] == processes
    system.take("BASE", "permanent", package=False)
    assert shutdown_of(system) == 1000 and [whereis(system, name) for name in ("watch_sup", "watched")] == processes


def test_upgrade_supervisor_fail(system: System) -> None:
    """OTP: a child specification that is none makes the installation fail as code_change_failed, and the node ends on the old release.
    Here the module says so, waits until the node is back, and refuses the release until force."""
    before = whereis(system, "watched")
    with pytest.raises(HandlerError) as caught:
        system.take("FAIL", "permanent")
    assert "code_change_failed" in str(caught.value) and "watch_sup" in str(caught.value) and "invalid_shutdown,never" in str(caught.value)
    result = caught.value.result
    assert (result["rolled_back"], result["restarted"], result["after"]["running"]) == (True, True, "BASE")
    assert result["history"][-1]["outcome"] == "failed" and result["history"][-1]["release"] == "FAIL"
    assert system.statuses() == {"FAIL": "unpacked", "BASE": "permanent"}
    # It is the old release, started anew, and does its work.
    assert shutdown_of(system) == 1000 and version_known(system, "watch") == "1.0" and whereis(system, "watched") != before
    with pytest.raises(HandlerError, match="code_change_failed"):
        system.take("FAIL", "current", check_mode=True)
    # The way to another release is free.
    assert system.take("SUPERVISOR", "permanent")["after"]["permanent"] == "SUPERVISOR"


@pytest.fixture(scope="module")
def greek(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    cases = Cases(tmp_path_factory.mktemp("unicode"))
    way = '[{"1.0", [{load_module, says}]}]'
    for version, appup in (("1.0", ""), ("1.1", f"{way}, {way}")):
        keys = f', {{env, [{{text, "{GREEK} {version}"}}]}}'
        cases.application("says", version, {"says": SAYS % f"{GREEK} {version}"}, description=f"{GREEK} says", keys=keys, appup=appup)
    configuration = f'%% coding: utf-8\n[{{says, [{{configured, "{GREEK} %s"}}]}}].\n'
    cases.release("ONE", "says-1.0", name=f"{GREEK} release", sys_config=configuration % "ONE")
    cases.release("TWO", "says-1.1", name=f"{GREEK} release", sys_config=configuration % "TWO", up=["ONE"], down=["ONE"])
    return cases


def texts(system: System) -> list[str]:
    """What the node has of the release: its name, the description and the environment of its application, and its code."""
    (name,) = {release.name for release in system.observe().releases}
    description = as_text(system.call("application", "get_key", Atom("says"), Atom("description"))[1])
    environment = [as_text(system.call("application", "get_env", Atom("says"), Atom(key))[1]) for key in ("text", "configured")]
    return [name, description, *environment, as_text(system.call("says", "version"))]


def names_in_releases(system: System) -> list[str]:
    """By the file itself; release_handler writes Greek letters as numbers, we as letters."""
    written = Path(system.root, "releases/RELEASES").read_bytes()
    assert written.startswith(b"%% coding: utf-8\n")
    return [entry.name for entry in parse_releases(written, filename="RELEASES")]


def test_unicode_upgrade(greek: Cases) -> None:
    """OTP: names, descriptions and environments with Greek letters survive an upgrade, and RELEASES says that it is UTF-8. Here too, as
    built, installed, upgraded, started again and taken back by ours."""
    with System(greek, first="ONE") as system:
        one = [f"{GREEK} release", f"{GREEK} says", f"{GREEK} 1.0", f"{GREEK} ONE", f"{GREEK} 1.0"]
        two = [f"{GREEK} release", f"{GREEK} says", f"{GREEK} 1.1", f"{GREEK} TWO", f"{GREEK} 1.1"]
        assert names_in_releases(system) == [f"{GREEK} release"] and texts(system.start()) == one
        system.take("TWO", "permanent")
        assert texts(system) == two and names_in_releases(system) == [f"{GREEK} release"] * 2
        reboot(system)
        assert texts(system) == two and system.statuses() == {"TWO": "permanent", "ONE": "old"}
        system.take("ONE", "permanent", package=False)
        assert texts(system) == one
        system.take("TWO", "absent")
        reboot(system)
        assert texts(system) == one and system.statuses() == {"ONE": "permanent"}
