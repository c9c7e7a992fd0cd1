# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host's half of a module that comes through standard input: see plugin_utils/_transport/stdin_transport.py, which sends this text and what it runs.

Our modules need nothing of Ansible on the host but what AnsibleModule hands them, and that the controller has worked out already. So
they are imported from their texts, with a stand-in for AnsibleModule: the import of the real one is most of what a module costs.
What follows the program in standard input: a line of JSON, the order; the modules as texts, and as the bytecode of the controller's
Python, which saves half of the time where the host has the same; and the release package when there is one.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import json
import marshal
import os
import sys
import types
import typing as t
import zlib

STARTED = "erlang.otp.started"
ANSWER = "erlang.otp.answer:"
# Seconds for a block of the package: sshd may take hours to notice that its line is dead.
PATIENCE = 300


class Answered(BaseException):
    """The module has said its result; no handler of its own is meant to catch that."""

    def __init__(self, result: dict[str, t.Any]) -> None:
        super().__init__()
        self.result = result


class AnsibleModule:
    """What our modules use of Ansible's class of this name."""

    def __init__(self, order: dict[str, t.Any]) -> None:
        self.params = order["params"]
        self.check_mode = order["check_mode"]
        self.warnings: list[str] = []

    def warn(self, warning: str) -> None:
        self.warnings.append(warning)

    def exit_json(self, **result: t.Any) -> None:
        raise Answered({**result, "warnings": self.warnings})

    def fail_json(self, msg: str, **result: t.Any) -> None:
        raise Answered({**result, "failed": True, "msg": msg, "warnings": self.warnings})


class Modules:
    """Finds modules, and the packages above them, in a mapping of texts, or of code, by module."""

    def __init__(self, known: dict[str, t.Any]) -> None:
        self.known = known
        self.packages = {name[:end] for name in known for end, sign in enumerate(name) if sign == "."}

    def find_spec(self, name: str, dummy_path: t.Any = None, dummy_target: t.Any = None) -> importlib.machinery.ModuleSpec | None:
        if name in self.known or name in self.packages:
            return importlib.machinery.ModuleSpec(name, self, is_package=name in self.packages)  # type: ignore[arg-type]
        return None

    def create_module(self, dummy_spec: importlib.machinery.ModuleSpec) -> None:
        """None: as Python does."""

    def exec_module(self, module: types.ModuleType) -> None:
        name = module.__name__
        code = self.known.get(name, "")
        exec(compile(code, name, "exec", dont_inherit=True) if isinstance(code, str) else code, module.__dict__)


def run() -> None:
    """Run a module as standard input says, and write its answer."""
    sys.stdout.write(STARTED + "\n")
    sys.stdout.flush()
    order = json.loads(sys.stdin.buffer.readline())
    texts, code = (sys.stdin.buffer.read(size) for size in order["sizes"])
    if order["magic"] == importlib.util.MAGIC_NUMBER.hex():
        sys.meta_path.insert(0, Modules(marshal.loads(zlib.decompress(code))))  # type: ignore[arg-type]
    else:
        sys.meta_path.insert(0, Modules(json.loads(zlib.decompress(texts))))  # type: ignore[arg-type]
    sys.stdout.write(ANSWER + json.dumps(answer(order)) + "\n")


def answer(order: dict[str, t.Any]) -> dict[str, t.Any]:
    """The result of the module."""
    parameters = order["params"]
    for option in order["paths"]:
        if parameters[option] is not None:
            parameters[option] = os.path.expanduser(os.path.expandvars(parameters[option]))
    basic = types.ModuleType("ansible.module_utils.basic")
    basic.AnsibleModule = lambda **dummy: AnsibleModule(order)  # type: ignore[attr-defined]
    sys.modules["ansible.module_utils.basic"] = basic
    from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError

    try:
        if not order["package"]:
            return result_of(order["module"])
        with kept(order["package"]["size"]) as package:
            # Never by a name, so that nothing stays behind, however this process ends.
            parameters["package"] = f"/proc/{os.getpid()}/fd/{package.fileno()}"
            result = result_of(order["module"])
            if "msg" in result:
                result["msg"] = result["msg"].replace(parameters["package"], order["package"]["name"])
            return result
    except OtpError as error:
        return {"failed": True, "msg": str(error)}
    except Exception as error:
        import traceback

        return {"failed": True, "msg": f"{type(error).__name__}: {error}", "exception": traceback.format_exc()}


def result_of(name: str) -> dict[str, t.Any]:
    """What the module's main() says."""
    try:
        importlib.import_module(name).main()
    except Answered as answered:
        return answered.result
    return {"failed": True, "msg": f"{name} ended without a result"}


def kept(size: int) -> t.Any:
    """So many bytes of standard input as a file without a name. Raises OtpError."""
    import signal

    from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
    from ansible_collections.erlang.otp.plugins.module_utils._core.files import unnamed_file

    def give_up(*dummy: t.Any) -> None:
        raise OtpError(f"nothing more of the package has come over for {PATIENCE} s")

    file = unnamed_file()
    left = size
    signal.signal(signal.SIGALRM, give_up)
    try:
        while left:
            signal.alarm(PATIENCE)
            block = sys.stdin.buffer.read(min(left, 1 << 18))
            if not block:
                raise OtpError("the connection broke before the package had come over")
            file.write(block)
            left -= len(block)
        signal.alarm(0)
        file.flush()
    except OSError as error:
        place = os.path.dirname(os.readlink(f"/proc/self/fd/{file.fileno()}"))
        raise OtpError(f"{place}: {error.strerror}. A package is there until it is unpacked, and this one has {size / 2**20:.1f} MiB: make room.") from error
    return file
