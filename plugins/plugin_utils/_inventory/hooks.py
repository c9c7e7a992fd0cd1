# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Task files of the operator's, loaded as Ansible will load them, before any host is touched.

Ansible loads an included file when it comes to it, and one that it cannot load ends the run at once: no rescue, no report. So the hooks, and what they include
by a plain name, are loaded by Ansible's own loader (as its guide "Python API" does), and the options of their modules are held against the documentation.
"""

from __future__ import annotations

import functools
import os
import typing as t

from ansible.errors import AnsibleError, AnsibleParserError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import is_encrypted_file
from ansible.playbook.block import Block
from ansible.playbook.play import Play
from ansible.plugins.loader import fragment_loader, module_loader
from ansible.utils.plugin_docs import get_plugin_docs
from ansible.vars.manager import VariableManager

from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.specs import plain, sentences

# Modules that take any option, or hand it to another module.
OPEN = (
    "set_fact",
    "add_host",
    "set_stats",
    "gather_facts",
    "package",
    "service",
    "include_vars",
    "import_role",
    "include_role",
    "import_tasks",
    "include_tasks",
)
ENDING = ("end_host", "end_batch", "end_play", "end_role")
KINDS = ("str", "bool", "int", "float", "list", "dict", "path", "jsonarg", "json", "bytes", "bits")
SECTIONS = ("block", "rescue", "always")


@functools.cache
def problems_of(path: str) -> tuple[str, ...]:
    """What Ansible cannot load in a task file of the controller, and in the files and roles that it includes by a plain name. One sentence for each."""
    return tuple(dict.fromkeys(find(path, set())))


def find(path: str, seen: set[str]) -> t.Iterator[str]:
    seen.add(path)
    loader = DataLoader()
    loader.set_basedir(os.path.dirname(path))
    try:
        with open(path, "rb") as file:
            if is_encrypted_file(file):
                # Its password is not known here.
                return
        data = loader.load_from_file(path)
        if data is None:
            return
        if not isinstance(data, list):
            yield f"{path} must be a list of tasks."
            return
        tasks = [*in_blocks(data)]
        for name in filter(None, (literal(task, "tasks", "file") for task in tasks)):
            inner = os.path.join(os.path.dirname(path), name)
            if inner not in seen and os.path.isfile(inner):
                yield from find(inner, seen)
        # A role that is found only beside the playbook of a run is not known here.
        yield from (problem for task in tasks if (problem := problem_of_role(task, loader, path)))
        for task in loaded(without_imports(data), loader):
            found = [*what_ends_a_run(task), *problems_of_options(task)]
            yield from (f"{path}: task {task.get_name()!r}: {sentence}" for sentence in found)
    except OSError as error:
        yield f"{path} cannot be read: {error.strerror}."
    except AnsibleError as error:
        yield described(path, error)


def described(path: str, error: AnsibleError) -> str:
    """The error, with the line or the task that it is in."""
    # Of an error in YAML this is its place, FILE:LINE:COLUMN; of others the data of the task.
    where = error.obj
    if isinstance(where, dict):
        place = f" in the task {where['name']!r}" if where.get("name") else ""
    else:
        place = "" if where is None else f" at {where}"
    return f"{path} cannot be loaded{place}: {str(error.message).rstrip('.')}."


def in_blocks(tasks: t.Any) -> t.Iterator[dict[str, t.Any]]:
    """The tasks as data, also those in blocks."""
    for task in tasks if isinstance(tasks, list) else []:
        if isinstance(task, dict):
            yield task
            for section in SECTIONS:
                yield from in_blocks(task.get(section))


def literal(task: dict[str, t.Any], kind: str, option: str) -> str:
    """The file or the role that a task includes or imports by a plain name; empty otherwise."""
    for action in (f"include_{kind}", f"import_{kind}"):
        given = task.get(action, task.get(f"ansible.builtin.{action}"))
        name = given.get(option) if isinstance(given, dict) else given
        if isinstance(name, str) and "{" not in name and "=" not in name:
            return name
    return ""


def without_imports(tasks: t.Any) -> t.Any:
    """The tasks without those that import: Ansible would look for the name with the variables of a run."""
    if not isinstance(tasks, list):
        return tasks
    kept = [task for task in tasks if not (isinstance(task, dict) and any(str(key).rpartition(".")[2] in ("import_tasks", "import_role") for key in task))]
    return [
        {**task, **{section: without_imports(task[section]) for section in SECTIONS if section in task}} if isinstance(task, dict) else task for task in kept
    ]


def loaded(tasks: t.Any, loader: DataLoader) -> t.Iterator[t.Any]:
    """The tasks as Ansible has them. A hook is included by a role of this collection, and may call its modules by their short names."""
    data = {"name": "hook", "hosts": "all", "gather_facts": False, "collections": ["erlang.otp"], "tasks": tasks}
    left = list(Play.load(data, variable_manager=VariableManager(loader=loader), loader=loader).tasks)
    while left:
        part = left.pop(0)
        if isinstance(part, Block):
            left += [*part.block, *part.rescue, *part.always]
        else:
            yield part


def problem_of_role(task: dict[str, t.Any], loader: DataLoader, path: str) -> str:
    """Why the role cannot be loaded that a task includes by a plain name."""
    if not (name := literal(task, "role", "name")):
        return ""
    given = next(value for key, value in task.items() if str(key).endswith("_role"))
    entry = {"tasks_from": given["tasks_from"]} if isinstance(given, dict) and "{" not in str(given.get("tasks_from", "{")) else {}
    try:
        for part in loaded([{"import_role": {"name": name, **entry}}], loader):
            for sentence in what_ends_a_run(part):
                return f"{path} includes the role {name}, task {part.get_name()!r}: {sentence}"
    except AnsibleParserError as error:
        return described(f"{path} includes the role {name}, which", error)
    except AnsibleError:
        # Not found.
        pass
    return ""


def what_ends_a_run(task: t.Any) -> t.Iterator[str]:
    """A sentence for a task after which Ansible does no more for hosts, past every rescue: no rollback, no report."""
    word = str(task.args.get("_raw_params", "")).split(" ", maxsplit=1)[0]
    if str(task.action).rpartition(".")[2] == "meta" and word in ENDING:
        yield f"meta: {word} would end the run for hosts that are being upgraded. Use a condition (when), or fail."
    if task.run_once and not task.ignore_errors:
        yield "run_once: a failure would end the run for all hosts. Use when: inventory_hostname == ansible_play_batch[0], or ignore_errors: true."


def problems_of_options(task: t.Any) -> t.Iterator[str]:
    """What the documentation of the task's module does not allow. Modules that are in no collection may have none that is complete."""
    collection, _dot, name = str(task.resolved_action or "").rpartition(".")
    given = {option: value for option, value in task.args.items() if option not in ("_raw_params", "_uses_shell")}
    if not collection or collection == "ansible.legacy" or name in OPEN or "_variable_params" in given:
        return
    try:
        documented = get_plugin_docs(task.resolved_action, "module", module_loader, fragment_loader, False)[0]["options"]
    except (AnsibleError, KeyError, TypeError):
        return
    spec = {option: spec_of(entry, given.get(option)) for option, entry in documented.items()}
    if "_raw_params" in task.args or collection == "erlang.otp" or task.module_defaults:
        # The free form, or the defaults that the role gives: what is required may be there.
        spec = {option: {**entry, "required": False} for option, entry in spec.items()}
    yield from (sentence.rstrip(".") + "." for sentence in sentences(name, ArgumentSpecValidator(spec).validate(plain(given)).errors))


def spec_of(entry: dict[str, t.Any], value: t.Any) -> dict[str, t.Any]:
    """The argument spec of a documented option. Of a template there is nothing to be known before the run."""
    spec: dict[str, t.Any] = {"required": entry.get("required", False), "aliases": entry.get("aliases") or []}
    if "{{" in str(value) or "{%" in str(value) or entry.get("type") not in KINDS:
        return {**spec, "type": "raw"}
    spec |= {"type": entry["type"].replace("path", "str"), "choices": entry.get("choices") and [*entry["choices"]]}
    if entry.get("elements") in KINDS:
        spec["elements"] = entry["elements"].replace("path", "str")
    if entry.get("suboptions"):
        spec["options"] = {name: spec_of(inner, "") for name, inner in entry["suboptions"].items()}
    return spec
