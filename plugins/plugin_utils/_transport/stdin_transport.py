# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our modules run on a host through the standard input of its Python, which costs a quarter of what Ansible's way costs there.

One command, ``python -I -S -c``, reads the program (_core/stdin_runner.py), the request, the module with the files of module_utils that
it can import, and the release package if there is one. Nothing is written to the host, and no argument contains a secret.
The module is the same; only its way to the host differs. If this way is not available, the module goes Ansible's way, with a warning.
"""

from __future__ import annotations

import importlib.util
import io
import json
import marshal
import os
import re
import secrets
import shutil
import typing as t
import zlib

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.erlang.otp.plugins.module_utils._core.stdin_runner import STARTED
from ansible_collections.erlang.otp.plugins.module_utils._core.terminal import clean
from ansible_collections.erlang.otp.plugins.plugin_utils._box.action import is_box, on_box
from ansible_collections.erlang.otp.plugins.plugin_utils._box.arguments import argument_validator, masked, secret_values
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.specs import plain
from ansible_collections.erlang.otp.plugins.plugin_utils._secrecy.quiet import execute_quietly
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.conditions import (
    VARIABLE,
    NotAvailable,
    check_conditions,
    is_switched_on,
    python_command,
    variables_of_connection,
)
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.imports import PACKAGE, source, sources
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.watched import reporter, watched

# Reads and runs the program, whose size it has; the program reads the rest of standard input.
BOOT = "import sys,zlib;sys.version_info>=(3,8)or sys.exit('erlang.otp.old '+sys.version.split()[0]);exec(zlib.decompress(sys.stdin.buffer.read({size})))"
TOO_OLD = re.compile(r"erlang\.otp\.old (\d[\d.]*)")
# Ansible shows equal warnings once in a run, so they name no host.
FALLBACK = "erlang.otp: modules go to the hosts in Ansible's own, usually slower way, because {}. To use that way without this warning, set {} to false."


class StdinTransport:
    """Brings one module to hosts. Made once in a process, because all hosts get the same program."""

    def __init__(self, module: str, *, for_boxes: bool = True) -> None:
        """for_boxes: whether the controller does it for a box without Python; otherwise the module is for builders and masters, which have one."""
        self.name, self.for_boxes = module, for_boxes
        self.module = f"{PACKAGE}.modules.{module}"
        # Imports the module, so that its files are compiled already.
        self.validator, self.paths = argument_validator(module)
        files = sources(self.module)
        texts, code = ({name: getattr(file, kind) for name, file in files.items()} for kind in ("text", "code"))
        self.magic = importlib.util.MAGIC_NUMBER.hex()
        self.modules = [zlib.compress(json.dumps(texts).encode()), zlib.compress(marshal.dumps(code))]
        self.program = zlib.compress(source(f"{PACKAGE}.module_utils._core.stdin_runner").encode() + b"\nrun()\n")

    def execute(self, action: ActionBase, arguments: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        """The module's result, whichever way it goes to the host."""
        result = self.run(action, arguments, task_vars)
        return execute_quietly(action, arguments, task_vars) if result is None else result

    def run(
        self, action: ActionBase, arguments: dict[str, t.Any], task_vars: dict[str, t.Any] | None, *, package: str | None = None
    ) -> dict[str, t.Any] | None:
        """The module's result for these arguments; None if the module did not start and must go Ansible's way.

        package: a file of the controller that the module gets as its option package. Raises AnsibleActionFail.
        """
        if self.for_boxes and is_box(action, task_vars):
            return on_box(action, self.name, arguments, task_vars, package=package)
        variables = variables_of_connection(action, task_vars or {})
        if not is_switched_on(action, variables):
            return None
        valid = self.validator.validate(plain(arguments))
        if valid.error_messages:
            # Ansible's way reports them.
            return None
        try:
            check_conditions(action)
            command = python_command(action, variables, BOOT.format(size=len(self.program)))
            run_command, known_secrets = action._low_level_execute_command, secret_values(valid)
        except NotAvailable as error:
            return warn(str(error))
        except Exception as error:
            # Another strategy or connection plugin, or another Ansible, has other methods.
            return warn(f"this Ansible, or its strategy or connection plugin, lacks what is needed ({type(error).__name__}: {error})")
        mark = secrets.token_hex(16)
        report = reporter(action, task_vars, lambda text: str(masked(text, known_secrets)), arguments)
        content = self.content(valid.validated_parameters, package, check_mode=action._task.check_mode, mark=mark, shows_steps=report is not None)
        with watched(action, report, package=os.path.getsize(package) if package else 0):
            output = run_command(command, in_data=content)
        answer, rest = split_answer(output["stdout"], mark)
        if rest:
            Display().warning(clean(masked(f"Module invocation had junk after the JSON data: {rest}", known_secrets)))
        if answer is not None:
            result: dict[str, t.Any] = masked(answer, known_secrets)
            return result
        if old := TOO_OLD.search(output["stderr"] + output["stdout"]):
            way_out = "install one, and set ansible_python_interpreter to it, or set otp_box if the host needs no Python"
            return {"failed": True, "msg": f"The modules need Python 3.8 or newer, and the host has Python {old[1]}: {way_out}."}
        reason = masked(f"status {output['rc']}: {output['stderr'].strip()}", known_secrets)
        if STARTED in output["stdout"]:
            return {"failed": True, "msg": f"The module ended without an answer, with {reason}"}
        return warn(f"Python did not start on a host ({reason})")

    def content(
        self, parameters: dict[str, t.Any], package: str | None = None, *, check_mode: bool = False, mark: str = "", shows_steps: bool = False
    ) -> bytes:
        """What the Python of the host reads: program, request, modules, package."""
        request = {
            "module": self.module,
            "params": parameters,
            "paths": self.paths,
            "check_mode": check_mode,
            "sizes": [len(part) for part in self.modules],
            "magic": self.magic,
            "package": {"size": os.path.getsize(package), "name": package} if package else None,
            "mark": mark,
            "shows_steps": shows_steps,
        }
        # A package is in memory once: connection plugins take nothing but bytes, and joining them would copy it.
        content = io.BytesIO()
        content.writelines((self.program, json.dumps(request).encode(), b"\n", *self.modules))
        if package:
            with open(package, "rb") as file:
                shutil.copyfileobj(file, content, 1 << 20)
        return content.getvalue()


def split_answer(output: str, mark: str) -> tuple[dict[str, t.Any] | None, str]:
    """The result between the two marks, None if it is not whole; and what follows it. Login shells and sudo may write around them."""
    text, end, rest = output.partition(mark)[2].partition(mark)
    try:
        return (json.loads(text) if end else None), rest.strip()
    except ValueError:
        return None, rest.strip()


def warn(reason: str) -> dict[str, t.Any] | None:
    """Show why the module goes Ansible's way; None, as the result."""
    Display().warning(clean(FALLBACK.format(reason, VARIABLE)))
    return None
