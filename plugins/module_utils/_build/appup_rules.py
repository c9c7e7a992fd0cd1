# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The instructions that lead from one build of an application to another, and back: appup(4) and the Appup Cookbook of OTP.

| a module that | instruction |
| --- | --- |
| is only in the new build, or only in the old one | add_module, delete_module |
| is a supervisor | {update, M, supervisor} |
| has code_change/3, code_change/4 or system_code_change/4 | {update, M, {advanced, []}}: its processes convert their state |
| has changed otherwise | {load_module, M} |

What compiled code does not show is not guessed, but asked (appup_questions).
"""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._build.appup_questions import CONVERSIONS, Pair, find_questions, find_remarks, is_supervisor, text
from ansible_collections.erlang.otp.plugins.module_utils._formats.beam_module import Module
from ansible_collections.erlang.otp.plugins.module_utils._formats.debug_info import read_debug_info
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom


class Step(t.NamedTuple):
    """The instructions up from the version, and down to it; questions for the author; remarks; a sentence on what has changed."""

    version: str
    up: list[t.Any]
    down: list[t.Any]
    questions: list[str]
    remarks: list[str]
    changes: str


def compare(application: str, version: str, old: t.Mapping[str, Module], new: t.Mapping[str, Module]) -> Step:
    """The step from the old modules to the new ones, by name. version: the old one."""
    added, deleted = sorted(new.keys() - old.keys()), sorted(old.keys() - new.keys())
    changed = [name for name in sorted(old.keys() & new.keys()) if old[name].digest != new[name].digest]
    needs = {name: sorted({module for module, _name, _arity in new[name].imports} & {*added, *changed} - {name}) for name in (*added, *changed)}
    order = _in_order(needs)
    # Supervisors first: their children may be what the others call.
    loaded = [_instruction(new[name], needs[name]) for name in sorted(order, key=lambda name: not is_supervisor(new[name])) if name not in added]
    up = [_one("add_module", name) for name in order if name in added] + loaded + [_one("delete_module", name) for name in deleted]
    down = [_one("add_module", name) for name in deleted] + loaded[::-1] + [_one("delete_module", name) for name in reversed(order) if name in added]
    pairs = [Pair(old[name], new[name], read_debug_info(old[name].debug_info), read_debug_info(new[name].debug_info)) for name in changed]
    remarks = find_remarks(pairs, [*(new[name] for name in (*added, *changed)), *(old[name] for name in deleted)])
    listed = [f"{what} {', '.join(map(text, names))}" for what, names in (("changed:", changed), ("new:", added), ("deleted:", deleted)) if names]
    return Step(version, up, down, find_questions(pairs, application), remarks, "; ".join(listed) or "no module differs")


def _in_order(needs: t.Mapping[str, t.Sequence[str]]) -> list[str]:
    """Each module after those that it calls; in a circle, by name. systools orders what it loads by the same lists."""
    ordered: dict[str, None] = {}
    met = set()
    for start in sorted(needs):
        path = [] if start in met else [(start, iter(needs[start]))]
        met.add(start)
        while path:
            name, others = path[-1]
            other = next((other for other in others if other not in met), None)
            if other is None:
                ordered[name] = None
                path.pop()
            else:
                met.add(other)
                path.append((other, iter(needs[other])))
    return list(ordered)


def _one(instruction: str, name: str) -> tuple:
    return Atom(instruction), Atom(name)


def _instruction(module: Module, needs: t.Sequence[str]) -> tuple:
    after = ([Atom(name) for name in needs],) if needs else ()
    if is_supervisor(module):
        return (*_one("update", module.name), Atom("supervisor"))
    if CONVERSIONS & module.exports:
        return (*_one("update", module.name), (Atom("advanced"), []), *after)
    return (*_one("load_module", module.name), *after)
