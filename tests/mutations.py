#!/usr/bin/env python
# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Takes rules out of the code, one at a time, and sees that a test misses each: what no test misses, anybody may lose.

The rules are in tests/mutation_rules.py. Each is taken out of a copy of the tree, in which the tests are run that must fail then. Words
on the command line choose rules: those that have one of the words in their name, their file or their tests.

Without its rule, code of root's may do to any path what it was kept from: a test once had /etc/passwd renamed. So as root the tests run in
name spaces of their own: they can write to /tmp and /var/tmp alone, see no process but theirs, and have no network but themselves.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

from mutation_rules import RULES, Rule

ROOT = Path(__file__).resolve().parents[1]
COLLECTION = "ansible_collections/erlang/otp"
# Seconds for the tests of one rule, and for those that start nodes. A test that hangs without the rule misses it, too.
LIMIT, REAL_LIMIT = 300, 1200
LATE = "not ended within"
SEALED = """
set -e
for place in /tmp /var/tmp; do mount -n --bind "$place" "$place"; done
while read -r _device place _rest; do
    case $place in /proc | /proc/* | /dev/shm | /dev/pts | /tmp | /tmp/* | /var/tmp | /var/tmp/*) continue ;; esac
    mount -n -o remount,bind,ro "$place"
done </proc/mounts
ip link set lo up
set +e
ANSIBLE_LOCAL_TEMP=/tmp ANSIBLE_REMOTE_TEMP=/tmp "$@"
exit $?
"""
NAME_SPACES = ("unshare", "--mount", "--propagation", "private", "--pid", "--net", "--fork", "--kill-child", "--mount-proc", "--", "sh", "-c", SEALED, "sh")


class Result(t.NamedTuple):
    """What became of a rule: noticed, missed, or a fault of the table or the tests. words: the end of what pytest wrote."""

    rule: Rule
    outcome: str
    words: str = ""


class Copy:
    """A copy of the tree, whose modules its tests import."""

    def __init__(self, directory: Path) -> None:
        self.top = directory
        self.root = directory / COLLECTION
        listed = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True).stdout
        for name in map(os.fsdecode, filter(None, listed.split(b"\0"))):
            if (ROOT / name).is_file():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.root / name, follow_symlinks=False)

    def passes(self, tests: t.Sequence[str], limit: float | None = None) -> tuple[bool, str]:
        """Whether the tests pass here, within so many seconds, and what pytest wrote."""
        environment = {**os.environ, "PYTHONPATH": str(self.top), "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(self.top)}
        command = [sys.executable, "-m", "pytest", "-x", "--no-header", "-p", "no:cacheprovider", *tests]
        if os.geteuid() == 0:
            command = [*NAME_SPACES, *command]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
        with subprocess.Popen(command, cwd=self.root, env=environment, start_new_session=True, **pipes) as run:
            try:
                output = run.communicate(timeout=limit)[0]
            except subprocess.TimeoutExpired:
                # With all that the tests have started: without the rule it may never end.
                os.killpg(run.pid, signal.SIGKILL)
                return False, f"{LATE} {limit} s"
        if run.returncode not in (0, 1):
            raise RuntimeError(f"pytest ended with {run.returncode}:\n{output}")
        return run.returncode == 0, output

    @contextlib.contextmanager
    def without(self, rule: Rule) -> t.Iterator[None]:
        """The tree without the rule."""
        path = self.root / rule.file
        text = path.read_text("utf-8")
        path.write_text(text.replace(rule.text, rule.replacement), "utf-8")
        try:
            yield
        finally:
            path.write_text(text, "utf-8")


def is_real(rule: Rule) -> bool:
    """Whether one of its tests may start nodes."""
    return any(test.startswith("tests/real/") for test in rule.tests)


def faults_of(rule: Rule) -> list[str]:
    """What is wrong with the rule's entry in the table."""
    path = ROOT / rule.file
    count = path.read_text("utf-8").count(rule.text) if path.is_file() else 0
    faults = [] if path.is_file() else [f"there is no file {rule.file}"]
    if path.is_file() and count != 1:
        faults.append(f"{rule.file} has this text {count} times, not once: {rule.text!r}")
    for test in rule.tests:
        name, _colons, function = test.partition("::")
        if not (ROOT / name).is_file():
            faults.append(f"there is no test file {name}")
        elif function and f"def {function}(" not in (ROOT / name).read_text("utf-8"):
            faults.append(f"{name} has no {function}")
    return faults


def try_out(rule: Rule, copies: queue.Queue[Copy]) -> Result:
    """Take the rule out of one of the copies, and run its tests there."""
    copy = copies.get()
    try:
        with copy.without(rule):
            passes, output = copy.passes(rule.tests, REAL_LIMIT if is_real(rule) else LIMIT)
    except RuntimeError as error:
        return Result(rule, "fault", str(error))
    finally:
        copies.put(copy)
    return Result(rule, "missed" if passes else "noticed", output)


def reason(result: Result) -> str:
    """By which test the rule was noticed, or that time was up: a machine under load is slow as well, and a fixture may fail for another reason."""
    if result.words.startswith(LATE):
        return f": {result.words}"
    failed = re.search(r"^(?:FAILED|ERROR) .*", result.words, re.MULTILINE)
    return f": {failed[0]}" if failed and result.outcome == "noticed" else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="WORD")
    parser.add_argument("--list", action="store_true", help="only check that the table agrees with the code")
    parser.add_argument("--unit", action="store_true", help="without the rules that tests/real misses, which takes longer")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    rules = [rule for rule in RULES if not arguments.words or any(word in f"{rule.name} {rule.file} {rule.tests}" for word in arguments.words)]
    if arguments.unit:
        rules = [rule for rule in rules if not is_real(rule)]
    faults = [f"{rule.name}: {fault}" for rule in rules for fault in faults_of(rule)]
    if faults or not rules:
        print("tests/mutation_rules.py is to be mended:\n" + "\n".join(faults or ["no rule has one of the words"]))
        return 2
    if arguments.list:
        print(f"{len(rules)} rules are in the code as the table says.")
        return 0
    with tempfile.TemporaryDirectory(prefix="otp-mutations-") as directory:
        copies: queue.Queue[Copy] = queue.Queue()
        for number in range(arguments.jobs):
            copies.put(Copy(Path(directory, str(number))))
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            # With all rules the tests pass. Otherwise it is not for the rule that they fail.
            tests = sorted({test for rule in rules for test in rule.tests})
            copy = copies.get()
            passes, output = copy.passes(tests)
            copies.put(copy)
            if not passes:
                print(f"The tests fail with all rules in place:\n{output}")
                return 2
            results = []
            for future in concurrent.futures.as_completed([pool.submit(try_out, rule, copies) for rule in rules]):
                result = future.result()
                results.append(result)
                print(f"{result.outcome:8} {result.rule.name} ({result.rule.file}){reason(result)}", flush=True)
                if result.outcome == "fault":
                    print(result.words)
    lost = [result for result in results if result.outcome != "noticed"]
    print(f"\n{len(results)} rules taken out, {len(lost)} not missed.")
    for result in lost:
        print(f"  {result.rule.name}: {result.rule.file} without {result.rule.text!r}, by {', '.join(result.rule.tests)}")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
