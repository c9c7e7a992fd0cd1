# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls to functions that nothing in the release has: who makes them, and which application that is left out has the module.

xref finds the functions, as for systools (systools(3), exref), which does not serve: it also takes what the build host's Erlang/OTP has for a part
of the release. Who calls them is in the import tables of the BEAM files.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._build.applications import CodePath, Found
from ansible_collections.erlang.otp.plugins.module_utils._build.otp import Otp
from ansible_collections.erlang.otp.plugins.module_utils._build.systools import Diagnostic
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats.beam_module import parse_module
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import parse_one

KIND = "exref_undef"
# Of these the sentence has no more; the data has all.
SHOWN = 10


def check_exref(otp: Otp) -> None:
    """Raise OtpError without xref."""
    if not any(name.split("-")[0] == "tools" for name in os.listdir(otp.lib)):
        raise OtpError(f"exref: {otp.lib} has no application tools, whose xref finds the calls. Install it (erlang-tools), or leave the option out.")


def looked_at(exref: bool | tuple[str, ...], found: t.Sequence[Found]) -> list[Found]:
    """Those of a release whose calls are looked at: these, or all that are not Erlang/OTP's own. Raises OtpError for one that is not in the release.

    Erlang/OTP's own call what may be left out: stdlib the compiler, for who compiles in the shell.
    """
    if isinstance(exref, bool):
        return [item for item in found if exref and not item.from_otp]
    missing = [name for name in exref if name not in {item.name for item in found}]
    if missing:
        raise OtpError(f"exref: the release has no application {' and no '.join(missing)}. It has: {', '.join(item.name for item in found)}.")
    return [item for item in found if item.name in exref]


def explained(warning: Diagnostic, callers_in: t.Iterable[Found], code_path: CodePath) -> Diagnostic:
    """The warning with ``calls``, if it is about undefined functions. callers_in: see looked_at."""
    if warning.kind != KIND:
        return warning
    (dummy, (dummy, functions)) = parse_one(warning.term)
    callers: dict[tuple[str, str, int], list[str]] = {(str(module.name), str(name.name), arity): [] for module, name, arity in functions}
    for item in callers_in:
        for module in item.application.modules:
            for call in _imports(os.path.join(item.ebin, f"{module}.beam")) & callers.keys():
                callers[call].append(f"{item.name}: {module}")
    places = {module: _place(module, code_path) for module, _name, _arity in callers}
    calls = tuple(
        {"function": f"{module}:{name}/{arity}", "callers": sorted(by), "application": places[module][0], "directory": places[module][1]}
        for (module, name, arity), by in sorted(callers.items())
    )
    more = f"; and {len(calls) - SHOWN} more" if len(calls) > SHOWN else ""
    return warning._replace(sentence=f"Calls to functions that the release has not: {'; '.join(map(_sentence, calls[:SHOWN]))}{more}.", calls=calls)


def _imports(path: str) -> frozenset[tuple[str, str, int]]:
    try:
        with open(path, "rb") as file:
            return parse_module(file.read(), filename=path).imports
    except (OSError, OtpError):
        return frozenset()


def _place(module: str, code_path: CodePath) -> tuple[str, str]:
    """The application that has the module, and its directory; twice "" if none on the code path and in the Erlang/OTP tree has it."""
    for ebin in code_path.everywhere():
        if os.path.exists(os.path.join(ebin, f"{module}.beam")):
            resources = [name for name in os.listdir(ebin) if name.endswith(".app")]
            return (resources[0][: -len(".app")] if resources else ""), ebin
    return "", ""


def _sentence(call: t.Mapping[str, t.Any]) -> str:
    by = f"{call['function']}, by {', '.join(call['callers']) or 'a call that is made up when it runs'}"
    if not call["directory"]:
        return f"{by} (nothing on the code path has the module)"
    return f"{by} (application {call['application'] or '?'} in {call['directory']} has the module: add it to the release)"
