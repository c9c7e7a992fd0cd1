# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a build costs by the size of what is in it, against systools:make_tar/2 and against tar with gzip: memory, bytes, time.

The release is kernel, stdlib, sasl and an application with one large file in priv, of which half is noise and half is code. All three pack the
same files, one after the other in one run. Memory is the peak of the largest process; in the first column, less that of a Python that does nothing.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

from build import BUILD, PEA_APP, ROOT, Cost

MIB = 1 << 20
# Of the memory above Python's, whatever the size.
GOAL = 128
SIZES = (8, 30, 800)
MAKE_TAR = """
Options = [{path, ["pea-1.0/ebin"]}, silent],
{ok, _, []} = systools:make_script("mysystem", Options), {ok, _, []} = systools:make_tar("mysystem", [{erts, code:root_dir()} | Options]), halt().
"""


# A peak begins with that of the process that was forked: so a small Python forks, and no process has less than that.
LAUNCH = """
import os, sys, time
start = time.perf_counter()
process = os.fork()
if process == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(process, 0)
print(time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
sys.exit(status != 0)
"""


def run(command: list[str], directory: Path) -> Cost:
    """The command's cost, with that of all processes it waits for."""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", LAUNCH, *command], cwd=directory, stdout=subprocess.PIPE, text=True, check=True)
    return Cost(*map(float, done.stdout.split()))


class Site:
    """The release, and what each makes of it."""

    def __init__(self, directory: Path, size: int) -> None:
        self.directory = directory
        for part in ("collections/ansible_collections/erlang", "pea-1.0/ebin", "pea-1.0/priv"):
            (directory / part).mkdir(parents=True)
        (directory / "collections/ansible_collections/erlang/otp").symlink_to(ROOT)
        (directory / "pea.erl").write_text("-module(pea).\n")
        subprocess.run(["erlc", "-o", "pea-1.0/ebin", "pea.erl"], cwd=directory, check=True)
        (directory / "pea-1.0/ebin/pea.app").write_text(PEA_APP)
        question = 'io:format("~ts~n~ts", [code:root_dir(), erlang:system_info(version)]), halt().'
        answer = subprocess.run(["erl", "-noshell", "-eval", question], check=True, capture_output=True, text=True).stdout
        root, erts = answer.split("\n")
        self.places = [next(Path(root, "lib").glob(f"{name}-*")) for name in ("kernel", "stdlib", "sasl")]
        listed = ", ".join(f'{{{name}, "{version}"}}' for name, version in ("pea-1.0".split("-"), *(place.name.split("-") for place in self.places)))
        (directory / "mysystem.rel").write_text(f'{{release, {{"MYSYSTEM", "FIRST"}}, {{erts, "{erts}"}}, [{listed}]}}.\n')
        self._fill(b"".join(path.read_bytes() for path in sorted(self.places[1].glob("ebin/*.beam"))), size * MIB)
        for name, target in ((f"erts-{erts}", Path(root, f"erts-{erts}")), *((place.name, place) for place in self.places)):
            (directory / name).exists() or (directory / name).symlink_to(target)
        self.members = [f"erts-{erts}/bin", "pea-1.0", *(f"{place.name}/ebin" for place in self.places)]

    def _fill(self, code: bytes, size: int) -> None:
        block = 64 * 1024
        with (self.directory / "pea-1.0/priv/data").open("wb") as file:
            for start in range(0, size, 2 * block):
                at = start // 2 % (len(code) - block)
                file.write(os.urandom(block) + code[at : at + block])

    def ours(self) -> Cost:
        for name in ("ours", "cache"):
            shutil.rmtree(self.directory / name, ignore_errors=True)
        arguments = ["mysystem.rel", "pea-*/ebin", "ours", "cache", ""]
        return run([sys.executable, "-I", "-c", BUILD, "collections", *arguments], self.directory)

    def make_tar(self) -> Cost:
        return run(["erl", "-noshell", "-eval", MAKE_TAR], self.directory)

    def tar(self) -> Cost:
        return run(["tar", "--dereference", "-czf", "tar.tar.gz", *self.members], self.directory)

    def bytes_of(self, name: str) -> int:
        return (self.directory / name).stat().st_size


def measure(site: Site, pairs: int, python: float) -> t.Iterator[str]:
    """A row against make_tar, and one against tar."""
    costs = [(site.ours(), site.make_tar(), site.tar()) for dummy in range(pairs)]
    ours = Cost(*(statistics.median(column) for column in zip(*(each[0] for each in costs))))
    size = site.bytes_of("ours/mysystem.tar.gz")
    for number, name in ((1, "mysystem.tar.gz"), (2, "tar.tar.gz")):
        wall, cpu, rss = (statistics.median(each[0][column] / each[number][column] for each in costs) for column in range(3))
        above = ours.rss - python
        what = "make_tar" if number == 1 else "tar | gzip"
        yield f"/ {what:12} {above:8.1f} {GOAL:6} {rss:8.2f} {size:12} {size / site.bytes_of(name):8.4f} {ours.wall:8.2f} {wall:8.3f} {cpu:8.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5, help="runs of each side (default: 5), of which the largest size has one")
    parser.add_argument("--quick", action="store_true", help="one pair of each size but the largest")
    arguments = parser.parse_args()
    print(f"{'':22} {'MiB >':>8} {'goal':>6} {'MiB /':>8} {'bytes':>12} {'bytes /':>8} {'wall s':>8} {'wall /':>8} {'CPU /':>8}")
    for size in SIZES[:-1] if arguments.quick else SIZES:
        # Large, and not on a file system in memory.
        with tempfile.TemporaryDirectory(prefix="erlang-otp-", dir="/var/tmp") as directory:
            python = run([sys.executable, "-I", "-c", ""], Path(directory)).rss
            site = Site(Path(directory), size)
            for row in measure(site, 1 if arguments.quick or size == SIZES[-1] else arguments.pairs, python):
                print(f"{size:4} MiB {row}", flush=True)


if __name__ == "__main__":
    main()
