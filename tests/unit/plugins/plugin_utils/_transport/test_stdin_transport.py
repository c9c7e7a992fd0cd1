# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules of the transport: it is the same module; secrets are in no argument, warning and failure; a package is never a file with a name, nor
twice in memory; a package that is not whole is not used; noise around the result does not matter; check mode goes along; paths are the host's.
"""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import threading
import tracemalloc
import typing as t
import zlib
from pathlib import Path

import pytest
from ansible.utils.display import Display

from ansible_collections.erlang.otp.plugins.module_utils._core.stdin_runner import STARTED, expand
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.stdin_transport import BOOT, StdinTransport, split_answer
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils._transport.tasks import Action, interpreter, make_action

HANDLER, SYSTEM = "otp_release_handler", "otp_target_system"
MARK = "0123456789abcdef"
TRANSPORTS = {name: StdinTransport(name) for name in (HANDLER, SYSTEM)}


def new_transport(module: str) -> StdinTransport:
    """One that a test may change; to make it from the files takes long."""
    transport = copy.copy(TRANSPORTS[module])
    transport.modules = [*transport.modules]
    return transport


def run_program(
    module: str, arguments: dict[str, t.Any], *, package: Path | None = None, magic: str = "", cut: int = 0, room: int | None = None
) -> tuple[str, dict[str, t.Any]]:
    """What the program writes before its result, and its result, in a Python that finds neither Ansible nor the collection.

    magic: of another Python, whose bytecode this one cannot take. cut: how many bytes do not arrive. room: how large a file can be.
    """
    transport = new_transport(module)
    transport.magic = magic or transport.magic
    command = [sys.executable, "-I", "-S", "-c", BOOT.format(size=len(transport.program))]
    if room is not None:
        command = ["prlimit", f"--fsize={room}", *command]
    content = content_for(transport, arguments, package)
    done = subprocess.run(command, input=content[: len(content) - cut], capture_output=True, timeout=600, check=False)
    output = done.stdout.decode()
    answer, rest = split_answer(output, MARK)
    assert answer is not None and not rest, done.stderr
    return output.partition(MARK)[0].strip(), answer


def content_for(transport: StdinTransport, arguments: dict[str, t.Any], package: Path | None = None) -> bytes:
    valid = transport.validator.validate(arguments)
    assert not valid.error_messages
    return transport.content(valid.validated_parameters, str(package) if package else None, mark=MARK)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    path = tmp_path / "exchange.tar.gz"
    path.write_bytes(b"no package")
    return path


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    shown: list[str] = []
    monkeypatch.setattr(Display, "warning", lambda _self, text, **_options: shown.append(text))
    return shown


ABSENT = {"root": "/nowhere/srv", "checksum": "sha256:" + 64 * "0"}


@pytest.mark.parametrize("magic", ["", "550d0d0a"], ids=["the same Python", "another Python"])
def test_a_module_answers(magic: str) -> None:
    before, answer = run_program(SYSTEM, ABSENT, magic=magic)
    assert before == STARTED
    assert answer["needs_package"] and answer["warnings"] == [] and not answer.get("failed")


def test_another_python_gets_no_bytecode() -> None:
    """Bytecode of another version can crash a Python."""
    transport = new_transport(SYSTEM)
    transport.magic, transport.modules[1] = "550d0d0a", zlib.compress(b"bytecode of another Python")
    command = [sys.executable, "-I", "-S", "-c", BOOT.format(size=len(transport.program))]
    done = subprocess.run(command, input=content_for(transport, ABSENT), capture_output=True, timeout=600, check=False)
    answer, _rest = split_answer(done.stdout.decode(), MARK)
    assert answer and answer["needs_package"]


def test_a_failure_calls_the_package_by_its_name(tmp_path: Path, package: Path) -> None:
    _before, answer = run_program(HANDLER, {"root": str(tmp_path / "srv"), "release": "1.0", "state": "unpacked", "transport": "offline"}, package=package)
    assert answer["failed"] and str(package) in answer["msg"] and "/proc/" not in answer["msg"]


def test_an_incomplete_package_is_not_installed(tmp_path: Path, package: Path) -> None:
    _before, answer = run_program(SYSTEM, {"root": str(tmp_path / "srv"), "user": "root", "home": str(tmp_path)}, package=package, cut=3)
    assert answer["msg"] == "The package is incomplete: the connection broke. Run again."
    assert list(tmp_path.iterdir()) == [package]


def test_a_package_over_a_dead_connection(tmp_path: Path, package: Path) -> None:
    """Nothing closes standard input."""
    transport = new_transport(SYSTEM)
    text = zlib.decompress(transport.program)
    transport.program = zlib.compress(text.replace(b"PATIENCE = 300", b"PATIENCE = 1"))
    assert b"PATIENCE = 300" in text
    command = [sys.executable, "-I", "-S", "-c", BOOT.format(size=len(transport.program))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdin and running.stdout
        running.stdin.write(content_for(transport, {"root": str(tmp_path / "srv"), "user": "root", "home": str(tmp_path)}, package)[:-3])
        running.stdin.flush()
        # Without the rule it waits without end.
        watchdog = threading.Timer(60, running.kill)
        watchdog.start()
        answer, _rest = split_answer(running.stdout.read().decode(), MARK)
        watchdog.cancel()
    assert answer and answer["msg"] == "The package is incomplete: nothing arrived for 1 s. Check the connection and run again."
    assert list(tmp_path.iterdir()) == [package]


def test_a_package_that_does_not_fit(tmp_path: Path, package: Path) -> None:
    package.write_bytes(bytes(300_000))
    _before, answer = run_program(SYSTEM, {"root": str(tmp_path / "srv"), "user": "root", "home": str(tmp_path)}, package=package, room=4096)
    assert answer["msg"] == "/var/tmp: File too large. The package needs 0.3 MiB there until it is unpacked: free some space."
    assert list(tmp_path.iterdir()) == [package]


def test_a_package_has_no_name_on_the_host(tmp_path: Path, package: Path) -> None:
    """While the program waits for the rest of the package, /proc shows which files it has open."""
    transport = new_transport(SYSTEM)
    command = [sys.executable, "-I", "-S", "-c", BOOT.format(size=len(transport.program))]
    package.write_bytes(bytes(1 << 20))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdin and running.stdout
        running.stdin.write(content_for(transport, {"root": str(tmp_path / "srv"), "user": "root", "home": str(tmp_path)}, package)[: -(1 << 19)])
        running.stdin.flush()
        open_files: list[str] = []
        while not open_files:
            open_files = [path for path in map(os.readlink, Path(f"/proc/{running.pid}/fd").iterdir()) if path.startswith("/var/tmp/")]
        running.stdin.close()
        running.stdout.read()
    assert all(path.endswith(" (deleted)") for path in open_files)


def test_paths_are_of_the_host() -> None:
    _before, answer = run_program(SYSTEM, {**ABSENT, "root": "~/no/such/system"})
    assert f"{Path.home()}/no/such/system" in answer["msg"]
    home, parameters = (
        str(Path.home()),
        {"one": "~/a", "list": ["~/b", "$HOME/c"], "none": None, "files": [{"src": "~/d", "dest": "~"}], "no_files": None, "url": {"key": "~/e"}},
    )
    for option in ("one", "list", "none", "files.src", "no_files.src", "url.key", "url.cert"):
        expand(parameters, option)
    assert parameters == {
        "one": f"{home}/a",
        "list": [f"{home}/b", f"{home}/c"],
        "none": None,
        "files": [{"src": f"{home}/d", "dest": "~"}],
        "no_files": None,
        "url": {"key": f"{home}/e"},
    }


def test_a_package_is_in_memory_once(package: Path) -> None:
    transport = TRANSPORTS[SYSTEM]
    with package.open("wb") as file:
        file.truncate(32 << 20)
    tracemalloc.start()
    try:
        content = content_for(transport, ABSENT, package)
        assert tracemalloc.get_traced_memory()[1] < 1.25 * len(content)
    finally:
        tracemalloc.stop()
    assert len(content) > 32 << 20


@pytest.mark.parametrize("check_mode", [True, False])
def test_check_mode_goes_along(tmp_path: Path, check_mode: bool) -> None:
    release = tmp_path / "releases/1"
    release.mkdir(parents=True)
    arguments = {"root": str(tmp_path), "release": "1", "sys_config": "[]."}
    result = StdinTransport("otp_release_config").run(make_action(check_mode=check_mode), arguments, interpreter(tmp_path))
    assert result and result["changed"] and (release / "sys.config").exists() is not check_mode


NOISE = {
    "none": ("", ""),
    "before": ("echo Welcome", ""),
    "before, on the line": ("printf Welcome", ""),
    "after": ("", "echo logout"),
    "after, on the line": ("", "printf logout"),
    "around": ("echo '{\"failed\": true}'", "echo '{}'"),
    "bytes that are not UTF-8": ("printf '\\377\\376'", "printf '\\377\\376'"),
    "what looks like the program": (f"echo {MARK}", f"echo {STARTED}"),
}


@pytest.mark.parametrize(("before", "after"), NOISE.values(), ids=NOISE)
def test_noise_around_the_result(tmp_path: Path, warnings: list[str], before: str, after: str) -> None:
    result = TRANSPORTS[SYSTEM].run(make_action(), ABSENT, interpreter(tmp_path, before, after))
    assert result and result["needs_package"]
    # As Ansible has it: what follows is shown, what comes before is not.
    assert len(warnings) == bool(after) and all(text.startswith("Module invocation had junk after the JSON data: ") for text in warnings)


def transport_of(main: str) -> StdinTransport:
    """A transport of the module otp_target_system, with another main()."""
    transport = new_transport(SYSTEM)
    text = f"from ansible.module_utils.basic import AnsibleModule\ndef main():\n    module = AnsibleModule()\n    {main}\n"
    transport.magic = ""
    transport.modules[0] = zlib.compress(json.dumps({**json.loads(zlib.decompress(transport.modules[0])), transport.module: text}).encode())
    return transport


def test_a_result_may_contain_anything(tmp_path: Path) -> None:
    text = f"{STARTED}{MARK}\n{{}}\udcff\x00é"
    result = transport_of("module.exit_json(text=module.params['root'])").run(make_action(), {**ABSENT, "root": text}, interpreter(tmp_path))
    assert result and result["text"] == text


@pytest.mark.parametrize("output", ["", "noise", f"{MARK}{{}}", f"{MARK}{{{MARK}", f"{MARK}[1{MARK}"])
def test_a_result_that_is_not_whole(output: str) -> None:
    assert split_answer(output, MARK)[0] is None


class Interrupted(Action):
    """The connection brings only the beginning of the output."""

    def _low_level_execute_command(self, *arguments: t.Any, **options: t.Any) -> dict[str, t.Any]:
        output = super()._low_level_execute_command(*arguments, **options)
        return {**output, "rc": 255, "stdout": output["stdout"][:40], "stderr": "closed with SECRET-COOKIE"}


def test_a_module_that_ends_without_a_result(tmp_path: Path, warnings: list[str]) -> None:
    """It may have changed the host: it does not run again."""
    action = make_action(kind=Interrupted)
    result = TRANSPORTS[SYSTEM].execute(action, {**ABSENT, "cookie": "SECRET-COOKIE"}, interpreter(tmp_path))
    assert result == {"failed": True, "msg": "The module ended without an answer, with status 255: closed with ********"}
    assert not action.went_ansibles_way and not warnings


class TooOld(Action):
    """The host has a Python that knows nothing of our syntax, and ours beside it."""

    def _low_level_execute_command(self, command: str, *arguments: t.Any, **options: t.Any) -> dict[str, t.Any]:
        older = 'import sys; sys.version_info = (3, 7, 16); sys.version = "3.7.16 (default)"; '
        command = command if sys.executable in command else command.replace("import sys,zlib;", older + "import zlib; ")
        return super()._low_level_execute_command(command, *arguments, **options)


def test_a_python_that_is_too_old_is_named_and_nothing_else_is_tried(tmp_path: Path, warnings: list[str]) -> None:
    action = make_action(kind=TooOld)
    result = TRANSPORTS[SYSTEM].execute(action, ABSENT, interpreter(tmp_path))
    assert result["failed"] and result["msg"].startswith("The modules need Python 3.8 or newer, and the host has Python 3.7.16: install one")
    # That way out.
    result = TRANSPORTS[SYSTEM].execute(action, ABSENT, {"ansible_python_interpreter": sys.executable})
    assert result["needs_package"] and not action.went_ansibles_way and not warnings


def test_secrets_are_in_no_result_warning_and_argument(tmp_path: Path, warnings: list[str]) -> None:
    """The root directory has the cookie in its path, so that the module's message and its exception have it."""
    arguments = {**ABSENT, "root": "/nowhere/SECRET-COOKIE", "cookie": "SECRET-COOKIE", "secrets": {"PASSWORD": "SECRET-WORD"}}
    log = tmp_path / "arguments"
    variables = interpreter(tmp_path, before=f'echo "$@" >> {log}; env >> {log}', after="echo SECRET-WORD")
    result = TRANSPORTS[SYSTEM].run(make_action(), arguments, variables)
    assert result and "/nowhere/********" in result["msg"]
    assert "SECRET" not in json.dumps(result) + "".join(warnings) + log.read_text()
    assert len(warnings) == 1


def test_secrets_are_in_no_exception(tmp_path: Path) -> None:
    transport = transport_of("raise ValueError(module.params['cookie'])")
    result = transport.run(make_action(), {**ABSENT, "cookie": "SECRET-COOKIE"}, interpreter(tmp_path))
    assert result and result["msg"] == "ValueError: ********" and "Traceback" in result["exception"]
    assert "SECRET" not in json.dumps(result)
