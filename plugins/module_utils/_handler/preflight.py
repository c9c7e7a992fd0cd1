# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What release_handler's check_install_release does not check: why an upgrade would fail, or leave the node down.

release_handler(3), relup(4) and heart(3). Reads only. Each problem has its cause and its remedy; a fatal one ends the run before
anything is installed.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file
from ansible_collections.erlang.otp.plugins.module_utils._core.options import named
from ansible_collections.erlang.otp.plugins.module_utils._core.remote_host import remote_host
from ansible_collections.erlang.otp.plugins.module_utils._formats.elf import read_program, why_not_here
from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import Release
from ansible_collections.erlang.otp.plugins.module_utils._formats.sys_config import parse_sys_config
from ansible_collections.erlang.otp.plugins.module_utils._handler.attributes import without_attributes
from ansible_collections.erlang.otp.plugins.module_utils._install.native import find_lack, native_code_of
from ansible_collections.erlang.otp.plugins.module_utils._node.disagreements import disagreements
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Running, is_made_up
from ansible_collections.erlang.otp.plugins.module_utils._package.thin_base import digest_there
from ansible_collections.erlang.otp.plugins.module_utils._tree.extra_files import Kept
from ansible_collections.erlang.otp.plugins.module_utils._tree.made_from import MADE_FROM, MadeFrom, parse_made_from
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import second_emulator
from ansible_collections.erlang.otp.plugins.module_utils._tree.record import missing_part
from ansible_collections.erlang.otp.plugins.module_utils._tree.relup_step import NoRelupStep, RelupStep, find_relup_step
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

PROGRAMS = ("beam.smp", "erlexec", "erl_child_setup", "heart")
# For RELEASES, start_erl.data, a temporary release and the node's log.
LEAST_SPACE = 16 << 20
ALLOW_RESTART = f"Set {named('allow_restart')} to allow it"
RESTART_INSTEAD = f"Set {named('method')} to restart"
# Where no relup leads, by method; a client is not restarted on a release.
INSTEAD = {
    "auto": f"have the node restarted: set {named('allow_restart')} to allow it",
    "hot": f"have the node restarted: set {named('method')} to restart",
    "client": "stop the client, and give it the release (otp_release and the playbook erlang.otp.clients, or otp_release_client)",
}
# For the disagreements of node and files that concern an upgrade.
REMEDIES = {
    "sasl": "Start sasl, or restart the node",
    "starting": "Wait until it has started",
    "other_root": f"Set {named('node')} to the name of this system's node",
    "incomplete_entry": "Stop the node, install that release again from its package, and start the node",
    "disagreement": "Restart the node, so that it reads the files, or correct the files",
}


class Problem(t.NamedTuple):
    """kind: one word that identifies it. A problem that is not fatal is only reported."""

    kind: str
    cause: str
    remedy: str
    fatal: bool = True

    def __str__(self) -> str:
        return f"{self.cause}. {self.remedy}."


def check_history(version: str, failure: dict[str, t.Any] | None, *, force: bool) -> t.Iterator[Problem]:
    """The release has failed here before."""
    if failure is not None:
        cause = f"release {version} failed on this host at {failure['time']}: {failure['reason'].rstrip('.')}"
        yield Problem("failed_before", cause, f"Build a release with another version, or set {named('force')} to try this one again", fatal=not force)


def check_release(tree: Tree, release: Release, *, like: str, optional_native: t.Collection[str] | None = None) -> t.Iterator[Problem]:
    """The files of the release. like: a program that runs on this host. optional_native: as of check_native(); None: it is for another host."""
    version, home = release.version, f"erts-{release.erts_version}/bin"
    part = missing_part(tree.directory, version, release.erts_version, [(item.name, item.version) for item in release.applications])
    if part is not None and not part.startswith("erts-"):
        yield Problem("missing_file", f"release {version} is incomplete: {tree.path(part)} is missing", "Install the release again from its package")
    lacking = [name for name in PROGRAMS if not os.access(tree.path(home, name), os.X_OK)]
    if lacking:
        cause = f"release {version} runs on ERTS {release.erts_version}, and {tree.path(home)} has no {', '.join(lacking)}: the node could not start"
        yield Problem("erts", cause, "Build the package with its emulator (erts: true) and install it again")
    else:
        reason = why_not_here(tree.path(home, "beam.smp"), like=like)
        if reason:
            yield Problem("machine", reason, "Build the package with the ERTS for this host's machine type and C library")
        elif optional_native is not None and not remote_host():
            lack = find_lack(native_code_of(tree, release), tree, read_program(tree.path(home, "beam.smp")), optional_native)
            if lack:
                yield Problem("libraries", lack[0], lack[1].rstrip("."))
    yield from check_configuration(tree, version)


def has_sasl(release: Release) -> bool:
    """Whether the release has a release_handler."""
    return any(item.name == "sasl" for item in release.applications)


def check_sasl(running: Running, release: Release) -> t.Iterator[Problem]:
    """Whether there is a release_handler that would install the release, and one that would commit it."""
    lacking = running.current if running.lacks_sasl else None if has_sasl(release) else release.version
    if lacking:
        cause = f"release {lacking} lacks the application sasl, and so the release_handler of a hot upgrade"
        yield Problem("sasl", cause, f"{RESTART_INSTEAD}; or add sasl to the release")


def check_configuration(tree: Tree, version: str) -> t.Iterator[Problem]:
    """An upgrade to a release with an unreadable sys.config silently resets the environment of every application; the next boot fails."""
    path = tree.path("releases", version, "sys.config")
    content = read_file(path)
    remedy = f"Configure release {version} (otp_release_config) before it is installed"
    if content is None:
        more = ", and must be made from sys.config.src" if tree.has("releases", version, "sys.config.src") else ""
        yield Problem("sys_config", f"{path} is missing{more}: all configuration would be lost", remedy)
        return
    try:
        parse_sys_config(content, source=path)
    except OtpError as error:
        yield Problem("sys_config", str(error).rstrip("."), remedy)


def check_tree(tree: Tree) -> t.Iterator[Problem]:
    """The system as a whole."""
    space = os.statvfs(tree.path("releases"))
    free = remote_host().free if remote_host() else space.f_bavail * space.f_frsize
    if free < LEAST_SPACE:
        cause = f"{tree.path('releases')} has {free >> 10} KiB of free space, and release_handler writes there in place"
        yield Problem("space", cause, f"Make room for at least {LEAST_SPACE >> 20} MiB")


def check_mix(tree: Tree, version: str, *, method: str = "hot", why_not: str = "") -> t.Iterator[Problem]:
    """What a release of mix reads only when it boots. why_not: as of why_not_resolved(), of its config providers.

    release_handler would reset all configuration to that of sys.config, without a word.
    """
    if why_not:
        cause = f"release {version} runs config providers (runtime.exs) when it boots, and a hot upgrade would lose what they read: {why_not}"
        yield Problem("mix", cause, INSTEAD[method][:1].upper() + INSTEAD[method][1:])
    script = read_file(tree.path("releases", version, "env.sh")) or b""
    if any(line.strip() and not line.lstrip().startswith(b"#") for line in script.splitlines()):
        cause = f"release {version} has variables in its env.sh, and a hot upgrade keeps the environment of the release before"
        yield Problem("mix", cause, "If they have changed, restart the node afterwards", fatal=False)


def check_node(tree: Tree, running: Running) -> t.Iterator[Problem]:
    """The running node against the files."""
    start = releases = unreadable = None
    try:
        start, releases = tree.start_erl_data(), tree.releases()
    except OtpError as error:
        unreadable = str(error).rstrip(".")
    for kind, text in disagreements(running, tree, start, releases):
        if kind in REMEDIES and (kind == "incomplete_entry" or not unreadable):
            yield Problem(kind, text, REMEDIES[kind], fatal=kind != "incomplete_entry")
    if unreadable:
        remedy = "A node that was started without RELEASES writes it like this. Stop the node, remove the file, and install the running release again"
        yield Problem("unreadable", unreadable, remedy)


def check_emulators(tree: Tree, running: Running) -> t.Iterator[Problem]:
    """An emulator of the system that is not its node: a run takes it neither to the release nor away."""
    second = second_emulator(tree.root, running.pid)
    if second:
        remedy = "End it, or restart the node by the playbook erlang.otp.restart, which ends both"
        yield Problem("second_emulator", f"{second}, and stays as it is", remedy, fatal=False)


def check_memory(tree: Tree, running: Running) -> t.Iterator[Problem]:
    """A release_handler that found no RELEASES at its start has made up an entry, which it writes with the next release: nothing can read that file."""
    listed = {entry.version: entry for entry in tree.releases() or []}
    for known in running.releases if running.has_handler else ():
        entry = listed.get(known.version)
        if known.status == "permanent" and not known.libraries and not (entry and (is_made_up(running) or not entry.libraries)):
            cause = f"the node {running.node} was started without {tree.path('releases/RELEASES')}, and would ruin that file when it learns of a release"
            alone = "Deploy the release that it runs: that writes the file, and then the node reads it"
            yield Problem("made_up", cause, alone if is_made_up(running) else "Stop the node, deploy the release that it runs, and start the node")


def check_relup(
    tree: Tree,
    running: Running,
    version: str,
    *,
    allow_restart: bool,
    method: str = "hot",
    before: str | None = None,
    upgrade_from: t.Mapping[str, str] | None = None,
    made_from: MadeFrom | None = None,
    package: t.Mapping[str, t.Any] | None = None,
    reboots: bool = False,
) -> t.Iterator[Problem]:
    """The way from the release that runs, or from the one before this one. method: one of INSTEAD; upgrade_from: as of find_relup_step(); made_from: of the
    same relup; package: what is known of the release while it is only there; reboots: whether an error in the relup reboots the node.
    """
    current = before or running.current or ""
    try:
        step = find_relup_step(tree, current, version, upgrade_from=upgrade_from)
    except NoRelupStep as error:
        yield Problem("no_way", str(error), f"Build release {version} with {current} in {named('upgrade_from')}; or {INSTEAD[method]}")
        return
    yield from check_made_from(tree, *((version, current) if step.direction == "up" else (current, version)), made_from=made_from)
    library = without_attributes(tree, current, version, step, package or {})
    if library:
        yield no_attributes(library, method)
    if step.restarts:
        yield from check_restart(tree, running, step, allow_restart=allow_restart)
    else:
        # The upgrade needs no heart, unless an error in the relup reboots the node, but nothing restarts it if the release crashes it before the commit.
        yield from (problem._replace(fatal=reboots) for problem in check_heart(running))


def no_attributes(library: str, method: str) -> Problem:
    """Of modules of this library that the relup cannot load or replace. method: one of INSTEAD."""
    cause = f"the modules of {library} were stripped of their attributes, so that release_handler can neither load nor replace them"
    return Problem("attributes", cause, INSTEAD[method][:1].upper() + INSTEAD[method][1:])


def newer_code(version: str, method: str) -> Problem:
    """Of a release that the release_handler of an OTP older than 28 cannot read (compile(3), no_long_atoms). method: one of INSTEAD."""
    cause = f"modules of release {version} were compiled by OTP 28 or newer, and the node is on an older one, whose release_handler cannot read them"
    remedy = INSTEAD[method][:1].upper() + INSTEAD[method][1:]
    return Problem("newer_code", cause, f"{remedy}; or compile them with the option no_long_atoms")


def check_made_from(tree: Tree, version: str, earlier: str, *, made_from: MadeFrom | None = None) -> t.Iterator[Problem]:
    """Whether the relup of the release was made from the content that this host has of the earlier one. made_from: of a relup that is still in its package."""
    shared = getattr(tree, "shared", tree)
    if made_from is None:
        made_from = parse_made_from(read_file(shared.path("releases", version, MADE_FROM)))
    entry = made_from.get(earlier)
    if entry is None:
        return
    listed = {library.name: library.version for known in tree.releases() or [] if known.version == earlier for library in known.libraries}
    other = [f"{name} {listed[name]} and not {number}" for name, number in entry["applications"].items() if listed.get(name, number) != number]
    record = shared.record(earlier) or {}
    if not entry["sha256"] or entry["sha256"] not in (record.get("sha256"), record.get("full")):
        # It may have been packed once more.
        other += [f"another {directory}" for directory, digest in entry["libraries"].items() if digest_there(shared, directory) != digest]
    if other:
        cause = f"the relup of release {version} was made from another release {earlier} than this host has: here it has {', '.join(other)}"
        remedy = f"Build a release with another version, with a relup from the package of {earlier} that this host has, in {named('upgrade_from')}"
        yield Problem("other_package", cause, remedy)


def check_old_code(processes: dict[str, list[str]]) -> t.Iterator[Problem]:
    """Processes, by module, that run old code which the relup purges only when no process runs it."""
    for module, names in processes.items():
        cause = f"{', '.join(names)} still run old code of {module}, which the relup purges softly"
        yield Problem("old_processes", cause, "End these processes first, or let them load the module again")


def check_restart(tree: Tree, running: Running, step: RelupStep, *, allow_restart: bool) -> t.Iterator[Problem]:
    """What a restart of the emulator needs. Without heart the node would lose its state and run the same release, or stay down."""
    what = " and ".join(step.restarts)
    if not allow_restart:
        cause = f"{step.path} restarts the emulator ({what}), which is not allowed"
        yield Problem("restart", cause, ALLOW_RESTART)
    yield from check_heart(running)
    yield from check_start_program(tree, running)


def check_start_program(tree: Tree, running: Running) -> t.Iterator[Problem]:
    """The program with which heart starts the node on another emulator."""
    program = running.start or f"{tree.root}/bin/start"
    here = tree.destdir + program
    other = "name another program in the parameter start_prg of sasl"
    if not (os.path.isfile(here) and os.access(here, os.X_OK)):
        cause = f"{program}, with which heart starts the node, is missing or not executable: the node would stay down"
        yield Problem("start_program", cause, f"Install it, or {other}")
    elif re.search(r"[^\w/.+:,@%=-]", program + (running.directory or f"{tree.root}/releases")):
        line = f"{program} {running.directory or f'{tree.root}/releases'}/new_start_erl.data"
        cause = f"release_handler gives heart the line {line} without quotes, and the shell interprets some of its characters"
        remedy = f"{RESTART_INSTEAD}, or use a symbolic link with a plain path"
        yield Problem("start_line", cause, f"{remedy}, and name that in the parameters start_prg and releases_dir of sasl")
    elif running.heart and not _has_program(running.heart, program):
        cause = f"the command of heart is {running.heart}, but a release that restarts the emulator sets it to {program}"
        yield Problem("start_program", cause, f"Ensure that both start the same node with the same flags, or {other}", fatal=False)


def _has_program(command: str, program: str) -> bool:
    """Whether the program is a word of the command, under whatever name."""
    with contextlib.suppress(ValueError):
        return os.path.realpath(program) in map(os.path.realpath, shlex.split(command))
    return program in command


def check_heart(running: Running) -> t.Iterator[Problem]:
    """Whether heart brings the node back."""
    if running.heart is None:
        yield Problem(
            "heart",
            f"the node {running.node} runs without heart: nothing would restart it",
            "Restart it, by the playbook erlang.otp.restart, or start it with -heart and HEART_COMMAND",
        )
    elif not running.heart:
        cause = f"heart of the node {running.node} has no command: after a crash the node would stay down"
        yield Problem("heart", cause, "Set HEART_COMMAND in the start script")


def fatal(problems: t.Iterable[Problem]) -> list[Problem]:
    """The problems that end a run."""
    return [problem for problem in problems if problem.fatal]


def kept_beside(kept: Kept) -> Problem:
    """The file of the host that the permanent release has not replaced, or has replaced."""
    return Problem("kept_beside", kept.cause, kept.remedy, fatal=False)
