# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: the table "Tested with" of the README has the versions that CI runs, and no others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

TOP = Path(__file__).parents[2]
CELLS = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", (TOP / "README.md").read_text().partition("## Tested with")[2].partition("\n## ")[0], re.MULTILINE))
JOBS = yaml.safe_load((TOP / ".github/workflows/test.yml").read_text())["jobs"]
# What .ci/setup has unpacked of other Debians, and a test runs where it is there.
NEWEST, DEBIAN_13 = (TOP / "build" / name for name in ("newest", "debian13"))


def text(name: str) -> str:
    return (TOP / ".ci" / name).read_text()


def minors(words: str) -> list[int]:
    """Those of the versions 2.N or 3.N, sorted."""
    return sorted({int(minor) for minor in re.findall(r"\b[23]\.(\d+)", words)})


def test_ansible_core() -> None:
    cell, _semicolon, requires = CELLS["ansible-core"].partition(";")
    pinned = re.findall(r"^ansible-core==(2\.\d+)", text("requirements.txt") + text("requirements-floor.txt"), re.MULTILINE)
    of_newest = re.findall(r"core='ansible-core~=(2\.\d+)", text("newest"))
    in_matrix = [job["ansible-core"] for job in JOBS["ansible"]["strategy"]["matrix"]["include"] if not job["experimental"]]
    assert minors(cell) == minors(" ".join([*pinned, *of_newest])) == minors(" ".join(in_matrix))
    assert minors(requires) == minors(cell)[:1] == minors(yaml.safe_load((TOP / "meta/runtime.yml").read_text())["requires_ansible"])


def test_python() -> None:
    on_hosts, on_controller = (minors(CELLS[f"Python on the {place}"]) for place in ("hosts", "controller"))
    (loop,) = re.findall(r"^for minor in ([\d ]+);", text("pythons"), re.MULTILINE)
    at_hand = [int(minor) for minor in loop.split()]
    # Each from the first to the last one; the newest is Debian's, which .ci/newest has.
    assert on_hosts == [at_hand[0], at_hand[-1] + 1] and at_hand == [*range(at_hand[0], at_hand[-1] + 1)]
    in_matrix = minors(" ".join(job["python"] for job in JOBS["ansible"]["strategy"]["matrix"]["include"]))
    assert on_controller == [in_matrix[0], on_hosts[-1]] and in_matrix == [*range(in_matrix[0], at_hand[-1] + 1)]


def test_erlang_and_debian() -> None:
    found = re.findall(r"(\d+) \(Debian (\w+)\)", CELLS["Erlang/OTP"])
    names = {"bookworm": "12", "trixie": "13"}
    assert [debian for _otp, debian in found] == [names.get(name, name) for name in JOBS["test"]["strategy"]["matrix"]["debian"]]
    assert re.findall(r"\d+", CELLS["Hosts"]) == [*names.values()]


@pytest.mark.skipif(not NEWEST.is_dir() or not DEBIAN_13.is_dir(), reason=".ci/setup has not unpacked other Debians")
def test_what_is_unpacked_is_what_the_table_says() -> None:
    releases = {place: [path.name for path in (place / "usr/lib/erlang/releases").iterdir() if path.name.isdigit()] for place in (NEWEST, DEBIAN_13)}
    named = {debian: otp for otp, debian in re.findall(r"(\d+) \(Debian (\w+)\)", CELLS["Erlang/OTP"])}
    assert releases == {NEWEST: [named["testing"]], DEBIAN_13: [named["13"]]}
    assert (
        minors(" ".join(path.name.replace("python", "") for path in (NEWEST / "usr/bin").glob("python3.*[0-9]"))) == minors(CELLS["Python on the hosts"])[-1:]
    )
