# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an installation costs, against ``tar xzf`` with three ``sed`` and against target_system:install/2 of the OTP documentation.

Whole processes, in pairs (A B A B); what is printed are medians of A, and medians of the pairs' ratios A / B. The ratios
are what counts: times of a busy machine mean little. "example" is kernel, stdlib and sasl; "all" has all applications of the
Erlang/OTP on PATH. The packages are those of target_system:create/1, with templates made from the scripts of that OTP.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# json: on a host, the program that runs a module (_core/stdin_runner) has loaded it before anything of ours is imported.
INSTALL = """
import json, sys
sys.path.insert(0, sys.argv[1])
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
collections, root, package, checksum, flush = sys.argv[1:]
install_release(root=root, package=package or None, checksum=checksum, flush=flush == "flush", changes=Changes())
"""
# Of this program alone; getrusage() counts what the process was before it became this program.
PEAK = """
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
SCRIPTS = ("erl", "start", "start_erl")


class Cost(t.NamedTuple):
    """Of one run: seconds by the clock, seconds of CPU."""

    wall: float
    cpu: float


def run(command: list[str], directory: Path) -> Cost:
    """The command's cost, with that of all processes it waits for. What earlier ones wrote is on the disk by then."""
    os.sync()
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL)
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command[0]} ended with status {process.returncode}")
    return Cost(time.perf_counter() - start, usage.ru_utime + usage.ru_stime)


class Seed:
    """A package to install, and a root directory for each who installs it."""

    def __init__(self, directory: Path, applications: list[tuple[str, str]], otp: Otp) -> None:
        self.directory = directory
        self.otp = otp
        self.package = directory / "mysystem.tar.gz"
        (directory / "collections/ansible_collections/erlang").mkdir(parents=True)
        (directory / "collections/ansible_collections/erlang/otp").symlink_to(ROOT)
        listed = ",\n  ".join(f'{{{application}, "{version}"}}' for application, version in applications)
        (directory / "mysystem.rel").write_text(f'{{release, {{"MYSYSTEM", "FIRST"}}, {{erts, "{otp.erts}"}},\n [{listed}]}}.\n')
        (directory / "sys.config").write_text("[].\n")
        run(self.target_system('create("mysystem")'), directory)
        self.add_templates()
        digest = subprocess.run(["sha256sum", self.package], check=True, capture_output=True, text=True).stdout.split()[0]
        self.checksum = f"sha256:{digest}"

    def target_system(self, call: str) -> list[str]:
        return ["erl", "-noshell", "-pa", f"{self.otp.sasl}/examples/ebin", "-eval", f"target_system:{call}, halt()."]

    def add_templates(self) -> None:
        """erl.src and so on, as an OTP from its own source has them."""
        erts = f"erts-{self.otp.erts}/bin"
        plain = self.directory / "mysystem.tar"
        subprocess.run(["gunzip", self.package], check=True)
        with tarfile.open(plain, "a") as archive:
            for name in SCRIPTS:
                template = self.directory / f"{name}.src"
                script = (Path(self.otp.root) / erts / name).read_text()
                template.write_text(script.replace(f"ROOTDIR={self.otp.root}", "ROOTDIR=%FINAL_ROOTDIR%"))
                archive.add(template, f"{erts}/{name}.src")
        subprocess.run(["gzip", "-n", plain], check=True)

    def fresh(self, name: str) -> Path:
        root = self.directory / name
        shutil.rmtree(root, ignore_errors=True)
        return root

    def command(self, root: Path, *, package: bool = True, flush: bool = True, more: str = "") -> list[str]:
        arguments = [self.directory / "collections", root, self.package if package else "", self.checksum, "flush" if flush else ""]
        return [sys.executable, "-I", "-S", "-c", INSTALL + more, *map(str, arguments)]

    def ours(self, *, flush: bool) -> Cost:
        return run(self.command(self.fresh("ours"), flush=flush), self.directory)

    def again(self) -> Cost:
        return run(self.command(self.directory / "ours", package=False), self.directory)

    def peak(self) -> float:
        """MiB resident at most."""
        command = self.command(self.fresh("ours"), more=PEAK)
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) / 1024

    def tar(self) -> Cost:
        root = self.fresh("tar")
        erts = f"erts-{self.otp.erts}/bin"
        seds = [f"sed 's,%FINAL_ROOTDIR%,{root},;s,%EMU%,beam,' {root}/{erts}/{name}.src > {root}/bin/{name}" for name in SCRIPTS]
        return run(["sh", "-c", " && ".join([f"mkdir {root} && tar xzf {self.package} -C {root}", *seds])], self.directory)

    def install(self) -> Cost:
        return run(self.target_system(f'install("mysystem", "{self.fresh("theirs")}")'), self.directory)


class Otp(t.NamedTuple):
    """The Erlang/OTP on PATH."""

    root: str
    erts: str
    sasl: str

    def versions(self) -> dict[str, str]:
        """Of its applications, kernel, stdlib and sasl first."""
        found = {"kernel": "", "stdlib": "", "sasl": ""}
        for path in sorted(Path(self.root, "lib").glob("*/ebin/*.app")):
            match = re.search(r'\{vsn,\s*"([^"]+)"\}', path.read_text())
            if match:
                found[path.stem] = match.group(1)
        return found


def find_otp() -> Otp:
    question = 'io:format("~ts~n~ts~n~ts", [code:root_dir(), erlang:system_info(version), code:lib_dir(sasl)]), halt().'
    return Otp(*subprocess.run(["erl", "-noshell", "-eval", question], check=True, capture_output=True, text=True).stdout.split("\n"))


def pairs(count: int, ours: t.Callable[[], Cost], theirs: t.Callable[[], Cost]) -> str:
    """Medians of our cost, and of the ratios."""
    costs = [(ours(), theirs()) for _number in range(count)]
    mine = [statistics.median(column) for column in zip(*(a for a, _b in costs))]
    ratios = [statistics.median(column) for column in zip(*([x / y for x, y in zip(a, b)] for a, b in costs))]
    return " ".join(f"{figure:8.3f}" for figure in [*mine, *ratios])


def measure(seed: Seed, count: int) -> t.Iterator[tuple[str, str, str]]:
    """Rows of (what, figures, goal)."""
    yield "not flushed / tar, sed", pairs(count, lambda: seed.ours(flush=False), seed.tar), "0.95"
    yield "flushed / tar, sed", pairs(count, lambda: seed.ours(flush=True), seed.tar), "1.30"
    yield "flushed / target_system:install", pairs(count, lambda: seed.ours(flush=True), seed.install), "0.40"
    yield "not flushed / target_system:install", pairs(count, lambda: seed.ours(flush=False), seed.install), "0.40"
    yield "second run / tar, sed", pairs(count, seed.again, seed.tar), "0.15"
    size = seed.package.stat().st_size / 2**20
    yield f"peak memory, MiB, of {size:.0f}", f"{seed.peak():8.1f}{'':27}", "32"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=9, help="runs of each side (default: 9)")
    parser.add_argument("--quick", action="store_true", help="one pair of the example alone")
    arguments = parser.parse_args()
    otp = find_otp()
    versions = otp.versions()
    seeds = {"example": ["kernel", "stdlib", "sasl"], "all": list(versions)}
    print(f"{'':44} {'wall s':>8} {'CPU s':>8} {'wall /':>8} {'CPU /':>8} {'goal':>6}")
    for name, names in seeds.items():
        if arguments.quick and name != "example":
            continue
        with tempfile.TemporaryDirectory(prefix="erlang-otp-") as directory:
            seed = Seed(Path(directory), [(application, versions[application]) for application in names], otp)
            for what, figures, goal in measure(seed, 1 if arguments.quick else arguments.pairs):
                print(f"{name + ': ' + what:44} {figures} {goal:>6}", flush=True)


if __name__ == "__main__":
    main()
