# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Step 2: which checks of ``_handler/preflight`` apply to the requested step, and what release_handler says to it.

release_handler(3), check_install_release/1: it changes nothing.
"""

from __future__ import annotations

import contextlib

from ansible_collections.erlang.otp.plugins.module_utils._handler import preflight as _preflight
from ansible_collections.erlang.otp.plugins.module_utils._handler.node_upgrade import NodeUpgrade
from ansible_collections.erlang.otp.plugins.module_utils._handler.preflight import Problem, fatal, has_sasl
from ansible_collections.erlang.otp.plugins.module_utils._handler.providers import has_providers, why_not_resolved
from ansible_collections.erlang.otp.plugins.module_utils._handler.unpack import no_release
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Refused, processes_in_old_code
from ansible_collections.erlang.otp.plugins.module_utils._tree.register import read_release
from ansible_collections.erlang.otp.plugins.module_utils._tree.relup_step import NoRelupStep, RelupStep, find_relup_step


def method_of(upgrade: NodeUpgrade) -> str:
    """How the node comes to the release: "hot", by its relup, or "restart", by a boot. Where a restart is not allowed, hot, whose checks say so."""
    request, current = upgrade.request, upgrade.running.current or ""
    if request.method != "auto" or not request.allow_restart:
        return "hot" if request.method == "auto" else request.method
    release = read_release(upgrade.tree, upgrade.version)
    if upgrade.running.lacks_sasl or (release is not None and not has_sasl(release)):
        return "restart"
    try:
        step = find_relup_step(upgrade.tree, current, upgrade.version, upgrade_from=_paths(upgrade) if release is None else None)
    except NoRelupStep:
        return "restart"
    return "restart" if step.restarts or _why_not(upgrade, step) else "hot"


def _why_not(upgrade: NodeUpgrade, step: RelupStep) -> str:
    """Why a hot upgrade would lose what the release's config providers read; empty if it would not."""
    if not has_providers(upgrade.tree, upgrade.version):
        return ""
    is_client = bool(upgrade.request.client)
    return why_not_resolved(upgrade.tree, upgrade.version, upgrade.running.pid, is_client=is_client, restarts=step.restarts)


def _paths(upgrade: NodeUpgrade) -> dict[str, str] | None:
    """Where the relup of the package leads from, if it is known."""
    return (upgrade.request.package.get("release") or {}).get("upgrade_from")


def check_package(upgrade: NodeUpgrade) -> None:
    """Check the relup of a package that is not on the host yet, where it is known: a package of no use is not sent. Raises HandlerError."""
    paths = _paths(upgrade)
    if paths is not None and read_release(upgrade.tree, upgrade.version) is None:
        upgrade.report(fatal(_check_relup(upgrade, paths)))


def check_upgrade(upgrade: NodeUpgrade) -> RelupStep | None:
    """Check the step to the release. Returns it, or None when it is not known in check mode. Raises HandlerError for a fatal problem."""
    tree, version, current = upgrade.tree, upgrade.version, upgrade.running.current or ""
    problems = [*_preflight.check_tree(tree)]
    release = None if upgrade.is_replaced and upgrade.changes.check_mode else read_release(tree, version)
    if release is None:
        if not upgrade.changes.check_mode:
            raise no_release(upgrade, tree)
        # In check mode, of a package that is still on the controller, only the relup may be known.
        paths = _paths(upgrade)
        if paths is not None:
            problems += _check_relup(upgrade, paths)
        upgrade.report(problems)
        return None if paths is None else find_relup_step(tree, current, version, upgrade_from=paths)
    problems += _preflight.check_release(tree, release, like=upgrade.program())
    problems += _check_relup(upgrade, None)
    step = None
    with contextlib.suppress(NoRelupStep):
        step = find_relup_step(tree, current, version)
        method = "client" if upgrade.request.client else upgrade.request.method
        problems += _preflight.check_mix(tree, version, method=method, why_not=_why_not(upgrade, step))
    problems += _preflight.check_sasl(upgrade.running, release)
    if upgrade.running.status_of(version) is not None and not fatal(problems):
        problems += _ask_release_handler(upgrade)
    upgrade.report(problems)
    if step and step.restarts:
        upgrade.report(upgrade.start_problems)
    return step


def check_boot(upgrade: NodeUpgrade) -> None:
    """Check a boot of the release, which is in the tree. Raises HandlerError for a fatal problem."""
    release = read_release(upgrade.tree, upgrade.version)
    problems = [*_preflight.check_heart(upgrade.running)]
    if release is not None:
        problems += _preflight.check_release(upgrade.tree, release, like=upgrade.program())
    upgrade.report(problems)


def check_trial(upgrade: NodeUpgrade) -> None:
    """Check a boot of the release by heart, with our own command. Raises HandlerError for a fatal problem."""
    problems = [*_preflight.check_tree(upgrade.tree)]
    release = read_release(upgrade.tree, upgrade.version)
    if release is not None:
        problems += _preflight.check_release(upgrade.tree, release, like=upgrade.program())
    elif not upgrade.changes.check_mode:
        raise no_release(upgrade, upgrade.tree)
    problems += [*_preflight.check_heart(upgrade.running), *(problem for problem in upgrade.start_problems if problem.kind != "start_line")]
    upgrade.report(problems)


def _check_relup(upgrade: NodeUpgrade, upgrade_from) -> list[Problem]:
    request = upgrade.request
    method = "client" if request.client else request.method
    made_from = None if upgrade_from is None else (request.package.get("release") or {}).get("made_from") or {}
    options = {"method": method, "allow_restart": request.allow_restart, "upgrade_from": upgrade_from, "made_from": made_from}
    return [*_preflight.check_relup(upgrade.tree, upgrade.running, upgrade.version, **options)]


def _ask_release_handler(upgrade: NodeUpgrade) -> list[Problem]:
    """The answer of check_install_release.

    It looks for processes in old code only when the new release has a relup, and so not before a downgrade.
    """
    step = find_relup_step(upgrade.tree, upgrade.running.current or "", upgrade.version)
    if step.soft and not step.restarts:
        old = processes_in_old_code(upgrade.session, timeout=upgrade.request.timeout)
        problems = [*_preflight.check_old_code({module: old[module] for module in old if module in step.soft})]
        if problems:
            return problems
    try:
        upgrade.call("check_install_release", upgrade.version)
        return []
    except Refused as refused:
        return [Problem(refused.kind or "refused", str(refused).rstrip("."), "Install the release again from its package")]
