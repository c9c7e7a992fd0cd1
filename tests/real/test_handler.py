# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real embedded nodes taken from release to release and back. Where OTP has a trap, its own answer is shown before ours."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from handler_site import OK, Releases, System, files_of, until

from ansible_collections.erlang.otp.plugins.module_utils import _node
from ansible_collections.erlang.otp.plugins.module_utils._changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._emulator import find_emulator
from ansible_collections.erlang.otp.plugins.module_utils._errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._handler import HandlerError
from ansible_collections.erlang.otp.plugins.module_utils._install import install_release
from ansible_collections.erlang.otp.plugins.module_utils._target import describe_target, read_target
from ansible_collections.erlang.otp.plugins.module_utils._terms import Atom
from ansible_collections.erlang.otp.plugins.modules.otp_release_info import ARGUMENT_SPEC, describe

IS_SECOND = {"module": "counter", "function": "version", "expect": '"2.0"'}
NEVER = {"module": "counter", "function": "version", "expect": '"9.9"'}


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Releases:
    return Releases(tmp_path_factory.mktemp("releases"))


@pytest.fixture
def system(releases: Releases) -> t.Iterator[System]:
    with System(releases) as system:
        yield system.start()


def refused(system: System, release: str, state: str = "permanent", **more: t.Any) -> HandlerError:
    with pytest.raises(HandlerError) as caught:
        system.take(release, state, **more)
    return caught.value


def kinds(error: HandlerError) -> list[str]:
    return [problem["kind"] for problem in error.result["problems"] if problem["fatal"]]


def disagreements(system: System) -> list[str]:
    return describe_target(read_target(system.root))["disagreements"]


def test_up_committed_down_and_removed(system: System) -> None:
    pid, before = system.pid, [system.count(), system.count()]
    start_erl = Path(system.root, "bin/start_erl").read_bytes()
    up = system.take("SECOND", "permanent", verify=[IS_SECOND])
    assert before == [1, 2] and system.call("counter", "state") == ("2.0", 2)
    assert system.statuses() == {"SECOND": "permanent", "FIRST": "old"} and system.pid == pid
    assert (up["restarted"], up["rolled_back"], up["problems"], up["transport"]) == (False, False, [], "distribution")
    assert [entry["action"] for entry in up["history"]] == ["unpack", "install", "commit"]
    assert (up["before"]["running"], up["after"]["running"], up["after"]["permanent"]) == ("FIRST", "SECOND", "SECOND")
    assert Path(system.root, "bin/start.boot").read_bytes() == Path(system.root, "releases/SECOND/start_clean.boot").read_bytes()
    assert Path(system.root, "bin/start_erl").read_bytes() == start_erl and disagreements(system) == []
    again = system.take("SECOND", "permanent", verify=[IS_SECOND])
    assert not again["changed"] and again["before"] == again["after"]
    down = system.take("FIRST", "permanent", package=False)
    assert system.call("counter", "state") == ("1.0", 2) and down["after"]["permanent"] == "FIRST"
    assert system.take("SECOND", "absent")["after"]["releases"] == {"FIRST": "permanent"}
    assert not os.path.exists(f"{system.root}/lib/counter-2.0") and not os.path.exists(f"{system.root}/releases/SECOND")
    assert not system.take("SECOND", "absent")["changed"]
    assert system.pid == pid and system.count() == 3 and disagreements(system) == []


def test_what_check_mode_predicts_comes_true(system: System) -> None:
    """Over a whole life; and each run a second time has nothing to do."""
    life = [("SECOND", "unpacked"), ("SECOND", "current"), ("FIRST", "current"), ("SECOND", "current"), ("FIRST", "rebooted_old")]
    life += [("SECOND", "permanent"), ("FIRST", "current"), ("SECOND", "rebooted_old"), ("FIRST", "rebooted_old"), ("SECOND", "absent")]
    for release, state in life:
        predicted = system.take(release, state, check_mode=True)
        done, again, nothing = (system.take(release, state, check_mode=mode) for mode in (False, True, False))
        assert [run["changed"] for run in (predicted, done, again, nothing)] == [True, True, False, False], (release, state)
        assert predicted["diff"] == done["diff"], (release, state)
        assert again["before"] == again["after"] == nothing["after"] == done["after"]


def test_each_state_by_itself(system: System) -> None:
    assert system.take("SECOND", "unpacked")["after"]["releases"] == {"SECOND": "unpacked", "FIRST": "permanent"}
    assert not system.take("SECOND", "unpacked")["changed"]
    # What release_handler itself makes of it: the release is known, and nothing is left of the way it came to know.
    assert system.operate("check_install_release", "SECOND") == (OK, "FIRST", [])
    assert [name for name in os.listdir(f"{system.root}/releases") + os.listdir(f"{system.root}/releases/SECOND") if "register" in name] == []
    assert system.take("SECOND", "current")["after"]["releases"] == {"SECOND": "current", "FIRST": "permanent"}
    assert not system.take("SECOND", "current")["changed"]
    assert system.take("SECOND", "permanent")["actions"][0].startswith("make release SECOND permanent")


def test_check_mode_tells_and_touches_nothing(system: System) -> None:
    system.take("SECOND", "unpacked")
    files, statuses = files_of(system.root), system.statuses()
    told = system.take("SECOND", "permanent", check_mode=True)
    assert [action.partition(" the node")[0] for action in told["actions"]] == ["take", "make release SECOND permanent on"]
    assert (files_of(system.root), system.statuses()) == (files, statuses)
    assert told["after"] == {"running": "SECOND", "permanent": "SECOND", "pid": system.pid, "releases": {"SECOND": "permanent", "FIRST": "old"}}
    fresh = system.take("RESTARTS", "permanent", check_mode=True)
    assert fresh["actions"][-1].startswith("make release RESTARTS permanent") and files_of(system.root) == files


def test_an_upgrade_that_restarts_the_emulator_is_allowed_and_waited_for(system: System) -> None:
    pid = system.pid
    error = refused(system, "RESTARTS")
    assert kinds(error) == ["restart"] and system.statuses() == {"RESTARTS": "unpacked", "FIRST": "permanent"}
    said = system.take("RESTARTS", "permanent", allow_restart=True)
    # OTP answers before the emulator has ended: release_handler says ok, and the process is still the old one.
    assert said["restarted"] and said["after"]["pid"] == system.pid != pid and 0 < said["unreachable_seconds"] < 20
    assert system.statuses() == {"RESTARTS": "permanent", "FIRST": "old"} and system.call("counter", "version") == "2.1"
    back = system.take("FIRST", "rebooted_old")
    assert back["restarted"] and system.statuses() == {"RESTARTS": "old", "FIRST": "permanent"} and disagreements(system) == []
    assert not system.take("FIRST", "rebooted_old")["changed"]


def test_current_is_rebooted_to_permanent(system: System) -> None:
    system.take("SECOND", "current")
    assert system.take("FIRST", "rebooted_old")["after"]["releases"] == {"SECOND": "unpacked", "FIRST": "permanent"}
    with pytest.raises(OtpError, match="only an old release"):
        system.take("SECOND", "rebooted_old")
    # This was on purpose, so SECOND has not failed.
    assert system.take("SECOND", "current")["after"]["running"] == "SECOND"


def test_killed_before_the_commit_the_old_release_is_back_and_the_new_one_refused(system: System) -> None:
    system.take("SECOND", "current")
    killed = system.pid
    os.kill(killed, signal.SIGKILL)
    until(lambda: find_emulator(system.root) not in (None, killed) and system.observe().status == "started")
    error = refused(system, "SECOND")
    assert f"the emulator ended (process {killed}), and the node is back on release FIRST" in str(error)
    assert error.result["rolled_back"] and kinds(error) == ["failed_before"] and error.result["history"][0]["action"] == "fall_back"
    assert system.statuses() == {"SECOND": "unpacked", "FIRST": "permanent"}
    assert kinds(refused(system, "SECOND", check_mode=True)) == ["failed_before"]
    assert system.take("SECOND", "permanent", force=True)["after"]["permanent"] == "SECOND"
    assert not system.take("SECOND", "permanent")["changed"]


def test_killed_while_it_is_verified(system: System) -> None:
    error = refused(system, "SECOND", verify=[IS_SECOND, {"module": "erlang", "function": "halt"}])
    assert error.result["rolled_back"] and error.result["restarted"] and "the emulator ended" in str(error)
    assert error.result["after"]["running"] == "FIRST" and system.statuses() == {"SECOND": "unpacked", "FIRST": "permanent"}


def test_a_code_change_that_crashes_ends_on_the_old_release(system: System) -> None:
    error = refused(system, "CRASHES")
    assert "code_change_failed" in str(error) and "cannot_change" in str(error) and "The node runs release FIRST, started again" in str(error)
    assert error.result["rolled_back"] and error.result["restarted"] and system.count() == 1
    assert system.statuses() == {"CRASHES": "unpacked", "FIRST": "permanent"}
    again = refused(system, "CRASHES")
    assert kinds(again) == ["failed_before"] and "code_change_failed" in str(again)
    assert "code_change_failed" in str(refused(system, "CRASHES", force=True))
    # A release that was removed may come again, with other content.
    system.take("CRASHES", "absent")
    assert "code_change_failed" in str(refused(system, "CRASHES"))


def test_what_is_not_verified_is_taken_back_without_a_restart(system: System) -> None:
    system.count()
    pid = system.pid
    error = refused(system, "SECOND", verify=[NEVER], verify_timeout=0.5)
    assert 'counter:version/0 returned "2.0", and "9.9" was expected' in str(error) and error.result["rolled_back"]
    assert system.call("counter", "state") == ("1.0", 1) and system.pid == pid
    assert kinds(refused(system, "SECOND")) == ["failed_before"]


def test_what_is_not_verified_may_stay(system: System) -> None:
    error = refused(system, "SECOND", verify=[NEVER], verify_timeout=0.5, rollback=False)
    assert not error.result["rolled_back"] and system.statuses() == {"SECOND": "current", "FIRST": "permanent"}


def test_without_a_way_back_it_is_rebooted(system: System) -> None:
    system.take("SECOND", "unpacked")
    relup = Path(system.root, "releases/SECOND/relup")
    ups = system.call("file", "consult", str(relup))[1][0]
    system.call("file", "write_file", str(relup), system.call("io_lib", "format", "~p.~n", [(ups[0], ups[1], [])]))
    error = refused(system, "SECOND", package=False, verify=[NEVER], verify_timeout=0.5)
    assert "the node was rebooted" in str(error) and error.result["restarted"] and error.result["rolled_back"]
    assert system.statuses() == {"SECOND": "unpacked", "FIRST": "permanent"}


def on_a_new_emulator(system: System, release: str) -> None:
    """Have the relup of the release say what that of another ERTS says: first the new emulator, then the rest in it."""
    system.take(release, "unpacked")
    relup = Path(system.root, "releases", release, "relup")
    text = relup.read_text()
    relup.write_text(re.sub(r'\[\{"FIRST",\[\],\s*\[', '[{"FIRST",[],[restart_new_emulator,', text, count=1))
    assert relup.read_text() != text


def test_on_a_new_emulator(system: System) -> None:
    on_a_new_emulator(system, "SECOND")
    pid = system.pid
    assert kinds(refused(system, "SECOND", package=False)) == ["restart"]
    said = system.take("SECOND", "permanent", package=False, allow_restart=True, verify=[IS_SECOND])
    assert said["restarted"] and system.pid != pid and said["after"]["releases"] == {"SECOND": "permanent", "FIRST": "old"}
    assert disagreements(system) == [] and not system.take("SECOND", "permanent", package=False)["changed"]


def test_a_code_change_that_crashes_on_a_new_emulator(system: System) -> None:
    """OTP only logs it, and the node comes back twice."""
    on_a_new_emulator(system, "CRASHES")
    error = refused(system, "CRASHES", package=False, allow_restart=True)
    assert error.result["rolled_back"] and error.result["restarted"] and "the node came up again on release FIRST" in str(error)
    assert error.result["after"]["running"] == "FIRST" and system.count() == 1 and disagreements(system) == []
    assert kinds(refused(system, "CRASHES", package=False, allow_restart=True)) == ["failed_before"]


def test_trap_no_relup(system: System) -> None:
    system.take("BARE", "unpacked")
    assert system.operate("check_install_release", "BARE")[0] == OK
    assert system.operate("install_release", "BARE")[0] == Atom("error")
    error = refused(system, "BARE")
    assert kinds(error) == ["no_way"] and "releases/BARE/relup is missing" in str(error) and "upgrade_from FIRST" in str(error)


@pytest.mark.parametrize(("content", "reason"), [("[{kernel,[", "is not Erlang terms"), (None, "sys.config is missing")])
def test_trap_unreadable_configuration(system: System, content: str | None, reason: str) -> None:
    system.take("SECOND", "unpacked")
    path = Path(system.root, "releases/SECOND/sys.config")
    path.unlink() if content is None else path.write_text(content)
    assert system.operate("check_install_release", "SECOND")[0] == OK
    error = refused(system, "SECOND", package=False)
    assert kinds(error) == ["sys_config"] and reason in str(error) and "otp_release_config" in str(error)
    assert system.statuses() == {"SECOND": "unpacked", "FIRST": "permanent"}


def test_trap_restart_without_heart(releases: Releases) -> None:
    with System(releases, heart=False) as system:
        system.start()
        system.take("RESTARTS", "unpacked")
        assert system.operate("check_install_release", "RESTARTS")[0] == OK
        assert kinds(refused(system, "RESTARTS", allow_restart=True)) == ["heart"]
        # And this is what would have happened: it fails, and the node forgets its state.
        system.count()
        assert system.operate("install_release", "RESTARTS")[0] == Atom("error")
        assert until(lambda: system.observe().status == "started" and system.count()) == 1
        assert os.path.exists(f"{system.root}/releases/new_start_erl.data")
        # By the relup that needs no restart it goes; only that there is nobody to bring the node back.
        said = system.take("SECOND", "permanent")
        assert [problem["kind"] for problem in said["problems"]] == ["heart"] and said["after"]["permanent"] == "SECOND"


def test_trap_no_start_program(system: System) -> None:
    system.take("RESTARTS", "unpacked")
    Path(system.root, "bin/start").rename(f"{system.root}/bin/begin")
    assert system.operate("check_install_release", "RESTARTS")[0] == OK
    # An installation makes one that knows nothing of the node.
    for package in (False, True):
        error = refused(system, "RESTARTS", allow_restart=True, package=package)
        assert kinds(error) == ["start_program"] and "the node would stay down" in str(error)
    Path(system.root, "bin/begin").rename(f"{system.root}/bin/start")


def test_trap_current_is_removed(system: System) -> None:
    """release_handler removes the files of what runs; we do not."""
    system.take("SECOND", "current")
    with pytest.raises(OtpError, match="release SECOND is current: it runs"):
        system.take("SECOND", "absent")
    with pytest.raises(OtpError, match="release FIRST is permanent"):
        system.take("FIRST", "absent")
    assert os.path.exists(f"{system.root}/lib/counter-2.0")
    assert system.operate("remove_release", "SECOND") == OK
    assert not os.path.exists(f"{system.root}/lib/counter-2.0")


def test_trap_entry_without_libraries(releases: Releases) -> None:
    """Without RELEASES, release_handler invents an entry without libraries, and then takes everything along with the next one that it removes."""
    with System(releases) as system:
        os.unlink(f"{system.root}/releases/RELEASES")
        system.start()
        assert system.observe().releases[0].libraries == ()
        system.take("SECOND", "unpacked")
        error = refused(system, "SECOND", "absent")
        assert [problem["kind"] for problem in error.result["problems"]] == ["incomplete_entry", "unreadable"]
        assert os.path.exists(f"{system.root}/lib/counter-2.0") and os.path.exists(f"{system.root}/lib/counter-1.0")
        assert system.operate("remove_release", "SECOND") == OK
        assert [name for name in os.listdir(f"{system.root}/lib") if name.startswith("kernel-")] == []


def test_trap_client_uses_a_library(system: System) -> None:
    """A master's release_handler does not know what its clients use."""
    system.take("SECOND", "unpacked")
    client = Path(system.root, "clients/box/releases")
    client.mkdir(parents=True)
    (client / "RELEASES").write_bytes(Path(system.root, "releases/RELEASES").read_bytes())
    system.take("SECOND", "absent")
    assert os.path.exists(f"{system.root}/lib/counter-2.0") and not os.path.exists(f"{system.root}/releases/SECOND")


def test_trap_processes_in_old_code(system: System) -> None:
    """They live on after the installation, and the commit ends them without a word."""
    process = system.call("erlang", "spawn", Atom("counter"), Atom("linger"), [])
    system.take("SECOND", "current")
    assert system.call("erlang", "is_process_alive", process) == Atom("true")
    told = system.take("SECOND", "permanent", check_mode=True)
    said = system.take("SECOND", "permanent")
    assert told["old_processes"] == said["old_processes"] == {"counter": [process.text]}
    assert system.call("erlang", "is_process_alive", process) == Atom("false")


def test_old_processes_and_a_soft_purge(system: System) -> None:
    """With a soft purge they keep the next installation off: nothing is installed, and the message says why."""
    system.take("SECOND", "unpacked")
    relup = Path(system.root, "releases/SECOND/relup")
    relup.write_text(relup.read_text().replace("brutal_purge", "soft_purge"))
    process = system.call("erlang", "spawn", Atom("counter"), Atom("linger"), [])
    system.take("SECOND", "current", package=False)
    # As FIRST has no relup of its own, release_handler looks at nothing.
    assert system.operate("check_install_release", "FIRST")[0] == OK
    error = refused(system, "FIRST", "current", package=False)
    assert kinds(error) == ["old_processes"] and f"{process.text} still run old code of counter" in str(error)
    assert system.statuses() == {"SECOND": "current", "FIRST": "permanent"}
    system.call("erlang", "send", process, Atom("leave"))
    assert system.take("FIRST", "current", package=False)["after"]["running"] == "FIRST"


def test_offline_is_as_release_handler_leaves_it(releases: Releases, system: System) -> None:
    system.take("SECOND", "permanent")
    with System(releases) as other:
        before = files_of(other.root)
        assert other.take("SECOND", "permanent", check_mode=True)["changed"] and files_of(other.root) == before
        said = other.take("SECOND", "permanent")
        assert said["transport"] == "offline" and said["after"] == {**said["after"], "running": None, "permanent": "SECOND"}
        assert not other.take("SECOND", "permanent")["changed"]
        both = [{path: content for path, content in files_of(each.root).items() if path.startswith("releases/")} for each in (system, other)]
        ours, theirs = both[1], both[0]
        assert ours["releases/RELEASES"].split() == theirs["releases/RELEASES"].split()
        assert ours["releases/start_erl.data"].split() == theirs["releases/start_erl.data"].split()
        assert set(theirs) == set(ours)
        other.start()
        assert other.statuses() == {"SECOND": "permanent", "FIRST": "old"} and other.call("counter", "version") == "2.0"
        # release_handler goes on from there.
        assert other.operate("install_release", "FIRST")[0] == OK and other.operate("make_permanent", "FIRST") == OK
        assert other.operate("remove_release", "SECOND") == OK and other.call("counter", "version") == "1.0"


def test_offline_back_and_gone(releases: Releases) -> None:
    with System(releases) as system:
        system.take("SECOND", "permanent", transport="offline")
        with pytest.raises(OtpError, match="a release is current only while it runs"):
            system.take("SECOND", "current")
        system.take("FIRST", "rebooted_old")
        system.take("SECOND", "absent")
        assert [entry["action"] for entry in map(json.loads, Path(system.root, "releases/history.jsonl").open())] == ["offline", "offline", "remove"]
        assert system.start().statuses() == {"FIRST": "permanent"}
        with pytest.raises(OtpError, match="transport offline is for a node that is down"):
            system.take("SECOND", "permanent", transport="offline")


def test_through_the_pipes(releases: Releases) -> None:
    """A node that is not distributed, over a restart of the emulator as well."""
    with System(releases, distributed=False) as system:
        pid = system.start().pid
        assert system.take("SECOND", "permanent", verify=[IS_SECOND])["transport"] == "pipe"
        back = system.take("FIRST", "permanent", package=False)
        assert back["after"]["releases"] == {"SECOND": "old", "FIRST": "permanent"} and system.pid == pid
        said = system.take("RESTARTS", "permanent", allow_restart=True)
        assert said["restarted"] and said["after"]["permanent"] == "RESTARTS" and system.pid != pid


def test_a_node_that_does_not_come_back(system: System) -> None:
    """The message says what is up: here, that nothing is."""
    system.take("RESTARTS", "unpacked")
    start = Path(system.root, "bin/start")
    start.write_text("#!/bin/sh\nexit 1\n")
    error = refused(system, "RESTARTS", allow_restart=True, restart_timeout=4.0)
    assert "has not come back within 4 s" in str(error) and "it is down: bin/start would start the permanent release" in str(error)
    assert error.result["history"][-1]["outcome"] == "failed"
    system.write_scripts()
    assert system.start().statuses()["FIRST"] == "permanent"
    assert kinds(refused(system, "RESTARTS", allow_restart=True)) == ["failed_before"]


def test_what_was_installed_beside_the_node_is_made_known(system: System) -> None:
    """RELEASES, which a running release_handler does not read again, lists the release; the node does not."""
    install_release(root=system.root, package=system.releases.packages["SECOND"], changes=Changes())
    assert system.statuses() == {"FIRST": "permanent"}
    assert system.take("SECOND", "current", package=False)["after"]["releases"] == {"SECOND": "current", "FIRST": "permanent"}


def test_a_wrong_package_and_none(system: System) -> None:
    with pytest.raises(OtpError, match="has no release SECOND: give its package"):
        system.take("SECOND", "current", package=False)
    with pytest.raises(OtpError, match="the package has release SECOND, not THIRD"):
        system.take("THIRD", "unpacked", package_of="SECOND")


def test_the_module_sends_the_package_once(system: System, tmp_path: Path) -> None:
    """As an operator runs it. The cookie is in no output."""
    arguments = {"root": system.root, "release": "SECOND", "node": system.name, "cookie_file": str(system.cookie_file), "epmd_port": system.port}
    arguments["package"] = system.releases.packages["SECOND"]
    arguments["verify"] = [IS_SECOND]

    def run(*flags: str) -> dict[str, t.Any]:
        ansible = str(Path(sys.executable).parent / "ansible")
        command = [
            ansible,
            "localhost",
            "-m",
            "erlang.otp.otp_release_handler",
            "-a",
            json.dumps(arguments),
            "-e",
            f"ansible_python_interpreter={sys.executable}",
        ]
        said = subprocess.run([*command, *flags], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, check=False, cwd=tmp_path)
        assert "COOKIEOFTESTS" not in said.stdout
        found = re.search(r"=> (\{.*\})", said.stdout, re.DOTALL)
        assert found, said.stdout
        return json.loads(found[1])

    told = run("--check")
    assert told["changed"] and not told["transferred"] and system.statuses() == {"FIRST": "permanent"}
    done = run()
    assert done["changed"] and done["transferred"] and system.statuses() == {"SECOND": "permanent", "FIRST": "old"}
    again = run()
    assert not again["changed"] and not again["transferred"] and again["after"]["running"] == "SECOND"
    arguments.update(release="BARE", package=system.releases.packages["BARE"], verify=[])
    failed = run()
    assert [problem["kind"] for problem in failed["problems"]] == ["no_way"] and "releases/BARE/relup is missing" in failed["msg"]


def test_a_stopped_node_is_found_stopped(system: System) -> None:
    _node.stop(system.root)
    assert system.take("SECOND", "permanent")["transport"] == "offline"
    assert system.start().statuses() == {"SECOND": "permanent", "FIRST": "old"}


def test_info_of_a_running_node(system: System) -> None:
    def info(**more: t.Any) -> dict[str, t.Any]:
        defaults = {name: spec.get("default") for name, spec in ARGUMENT_SPEC.items()}
        way = {"node": system.name, "cookie_file": str(system.cookie_file), "epmd_port": system.port}
        return describe({**defaults, **way, "root": system.root, **more})

    assert info()["running"]["release"] == "FIRST" and info()["disagreements"] == [] and info()["history"] == []
    system.take("SECOND", "current")
    told = info()
    assert (told["running"]["release"], told["running"]["permanent"], told["running"]["pid"]) == ("SECOND", "FIRST", system.pid)
    assert told["disagreements"] == ["release SECOND runs and is not committed: after its next start the node runs FIRST"]
    install_release(root=system.root, package=system.releases.packages["BARE"], changes=Changes())
    assert "RELEASES lists release BARE (unpacked), the node does not know it: it was installed after the node's start" in info()["disagreements"]
    refused(system, "SECOND", verify=[NEVER], verify_timeout=0.2)
    told = info(history=1)
    assert "counter:version/0 returned" in told["failed_releases"]["SECOND"] and [entry["action"] for entry in told["history"]] == ["verify"]
    assert not info(node="nobody@localhost")["running"]["answers"] and "does not answer" in info(node="nobody@localhost")["disagreements"][-1]
    assert info(node=None)["running"] is None
    _node.stop(system.root)
    stopped = info()
    assert stopped["running"]["pid"] is None and not stopped["running"]["answers"]
