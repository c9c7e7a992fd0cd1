# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The releases through which a node goes where no relup leads to the release at once, each without a restart.

None of them is committed, so that until the last one is, whatever ends the emulator leads back to the release from which the node came
(docs/design.md, Nodes).
"""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file
from ansible_collections.erlang.otp.plugins.module_utils._formats.relup import parse_relup
from ansible_collections.erlang.otp.plugins.module_utils._formats.relup_ways import find_ways
from ansible_collections.erlang.otp.plugins.module_utils._handler.node_upgrade import NodeUpgrade
from ansible_collections.erlang.otp.plugins.module_utils._tree.relup_step import NoRelupStep, find_relup_step

# Of releases that are in their packages: as of facts.release_of() on the controller.
Packages = t.Mapping[str, t.Mapping[str, t.Any]]


def between(upgrade: NodeUpgrade) -> list[str]:
    """The releases through which the node goes to the requested one. None if one relup leads there, if none does, and if the node is to restart."""
    request, current, version = upgrade.request, upgrade.running.current or "", upgrade.version
    if request.client or request.method == "restart" or upgrade.running.lacks_sasl or current == version:
        return []
    packages = packages_of(upgrade)
    with contextlib.suppress(NoRelupStep):
        step = find_relup_step(upgrade.tree, current, version, upgrade_from=upgrade_from_of(packages, version))
        if not step.restarts or (request.method == "hot" and request.allow_restart):
            return []
    return _find_way(upgrade, packages, version)[:-1]


def way_back(upgrade: NodeUpgrade) -> list[str]:
    """The releases after the one that runs, up to the permanent one, without a restart; none if no relups lead back so."""
    return _find_way(upgrade, {}, upgrade.running.permanent or "")


def packages_of(upgrade: NodeUpgrade) -> Packages:
    """What is known of releases that the node does not know yet."""
    release = upgrade.request.package.get("release") or {}
    known = {**upgrade.request.between, **({upgrade.request.release: release} if "upgrade_from" in release else {})}
    return {version: facts for version, facts in known.items() if upgrade.running.status_of(version) is None}


def upgrade_from_of(packages: Packages, version: str) -> dict[str, str] | None:
    """Of a release that is in its package: as find_relup_step() takes it."""
    return packages[version]["upgrade_from"] if version in packages else None


def _find_way(upgrade: NodeUpgrade, packages: Packages, goal: str) -> list[str]:
    """The releases after the one that runs, up to the goal; none if there is no way. A way leads up or down, and never through a newer release."""
    there, lists = {known.version for known in upgrade.running.releases}, []
    for version in there:
        # What is wrong with it is reported where it is needed.
        with contextlib.suppress(OtpError):
            lists.append(parse_relup(read_file(upgrade.tree.path("releases", version, "relup")) or b"", filename="relup"))
    up = [(script.version, relup.version, not script.restarts) for relup in lists for script in relup.up]
    up += [(earlier, version, restart == "none") for version, facts in packages.items() for earlier, restart in facts["upgrade_from"].items()]
    down = [(relup.version, script.version, not script.restarts) for relup in lists for script in relup.down]
    for side in (up, down):
        steps: dict[str, set[str]] = {}
        for start, end, is_hot in side:
            if is_hot and end in there | {*packages}:
                steps.setdefault(start, set()).add(end)
        way = find_ways(steps, upgrade.running.current or "").get(goal)
        if way:
            return way
    return []
