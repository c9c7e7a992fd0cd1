# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with the variables of an upgrade."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.hooks import problems_of
from ansible_collections.erlang.otp.plugins.plugin_utils._package.facts import release_of

Variables = t.Mapping[str, t.Any]

GATES = ("rpc", "url", "command")


def upgrade(variables: Variables) -> t.Iterator[str]:
    """Sentences, each with the variable at fault and the way out."""
    yield from hooks(variables.get("otp_hooks") or {})
    yield from gates(variables.get("otp_gates") or [])
    yield from check_release(str(variables.get("otp_upgrade_to") or ""), os.path.expanduser(str(variables.get("otp_package") or "")))


def hooks(given: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    for name, path in given.items():
        if not os.path.isabs(str(path)):
            yield f"otp_hooks.{name} is {path!r}: give an absolute path on the controller, such as {{{{ inventory_dir }}}}/{os.path.basename(str(path))}."
        elif not os.path.isfile(path):
            yield f"otp_hooks.{name} is {path!r}, which is not a file on the controller."
        else:
            yield from (f"otp_hooks.{name}: {problem}" for problem in problems_of(str(path)))


def gates(given: t.Iterable[t.Mapping[str, t.Any]]) -> t.Iterator[str]:
    for gate in given:
        has = [kind for kind in GATES if gate.get(kind) is not None]
        if len(has) != 1:
            yield f"otp_gates has a gate with {' and '.join(has) or 'none'} of {', '.join(GATES)}: give it one of them."
        elif gate.get("status") and has != ["url"]:
            yield f"otp_gates has a gate with status and {has[0]}: status is for a url."
        if "url" in has and not re.match(r"https?://[^/]", str(gate["url"])):
            yield f"otp_gates has the url {gate['url']!r}: it must begin with http:// or https:// and a host."


def check_release(version: str, package: str) -> t.Iterator[str]:
    """Whether the package has the requested release."""
    if not version or not os.path.isfile(package):
        return
    try:
        found = release_of(package)["version"]
    except OtpError as error:
        yield f"otp_package: {error}"
        return
    if found != version:
        yield (
            f"otp_upgrade_to is {version!r}, and otp_package is {package!r}, which has release {found}: correct one of them;"
            " with an empty otp_package a node changes to a release that it already has."
        )
