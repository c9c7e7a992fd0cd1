# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a thin package saves: bytes, and time on the node.

A real embedded node goes from FIRST to SECOND, which has another version of one small application, and back; only the way up counts:
unpacked, installed, made permanent. "release_handler" is that alone; "module" is otp_release_handler, which asks the node and looks at
the system before and after, and has every step on the disk; "laid out" is otp_release_install, the part of it that a package makes
longer: it flushes the whole file system, to which nobody else must write then. The system has installed the package of the base, so nothing
of that is read. The thin and the full package take turns (A B A B); medians, and the medians of the ratios of pairs. Then the
bytes: against the full package; for an application of many modules, of which few have changed, against the gzipped files that have changed;
and those of another ERTS, Kernel, STDLIB and SASL: what a thin package of these has, and what stripping the modules makes of them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GOALS = {"bytes": 0.001, "time": 0.1, "changed": 1.2}


class Upgrades:
    """A running node, and ways to take it from FIRST to SECOND."""

    def __init__(self, system: t.Any, thin: str) -> None:
        self.system = system
        self.packages = system.releases.packages
        self.full = self.packages["SECOND"]
        self.small = thin

    def module(self, package: str) -> float:
        """Seconds from the package to the release that is permanent."""
        self.packages["SECOND"] = package
        start = time.perf_counter()
        self.system.take("SECOND", "permanent")
        return self.back(time.perf_counter() - start)

    def laid_out(self, package: str) -> float:
        """Seconds until it lies beside the other release, of which the node is not told."""
        from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
        from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
        from ansible_collections.erlang.otp.plugins.module_utils._install.remove import remove_release

        # Its file system is flushed as a whole, and not for what others have written there.
        os.sync()
        start = time.perf_counter()
        install_release(root=self.system.root, package=package, changes=Changes())
        seconds = time.perf_counter() - start
        remove_release(root=self.system.root, version="SECOND", changes=Changes())
        return seconds

    def release_handler(self, package: str) -> float:
        shutil.copy(package, Path(self.system.root, "releases/SECOND.tar.gz"))
        start = time.perf_counter()
        for function in ("unpack_release", "install_release", "make_permanent"):
            self.system.operate(function, "SECOND")
        return self.back(time.perf_counter() - start)

    def back(self, seconds: float) -> float:
        self.system.take("FIRST", "permanent", package=False)
        self.system.take("SECOND", "absent")
        return seconds


def times(name: str, upgrades: Upgrades, way: t.Callable[[str], float], count: int, goal: float | None = GOALS["time"]) -> None:
    # The first one imports.
    way(upgrades.small)
    turns = [(way(upgrades.small), way(upgrades.full)) for _number in range(count)]
    thin, full = (1000 * statistics.median(column) for column in zip(*turns))
    ratio = statistics.median(thin / full for thin, full in turns)
    row(f"{name}: thin / full", ratio, goal, f"{thin:.1f} ms / {full:.1f} ms")


def row(name: str, ratio: float, goal: float | None = None, note: str = "") -> None:
    print(f"{name:36} {ratio:8.5f}  {f'goal {goal}' if goal else '':12} {note}", flush=True)


def another_otp(workshop: t.Any, directory: Path) -> None:
    """Bytes of an upgrade to another OTP: thin, and stripped, against the full package."""
    from other_otp import before, renumber, version_of
    from release_workshop import MINIMAL

    versions = {name: before(workshop.otp, name) for name in MINIMAL}
    other = renumber(workshop.otp, directory / "otp", erts="13.0", applications=versions)
    applications = [f"{name}-{version}" for name, version in versions.items()]
    base = workshop.rel(*MINIMAL, stem="base", version="BASE")
    rel = workshop.rel(*applications, stem="other", version="OTHER", erts="13.0")
    built = workshop.build(rel=base, output_dir=str(directory / "base"))
    new = workshop.build(rel=rel, otp_root=other.root, base=built["package"], output_dir=str(directory / "new"))
    stripped = workshop.build(rel=rel, otp_root=other.root, strip=True, output_dir=str(directory / "stripped"))
    assert version_of(other, "kernel") == versions["kernel"]
    row("bytes, another OTP: thin / full", new["thin"]["size"] / new["size"])
    row("bytes, another OTP: stripped / full", stripped["size"] / new["size"])


def few_modules(directory: Path) -> None:
    """Bytes of an upgrade of few modules, against those files."""
    from test_thin import Thin
    from thin_sizes import Many, changed_files, gzipped

    many = Thin(Many(directory / "many"), directory / "thin of many")
    size, changed = many.built["thin"]["size"], gzipped(changed_files(many.full["SECOND"], many.full["FIRST"]))
    row("bytes, few modules: thin / changed", size / changed, GOALS["changed"], f"{size} / {changed}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=15, help="upgrades of each kind (default: 15)")
    parser.add_argument("--quick", action="store_true", help="two of each kind")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="erlang-otp-") as directory:
        tree = Path(directory, "ansible_collections/erlang")
        tree.mkdir(parents=True)
        (tree / "otp").symlink_to(ROOT)
        sys.path[:0] = [directory, str(ROOT / "tests/real")]
        from handler_site import Releases, System
        from test_thin import Thin

        releases = Releases(Path(directory, "releases"))
        thin = Thin(releases, Path(directory, "thin")).built
        count = 2 if arguments.quick else arguments.turns
        with System(releases) as system:
            upgrades = Upgrades(system, thin["thin"]["package"])
            times("laid out", upgrades, upgrades.laid_out, count)
            system.start()
            times("release_handler", upgrades, upgrades.release_handler, count)
            times("module", upgrades, upgrades.module, count, None)
        row("bytes, one application: thin / full", thin["thin"]["size"] / thin["size"], GOALS["bytes"], f"{thin['thin']['size']} / {thin['size']}")
        few_modules(Path(directory))
        another_otp(releases.workshop, Path(directory))


if __name__ == "__main__":
    main()
