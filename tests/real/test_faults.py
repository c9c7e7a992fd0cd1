# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each change that a run makes to a file system is disturbed, one in each run: the process is killed there, the disk fails, is full, or is read-only.

Then the tree is whole, as OTP reads it, and the system boots; the error says why the run has failed; and the same run, undisturbed, leaves
exactly the files of a run that was never disturbed: owners, modes, contents, and nothing besides. By default a few of the changes are
disturbed, each time others by each of the errors; `make faults` does it all.
"""

from __future__ import annotations

import collections
import os
import re
import typing as t

import pytest
from fault_site import FAULTS, KILLED, ROOT, Fault, Host, Manifest, Operation, Outcome, Reader, target_system
from handler_site import Releases

ALL = os.environ.get("OTP_FAULTS") == "all"
VERSIONS = {"FIRST": "1.0", "SECOND": "2.0"}
# On a host with nothing: neither the root directory nor the user. Most of its changes are those of the first system as well.
FIRST_RELEASE = "first release"
OFFLINE = {"root": ROOT, "transport": "offline"}
CONFIGURATION = {"sys_config": "[{counter,[{lines,2}]}].\n", "vm_args": "-counter more 1\n"}
# Many files are written in the same way.
ALIKE = re.compile(r"/\.staging/(lib|erts-|\d)")
# By default, about so many of the others are disturbed, and twice as many by the end of the process.
SAMPLE = 8
# What a full disk does not forbid.
WITHOUT_ROOM = re.compile(r"(unlink|unlinkat|rmdir|remove|f?chmod|fchmodat|[fl]?chown|fchownat|fsync|fdatasync|syncfs) ")
# A program says in its own words what has failed, or nothing.
OF_A_PROGRAM = re.compile(r"\S+(groupadd|useradd|update-rc.d) .* ended with code \d+: .*\w|exchange is (not|only partly) enabled at boot: is", re.DOTALL)
# What a killed process leaves beside the files of a system, so that states that differ in these boot alike.
LEFT_OVER = re.compile(r"\.staging/|\.new$|\.lock$|^etc/|/log/")


def operations(packages: dict[str, str]) -> dict[str, Operation]:
    def next_system(host: Host) -> dict[str, t.Any]:
        return target_system(host, packages["SECOND"], cookie="ANOTHERCOOKIE", state="stopped", **CONFIGURATION)

    upgrade = {**OFFLINE, "release": "SECOND", "state": "permanent", "package": packages["SECOND"]}
    install = {"root": ROOT, "remote_src": True}
    return {
        "first system": Operation("otp_target_system", lambda host: target_system(host, packages["FIRST"])),
        FIRST_RELEASE: Operation("otp_release_install", lambda _host: {**install, "package": packages["FIRST"]}),
        "next system": Operation("otp_target_system", next_system, ("first system",)),
        "second release": Operation("otp_release_install", lambda _host: {**install, "package": packages["SECOND"]}, ("first system",)),
        "offline upgrade": Operation("otp_release_handler", lambda _host: upgrade, ("first system",)),
        "removal": Operation("otp_release_handler", lambda _host: {**OFFLINE, "release": "FIRST", "state": "absent"}, ("first system", "offline upgrade")),
        "configuration": Operation("otp_release_config", lambda _host: {"root": ROOT, **CONFIGURATION}, ("first system",)),
    }


NAMES = list(operations(dict.fromkeys(VERSIONS, "")))


class Case:
    """An operation on the host: the files before and after it when nothing disturbs it, and its changes of the file system."""

    def __init__(self, site: Site, name: str) -> None:
        self.host, self.site, self.name = site.host, site, name
        self.operation = site.operations[name]
        self.host.restore("nothing")
        for before in self.operation.before:
            self.succeed(site.operations[before])
        self.host.save(name)
        self.before, self.booted_before = self.host.manifest(), site.read()
        self.changes = self.succeed(self.operation, counted=True).trace
        self.after, self.booted_after = self.host.manifest(), site.read()
        again = self.succeed(self.operation)
        assert again.result is not None and not again.result["changed"] and self.host.manifest() == self.after
        if name == FIRST_RELEASE:
            # What it needs to boot.
            self.succeed(site.operations["first system"])
        self.boot()
        self.is_restored = False
        # Files as OTP has read them, and as a system has booted from them.
        self.seen: set[frozenset] = set()

    def succeed(self, operation: Operation, *, counted: bool = False) -> Outcome:
        outcome = self.host.run(operation, counted=counted)
        assert outcome.result is not None and not outcome.message, outcome.message + outcome.output
        return outcome

    def boot(self) -> str:
        """Boot the system; its release, which is whole."""
        running = self.host.boot()
        assert running["current"] == running["permanent"] and running["version"] == VERSIONS[running["current"]]
        return running["current"]

    def chosen(self, fault: Fault) -> t.Iterator[int]:
        """The numbers of the changes to disturb."""
        possible = [number for number, change in enumerate(self.changes, 1) if not (fault.name == "ENOSPC" and WITHOUT_ROOM.match(change))]
        if ALL:
            yield from possible
            return
        alike = [number for number in possible if ALIKE.search(self.changes[number - 1])]
        others = [number for number in possible if number not in alike]
        stride = max(1, len(others) // (SAMPLE * (2 if fault is KILLED else 1)))
        yield from sorted(others[FAULTS.index(fault) * stride // len(FAULTS) :: stride] + alike[len(alike) // 2 :][:1])

    def disturb(self, fault: Fault, at: int) -> Manifest | None:
        """Run it, disturbed at that change. The files then; None if they are those from before, or it was not disturbed: nothing is left to see."""
        if not self.is_restored:
            self.host.restore(self.name)
        outcome = self.host.run(self.operation, fault, at)
        found = self.host.manifest()
        self.is_restored = found == self.before
        if not outcome.fired:
            assert found == self.after, "it was not disturbed"
            return None
        if fault is KILLED:
            assert outcome.result is None, outcome.message
        elif outcome.message:
            assert (fault.words in outcome.message or OF_A_PROGRAM.match(outcome.message)) and "Traceback" not in outcome.message
        else:
            assert outcome.result is not None, outcome.output
            assert differences(found, self.after) == [], "it failed without a word"
        return None if self.is_restored else found

    def check_whole(self, found: Manifest) -> None:
        """What OTP reads is a release, whole; and that boots."""
        files = frozenset((path, facts) for path, facts in found.items() if not LEFT_OVER.search(path))
        if files in self.seen:
            return
        self.seen.add(files)
        expected = {self.booted_before, self.booted_after}
        is_torn = self.host.path(f"{ROOT}/releases/RELEASES.saved").exists()
        read = self.site.read()
        # While there are copies, bin/start puts them into the place of two files that disagree.
        assert read in expected or is_torn, read
        if self.booted_before != "nothing":
            self.host.save("disturbed")
            assert f"boots {self.boot()}" in expected
            self.host.restore("disturbed")

    def check_next_run(self) -> None:
        """It leaves the files that a run leaves which was never disturbed."""
        self.succeed(self.operation)
        self.is_restored = False
        assert differences(self.host.manifest(), self.after) == []


def differences(found: Manifest, expected: Manifest) -> list[tuple[str, t.Any, t.Any]]:
    return [(path, found.get(path), expected.get(path)) for path in sorted({*found, *expected}) if found.get(path) != expected.get(path)]


class Site:
    def __init__(self, host: Host, reader: Reader, packages: dict[str, str]) -> None:
        self.host, self.reader, self.operations = host, reader, operations(packages)
        host.save("nothing")
        self.cases: dict[str, Case] = {}

    def read(self) -> str:
        return self.reader.read(self.host.path(ROOT))

    def case(self, name: str) -> Case:
        if name not in self.cases:
            self.cases[name] = Case(self, name)
        return self.cases[name]


@pytest.fixture(scope="module")
def site(releases: Releases, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Site]:
    with Host() as host, Reader(tmp_path_factory.mktemp("reader")) as reader:
        yield Site(host, reader, releases.packages)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
@pytest.mark.parametrize("name", NAMES)
def test_each_change_disturbed(site: Site, name: str, fault: Fault, record_property: t.Callable[[str, str], None]) -> None:
    case = site.case(name)
    states: set[frozenset] = set()
    counts: collections.Counter[str] = collections.Counter()
    failures: list[str] = []
    for at in case.chosen(fault):
        change = case.changes[at - 1]
        try:
            counts["disturbed"] += 1
            found = case.disturb(fault, at)
            if found is not None and frozenset(found.items()) not in states:
                states.add(frozenset(found.items()))
                case.check_whole(found)
                case.check_next_run()
        except AssertionError as error:
            case.is_restored = False
            failures.append(f"{fault.name} at change {at}, {change}: {error}")
    assert not failures, "\n".join(failures)
    assert counts["disturbed"] > 2
    record_property("figure", f"{name}, {fault.name} at {counts['disturbed']} of {len(case.changes)} changes: {len(states)} states of the disk, each converged")
