# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a node and its user write reaches the operator's terminal without control characters: the bytes that ansible-playbook writes to a real one.

The files of the tree, a package, and the answers of a node have sequences that clear the screen, set its title, and turn the direction of text.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import re
import subprocess
import sys
import tarfile
import typing as t
from pathlib import Path

import pytest
import yaml
from hostile_node import COOKIE, NODE, HostileNode
from waiting import LIMIT

from ansible_collections.erlang.otp.plugins.module_utils._terms.etf_decoder import encode
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom

PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"
# Of a terminal: clear the screen (in two ways), set the title, go back on the line; of Unicode: turn the direction.
ATTACK = "\x1b[2J\x9b2J\x1b]0;owned\x07\r\x7f\u202e\u2066"
DANGEROUS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def hostile_tree(root: Path) -> None:
    """A system whose files its user has written anew."""
    (root / "releases/1.0").mkdir(parents=True)
    (root / f"releases/2.0{ATTACK}").mkdir()
    (root / "releases/RELEASES").write_text(f'[{{release,"x{ATTACK}","1.0","13.1",[],permanent}}].\n')
    (root / "releases/start_erl.data").write_text(f"13.1 1.0{ATTACK}\n")
    entry = {"time": ATTACK, "action": "install", "release": f"3{ATTACK}", "from": None, "outcome": "failed", "reason": f"why {ATTACK}", ATTACK: ATTACK}
    (root / "releases/history.jsonl").write_text(json.dumps(entry, ensure_ascii=False) + "\n")
    (root / "releases/1.0/sys.config").write_text(f"%% mine {ATTACK}\n[].\n")
    (root / "releases/1.0/sys.config.src").write_text("[].\n")


def hostile_package(path: Path) -> None:
    """A package whose member has such a name."""
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo(f"releases/../{ATTACK}"), io.BytesIO())


def answer(module: str, function: str) -> bytes:
    values = {"text": ATTACK, "atom": Atom(ATTACK), "binary": ATTACK.encode(), "keys": [(Atom(ATTACK), 1)]}
    return encode(values.get(function, Atom("undefined")))


def tasks(root: Path, package: Path, node: HostileNode) -> list[dict[str, t.Any]]:
    call = {"node": NODE, "cookie": COOKIE, "host": "127.0.0.1", "epmd_port": node.epmd_port, "module": "m"}
    listed: list[dict[str, t.Any]] = [
        {"erlang.otp.otp_release_info": {"root": str(root)}, "register": "asked"},
        {"ansible.builtin.debug": {"msg": "{{ asked.disagreements | join(' ') }} {{ asked.failed_releases }}"}},
        {"ansible.builtin.debug": {"msg": "{{ (hostvars | erlang.otp.fleet_status(hosts=['localhost'], register='asked', time='now')).lines }}"}},
        {"erlang.otp.otp_release_install": {"root": f"{root}-new", "package": str(package)}},
        {"erlang.otp.otp_release_config": {"root": str(root), "release": "1.0", "sys_config": "[{a,[]}].\n"}, "diff": True},
        {"erlang.otp.otp_release_config": {"root": str(root)}},
        *({"erlang.otp.otp_rpc": {**call, "function": function}} for function in ("text", "atom", "binary", "keys")),
        {"erlang.otp.otp_rpc": {**call, "function": "text", "expect": "other"}},
    ]
    return [{**task, "ignore_errors": True} for task in listed]


@pytest.fixture(scope="module", params=["default", "yaml"])
def shown(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """All that the terminal gets of a play, in both forms of Ansible's own output."""
    directory = tmp_path_factory.mktemp("output")
    root, package = directory / "root", directory / "package.tar.gz"
    hostile_tree(root)
    hostile_package(package)
    with HostileNode(answer) as node:
        variables = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        play = {"hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": tasks(root, package, node)}
        (directory / "play.yml").write_text(yaml.safe_dump([play]))
        environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml" if request.param == "yaml" else "json", "COLUMNS": "100"}
        return on_terminal([str(PLAYBOOK), "-i", "localhost,", str(directory / "play.yml"), "-v"], environment)


def on_terminal(command: list[str], environment: dict[str, str]) -> str:
    """What the program writes to its terminal."""
    terminal, theirs = pty.openpty()
    with subprocess.Popen(command, env=environment, stdin=theirs, stdout=theirs, stderr=theirs) as program:
        os.close(theirs)
        content = b""
        # The last reading of a terminal that its programs have left is an error.
        with contextlib.suppress(OSError):
            while True:
                block = os.read(terminal, 65536)
                if not block:
                    break
                content += block
        program.wait(LIMIT)
    os.close(terminal)
    assert program.returncode == 0, content.decode(errors="replace")
    # The terminal itself makes \r\n of \n.
    return content.decode("utf-8", "surrogateescape").replace("\r\n", "\n")


def test_the_attack_is_what_a_terminal_obeys() -> None:
    assert len(DANGEROUS.findall(ATTACK)) == 8


def test_no_control_character_reaches_the_terminal(shown: str) -> None:
    found = DANGEROUS.search(shown)
    assert found is None, repr(shown[max(0, found.start() - 300) : found.end() + 100])


@pytest.mark.parametrize(
    "words",
    [
        "start_erl.data: is not the line",
        "2.0[2J2J]0;owned",  # a name of a directory
        "why [2J2J]0;owned",  # the history
        "mine [2J2J]0;owned",  # a file, in a diff
        "package.tar.gz",
        "\\e[2J",  # a result of a call, escaped
        "not as expected",
    ],
)
def test_what_has_been_attacked_is_shown(shown: str, words: str) -> None:
    assert words in shown or words.replace("\\", "\\\\") in shown, shown[-12000:]
