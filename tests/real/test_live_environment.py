# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What application:set_env has set on a real node: a hot upgrade takes it away as is foretold, and nothing else; what is to be kept is there at any moment."""

from __future__ import annotations

import contextlib
import threading
import typing as t
from pathlib import Path

import pytest
from handler_site import CHANGES, OK, Releases, System, refused
from release_workshop import MINIMAL, Workshop
from waiting import LIMIT

from ansible_collections.erlang.otp.plugins.module_utils._build.otp import find_otp
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import evaluate
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom

SETTINGS = """\
-export([start/2, stop/1, init/1, config_change/3, changes/0, watch/0, seen/0]).
start(_, _) -> supervisor:start_link({local, settings_sup}, ?MODULE, []).
stop(_) -> ok.
init([]) -> {ok, {{one_for_one, 1, 5}, []}}.
config_change(Changed, New, Removed) -> persistent_term:put(?MODULE, {lists:sort(Changed), lists:sort(New), lists:sort(Removed)}).
changes() -> persistent_term:get(?MODULE, none).
watch() -> spawn(fun() -> register(watcher, self()), watch(#{}) end).
watch(Seen) -> receive {tell, To} -> To ! {seen, maps:keys(Seen)} after 0 -> watch(Seen#{application:get_env(settings, limit) => seen}) end.
seen() -> watcher ! {tell, self()}, receive {seen, Seen} -> Seen end.
"""
KEYS = ", {mod, {settings, []}}, {env, [{size, 1}, {limit, 1}]}"
GIVEN = '[{settings, [{given, %d}, {planned, "%s"}]}, "more"].\n'
APP = Atom("settings")


class Set(Releases):
    """Release SECOND gives given and planned other values than FIRST, and has what FIRST has beside."""

    def __init__(self, directory: Path) -> None:
        self.workshop = Workshop(directory, find_otp(None))
        self.packages: dict[str, str] = {}
        self.workshop.application("settings", keys=KEYS, body=SETTINGS)
        for release, counter, earlier in (("FIRST", "1.0", ()), ("SECOND", "2.0", ("FIRST",))):
            self.application(counter, CHANGES % counter)
            rel = self.workshop.rel(*MINIMAL, f"counter-{counter}", "settings-1.0", stem=release, name="COUNTER", version=release)
            more = directory / f"{release}.config"
            more.write_text("[{settings, [{more, 1}]}].\n")
            packages = tuple(self.packages[name] for name in earlier)
            given = {"output_dir": str(directory / release), "upgrade_from": packages, "downgrade_to": packages}
            extra = ((str(more), f"releases/{release}/more.config"),)
            sys_config = GIVEN % (int(counter[0]), release)
            self.packages[release] = self.workshop.build(rel=rel, sys_config=sys_config, extra_files=extra, **given)["package"]


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Set:
    return Set(tmp_path_factory.mktemp("environment"))


@pytest.fixture
def system(releases: Set) -> t.Iterator[System]:
    with System(releases, flags=["-settings", "flag", "1"]) as system:
        yield system.start()


def environment(system: System, application: str = "settings") -> dict[str, t.Any]:
    """What the node says."""
    return {key.name: value for key, value in system.call("application", "get_all_env", Atom(application)) if key.name != "included_applications"}


def put(system: System, key: str, value: str, application: str = "settings") -> None:
    with system.connect() as node:
        assert evaluate(node, f"application:set_env({application}, {key}, {value}).", timeout=LIMIT) == OK


def foretold(result: t.Mapping[str, t.Any]) -> list[str]:
    return [problem["cause"].partition("(")[2].rstrip(")") for problem in result["problems"] if problem["kind"] == "environment"]


def watch_modes(path: Path, modes: set[int], stop: threading.Event) -> None:
    """Which modes the file has, until it is to stop."""
    while not stop.is_set():
        with contextlib.suppress(FileNotFoundError):
            modes.add(path.stat().st_mode & 0o777)


@pytest.mark.parametrize("is_there", [False, True])
def test_what_is_taken_away_is_what_was_foretold(system: System, is_there: bool) -> None:
    """The password is not in it."""
    if is_there:
        system.take("SECOND", "unpacked")
    # What a boot reads from a file beside sys.config, release_handler looks for elsewhere.
    nothing = [] if not is_there else ["settings: more"]
    assert foretold(system.take("SECOND", "ready", check_mode=True, is_read=True)) == nothing
    put(system, "limit", "7")
    put(system, "password", '"crimson"')
    # Of this, SECOND is known to have it only once it is there.
    put(system, "given", "2")
    put(system, "size", "1")
    put(system, "errlog_type", "all", "sasl")
    before = environment(system)
    result = system.take("SECOND", "ready", check_mode=True, is_read=True)
    expected = f"sasl: errlog_type; settings: {'' if is_there else 'given, '}limit,{' more,' if is_there else ''} password"
    assert foretold(result) == [expected] and "crimson" not in str(result)
    assert foretold(system.take("SECOND", "permanent")) == ["sasl: errlog_type; settings: limit, more, password"]
    after = environment(system)
    lost = {key for key, value in before.items() if after.get(key) != value}
    # That which the new release is to change is not.
    assert lost == {"limit", "more", "password", "planned"} and (before["flag"], after["flag"], after["given"]) == (1, 1, 2)
    assert "errlog_type" not in environment(system, "sasl")


def test_what_is_kept_is_there_at_any_moment(system: System) -> None:
    put(system, "limit", "7")
    put(system, "password", '"crimson"')
    put(system, "planned", '[<<"\\x{e4}">>, "\\x{20ac}", #{a => 1.5}, {}]')
    put(system, "errlog_type", "all", "sasl")
    before = environment(system)
    system.call("settings", "watch")
    modes: set[int] = set()
    stop = threading.Event()
    watcher = threading.Thread(target=watch_modes, args=(Path(system.root, "run/SECOND.hot.runtime.config"), modes, stop))
    watcher.start()
    foreseen = system.take("SECOND", "ready", check_mode=True, is_read=True, keep_env=["settings"])
    assert foretold(foreseen) == ["sasl: errlog_type"]
    system.take("SECOND", "permanent", keep_env=["settings"])
    stop.set()
    watcher.join()
    assert modes == {0o600}
    assert environment(system) == {**before, "given": 2} and "errlog_type" not in environment(system, "sasl")
    # config_change/3 hears of what the release has changed, and of nothing else.
    assert system.call("settings", "changes") == ([(Atom("given"), 2)], [], [])
    # OTP deletes all values of an application, those of files too, before it sets the new ones.
    seen = system.call("settings", "seen")
    assert (Atom("ok"), 7) in seen and set(seen) <= {(Atom("ok"), 7), Atom("undefined")}
    # Nothing of it is left in a file, and a boot begins with what the files say.
    assert Path(system.root, "releases/SECOND/sys.config").read_text() == GIVEN % (2, "SECOND")
    assert not Path(system.root, "releases/SECOND/sys.config").is_symlink()
    assert {path.name for path in Path(system.root, "run").iterdir()} == {"emulator.pid"}
    # And back.
    system.take("FIRST", "permanent", package=False, keep_env=["settings"])
    assert environment(system) == before


def test_a_name_with_a_typo(system: System) -> None:
    error = refused(system, "SECOND", keep_env=["counter", "setings"])
    assert "names setings, and neither release FIRST nor release SECOND has such an application. Correct the name" in str(error)
    assert system.call("counter", "version") == "1.0"


def test_a_value_that_no_file_has(system: System) -> None:
    put(system, "limit", "7")
    system.call("application", "set_env", APP, Atom("owner"), system.call("erlang", "whereis", Atom("counter")))
    before, pid = environment(system), system.pid
    error = refused(system, "SECOND", keep_env=["settings"])
    assert "(settings: owner). Leave these applications out of otp_keep_env (option keep_env)" in str(error) and "Nothing has changed" in str(error)
    assert (environment(system), system.pid) == (before, pid) and system.call("counter", "version") == "1.0"
    assert {path.name for path in Path(system.root, "run").iterdir()} == {"emulator.pid"}
    # The way out.
    system.take("SECOND", "permanent")
    assert environment(system)["limit"] == 1


def test_a_boot_after_a_run_that_was_cut_off(system: System) -> None:
    """As in a release of mix: bin/start_erl puts the file of the package back."""
    directory = Path(system.root, "releases/FIRST")
    (directory / "sys.config").rename(directory / "sys.config.built")
    (directory / "sys.config").symlink_to(Path(system.root, "run/FIRST.hot.runtime.config"))
    system.cut()
    system.start()
    assert environment(system)["planned"] == "FIRST" and not (directory / "sys.config.built").exists()
