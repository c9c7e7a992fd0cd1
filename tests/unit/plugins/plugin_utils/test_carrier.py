# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._carried import ANSWER, STARTED
from ansible_collections.erlang.otp.plugins.plugin_utils._carrier import BOOT, PACKAGE, Carrier, sources

HANDLER, SYSTEM = "otp_release_handler", "otp_target_system"


def carried(module: str, arguments: dict[str, t.Any], *, package: bytes = b"", size: int | None = None) -> tuple[str, str]:
    """What the program prints before and in its answer, in a Python that finds neither Ansible nor the collection."""
    carrier = Carrier(module)
    valid = carrier.validator.validate(arguments)
    assert not valid.error_messages
    about = {"size": len(package) if size is None else size, "name": "exchange.tar.gz"} if package else None
    order = {"params": valid.validated_parameters, "paths": carrier.paths, "check_mode": False, "package": about}
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", BOOT.format(size=len(carrier.program))],
        input=carrier.program + json.dumps(order).encode() + b"\n" + package,
        capture_output=True,
        timeout=60,
        check=False,
    )
    started, _mark, answer = done.stdout.decode().partition(ANSWER)
    return started.strip(), answer or done.stderr.decode()


@pytest.mark.parametrize("module", [HANDLER, SYSTEM])
def test_the_program_has_all_that_the_module_can_import(module: str) -> None:
    texts = sources(f"{PACKAGE}.modules.{module}")
    for name, text in texts.items():
        for line in text.splitlines():
            if line.lstrip().startswith("from ansible_collections.erlang.otp.plugins.module_utils._"):
                assert line.split()[1] in texts, f"{name}: {line}"


ABSENT = {"root": "/nowhere/srv", "checksum": "sha256:" + 64 * "0"}


def test_a_module_answers() -> None:
    started, answer = carried(SYSTEM, ABSENT)
    said = json.loads(answer)
    assert started == STARTED
    assert said["needs_package"] and said["warnings"] == [] and not said.get("failed")


def test_a_failure_calls_the_package_by_its_name(tmp_path: Path) -> None:
    _started, answer = carried(HANDLER, {"root": str(tmp_path), "release": "1.0", "state": "unpacked", "transport": "offline"}, package=b"no package")
    said = json.loads(answer)
    assert said["failed"] and "exchange.tar.gz" in said["msg"] and "/proc/" not in said["msg"]


def test_a_package_that_has_not_come_over_is_not_installed(tmp_path: Path) -> None:
    _started, answer = carried(SYSTEM, {"root": str(tmp_path / "srv"), "user": "root", "home": str(tmp_path)}, package=b"a part", size=1000)
    assert "the connection broke" in json.loads(answer)["msg"] and not list(tmp_path.iterdir())


def test_paths_are_of_the_host(tmp_path: Path) -> None:
    _started, answer = carried(SYSTEM, {**ABSENT, "root": "~/no/such/system"})
    assert f"{Path.home()}/no/such/system" in json.loads(answer)["msg"]
