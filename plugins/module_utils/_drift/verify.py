# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An installed system held against the packages that the controller knows, and against what its node has loaded. With repair, files are put back."""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.remote_host import remote_host
from ansible_collections.erlang.otp.plugins.module_utils._drift.files import (
    Finding,
    Look,
    archives_of,
    find_drift,
    join_manifests,
    look_here,
    module_of,
)
from ansible_collections.erlang.otp.plugins.module_utils._drift.put_back import put_back, sentence_of
from ansible_collections.erlang.otp.plugins.module_utils._formats.releases_file import InstalledRelease
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress
from ansible_collections.erlang.otp.plugins.module_utils._tree.mark import Claim, check_claim
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

NO_PACKAGE = "the controller has no package of it"


class Request(t.NamedTuple):
    """manifests: what the controller knows of the packages, by the version of the release: package, sha256 and files; or why it does not know them.

    address: None if the node is not to be asked. given_config: as of join_manifests(). package: on this host, of the release restore. claim: who repairs.
    look: as of find_drift().
    """

    manifests: t.Mapping[str, t.Mapping[str, t.Any]]
    address: NodeAddress | None
    given_config: bool = True
    ignore: t.Sequence[str] = ()
    timeout: float = 30.0
    repair: bool = False
    package: str | None = None
    restore: str | None = None
    claim: Claim = Claim()
    lock_timeout: float = 60.0
    look: Look = look_here


def installed_releases(tree: Tree) -> list[InstalledRelease]:
    """The releases that RELEASES lists. Raises OtpError if there are none."""
    entries = tree.releases()
    if not entries:
        raise OtpError(
            f"{tree.path('releases', 'RELEASES')} lists no release, so there is nothing to verify: deploy the system, or give the root directory of one."
        )
    return entries


def verify(tree: Tree, request: Request, changes: Changes) -> dict[str, t.Any]:
    """The result of the module. Raises OtpError, and Held if the system is another run's and is to be changed."""
    entries = installed_releases(tree)
    start = tree.start_erl_data()
    permanent = start.release_version if start else None
    known = {entry.version: request.manifests[entry.version]["files"] for entry in entries if "files" in request.manifests.get(entry.version, {})}
    unknown = [entry.version for entry in entries if entry.version not in known]

    def files() -> list[Finding]:
        packages = join_manifests(tree, known, permanent, given_config=request.given_config)
        return find_drift(tree, packages, unknown=unknown, ignore=request.ignore, look=request.look)

    try:
        findings = files()
        if request.repair:
            check_claim(tree, request.claim)
            findings = _repair(tree, request, findings, changes, files)
    except OSError as error:
        raise OtpError(f"{error.filename} cannot be verified: {error.strerror}. Use become to work as root or as the owner of the system.") from error
    # From a file that is not the package's nothing follows for the node.
    node = _node(tree, request, {module_of(finding.path) for finding in findings})
    counts = permanent or entries[0].version
    return {
        "releases": [_release(tree, entry, request.manifests.get(entry.version), is_permanent=entry.version == counts) for entry in entries],
        "drift": [finding.as_data() for finding in findings] + node.pop("drift"),
        "to_restore": _to_restore(findings) if request.repair else [],
        "node": node,
    }


def _to_restore(findings: t.Iterable[Finding]) -> list[str]:
    """Releases whose packages have all that is to be put back."""
    found: dict[str, None] = {}
    for finding in findings:
        if finding.versions and not found.keys() & {*finding.versions}:
            found[finding.versions[-1]] = None
    return [*found]


def _repair(tree: Tree, request: Request, findings: list[Finding], changes: Changes, files: t.Callable[[], list[Finding]]) -> list[Finding]:
    if changes.check_mode:
        changes.actions += [sentence_of(tree, finding.path) for finding in findings if finding.versions]
    elif request.package and request.restore:
        digest = request.manifests[request.restore]["sha256"]
        put_back(tree, findings, request.restore, request.package, digest, changes, lock_timeout=request.lock_timeout)
        return files()
    return findings


def _release(tree: Tree, entry: InstalledRelease, known: t.Mapping[str, t.Any] | None, *, is_permanent: bool) -> dict[str, t.Any]:
    known = known or {}
    return {
        "name": entry.name,
        "version": entry.version,
        "is_permanent": is_permanent,
        "package": known.get("package"),
        "is_known": "files" in known,
        "left_out": archives_of(tree, entry.version),
        "reason": "" if "files" in known else known.get("reason", NO_PACKAGE),
    }


def _node(tree: Tree, request: Request, left_out: t.Collection[str]) -> dict[str, t.Any]:
    """pid; modules: how many were compared, None if none; error: why not; drift. left_out: names of modules."""
    pid = find_emulator(tree.root) if tree.directory == tree.root or remote_host() else None
    node: dict[str, t.Any] = {"pid": pid, "modules": None, "error": None, "drift": []}
    if pid is None or request.address is None:
        return node
    # Lazy, for start-up time: a node that is down is not asked.
    from ansible_collections.erlang.otp.plugins.module_utils._drift.modules import compare_modules

    try:
        code = compare_modules(tree, request.address._replace(root=tree.root), timeout=request.timeout, ignore=request.ignore)
    except OtpError as error:
        return {**node, "error": f"the code that the node has loaded is not known: {error}"}
    return {**node, "modules": code.compared, "drift": [finding.as_data() for finding in code.findings if finding.path not in left_out]}
