# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real embedded nodes: a release made permanent, and back; what check mode says of it comes true."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from handler_site import IS_SECOND, Releases, System, disagreements, files_of
from waiting import LIMIT


@pytest.fixture
def system(releases: Releases) -> t.Iterator[System]:
    with System(releases) as system:
        yield system.start()


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


def test_check_mode_tells_and_touches_nothing(system: System) -> None:
    system.take("SECOND", "unpacked")
    files, statuses = files_of(system.root), system.statuses()
    told = system.take("SECOND", "permanent", check_mode=True)
    assert [action.partition(" the node")[0] for action in told["actions"]] == ["switch", "make release SECOND permanent on"]
    assert (files_of(system.root), system.statuses()) == (files, statuses)
    assert told["after"] == {"running": "SECOND", "permanent": "SECOND", "pid": system.pid, "releases": {"SECOND": "permanent", "FIRST": "old"}}
    fresh = system.take("RESTARTS", "permanent", check_mode=True)
    assert fresh["actions"][-1].startswith("make release RESTARTS permanent") and files_of(system.root) == files


def test_through_the_pipes(releases: Releases) -> None:
    """A node that is not distributed, over a restart of the emulator as well."""
    with System(releases, distributed=False) as system:
        pid = system.start().pid
        assert system.take("SECOND", "permanent", verify=[IS_SECOND])["transport"] == "pipe"
        back = system.take("FIRST", "permanent", package=False)
        assert back["after"]["releases"] == {"SECOND": "old", "FIRST": "permanent"} and system.pid == pid
        said = system.take("RESTARTS", "permanent", allow_restart=True)
        assert said["restarted"] and said["after"]["permanent"] == "RESTARTS" and system.pid != pid


def test_the_module_sends_the_package_once(system: System, tmp_path: Path) -> None:
    """As an operator has it in a play. The cookie is in no output."""
    way = {"node": system.name, "cookie_file": str(system.cookie_file), "epmd_port": system.port}
    wanted = {**way, "root": system.root, "release": "SECOND", "package": system.releases.packages["SECOND"], "verify": [IS_SECOND]}
    bare = {**wanted, "release": "BARE", "package": system.releases.packages["BARE"], "verify": []}
    module = "erlang.otp.otp_release_handler"
    tasks: list[dict[str, t.Any]] = [{module: wanted, "check_mode": True}, {module: wanted}, {module: wanted}, {module: bare, "ignore_errors": True}]
    told = [{**task, "register": f"said{number}"} for number, task in enumerate(tasks)]
    keep = {"ansible.builtin.copy": {"content": "{{ [said0, said1, said2, said3] | to_json }}", "dest": f"{tmp_path}/said.json"}}
    play = {"hosts": "localhost", "gather_facts": False, "vars": {"ansible_python_interpreter": sys.executable}, "tasks": [*told, keep]}
    Path(tmp_path, "play.yml").write_text(json.dumps([play]))
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-vvv", "--diff", "play.yml"]
    said = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False, cwd=tmp_path)
    assert said.returncode == 0, said.stdout
    assert "COOKIEOFTESTS" not in said.stdout
    foreseen, done, again, failed = json.loads(Path(tmp_path, "said.json").read_text())
    assert foreseen["changed"] and not foreseen["transferred"] and foreseen["after"]["releases"] == done["after"]["releases"]
    assert done["changed"] and done["transferred"] and done["before"]["releases"] == {"FIRST": "permanent"}
    assert not again["changed"] and not again["transferred"] and again["after"]["running"] == "SECOND"
    assert [problem["kind"] for problem in failed["problems"]] == ["no_way"] and "releases/BARE/relup is missing" in failed["msg"]
