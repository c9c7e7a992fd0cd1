# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is a private part of the collection: only its own plugins may use it.

"""The host's half of a module that comes through standard input: see plugin_utils/_carrier.py, which sends this text and what it runs.

Our modules need nothing of Ansible on the host but what AnsibleModule hands them, and that the controller has worked out already. So
they are imported from their texts, with a stand-in for AnsibleModule: the import of the real one is most of what a module costs.
What follows the program in standard input: a line of JSON, the order, and the release package when there is one.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import json
import os
import sys
import types
import typing as t

STARTED = "erlang.otp.started"
ANSWER = "erlang.otp.answer:"


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


class Sources:
    """Finds modules, and the packages above them, in a mapping of texts by module."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = texts
        self.packages = {name[:end] for name in texts for end, sign in enumerate(name) if sign == "."}

    def find_spec(self, name: str, dummy_path: t.Any = None, dummy_target: t.Any = None) -> importlib.machinery.ModuleSpec | None:
        if name in self.texts or name in self.packages:
            return importlib.machinery.ModuleSpec(name, self, is_package=name in self.packages)  # type: ignore[arg-type]
        return None

    def create_module(self, dummy_spec: importlib.machinery.ModuleSpec) -> None:
        """None: as Python does."""

    def exec_module(self, module: types.ModuleType) -> None:
        name = module.__name__
        exec(compile(self.texts.get(name, ""), name, "exec", dont_inherit=True), module.__dict__)


def run(texts: dict[str, str], name: str) -> None:
    """Run the module of this name as the order says that standard input has, and print its answer."""
    print(STARTED, flush=True)
    order = json.loads(sys.stdin.buffer.readline())
    print(ANSWER + json.dumps(answer(texts, name, order)))


def answer(texts: dict[str, str], name: str, order: dict[str, t.Any]) -> dict[str, t.Any]:
    """The result of the module."""
    parameters = order["params"]
    for option in order["paths"]:
        if parameters[option] is not None:
            parameters[option] = os.path.expanduser(os.path.expandvars(parameters[option]))
    basic = types.ModuleType("ansible.module_utils.basic")
    basic.AnsibleModule = lambda **dummy: AnsibleModule(order)  # type: ignore[attr-defined]
    sys.modules["ansible.module_utils.basic"] = basic
    sys.meta_path.insert(0, Sources(texts))  # type: ignore[arg-type]
    try:
        if not order["package"]:
            return result_of(name)
        with kept(order["package"]["size"]) as package:
            # Never by a name, so that nothing stays behind, however this process ends.
            parameters["package"] = f"/proc/{os.getpid()}/fd/{package.fileno()}"
            result = result_of(name)
            if "msg" in result:
                result["msg"] = result["msg"].replace(parameters["package"], order["package"]["name"])
            return result
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
    """So many bytes of standard input as a file without a name. Raises OSError."""
    from ansible_collections.erlang.otp.plugins.module_utils._download import unnamed_file

    file = unnamed_file()
    while size:
        block = sys.stdin.buffer.read(min(size, 1 << 18))
        if not block:
            raise EOFError("the connection broke before the package had come over")
        file.write(block)
        size -= len(block)
    file.flush()
    return file
