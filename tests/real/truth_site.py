# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts on this machine, each in a situation of its own. A playbook runs on them with --check and then for good: what the first run says must
be what the second one says, and that must be what the nodes say, asked by erl, and the processes of the kernel.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import typing as t
from pathlib import Path

import yaml
from error_blocks import check_blocks
from handler_site import Releases
from terminal import Terminal
from upgrade_site import Run, Site, run_of
from waiting import LIMIT, wait_until

from ansible_collections.erlang.otp.plugins.module_utils._node.lifecycle import Node

# What --check says of what the run then does.
TENSES = {"would change": ("done", "changed", "restarted"), "would restart": ("restarted",), "to be started": ("running",)}
# Of these a node that is down runs nothing; of the others it has the release that it boots.
VERBS = ("restart", "start", "stop")
RESTARTED = "its node would be restarted"
STARTED = "its node is down, and would be started"
VERSIONS = {"FIRST": "1.0", "SECOND": "2.0", "RESTARTS": "2.1", "CRASHES": "2.2", "BARE": "2.3"}
QUESTION = """
Ask = fun(Node, Cookie) ->
    erlang:set_cookie(Node, Cookie),
    Call = fun(M, F, A) -> rpc:call(Node, M, F, A, 20000) end,
    case Call(release_handler, which_releases, []) of
        {badrpc, _} -> io:format("~s down~n", [Node]);
        Known ->
            Permanent = [Vsn || {_, Vsn, _, permanent} <- Known],
            Current = [Vsn || {_, Vsn, _, current} <- Known] ++ Permanent,
            [_, Began, _] = string:tokens(pid_to_list(Call(erlang, whereis, [release_handler])), "<.>"),
            io:format("~s ~s ~s ~s ~s ~s~n", [Node, hd(Current), Permanent, Call(os, getpid, []), Call(counter, version, []), Began])
    end
end,
"""


class Facts(t.NamedTuple):
    """A host, by what is not ours: what its node says, "" if it is down, what it boots, its emulators, and how many others of its programs run.

    handler: the number of the release_handler's process, which is another one after each restart.
    """

    runs: str
    permanent: str
    pid: str
    code: str
    handler: str
    boots: str
    emulators: tuple[int, ...]
    keepers: int


class Fleet(Site):
    """Hosts with packages instead of a builder."""

    def __init__(self, directory: Path, hosts: t.Sequence[str], releases: Releases) -> None:
        super().__init__(directory, hosts)
        self.packages = releases.packages
        self.cookies = dict.fromkeys(hosts, self.cookie)
        self.mounts: list[str] = []
        # Below the last table.
        self.notes: dict[str, str] = {}

    def node(self, host: str) -> Node:
        return super().node(host)._replace(home=f"{self.directory}/home-{host}")

    def write(self, of_hosts: t.Mapping[str, t.Mapping[str, t.Any]] | None = None, **of_all: t.Any) -> None:
        """The inventory. of_hosts: variables of single hosts."""
        hosts = {}
        for host in self.hosts:
            own = {
                "otp_root": self.root(host),
                "otp_home": f"{self.directory}/home-{host}",
                "otp_node_name": f"{host}@localhost",
                "otp_cookie": self.cookies[host],
            }
            hosts[host] = {**own, **(of_hosts or {}).get(host, {})}
        everywhere = {
            "ansible_connection": "local",
            "ansible_python_interpreter": str(self.programs / "python"),
            "otp_user": "root",
            "otp_environment": {"ERL_EPMD_PORT": self.epmd_port},
            "otp_start_timeout": int(LIMIT),
            "otp_gate_retries": 1,
            "otp_gate_delay": 0,
            **of_all,
        }
        self.inventory.write_text(yaml.safe_dump({"all": {"children": {"otp": {"hosts": hosts, "vars": everywhere}}}}))

    def of(self, release: str) -> dict[str, str]:
        """The variables that have the release."""
        return {"otp_package": self.packages[release], "otp_upgrade_to": release}

    def disk(self, host: str, size: int) -> None:
        """Give the host a root directory on a disk of so many MiB, or that disk another size."""
        is_there = self.root(host) in self.mounts
        os.makedirs(self.root(host), exist_ok=True)
        options = f"{'remount,' if is_there else ''}size={size}m,mode=755"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.root(host)], check=True)
        self.mounts += [] if is_there else [self.root(host)]

    @contextlib.contextmanager
    def full(self, host: str) -> t.Iterator[None]:
        """1 MiB is free on the disk of the host."""
        content, space = Path(self.root(host), "content"), os.statvfs(self.root(host))
        content.write_bytes(bytes(space.f_bavail * space.f_frsize - (1 << 20)))
        yield
        content.unlink()

    @contextlib.contextmanager
    def other_cookie(self, host: str) -> t.Iterator[None]:
        """The node answers, and not to us."""
        known = self.cookies[host]
        self.evaluate(host, f"erlang:set_cookie('{host}@localhost', another)")
        self.cookies[host] = "another"
        try:
            yield
        finally:
            self.evaluate(host, f"erlang:set_cookie('{host}@localhost', '{known}')")
            self.cookies[host] = known

    @contextlib.contextmanager
    def without_epmd(self) -> t.Iterator[None]:
        """It has ended. The nodes find the one that the run starts by themselves."""
        known = self._known()
        subprocess.run(["epmd", "-port", str(self.epmd_port), "-kill"], stdout=subprocess.DEVNULL, check=False)
        yield
        wait_until(lambda: known <= self._known(), "the nodes are known again")

    def drive(
        self,
        playbook: str,
        *arguments: str,
        code: int = 0,
        cookies: dict[str, str] | None = None,
        during: contextlib.AbstractContextManager[t.Any] | None = None,
        **variables: t.Any,
    ) -> dict[str, str]:
        """Run the playbook with --check and for good, and see that both say the same, and the truth.

        cookies: new ones of the run. during: a state of the hosts around both. Returns the outcomes.
        """
        before = self.facts()
        with during or contextlib.nullcontext():
            processes = self._nodes()
            check = self.play(playbook, "--check", *arguments, code=code, **variables)
            assert self._nodes() == processes
            run = self.play(playbook, *arguments, code=code, **variables)
        self.cookies.update(cookies or {})
        foretold, came = told(check), told(run)
        found = [*lies(foretold, came), *untrue(playbook, came, before, self.facts())]
        assert not found, "\n".join([*found, "", *table(check), *table(run)])
        self.notes = {host: row.note for host, row in came.items()}
        return {host: row.cells["OUTCOME"] for host, row in came.items()}

    def run(self, playbook: str, *arguments: str, code: int = 0, **variables: t.Any) -> dict[str, str]:
        """The same without --check, for what it cannot foresee."""
        return self._true(playbook, self.facts(), self.play(playbook, *arguments, code=code, **variables))

    def step(self, playbook: str, *arguments: str, without: t.Collection[str] = (), code: int = 2, **variables: t.Any) -> dict[str, str]:
        """The same with --step, by an operator who leaves these tasks out."""
        before = self.facts()
        with Terminal(*self.command(playbook, "--step", *arguments, **variables), **self.environment()) as terminal:
            output = terminal.answer(r"Perform task: TASK: (.*) \(N\)o/\(y\)es/\(c\)ontinue: ", lambda task: "n" if task.endswith(tuple(without)) else "y")
        assert terminal.code == code, output
        check_blocks(output, code)
        return self._true(playbook, before, run_of(code, output))

    def _true(self, playbook: str, before: dict[str, Facts], run: Run) -> dict[str, str]:
        """The outcomes. What else the table says must be so."""
        found = untrue(playbook, came := told(run), before, self.facts())
        assert not found, "\n".join([*found, "", *table(run)])
        self.notes = {host: row.note for host, row in came.items()}
        return {host: row.cells["OUTCOME"] for host, row in came.items()}

    def evaluate(self, host: str, expression: str) -> None:
        """Have the node do it."""
        module, function, arguments = re.fullmatch(r"(\w+):(\w+)\((.*)\)", expression).groups()
        self._erl(f"io:format('~p', [rpc:call('{host}@localhost', {module}, {function}, [{arguments}])]),", self.cookies[host])

    @contextlib.contextmanager
    def emulator(self, name: str, root: Path | None) -> t.Iterator[None]:
        """Another node, of the emulator of a root directory or of the one on PATH, that nobody has asked for."""
        environment = {**os.environ, "ERL_EPMD_PORT": str(self.epmd_port), "HOME": str(self.directory)}
        command = ["erl"]
        if root is not None:
            (programs,) = root.glob("erts-*/bin")
            environment.update(ROOTDIR=str(root), BINDIR=str(programs), EMU="beam", PROGNAME="erl")
            command = [str(programs / "erlexec"), "-boot", str(root / "releases/FIRST/start_clean")]
        command += ["-noinput", "-sname", f"{name}@localhost", "-setcookie", self.cookie]
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: name in self._names(), f"{name} has come up", running=process)
            yield
        finally:
            process.kill()
            process.wait()

    def programs_of_hosts(self) -> dict[str, dict[str, list[int]]]:
        """The processes of each host, by the names of their programs."""
        return programs_below(self.directory)

    def _nodes(self) -> dict[str, list[list[int]]]:
        """What starts and stops. An emulator starts and ends others of its programs by itself."""
        return {host: [programs.get(name, []) for name in ("beam.smp", "heart", "run_erl")] for host, programs in self.programs_of_hosts().items()}

    def _known(self) -> set[str]:
        return set(re.findall("name (.*) at", self._names()))

    def _names(self) -> str:
        return subprocess.run(["epmd", "-port", str(self.epmd_port), "-names"], stdout=subprocess.PIPE, text=True, check=True).stdout

    def _erl(self, expressions: str, cookie: str) -> str:
        # Hidden, so that it does not make a cluster of the nodes, which would end its connections (kernel(6), prevent_overlapping_partitions).
        command = ["erl", "-noshell", "-hidden", "-sname", f"asker{os.getpid()}@localhost", "-setcookie", cookie, "-eval", f"{expressions} halt()."]
        environment = {**os.environ, "ERL_EPMD_PORT": str(self.epmd_port), "HOME": str(self.directory), "ERL_CRASH_DUMP": "/dev/null"}
        return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=LIMIT).stdout

    def facts(self) -> dict[str, Facts]:
        """Of each host: what its node answers, and which processes it has."""
        asked = "".join(f"Ask('{host}@localhost', '{self.cookies[host]}')," for host in self.hosts)
        said = self._erl(QUESTION + asked, self.cookie)
        answers = {line.partition("@")[0]: line.split()[1:] for line in said.splitlines()}
        processes = self.programs_of_hosts()
        return {host: self._facts_of(host, answers[host], processes) for host in self.hosts}

    def _facts_of(self, host: str, answer: list[str], processes: dict[str, dict[str, list[int]]]) -> Facts:
        runs, permanent, pid, code, handler = answer if answer != ["down"] else [""] * 5
        start = Path(self.root(host), "releases/start_erl.data")
        boots = start.read_text().split()[1] if start.exists() else ""
        own = processes.get(host, {})
        return Facts(runs, permanent, pid, code, handler, boots, tuple(own.get("beam.smp", [])), len(own.get("heart", []) + own.get("run_erl", [])))


def programs_below(directory: Path) -> dict[str, dict[str, list[int]]]:
    """The processes of the programs in the root directories below the directory, by root directory and name."""
    found: dict[str, dict[str, list[int]]] = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            program = os.readlink(f"/proc/{pid}/exe").partition(" (deleted)")[0]
            if program.startswith(f"{directory}/"):
                host, name = Path(program).relative_to(directory).parts[0], os.path.basename(program)
                # Before it calls exec, erl_child_setup is a fork of the emulator.
                found.setdefault(host, {}).setdefault(name, []).append(int(pid))
    return found


@contextlib.contextmanager
def fleet(directory: Path, hosts: t.Sequence[str], releases: Releases) -> t.Iterator[Fleet]:
    """Hosts with nothing but an epmd. In the end the nodes are stopped, and the directory is gone."""
    site = Fleet(directory, hosts, releases)
    subprocess.run(["epmd", "-address", "127.0.0.1", "-port", str(site.epmd_port), "-daemon", "-relaxed_command_check"], check=True)
    try:
        yield site
    finally:
        for host in site.hosts:
            site.stop(host)
        subprocess.run(["epmd", "-port", str(site.epmd_port), "-kill"], stdout=subprocess.DEVNULL, check=True)
        for mount in site.mounts:
            subprocess.run(["umount", mount], check=True)
        shutil.rmtree(directory)


class Told(t.NamedTuple):
    """What the table of a run says of a host: its cells by the names of their columns, and what is below the table."""

    cells: dict[str, str]
    note: str


def told(run: Run) -> dict[str, Told]:
    """By host."""
    assert "HOST" in run.rows, run.output
    header = run.rows["HOST"]
    text = "\n".join(re.findall(r'^ +"(.*?)",?$', run.output, re.MULTILINE))
    notes = {host: " ".join(note.split()) for host, note in re.findall(r"^(\w+): ((?:.*\n)(?:  .*\n?)*)", text + "\n", re.MULTILINE)}
    return {host: Told(dict(zip(["HOST", *header], [host, *cells])), notes.get(host, "")) for host, cells in run.rows.items() if host != "HOST"}


def lies(foretold: t.Mapping[str, Told], came: t.Mapping[str, Told]) -> list[str]:
    """Where --check and the run do not say the same."""
    found = []
    for host in sorted({*foretold, *came}):
        before, after = foretold[host], came[host]
        is_restarted = RESTARTED in before.note or before.cells["OUTCOME"] == "would restart"
        for column in after.cells:
            is_other = column == "STATE" and is_restarted and after.cells[column].startswith("running, pid ")
            if column not in ("SECONDS", "DOWN") and not is_other and not _is_same(before.cells[column], after.cells[column]):
                found.append(f"{host}: {column} was to be {before.cells[column]!r}, and is {after.cells[column]!r} ({before.note!r}, {after.note!r})")
        if is_restarted != (after.cells["DOWN"] != "-"):
            found.append(f"{host}: DOWN is {after.cells['DOWN']}, and --check said {before.note!r}")
        if _plain(re.sub(f"{RESTARTED}|{STARTED}", "", before.note)) != _plain(after.note):
            found.append(f"{host}: --check said {before.note!r}, and the run {after.note!r}")
    return found


def agreed(check: str, run: str) -> dict[str, dict[str, str]]:
    """The cells of each host, of a run whose results are in one line; what a run with --check has said before must be what it says."""
    foretold, came = map(_told_in_one_line, (check, run))
    assert not lies(foretold, came), lies(foretold, came)
    return {host: row.cells for host, row in came.items()}


def _told_in_one_line(output: str) -> dict[str, Told]:
    (text,) = re.findall(r'^ok: \[\w+\] => (\{.*"HOST  .*\})$', output, re.MULTILINE)
    return told(run_of(0, "\n".join(f'  "{line}",' for line in json.loads(text)["msg"])))


def _is_same(foretold: str, came: str) -> bool:
    return foretold == came or came.split(",")[0] in TENSES.get(foretold, ())


def _plain(text: str) -> str:
    """Without what differs from one run to another: numbers, and what ssh says."""
    text = re.sub(r"(the host cannot be reached): .*", r"\1", text)
    return re.sub(r"\d+([.]\d+)?", "N", text).strip("; ")


def table(run: Run) -> list[str]:
    """The lines of its table."""
    return re.findall(r'^ +"(.*?)",?$', run.output, re.MULTILINE)


def untrue(playbook: str, came: t.Mapping[str, Told], before: t.Mapping[str, Facts], after: t.Mapping[str, Facts]) -> list[str]:
    """Where the table does not say what is so."""
    return [
        f"{host}: {fact} ({row.cells}, {before[host]}, {after[host]})"
        for host, row in came.items()
        for fact in _untrue(playbook, row, before[host], after[host])
    ]


def _untrue(playbook: str, row: Told, before: Facts, after: Facts) -> t.Iterator[str]:
    outcome, was, now, state = (row.cells.get(column, "-") for column in ("OUTCOME", "BEFORE", "NOW", "STATE"))
    if was not in ("-", before.runs or before.boots):
        yield "BEFORE is not what ran"
    is_unknown = now in ("-", "?") and (
        outcome in ("failed", "not reached") or re.search("cannot be reached|refuses the cookie|no release to change to", row.note)
    )
    if not is_unknown and now != (after.runs or ("" if playbook in VERBS else after.boots) or "-"):
        yield "NOW is not what runs"
    if len(after.emulators) > max(1, len(before.emulators)) or (not after.runs and after.emulators):
        yield "more than one emulator runs, or one without a node"
    if (row.cells["DOWN"] != "-") != bool(before.pid and after.pid and (after.pid, after.handler) != (before.pid, before.handler)):
        yield "DOWN is not what the process says"
    if after.runs and (after.code, after.permanent) != (VERSIONS[after.runs], after.boots):
        yield "the code or the permanent release is another one"
    if outcome in ("unchanged", "refused", "not reached", "failed") and now != "?" and (before.runs, before.pid) != (after.runs, after.pid):
        yield "it has changed"
    if outcome == "done" and after.permanent not in ("", now):
        yield "it is not committed"
    if state.startswith("running") and state != f"running, pid {after.pid}":
        yield "STATE has another process"
    if state == "stopped" and (after.emulators or after.keepers):
        yield "it is not stopped"
    if state in ("-", "stopped") and outcome not in ("failed", "not reached") and "STATE" in row.cells and after.pid:
        yield "it runs"
