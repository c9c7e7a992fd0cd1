# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our modules run on a host through the standard input of its Python, which costs a quarter of what Ansible's way costs there.

One command, ``python -I -S -c``, reads the program (the module, those of module_utils that it can import, and _core/stdin_runner.py, which runs
it), the order, and the release package when there is one: nothing is written to the host, and no secret stands in an argument.
The module is the same, so that it is only its way that differs. Where that is not to be had (no pipelining, async, another
shell, no Python where one was expected), it goes Ansible's way, which also is the one that tells what is wrong.
"""

from __future__ import annotations

import importlib.util
import json
import marshal
import shlex
import typing as t
import zlib
from pathlib import Path

from ansible import constants as C
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase

from ansible_collections.erlang.otp.plugins.module_utils._core.stdin_runner import ANSWER, STARTED
from ansible_collections.erlang.otp.plugins.plugin_utils._box.action import is_box, on_box
from ansible_collections.erlang.otp.plugins.plugin_utils._box.arguments import argument_validator
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.imports import PACKAGE, source, sources

# Read from standard input so far; what follows is for the program.
BOOT = "import sys,zlib;exec(zlib.decompress(sys.stdin.buffer.read({size})))"


class Carrier:
    """One of our modules, to be made once in a process: all hosts get the same program."""

    def __init__(self, module: str) -> None:
        self.name = module
        self.module = f"{PACKAGE}.modules.{module}"
        texts = sources(self.module)
        code = {name: compile(text, name, "exec", dont_inherit=True, optimize=2) for name, text in texts.items()}
        self.magic = importlib.util.MAGIC_NUMBER.hex()
        self.modules = [zlib.compress(json.dumps(texts).encode()), zlib.compress(marshal.dumps(code))]
        self.program = zlib.compress(source(f"{PACKAGE}.module_utils._core.stdin_runner").encode() + b"\nrun()\n")
        self.validator, self.paths = argument_validator(module)

    def run(
        self, action: ActionBase, arguments: dict[str, t.Any], task_vars: dict[str, t.Any] | None, *, package: str | None = None
    ) -> dict[str, t.Any] | None:
        """The module's result for these arguments; None when it must go Ansible's way.

        package: a file of the controller that the module is to have as its option package.
        """
        if is_box(action, task_vars):
            return on_box(action, self.name, arguments, task_vars, package=package)
        if not is_possible(action):
            return None
        valid = self.validator.validate(arguments)
        if valid.error_messages:
            return None
        content = self.content(valid.validated_parameters, package, check_mode=action._task.check_mode)
        said = action._low_level_execute_command(command(action, task_vars or {}, len(self.program)), in_data=content)
        dummy, mark, answer = said["stdout"].partition(ANSWER)
        if mark:
            result: dict[str, t.Any] = remove_values(json.loads(answer), valid._no_log_values)
            return result
        if STARTED not in said["stdout"]:
            return None
        return {"failed": True, "msg": f"the module has ended without an answer, with status {said['rc']}: {said['stderr'].strip()}"}

    def content(self, parameters: dict[str, t.Any], package: str | None = None, *, check_mode: bool = False) -> bytes:
        """What the Python of the host reads: program, order, modules, package."""
        content = Path(package).read_bytes() if package else b""
        order = {
            "module": self.module,
            "params": parameters,
            "paths": self.paths,
            "check_mode": check_mode,
            "sizes": [len(part) for part in self.modules],
            "magic": self.magic,
            "package": {"size": len(content), "name": package} if package else None,
        }
        return b"".join((self.program, json.dumps(order).encode(), b"\n", *self.modules, content))

    def execute(self, action: ActionBase, arguments: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        """The module's result, whichever way it goes."""
        said = self.run(action, arguments, task_vars)
        return action._execute_module(module_args=arguments, task_vars=task_vars) if said is None else said


def is_possible(action: ActionBase) -> bool:
    """Whether the host takes a module through standard input, as it does with pipelining."""
    return action._is_pipelining_enabled("new") and getattr(action._connection._shell, "SHELL_FAMILY", "") == "sh" and not action._task.async_val


def command(action: ActionBase, task_vars: dict[str, t.Any], size: int) -> str:
    """What runs the program on the host: the interpreter of the inventory, or the first that the host has of those that Ansible looks for."""
    if action._task.delegate_to:
        # What is known of the host that does the work.
        task_vars = {"ansible_facts": {}, **task_vars.get("ansible_delegated_vars", {}).get(action._task.delegate_to, {})}
    boot = f"-I -S -c {shlex.quote(BOOT.format(size=size))}"
    environment = action._compute_environment_string()
    interpreter = action._templar.template(C.config.get_config_value("INTERPRETER_PYTHON", variables=task_vars))
    if not interpreter or interpreter.startswith("auto"):
        interpreter = task_vars.get("ansible_facts", {}).get("discovered_interpreter_python")
    if interpreter:
        return f"{environment} {interpreter} {boot}".strip()
    known = C.config.get_config_value("INTERPRETER_PYTHON_FALLBACK", variables=task_vars)
    search = f'for python in {shlex.join(known)}; do command -v "$python" >/dev/null && exec "$python" {boot}; done; exit 127'
    return f"{environment} /bin/sh -c {shlex.quote(search)}".strip()
