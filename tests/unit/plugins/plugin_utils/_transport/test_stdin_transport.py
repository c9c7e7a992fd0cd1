# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
import zlib
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.stdin_runner import ANSWER, STARTED
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.stdin_transport import BOOT, Carrier

HANDLER, SYSTEM = "otp_release_handler", "otp_target_system"


def carried(
    module: str, arguments: dict[str, t.Any], *, package: Path | None = None, magic: str = "", lost: int = 0, room: int | None = None
) -> tuple[str, str]:
    """What the program writes before and in its answer, in a Python that finds neither Ansible nor the collection.

    magic: of another Python, whose bytecode this one cannot take. lost: how many bytes do not come over. room: how large a file can be.
    """
    carrier = Carrier(module)
    carrier.magic = magic or carrier.magic
    valid = carrier.validator.validate(arguments)
    assert not valid.error_messages
    content = carrier.content(valid.validated_parameters, str(package) if package else None)
    command = [sys.executable, "-I", "-S", "-c", BOOT.format(size=len(carrier.program))]
    if room is not None:
        command = ["prlimit", f"--fsize={room}", *command]
    done = subprocess.run(command, input=content[: len(content) - lost], capture_output=True, timeout=600, check=False)
    started, _mark, answer = done.stdout.decode().partition(ANSWER)
    return started.strip(), answer or done.stderr.decode()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    path = tmp_path / "exchange.tar.gz"
    path.write_bytes(b"no package")
    return path


ABSENT = {"root": "/nowhere/srv", "checksum": "sha256:" + 64 * "0"}


@pytest.mark.parametrize("magic", ["", "550d0d0a"], ids=["the same Python", "another Python"])
def test_a_module_answers(magic: str) -> None:
    started, answer = carried(SYSTEM, ABSENT, magic=magic)
    said = json.loads(answer)
    assert started == STARTED
    assert said["needs_package"] and said["warnings"] == [] and not said.get("failed")


def test_a_failure_calls_the_package_by_its_name(tmp_path: Path, package: Path) -> None:
    _started, answer = carried(HANDLER, {"root": str(tmp_path / "srv"), "release": "1.0", "state": "unpacked", "transport": "offline"}, package=package)
    said = json.loads(answer)
    assert said["failed"] and str(package) in said["msg"] and "/proc/" not in said["msg"]


def test_a_package_that_has_not_come_over_is_not_installed(tmp_path: Path, package: Path) -> None:
    _started, answer = carried(SYSTEM, {"root": str(tmp_path / "srv"), "user": "root", "home": str(tmp_path)}, package=package, lost=3)
    assert "the connection broke" in json.loads(answer)["msg"] and list(tmp_path.iterdir()) == [package]


def test_a_package_whose_line_has_gone_dead(tmp_path: Path, package: Path) -> None:
    """Nobody closes standard input."""
    carrier = Carrier(SYSTEM)
    carrier.program = zlib.compress(zlib.decompress(carrier.program).replace(b"PATIENCE = 300", b"PATIENCE = 1"))
    valid = carrier.validator.validate({"root": str(tmp_path / "srv"), "user": "root", "home": str(tmp_path)})
    command = [sys.executable, "-I", "-S", "-c", BOOT.format(size=len(carrier.program))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdin and running.stdout
        running.stdin.write(carrier.content(valid.validated_parameters, str(package))[:-3])
        running.stdin.flush()
        answer = running.stdout.read().decode().partition(ANSWER)[2]
    assert json.loads(answer)["msg"] == "nothing more of the package has come over for 1 s" and list(tmp_path.iterdir()) == [package]


def test_a_package_that_has_no_room_to_come_to(tmp_path: Path, package: Path) -> None:
    package.write_bytes(bytes(300_000))
    _started, answer = carried(SYSTEM, {"root": str(tmp_path / "srv"), "user": "root", "home": str(tmp_path)}, package=package, room=4096)
    assert json.loads(answer)["msg"] == "/var/tmp: File too large. A package is there until it is unpacked, and this one has 0.3 MiB: make room."
    assert list(tmp_path.iterdir()) == [package]


def test_paths_are_of_the_host() -> None:
    _started, answer = carried(SYSTEM, {**ABSENT, "root": "~/no/such/system"})
    assert f"{Path.home()}/no/such/system" in json.loads(answer)["msg"]
