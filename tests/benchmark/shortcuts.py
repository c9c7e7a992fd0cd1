# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the ways around Ansible gain that exist for speed alone: each is switched off in a copy of the collection, in pairs with the collection.

A converged ``deploy`` over SSH with warm connections and pipelining. Printed are medians of the pairs' ratios, without the way / with it: by the
clock, of the controller's CPU, and of the CPU of controller and hosts together. 1.10 is the gain below which a way is not worth its code. With --quick
they only show that each way can be switched off: most of these ways gain something for each further host.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import statistics
import sys
import tempfile
import typing as t
from pathlib import Path

from fleet_hosts import Cost, Fleet

ROOT = Path(__file__).parents[2]
UTILS = "plugins/plugin_utils"
# What switches a way off: a file of the collection, a text in it, and what stands there then.
PATCHES = {
    "bytecode for hosts with the same Python": (f"{UTILS}/_transport/stdin_transport.py", "importlib.util.MAGIC_NUMBER.hex()", "''"),
    "templates compiled once in a process": (f"{UTILS}/_target_system/rendering.py", "return COMPILED[", "return compiled()["),
    "filters loaded before Ansible forks": (
        "roles/target_system/tasks/preflight.yml",
        '"[] | erlang.otp.to_term is none or _otp_known is none"',
        "false",
    ),
}
SETTINGS = {"modules through standard input": {"ERLANG_OTP_STDIN_TRANSPORT": "false"}}


def copy_of_collection(directory: Path, patch: tuple[str, str, str] | None = None) -> dict[str, str]:
    """The setting that makes Ansible use a copy of the collection, with a text in it replaced."""
    copy = directory / "ansible_collections" / "erlang" / "otp"
    for name in ("plugins", "roles", "playbooks", "meta"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "galaxy.yml", copy)
    if patch:
        path, old, new = patch
        text = (copy / path).read_text()
        assert old in text, f"{path} has changed: {old}"
        (copy / path).write_text(text.replace(old, new))
    return {"ANSIBLE_COLLECTIONS_PATH": str(directory)}


def ways(directory: Path) -> t.Iterator[tuple[str, dict[str, str], dict[str, str]]]:
    """Each way with the settings of a run that has it, and of one that does not."""
    ours = copy_of_collection(directory / "ours")
    for name, setting in SETTINGS.items():
        yield name, ours, {**ours, **setting}
    for number, (name, patch) in enumerate(PATCHES.items()):
        yield name, ours, copy_of_collection(directory / str(number), patch)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=16, help="how many hosts (default: 16)")
    parser.add_argument("--pairs", type=int, default=5, help="runs of each side (default: 5)")
    parser.add_argument("--quick", action="store_true", help="one pair on one host")
    arguments = parser.parse_args()
    count, pairs = (1, 1) if arguments.quick else (arguments.hosts, arguments.pairs)
    print(f"hosts: {count}, pairs: {pairs}, load: {os.getloadavg()[0]:.1f}")
    print(f"{'':44} {'wall /':>8} {'ctrl /':>8} {'all /':>8}")
    signal.signal(signal.SIGTERM, lambda *dummy: sys.exit("terminated"))
    with tempfile.TemporaryDirectory(prefix="erlang-otp-") as directory:
        fleet = Fleet(Path(directory), count)

        def deploy(settings: dict[str, str]) -> Cost:
            return fleet.run("ansible-playbook", "erlang.otp.deploy", "-e", f"otp_package={fleet.package}", **settings)

        try:
            fleet.empty()
            for name, ours, without in ways(Path(directory) / "collections"):
                deploy(ours)
                costs = [(deploy(without), deploy(ours)) for _number in range(pairs)]
                ratios = [statistics.median(column) for column in zip(*([x / y for x, y in zip(a, b)] for a, b in costs))]
                print(f"{name:44} {' '.join(f'{ratio:8.3f}' for ratio in ratios)}", flush=True)
        finally:
            fleet.end()


if __name__ == "__main__":
    main()
