# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of the role upgrade, and a node that goes round and round over them: FIRST to SECOND to THIRD to FIRST.

It keeps two releases, so that each run has one to bring and one to remove. Its runs can be killed at a step.
"""

from __future__ import annotations

import collections
import contextlib
import os
import re
import signal
import subprocess
import time
import typing as t
from pathlib import Path

import yaml
from exchange_line import Line
from upgrade_site import VERSIONS, Site
from waiting import wait_until

from ansible_collections.erlang.otp.plugins.module_utils._build.build import build_release
from ansible_collections.erlang.otp.plugins.module_utils._build.inputs import Options
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._info.target import describe_target, read_target
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator

TASKS = Path(__file__).parents[2] / "roles" / "upgrade" / "tasks"
ROUND = ("FIRST", "SECOND", "THIRD")
# What these do is done on the controller, or by others.
ELSEWHERE = {"assert", "debug", "fail", "import_role", "import_tasks", "include_role", "include_tasks", "meta", "otp_failure", "set_fact"}
HOOKS = ("before", "gate", "committed", "after")
# As long as a module may be at work before its controller is lost.
A_WHILE = 0.3


class Task(t.NamedTuple):
    """A task of the role that works on the host. changes: whether it is a module of ours that changes it."""

    name: str
    changes: bool


class Case(t.NamedTuple):
    """Where a run is killed: at a task, when so many of its name have come before. is_alone: while its module works, which then goes on."""

    name: str
    before: int = 0
    is_alone: bool = False

    def __str__(self) -> str:
        return f"{self.name}, {self.before + 1}{', its module goes on' if self.is_alone else ''}"


def tasks_on_hosts() -> dict[str, Task]:
    """Those of the role, by name."""
    found = (task for path in sorted(TASKS.glob("*.yml")) for task in _tasks_among(yaml.safe_load(path.read_text())))
    return {task.name: task for task in found}


def _tasks_among(tasks: list[dict[str, t.Any]]) -> t.Iterator[Task]:
    for task in tasks:
        for keyword in ("block", "rescue", "always"):
            yield from _tasks_among(task.get(keyword, []))
        module = next((key for key in task if "." in key), "")
        if module and module.rpartition(".")[2] not in ELSEWHERE:
            yield Task(task["name"], module.startswith("erlang.otp.") and not task.get("check_mode"))


def cases_of(output: str) -> list[Case]:
    """Each task that a run has carried out on a host, when it begins; and those that change it, while they work."""
    known = {**tasks_on_hosts(), **{f"Hook {when}": Task(f"Hook {when}", False) for when in HOOKS}}
    cases: list[Case] = []
    came: collections.Counter[str] = collections.Counter()
    for name, outcome in re.findall(r"^TASK \[(?:[^]]* : )?(.*)\] \*+\n(\w+): ", output, re.MULTILINE):
        if name in known and outcome in ("ok", "changed"):
            alone = (False, True) if known[name].changes else (False,)
            cases += [Case(name, came[name], is_alone) for is_alone in alone]
        came[name] += 1
    return cases


def make_packages(site: Site) -> None:
    """Those of SECOND and THIRD, with relups from and to all before."""
    source = site.directory / "exchange-source"
    for index, release in enumerate(ROUND[1:], 1):
        earlier = tuple(site.package(other)["otp_package"] for other in ROUND[:index])
        options = Options(
            rel=str(source / f"{release.lower()}.rel"),
            code_path=(str(source / VERSIONS[release] / "ebin"),),
            sys_config_src=str(source / "sys.config.src"),
            upgrade_from=earlier,
            downgrade_to=earlier,
            output_dir=str(site.directory / "build" / release),
        )
        os.rename(build_release(options, Changes())["package"], site.package(release)["otp_package"])


class Walk:
    """A host of the site, and where its node is."""

    def __init__(self, site: Site, host: str) -> None:
        self.site = site
        self.host = host
        self.root = Path(site.root(host))
        self.hooks = site.directory / f"hooks-{host}"
        self.here = "FIRST"
        self.idle = Line(site.ports[host])
        self.dialled = 0
        self.files: dict[t.Any, set[str]] = {}
        # Cases whose module was over before it was seen: the run was killed after it.
        self.too_late: list[Case] = []

    @property
    def next(self) -> str:
        return ROUND[(ROUND.index(self.here) + 1) % 3]

    @property
    def pid(self) -> int | None:
        return find_emulator(str(self.root))

    def variables(self, **more: t.Any) -> dict[str, t.Any]:
        """Those of a run to the next release."""
        hooks = {}
        for when in HOOKS:
            path = self.site.directory / f"{when}-{self.host}.yml"
            task = {"name": f"Hook {when}", "ansible.builtin.shell": f"echo {when} >> {self.hooks}", "changed_when": False}
            path.write_text(yaml.safe_dump([task]))
            hooks[when] = str(path)
        return {**self.site.package(self.next), "otp_hooks": hooks, "otp_keep_releases": 2, "otp_gates": [{"command": "true"}], **more}

    def dial(self) -> None:
        """A call over the line that is open all the time; the exchange has counted all those before."""
        self.dialled += 1
        said = self.idle.ask("dial anna")
        assert said == f"dialled anna {self.dialled}", said

    def connect(self) -> None:
        """After a restart of the node, which has forgotten all calls."""
        self.idle.close()
        self.idle = Line(self.site.ports[self.host])
        self.dialled = 0

    def go(self, **more: t.Any) -> str:
        """A whole run to the next release; what it said."""
        variables = self.variables(**more)
        run = self.site.play("upgrade", "--limit", self.host, **variables)
        self.here = variables["otp_upgrade_to"]
        assert run.rows[self.host][3] in ("done", "unchanged"), run.output
        return run.output

    def check_all(self) -> None:
        """The node is on the release, knows what it knew, is in service, and its tree is as it was with these releases before."""
        releases = dict(self.site.releases(self.host))
        assert releases.pop(self.here) == "permanent" and set(releases.values()) <= {"old", "unpacked"}
        self.dial()
        assert self.idle.ask("version") == f"version {VERSIONS[self.here]}"
        assert self.hooks.read_text().split()[-1] == "after"
        assert describe_target(read_target(str(self.root)))["disagreements"] == []
        # run_erl takes other pipes while the one before it, of a node that was rebooted, is still at its end.
        files = {str(path.relative_to(self.root)) for path in self.root.rglob("*") if not {"log", "pipe"} & set(path.parts)}
        other = self.files.setdefault((self.here, frozenset(releases)), files)
        assert files == other, f"{sorted(files ^ other)} are not there each time"

    def interrupt(self, case: Case, **variables: t.Any) -> None:
        """A run that is killed."""
        command = self.site.command("upgrade", "--limit", self.host, **self.variables(**variables))
        line_of = re.compile(r"^TASK \[(.* : )?" + re.escape(case.name) + r"\].*\n", re.MULTILINE)
        path = self.site.directory / f"interrupted-{self.host}.log"
        with open(path, "w", encoding="utf-8") as log, subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT) as running:
            try:
                ends = wait_until(
                    lambda: [line.end() for line in line_of.finditer(path.read_text(errors="replace"))][case.before :], f"{case} begins", running=running
                )
            except AssertionError as error:
                raise AssertionError(f"{error}\n{path.read_text(errors='replace')}") from error
            if case.is_alone:
                if (
                    wait_until(lambda: _module_state(running, path.read_text(errors="replace")[ends[0] :]), f"{case} works, or is over", running=running)
                    == "works"
                ):
                    time.sleep(A_WHILE)
                else:
                    self.too_late.append(case)
            kill(running, modules=not case.is_alone)


def _module_state(running: subprocess.Popen, output: str) -> str:
    """Whether the task's module works, or is over already: a busy machine may look away as long as a short module takes."""
    if not all(processes_of(running.pid).values()):
        return "works"
    return "over" if running.poll() is not None or re.search(r"^(ok|changed|skipping|fatal|TASK|PLAY)\b", output, re.MULTILINE) else ""


def processes_of(controller: int) -> dict[int, bool]:
    """The controller and the processes below it; whether each is the controller's own, and not a module's on its target."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found = {controller: True}
    while more := [pid for pid, parent in parents.items() if parent in found and pid not in found]:
        for pid in more:
            found[pid] = False
            with contextlib.suppress(OSError):
                found[pid] = found[parents[pid]] and b"ansible-playbook" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return found


def kill(controller: subprocess.Popen, *, modules: bool) -> None:
    """End the run without a word, and with modules what it has on its target. Its workers are no group: each has a session of its own."""
    doomed: set[int] = set()
    while True:
        found = {pid for pid, is_own in processes_of(controller.pid).items() if is_own or modules}
        if found <= doomed:
            break
        # Who is stopped starts nothing more.
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        doomed |= found
    for pid in doomed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    controller.wait()
