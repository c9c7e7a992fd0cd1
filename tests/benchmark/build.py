# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a build costs, against target_system:create/1 of the OTP documentation and against ordinary tools.

Whole processes, in pairs (A B A B); what is printed are medians of A, and medians of the pairs' ratios A / B. The ratios
are what counts: times of a busy machine mean little. "example" is kernel, stdlib, sasl and pea; "all" has all applications of
the Erlang/OTP on PATH.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

BUILD = """
import sys
sys.path.insert(0, sys.argv[1])
from ansible_collections.erlang.otp.plugins.module_utils._build.build import build_release
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._build.inputs import Options
rel, code_path, output_dir, cache_dir, strip = sys.argv[2:]
options = Options(output_dir=output_dir, rel=rel, code_path=(code_path,), cache_dir=cache_dir, strip=strip == "strip", replace=True)
build_release(options, Changes())
"""

PEA = """-module(pea).
-export([number/0]).
number() -> {number}.
"""
PEA_APP = """{application, pea, [{description, "Pea"}, {vsn, "1.0"}, {modules, [pea]}, {registered, []},
    {applications, [kernel, stdlib, sasl]}]}.
"""


class Cost(t.NamedTuple):
    """Of one run: seconds by the clock, seconds of CPU, the largest resident size in MiB."""

    wall: float
    cpu: float
    rss: float


def run(command: list[str], directory: Path) -> Cost:
    """The command's cost, with that of all processes it waits for."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL)
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command[0]} ended with status {process.returncode}")
    return Cost(time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


class Seed:
    """A release to build, and a directory for each who builds it."""

    def __init__(self, name: str, directory: Path, applications: list[tuple[str, str]], erts: str, examples: str) -> None:
        self.name = name
        self.directory = directory
        self.examples = examples
        for part in ("collections/ansible_collections/erlang", "pea-1.0/ebin", "pea-1.0/src", "create", "floor"):
            (directory / part).mkdir(parents=True)
        (directory / "collections/ansible_collections/erlang/otp").symlink_to(ROOT)
        self.change_pea(1)
        (directory / "pea-1.0/ebin/pea.app").write_text(PEA_APP)
        listed = ",\n  ".join(f'{{{application}, "{version}"}}' for application, version in applications)
        rel = f'{{release, {{"MYSYSTEM", "FIRST"}}, {{erts, "{erts}"}},\n [{listed}]}}.\n'
        (directory / "create/mysystem.rel").write_text(rel)

    def change_pea(self, number: int) -> None:
        """Another pea, compiled."""
        (self.directory / "pea-1.0/src/pea.erl").write_text(PEA.replace("{number}", str(number)))
        subprocess.run(["erlc", "+debug_info", "-o", "../ebin", "pea.erl"], cwd=self.directory / "pea-1.0/src", check=True)

    def create(self) -> Cost:
        paths = ["-pa", str(self.directory / "pea-1.0/ebin"), "-pa", self.examples]
        return run(["erl", "-noshell", *paths, "-eval", 'target_system:create("mysystem"), halt().'], self.directory / "create")

    def build(self, output: str = "ours", *, cold: bool = False, strip: bool = False) -> Cost:
        """Our build into that directory, with a cache beside it."""
        target, cache = self.directory / output, self.directory / (output + ".cache")
        if cold:
            shutil.rmtree(target, ignore_errors=True)
            shutil.rmtree(cache, ignore_errors=True)
        arguments = [self.directory / "create/mysystem.rel", self.directory / "pea-*/ebin", target, cache, "strip" if strip else ""]
        return run([sys.executable, "-I", "-c", BUILD, str(self.directory / "collections"), *map(str, arguments)], self.directory)

    def unpack(self, output: str) -> None:
        """The members of our package, for the floor to pack again."""
        subprocess.run(["tar", "xzf", self.directory / output / "mysystem.tar.gz"], cwd=self.directory / "floor", check=True)

    def floor(self, compressor: str) -> Cost:
        """One start of erl, then the same members packed by ordinary tools."""
        script = f"erl -noshell -eval 'halt().' && tar cf - . | {compressor} > ../floor.tar.gz"
        return run(["sh", "-c", script], self.directory / "floor")

    def size(self, output: str) -> int:
        return (self.directory / output / "mysystem.tar.gz").stat().st_size


def pairs(count: int, ours: t.Callable[[], Cost], theirs: t.Callable[[], Cost]) -> tuple[Cost, Cost]:
    """Medians of our cost, and of the ratios."""
    costs = [(ours(), theirs()) for _number in range(count)]
    mine = Cost(*(statistics.median(column) for column in zip(*(a for a, _b in costs))))
    ratios = Cost(*(statistics.median(column) for column in zip(*(tuple(x / y for x, y in zip(a, b)) for a, b in costs))))
    return mine, ratios


def measure(seed: Seed, count: int, goals: dict[str, float]) -> list[tuple[str, str, str]]:
    """Rows of (what, figures, goal)."""
    rows: list[tuple[str, str, str]] = []

    def row(what: str, ours: t.Callable[[], Cost], theirs: t.Callable[[], Cost], goal: float | None = None) -> None:
        mine, ratio = pairs(count, ours, theirs)
        figures = f"{mine.wall:8.3f} {mine.cpu:8.3f} {mine.rss:7.1f} {ratio.wall:8.3f} {ratio.cpu:8.3f} {ratio.rss:8.3f}"
        rows.append((f"{seed.name}: {what}", figures, f"{goal:.3f}" if goal else ""))

    seed.create()
    row("cold / create", lambda: seed.build(cold=True), seed.create, goals["cold"])
    numbers = iter(range(2, 10**6))

    def changed() -> Cost:
        seed.change_pea(next(numbers))
        return seed.build()

    row("one application changed / create", changed, seed.create, goals["changed"])
    row("nothing to do / create", seed.build, seed.create, goals["nothing"])
    row("cold, stripped / create", lambda: seed.build("stripped", cold=True, strip=True), seed.create)
    seed.unpack("ours")
    row("cold / erl start, tar | gzip", lambda: seed.build(cold=True), lambda: seed.floor("gzip -n"))
    if shutil.which("pigz"):
        row("cold / erl start, tar | pigz", lambda: seed.build(cold=True), lambda: seed.floor("pigz -n -p2"))
    for what, output, goal in (("bytes", "ours", goals["bytes"]), ("bytes, stripped", "stripped", goals["stripped"])):
        figures = f"{seed.size(output):26d} {seed.size(output) / seed.size('create'):8.4f}{'':18}"
        rows.append((f"{seed.name}: {what} / create", figures, f"{goal:.3f}"))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5, help="runs of each side (default: 5)")
    parser.add_argument("--quick", action="store_true", help="one pair alone, of the example")
    parser.add_argument("--only", choices=["example", "all"], help="one of the two releases")
    arguments = parser.parse_args()
    question = 'io:format("~ts~n~ts~n~ts", [code:root_dir(), erlang:system_info(version), code:lib_dir(sasl)]), halt().'
    answer = subprocess.run(["erl", "-noshell", "-eval", question], check=True, capture_output=True, text=True).stdout
    root, erts, sasl = answer.split("\n")
    versions = {}
    for path in sorted(Path(root, "lib").glob("*/ebin/*.app")):
        match = re.search(r'\{vsn,\s*"([^"]+)"\}', path.read_text())
        if match:
            versions[path.stem] = match.group(1)
    everything = ["kernel", "stdlib", "sasl", *(name for name in versions if name not in ("kernel", "stdlib", "sasl"))]
    seeds = {"example": everything[:3], "all": everything}
    goals = {
        "example": {"cold": 0.25, "changed": 0.12, "nothing": 0.05, "bytes": 1.0, "stripped": 0.433},
        "all": {"cold": 0.22, "changed": 0.07, "nothing": 0.05, "bytes": 1.0, "stripped": 0.32},
    }
    print(f"{'':42} {'wall s':>8} {'CPU s':>8} {'MiB':>7} {'wall /':>8} {'CPU /':>8} {'MiB /':>8} {'goal':>6}")
    for name, names in seeds.items():
        if name != (arguments.only or ("example" if arguments.quick else name)):
            continue
        with tempfile.TemporaryDirectory(prefix="erlang-otp-") as directory:
            applications = [(application, versions[application]) for application in names] + [("pea", "1.0")]
            seed = Seed(name, Path(directory), applications, erts, os.path.join(sasl, "examples/ebin"))
            for what, figures, goal in measure(seed, 1 if arguments.quick else arguments.pairs, goals[name]):
                print(f"{what:42} {figures} {goal:>6}", flush=True)


if __name__ == "__main__":
    main()
