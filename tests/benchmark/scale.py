# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many nodes of one machine upgraded in one run: none may fail, and each may cost no more than one does alone.

Real embedded nodes, each with a root directory and an EPMD of its own, have SECOND unpacked. "one" is the hot upgrade and its commit, by
the code of otp_release_handler, of one node after the other; "all" that of the rest at once, a worker for each core. Every node is asked then.
The ratio is the time of "all" for each node, and that of "one". 256 nodes take 12 GiB of memory and a few minutes to start.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import sys
import tempfile
import time
import typing as t
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ALONE = 8
# Workers have them by their birth.
SYSTEMS: list[t.Any] = []


def upgrade(number: int) -> str:
    """What the node says of its release after its upgrade, or why it does not."""
    from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError

    system = SYSTEMS[number]
    try:
        system.take("SECOND", "permanent")
        return "{SECOND} {version}".format(**system.statuses(), version=system.call("counter", "version"))
    except (OtpError, OSError) as error:
        return str(error)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=256)
    parser.add_argument("--quick", action="store_true", help=f"{ALONE + 8} nodes")
    arguments = parser.parse_args()
    count = ALONE + 8 if arguments.quick else arguments.nodes
    sys.path.insert(0, str(ROOT / "tests" / "real"))
    from handler_site import Releases, System

    workers = os.cpu_count() or 1
    with tempfile.TemporaryDirectory(prefix="otp-scale-") as directory, contextlib.ExitStack() as stack:
        releases = Releases(Path(directory))
        began = time.monotonic()

        def start(_number: int) -> System:
            system = System(releases, heart=False, flags=["+S", "1:1", "+A", "1"], within=Path(directory))
            stack.push(system)
            system.start().take("SECOND", "unpacked")
            return system

        with ThreadPoolExecutor(workers) as pool:
            SYSTEMS.extend(pool.map(start, range(count)))
        print(f"{count} nodes run after {time.monotonic() - began:.0f} s")

        began = time.monotonic()
        said = list(map(upgrade, range(ALONE)))
        one = (time.monotonic() - began) / ALONE
        with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("fork")) as processes:
            # They have their imports before it counts.
            list(processes.map(abs, range(workers)))
            began = time.monotonic()
            said += processes.map(upgrade, range(ALONE, count), chunksize=4)
            wall = time.monotonic() - began
    rest = count - ALONE
    failed = [text for text in said if text != "permanent 2.0"]
    print(f"one after the other  {one * 1000:7.1f} ms a node")
    print(f"{rest} at once{'':10s}{wall:7.2f} s, {wall / rest * 1000:.1f} ms a node")
    print(f"all / one            {wall / rest / one:7.2f}")
    print(f"failed               {len(failed):7d} of {count}" + "".join(f"\n  {text}" for text in failed[:5]))
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
