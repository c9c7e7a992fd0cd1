# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The callback plugin fleet in a terminal: an upgrade, whose lines are compared with what the nodes run and with the report, and with the recording in the
guide; and all that a playbook can have, compared with what Ansible's own default plugin shows.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from recording import HIDE_CURSOR, Recording, lines_of_hosts
from upgrade_site import BIN, CORES, run_of, upgrade_site
from waiting import LIMIT

TOP = Path(__file__).parents[2]
GUIDE = TOP / "docs/docsite/rst/guide_live.rst"
# Without what a CI server sets.
FLEET = {"ANSIBLE_STDOUT_CALLBACK": "erlang.otp.fleet", "CI": "", "NO_COLOR": "0"}


def recorded() -> list[list[str]]:
    """The frames of the guide."""
    blocks = re.findall(r"\.\. code-block:: text\n\n((?:    .*\n|\n)+)", GUIDE.read_text("utf-8"))
    return [[line[4:] for line in block.rstrip().splitlines()] for block in blocks]


def step_of(recording: Recording, host: str) -> str:
    """The line of the host, from its third column on."""
    return next((line for line in lines_of_hosts(recording.lines(), "north") if re.match(rf".  {host}\b", line)), "")


def test_an_upgrade_as_in_the_guide() -> None:
    """North passes its gate when the test has seen it wait, and south fails it."""
    calls = {"module": "exchange_switch", "function": "calls", "arguments": ['<<"dora">>'], "expect": "1"}
    gates = [{"rpc": {"module": "erlang", "function": "is_alive", "expect": "true"}}, {"rpc": calls}]
    with upgrade_site(Path(tempfile.mkdtemp(prefix="otp-live-"))) as site:
        site.write_inventory("SECOND", "FIRST", of_hosts={"north": {"otp_verify_timeout": int(LIMIT)}, "south": {"otp_verify_timeout": 2}})
        command = site.command("upgrade", otp_serial=1, otp_gates=gates)
        with Recording(*command, **{**site.environment(), **FLEET}) as recording:
            assert recording.watch(lambda: "gate 2/2" in step_of(recording, "north")), recording.everything()
            # Installed, and not committed: it is verified.
            assert ("SECOND", "current") in site.releases("north") and ("FIRST", "permanent") in site.releases("south")
            site.ask("north", "dial dora")
            assert recording.watch(lambda: "gate 2/2" in step_of(recording, "south")), recording.everything()
            assert ("SECOND", "permanent") in site.releases("north")
            recording.watch()
        assert recording.code == 2
        found = recording.everything()
        last = lines_of_hosts(found.splitlines(), "north")
        assert ("FIRST", "permanent") in site.releases("south") and ("FIRST", "permanent") in site.releases("west")
    rows = {host: cells for host, cells in run_of(2, found).rows.items() if host != "HOST"}
    shown = {line[3:].split()[0]: re.split(r"  +", line[3:]) for line in last if line[:1] in "✓✗ " and line[3:4] != " "}
    assert {host: (cells[0], cells[3]) for host, cells in rows.items()} == {
        "north": ("FIRST", "done"),
        "south": ("FIRST", "rolled back"),
        "west": ("FIRST", "not reached"),
    }
    assert {host: (cells[1].split(" → ")[-1], cells[2]) for host, cells in shown.items()} == {host: (cells[1], cells[3]) for host, cells in rows.items()}
    # Of a failure, the whole message and the way out; and the recap.
    assert "Set otp_force (option force) to try release SECOND again" in found.replace("\n", "") and re.search(r"^PLAY RECAP \*", found, re.MULTILINE)
    seen = [lines_of_hosts(frame, "north") for frame in recording.frames]
    for block in recorded():
        assert block in seen, "\n".join(["a frame of the guide was not seen, or not in this order:", *block, "", *map("\n".join, seen)])
        seen = seen[seen.index(block) :]
    assert HIDE_CURSOR not in recording.written


PLAYBOOK = r"""
- hosts: all
  gather_facts: false
  handlers:
    - name: Handle
      debug: {msg: "handled on {{ inventory_hostname }}"}
  tasks:
    - name: Loop
      command: "echo {{ item }}"
      loop: [a, b]
      notify: Handle
      changed_when: true
    - name: Include
      include_tasks: included.yml
    - name: Say it to another host
      command: "true"
      delegate_to: h2
      run_once: true
    - name: Rescued
      block:
        - name: Break
          fail: {msg: "broken on {{ inventory_hostname }}"}
          when: inventory_hostname == 'h1'
      rescue:
        - name: Mend
          command: "true"
    - name: Ignored
      command: "false"
      ignore_errors: true
      when: inventory_hostname == 'h2'
    - name: Retried
      command: "false"
      register: tried
      until: tried is succeeded
      retries: 1
      delay: 0
      failed_when: false
    - name: Lost
      ping:
      when: inventory_hostname == 'h3'
    - name: Hostile
      fail: {msg: "{{ '\e[2J\e[1;1Hevil' }}\nits second line"}
      when: inventory_hostname == 'h4'
    - name: Warn
      erlang.otp.otp_warning: {warnings: [look out]}
      run_once: true
    - name: Wait
      command: "sleep {{ seconds | default(0) }}"
"""


@pytest.fixture
def play(tmp_path: Path) -> list[str]:
    (tmp_path / "playbook.yml").write_text(PLAYBOOK)
    (tmp_path / "included.yml").write_text("- name: Included\n  command: 'true'\n  changed_when: false\n")
    hosts = [f"h{number} ansible_connection=local ansible_python_interpreter={sys.executable}" for number in (1, 2, 4)]
    (tmp_path / "hosts").write_text("\n".join([*hosts, "h3 ansible_host=127.0.0.1 ansible_port=1 ansible_ssh_common_args='-F none'"]) + "\n")
    return [f"{BIN}/ansible-playbook", "-i", f"{tmp_path}/hosts", f"{tmp_path}/playbook.yml"]


def plain(output: str) -> list[str]:
    """Its lines, without what differs from run to run; hosts of one task answer in any order."""
    output = re.sub(r"(included: .* for ).*", r"\1", output)
    return sorted(re.sub(r"\d\d:\d\d[\d:.]*|\d{4}-\d\d-\d\d|0:00:0[\d.]+|(TASK|PLAY|RUNNING HANDLER).*", "", line).rstrip() for line in output.splitlines())


def run(play: list[str], **variables: str) -> tuple[int, str]:
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "TERM": "xterm", **variables}
    done = subprocess.run(
        play, env=environment, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False
    )
    return done.returncode, done.stdout


def test_beside_the_default_plugin(play: list[str]) -> None:
    code, expected = run(play)
    assert code == 4 and "broken on h1" in expected
    code, shown = run(play, **FLEET)
    assert code == 4 and plain(shown) == plain(expected)


@pytest.mark.full
def test_verbose_it_shows_all_that_the_default_plugin_shows(play: list[str]) -> None:
    _code, expected = run([*play, "-v"])
    with Recording(*play, "-v", columns=200, rows=40, **{"ANSIBLE_NOCOLOR": "1", **FLEET}) as recording:
        recording.watch()
    # As it was written, before the terminal has broken lines.
    found = plain(re.sub(r"\x1b\[\d*[AJK]|\r", "", recording.written.decode()))
    # Ansible breaks warnings at the width of the terminal.
    missing = [line for line in plain(expected) if line not in found and line.startswith(("ok:", "changed:", "fatal:", "skipping:", "included:", "h", "..."))]
    assert missing == [] and len([line for line in found if line.startswith(("ok:", "changed:"))]) > 10


def test_brief_with_everything_that_a_playbook_can_have(play: list[str]) -> None:
    with Recording(*play, columns=100, rows=40, **FLEET) as recording:
        recording.watch()
    found = recording.everything()
    # No screen was ever cleared by a host.
    assert recording.code == 4 and b"\x1b[2J" not in recording.written and b"\x1b[0;31m" in recording.written
    assert [line.partition("  ")[2].rstrip() for line in lines_of_hosts(found.splitlines(), "h1") if line[3:4] == "h"] == [
        "h1  ok",
        "h2  ok",
        "h4  failed",
        "h3  failed",
    ]
    assert "ok: [h1] => {" in found and '"msg": "handled on h1"' in found and "look out" in found and "...ignoring" in found
    assert all(word in found for word in ("broken on h1", "[2J[1;1Hevil", "its second line", "UNREACHABLE!", "PLAY RECAP"))
    assert "changed: [" not in found and "skipping: [" not in found and "RETRYING" not in found
    tasks = ("Loop", "Included", "Mend", "Wait")
    assert {task for task in tasks if any(task in line for frame in recording.frames for line in frame)} == set(tasks)


@pytest.mark.parametrize("programs", CORES[-1:], ids=lambda programs: programs.parent.name)
def test_interrupted_in_a_terminal_that_changes_its_size(play: list[str], programs: Path) -> None:
    play = [f"{programs}/ansible-playbook", *play[1:]]
    with Recording(*play, "-e", "seconds=100000", columns=100, rows=40, **{"ANSIBLE_NOCOLOR": "1", **FLEET}) as recording:
        assert recording.watch(lambda: any("  Wait  " in line for line in lines_of_hosts(recording.lines(), "h1"))), recording.everything()
        recording.resize(30, 6)
        count = len(recording.frames)
        assert recording.watch(lambda: len(recording.frames) > count + 3), recording.everything()
        assert recording.lines()[-2].startswith("[") and max(map(len, recording.lines())) < 30 and any(" h1 " in line for line in recording.lines())
        recording.type("\x03")
        recording.watch()
    assert "User interrupted execution" in recording.everything().replace("\n", "") and recording.code not in (0, None)
    assert not recording.screen.cursor.hidden and recording.screen.cursor.x == 0
    assert [line for line in recording.lines() if line][-1].startswith("[")
