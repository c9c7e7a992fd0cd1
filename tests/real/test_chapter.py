# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""OTP's chapter "Creating and Upgrading a Target System": chapter.yml has its steps, with their numbers; here is what they must give.

As in the chapter, everything changes with SECOND: ERTS, kernel, stdlib, sasl and pea. The older OTP is the one at hand under numbers
that its appups lead from.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
import typing as t
from pathlib import Path

import nodes
import pytest
from case_site import Cases
from other_otp import before, renumber, version_of
from release_workshop import MINIMAL, members
from waiting import LIMIT, free_port

from ansible_collections.erlang.otp.plugins.module_utils._build.otp import Otp
from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _node

PLAYBOOK = Path(__file__).with_name("chapter.yml")
PEA_LIB = '-export([version/0]).\nversion() -> "%s".\n'
STARTED = 'io:format("~0p", [[Name || {Name, _, _} <- lists:sort(application:which_applications())]]), halt().'


def numbers(otp: Otp) -> dict[str, str]:
    """What a .rel file says of the OTP."""
    return {"root": otp.root, "erts": otp.erts_version, **{name: version_of(otp, name) for name in MINIMAL}}


class Chapter:
    """What the chapter takes for granted: two OTPs, two versions of pea, a host."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.cases = Cases(directory)
        versions = {name: before(self.cases.otp, name) for name in MINIMAL}
        older = renumber(self.cases.otp, directory / "older", erts="13.0.9", applications=versions)
        self.older = {**numbers(older), **versions}
        self.newer = numbers(self.cases.otp)
        for version in ("1.0", "2.0"):
            self.cases.application("pea", version, {"pea_lib": PEA_LIB % version})
        self.epmd_port = free_port()

    def play(self) -> dict[str, t.Any]:
        """What the steps have returned, by the names under which they are registered."""
        variables = {
            "directory": str(self.directory),
            "older": self.older,
            "newer": self.newer,
            "epmd_port": self.epmd_port,
            "otp_cookie": secrets.token_hex(16),
            "started": STARTED,
            "ansible_python_interpreter": sys.executable,
        }
        (self.directory / "variables.json").write_text(json.dumps(variables))
        (self.directory / "inventory").write_text("target ansible_connection=local\n")
        command = [Path(sys.executable).parent / "ansible-playbook", "-i", self.directory / "inventory", "-e", f"@{self.directory}/variables.json", PLAYBOOK]
        environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_PIPELINING": "1"}
        said = subprocess.run(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False)
        assert said.returncode == 0, said.stdout
        return json.loads((self.directory / "returned.json").read_text())

    def printed(self, newer: str, older: str) -> str:
        """What which_releases prints in the chapter, with the numbers of these OTPs and without white space."""
        lists = []
        for otp, pea in ((self.newer, "2.0"), (self.older, "1.0")):
            lists.append(",".join(f'"{name}-{version}"' for name, version in [*((name, otp[name]) for name in MINIMAL), ("pea", pea)]))
        return f'[{{"MYSYSTEM","SECOND",[{lists[0]}],{newer}}},{{"MYSYSTEM","FIRST",[{lists[1]}],{older}}}]'


@pytest.fixture
def chapter(tmp_path: Path) -> t.Iterator[Chapter]:
    chapter = Chapter(tmp_path)
    epmd = subprocess.Popen(["epmd", "-address", "127.0.0.1", "-port", str(chapter.epmd_port)])
    try:
        yield chapter
    finally:
        _node.stop(str(tmp_path / "erl-target"))
        nodes.end(epmd)


def test_the_chapter(chapter: Chapter) -> None:
    steps = chapter.play()
    older, newer = chapter.older, chapter.newer

    # Creating a target system, step 3: what mysystem.tar.gz has.
    packed = members(steps["created"]["package"])
    for path in ("releases/FIRST/start.boot", "releases/FIRST/mysystem.rel", "releases/mysystem.rel", f"erts-{older['erts']}/bin/erlexec", "log"):
        assert path in packed
    libraries = {path.split("/")[1] for path in packed if path.startswith("lib/") and path.count("/") > 1}
    assert libraries == {f"kernel-{older['kernel']}", f"stdlib-{older['stdlib']}", f"sasl-{older['sasl']}", "pea-1.0"}
    assert {"bin/start.boot", "bin/epmd", "bin/run_erl", "bin/to_erl"} <= set(packed)

    # Installing a target system, step 4; and the two ways to start it by hand.
    assert (steps["installed"]["status"], steps["installed"]["release"]) == ("permanent", "FIRST")
    assert steps["basic"]["stdout"] == "[kernel,stdlib]"
    assert steps["simple"]["stdout"] == "[kernel,pea,sasl,stdlib]"

    # Creating the next version, step 4: as everything below pea has changed, the emulator restarts.
    ways = [(way["direction"], way["from"], way["to"], way["restarts"]) for way in steps["created_next"]["relup"]]
    assert ways == [("up", "FIRST", "SECOND", "restart_new_emulator"), ("down", "SECOND", "FIRST", "restart_emulator")]
    changes = [f"{name} {older[name]} -> {newer[name]}" for name in ("erts", *MINIMAL)]
    assert steps["created_next"]["relup"][0]["core_changes"] == changes

    # Upgrading the target system, step 1.
    assert steps["unpacked"]["after"]["releases"] == {"SECOND": "unpacked", "FIRST": "permanent"}
    # Step 2: heart restarts the node, and says so in the log; were it restarted now, it would run FIRST.
    root = chapter.directory / "erl-target"
    log = "".join(path.read_text(errors="replace") for path in sorted((root / "log").glob("erlang.log.*")))
    assert re.search(r"heart: .* Erlang has closed\.", log)
    assert re.search(rf'heart: .* Executed "{root}/bin/start {root}/releases/new_start_erl\.data" -> 0\. Terminating\.', log)
    assert steps["current"]["restarted"] and steps["current"]["before"]["pid"] != steps["current"]["after"]["pid"]
    assert steps["current"]["after"]["permanent"] == "FIRST"
    assert re.sub(r"\s", "", steps["which_current"]["text"]) == chapter.printed("current", "permanent")
    # Step 3.
    assert steps["permanent"]["changed"] and not steps["permanent"]["restarted"]
    assert re.sub(r"\s", "", steps["which_permanent"]["text"]) == chapter.printed("permanent", "old")

    # And back.
    assert steps["back"]["restarted"] and steps["back"]["after"]["releases"] == {"SECOND": "old", "FIRST": "permanent"}
    assert (root / "releases/start_erl.data").read_text().split() == [older["erts"], "FIRST"]
