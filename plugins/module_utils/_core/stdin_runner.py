# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a module that comes through standard input, on the host (``docs/design.md``, Transport). plugin_utils/_transport/stdin_transport.py sends this text.

Our modules use little of AnsibleModule, and the controller has checked their options already. So the modules are imported from their
texts, with a small class in the place of AnsibleModule: importing the real one is most of what a module costs on a host.

After this program, standard input contains:

1. the request, one line of JSON: ``module``, ``params``, ``paths``, ``check_mode``, ``sizes``, ``magic``, ``package``, ``mark``,
   ``shows_steps``;
2. the modules as texts, and the same as bytecode of the controller's Python, which takes half of the time if the host has the same version;
3. the release package, if ``package`` is not null.

The result goes to standard output as one line of JSON between two marks. The controller makes up the mark for each run, so neither the
output of a login shell nor the result itself can contain it.
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
# Seconds to wait for the next block of the package: sshd may need hours to notice that a connection is dead.
PATIENCE = 300


class ModuleResult(BaseException):
    """Ends a module with its result. No exception handler in a module catches it."""

    def __init__(self, result: dict[str, t.Any]) -> None:
        super().__init__()
        self.result = result


class AnsibleModule:
    """What our modules use of Ansible's class of this name."""

    def __init__(self, request: dict[str, t.Any]) -> None:
        self.params = request["params"]
        self.check_mode = request["check_mode"]
        self.warnings: list[str] = []

    def warn(self, warning: str) -> None:
        self.warnings.append(warning)

    def exit_json(self, **result: t.Any) -> None:
        raise ModuleResult({**result, "warnings": self.warnings})

    def fail_json(self, msg: str, **result: t.Any) -> None:
        raise ModuleResult({**result, "failed": True, "msg": msg, "warnings": self.warnings})


class ModuleFinder:
    """Imports modules, and the packages above them, from a mapping of dotted names to texts or bytecode."""

    def __init__(self, known: dict[str, t.Any]) -> None:
        self.known = known
        self.packages = {name[:end] for name in known for end, sign in enumerate(name) if sign == "."}

    def find_spec(self, name: str, dummy_path: t.Any = None, dummy_target: t.Any = None) -> importlib.machinery.ModuleSpec | None:
        if name in self.known or name in self.packages:
            return importlib.machinery.ModuleSpec(name, self, is_package=name in self.packages)  # type: ignore[arg-type]
        return None

    def create_module(self, dummy_spec: importlib.machinery.ModuleSpec) -> None:
        """None: Python makes the module object."""

    def exec_module(self, module: types.ModuleType) -> None:
        name = module.__name__
        code = self.known.get(name, "")
        exec(compile(code, name, "exec", dont_inherit=True) if isinstance(code, str) else code, module.__dict__)


def run() -> None:
    """Run the module that standard input has, and write its result to standard output."""
    sys.stdout.write(STARTED + "\n")
    sys.stdout.flush()
    request = json.loads(sys.stdin.buffer.readline())
    texts, code = (sys.stdin.buffer.read(size) for size in request["sizes"])
    if request["magic"] == importlib.util.MAGIC_NUMBER.hex():
        sys.meta_path.insert(0, ModuleFinder(marshal.loads(zlib.decompress(code))))  # type: ignore[arg-type]
    else:
        sys.meta_path.insert(0, ModuleFinder(json.loads(zlib.decompress(texts))))  # type: ignore[arg-type]
    sys.stdout.write(request["mark"] + json.dumps(run_request(request)) + request["mark"] + "\n")


def run_request(request: dict[str, t.Any]) -> dict[str, t.Any]:
    """The result of the module that is requested, a failure if it raised an exception."""
    parameters = request["params"]
    for option in request["paths"]:
        expand(parameters, option)
    basic = types.ModuleType("ansible.module_utils.basic")
    basic.AnsibleModule = lambda **dummy: AnsibleModule(request)  # type: ignore[attr-defined]
    sys.modules["ansible.module_utils.basic"] = basic
    from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError

    if request["shows_steps"]:
        from ansible_collections.erlang.otp.plugins.module_utils._core.steps import show_steps

        show_steps()
    try:
        if not request["package"]:
            return run_main(request["module"])
        with receive_package(request["package"]["size"]) as package:
            # The file never has a name, so nothing is left behind, whatever ends this process.
            parameters["package"] = f"/proc/{os.getpid()}/fd/{package.fileno()}"
            result = run_main(request["module"])
            if "msg" in result:
                result["msg"] = result["msg"].replace(parameters["package"], request["package"]["name"])
            return result
    except OtpError as error:
        return {"failed": True, "msg": str(error)}
    except Exception as error:
        import traceback

        return {"failed": True, "msg": f"{type(error).__name__}: {error}", "exception": traceback.format_exc()}


def expand(parameters: dict[str, t.Any], option: str) -> None:
    """Expand the paths of this option, as AnsibleModule does it: a path, or a list of them. With a dot in its name, it is one within an option or a list."""
    option, _dot, inner = option.partition(".")
    value = parameters.get(option)
    if inner:
        for item in [value] if isinstance(value, dict) else value or ():
            expand(item, inner)
    elif isinstance(value, list):
        parameters[option] = [os.path.expanduser(os.path.expandvars(path)) for path in value]
    elif value is not None:
        parameters[option] = os.path.expanduser(os.path.expandvars(value))


def run_main(name: str) -> dict[str, t.Any]:
    """The result with which the main() of the module ended."""
    try:
        importlib.import_module(name).main()
    except ModuleResult as end:
        return end.result
    return {"failed": True, "msg": f"{name} ended without a result"}


def receive_package(size: int) -> t.Any:
    """That many bytes of standard input as a file without a name. Raises OtpError."""
    import signal

    from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
    from ansible_collections.erlang.otp.plugins.module_utils._core.files import unnamed_file

    def give_up(*dummy: t.Any) -> None:
        raise OtpError(f"The package is incomplete: nothing arrived for {PATIENCE} s. Check the connection and run again.")

    file = unnamed_file()
    left = size
    signal.signal(signal.SIGALRM, give_up)
    try:
        while left:
            signal.alarm(PATIENCE)
            block = sys.stdin.buffer.read(min(left, 1 << 18))
            if not block:
                raise OtpError("The package is incomplete: the connection broke. Run again.")
            file.write(block)
            left -= len(block)
        signal.alarm(0)
        file.flush()
    except OSError as error:
        place = os.path.dirname(os.readlink(f"/proc/self/fd/{file.fileno()}"))
        needed = f"The package needs {size / 2**20:.1f} MiB there until it is unpacked"
        raise OtpError(f"{place}: {error.strerror}. {needed}: free some space.") from error
    return file
