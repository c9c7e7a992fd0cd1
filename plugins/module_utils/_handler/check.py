# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Step 2: which checks of ``_handler/preflight`` apply to the requested step, and what release_handler says to it.

release_handler(3), check_install_release/1: it changes nothing.
"""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import Release
from ansible_collections.erlang.otp.plugins.module_utils._handler import preflight as _preflight
from ansible_collections.erlang.otp.plugins.module_utils._handler.attributes import without_attributes
from ansible_collections.erlang.otp.plugins.module_utils._handler.live_environment import check_environment
from ansible_collections.erlang.otp.plugins.module_utils._handler.node_upgrade import NodeUpgrade
from ansible_collections.erlang.otp.plugins.module_utils._handler.preflight import Problem, fatal, has_sasl
from ansible_collections.erlang.otp.plugins.module_utils._handler.providers import has_providers, why_not_resolved
from ansible_collections.erlang.otp.plugins.module_utils._handler.unpack import no_release
from ansible_collections.erlang.otp.plugins.module_utils._handler.way import between, packages_of, upgrade_from_of
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Refused, processes_in_old_code
from ansible_collections.erlang.otp.plugins.module_utils._tree.history import failure_of
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
    if hops := between(upgrade):
        return "restart" if any(_why_not(upgrade, hop, ()) for hop in (*hops, upgrade.version)) else "hot"
    try:
        step = find_relup_step(upgrade.tree, current, upgrade.version, upgrade_from=_paths(upgrade) if release is None else None)
    except NoRelupStep:
        return "restart"
    package = upgrade.request.package.get("release") or {}
    cannot = without_attributes(upgrade.tree, current, upgrade.version, step, package) or _why_not(upgrade, upgrade.version, step.restarts)
    return "restart" if step.restarts or cannot else "hot"


def _why_not(upgrade: NodeUpgrade, version: str, restarts: tuple[str, ...]) -> str:
    """Why a hot upgrade would lose what the release's config providers read; empty if it would not."""
    if not has_providers(upgrade.tree, version):
        return ""
    is_client = bool(upgrade.request.client)
    return why_not_resolved(upgrade.tree, version, upgrade.running.pid, is_client=is_client, restarts=restarts)


def _method(upgrade: NodeUpgrade) -> str:
    """One of INSTEAD; where a restart is allowed, only the method is left."""
    request = upgrade.request
    return "client" if request.client else "hot" if request.allow_restart else request.method


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
        upgrade.report([*problems, *(_check_relup(upgrade, paths) if paths is not None else ())])
        step = None if paths is None else find_relup_step(tree, current, version, upgrade_from=paths)
        if step is None or not step.restarts:
            upgrade.report(check_environment(upgrade, version))
        return step
    problems += _check_release(upgrade, release)
    problems += _check_relup(upgrade, None)
    step = None
    with contextlib.suppress(NoRelupStep):
        step = find_relup_step(tree, current, version)
        problems += _preflight.check_mix(tree, version, method=_method(upgrade), why_not=_why_not(upgrade, version, step.restarts))
        if not step.restarts:
            problems += check_environment(upgrade, version)
    problems += _preflight.check_sasl(upgrade.running, release)
    if upgrade.running.status_of(version) is not None and not fatal(problems):
        problems += _ask_release_handler(upgrade)
    upgrade.report(problems)
    if step and step.restarts:
        upgrade.report(upgrade.start_problems)
    return step


def _check_release(upgrade: NodeUpgrade, release: Release) -> t.Iterator[Problem]:
    return _preflight.check_release(upgrade.tree, release, like=upgrade.program(), optional_native=upgrade.request.optional_native)


def check_boot(upgrade: NodeUpgrade) -> None:
    """Check a boot of the release, which is in the tree. Raises HandlerError for a fatal problem."""
    release = read_release(upgrade.tree, upgrade.version)
    problems = [*_preflight.check_heart(upgrade.running)]
    if release is not None:
        problems += _check_release(upgrade, release)
    upgrade.report(problems)


def check_trial(upgrade: NodeUpgrade) -> None:
    """Check a boot of the release by heart, with our own command. Raises HandlerError for a fatal problem."""
    problems = [*_preflight.check_tree(upgrade.tree)]
    release = read_release(upgrade.tree, upgrade.version)
    if release is not None:
        problems += _check_release(upgrade, release)
    elif not upgrade.changes.check_mode:
        raise no_release(upgrade, upgrade.tree)
    problems += [*_preflight.check_heart(upgrade.running), *(problem for problem in upgrade.start_problems if problem.kind != "start_line")]
    upgrade.report(problems)


def check_way(upgrade: NodeUpgrade, hops: list[str]) -> None:
    """Check each step of the way through releases in between, as far as these are in the tree. Raises HandlerError for a fatal problem."""
    tree, request = upgrade.tree, upgrade.request
    problems = [*_preflight.check_tree(tree), *_check_relup(upgrade, None if read_release(tree, upgrade.version) else _paths(upgrade))]
    for version in (*hops, upgrade.version):
        problems += _preflight.check_history(version, failure_of(upgrade.history, version), force=request.force)
        release = read_release(tree, version)
        if release is not None:
            problems += _check_release(upgrade, release)
            problems += _preflight.check_mix(tree, version, method=request.method, why_not=_why_not(upgrade, version, ()))
            problems += _preflight.check_sasl(upgrade.running, release)
    problems += check_environment(upgrade, upgrade.version)
    if upgrade.running.status_of(hops[0]) is not None and not fatal(problems):
        with upgrade.at(hops[0]):
            problems += _ask_release_handler(upgrade)
    upgrade.report(problems)


def _check_relup(upgrade: NodeUpgrade, upgrade_from: t.Mapping[str, str] | None) -> list[Problem]:
    """The relup, or each of the way through releases in between. upgrade_from: of the release, if it is still in its package."""
    request, tree, packages = upgrade.request, upgrade.tree, packages_of(upgrade)
    way = [upgrade.running.current or "", *between(upgrade), upgrade.version]
    problems: list[Problem] = []
    for before, version in zip(way, way[1:]):
        is_last = version == upgrade.version
        paths = upgrade_from if is_last else upgrade_from_of(packages, version)
        facts = (request.package.get("release") or {}) if is_last else packages.get(version, {})
        made_from = None if paths is None else facts.get("made_from") or {}
        if before != way[0] and read_release(tree, before) is None:
            # Its content is compared once it is there.
            made_from = {}
        options: dict[str, t.Any] = {"method": _method(upgrade), "allow_restart": request.allow_restart, "before": before}
        options.update(upgrade_from=paths, made_from=made_from, package=facts, reboots=request.install_options.get("error_action") == "reboot")
        problems += _preflight.check_relup(tree, upgrade.running, version, **options)
    return problems


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
        if refused.lacks_attributes:
            # Of a box, and of a disk-less client, the files are not read here.
            return [_preflight.no_attributes(f"release {upgrade.version}, or of the one that runs,", _method(upgrade))]
        if refused.is_of_newer_code:
            return [_preflight.newer_code(upgrade.version, _method(upgrade))]
        return [Problem(refused.kind or "refused", str(refused).rstrip("."), "Install the release again from its package")]
