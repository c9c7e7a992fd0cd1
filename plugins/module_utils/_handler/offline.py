# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release of a system that is down: RELEASES, start_erl.data and bin are changed as release_handler would have left them.

A release is unpacked, permanent or absent there; nothing is current on a system that is down.
"""

from __future__ import annotations

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import lock
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import FileOptions
from ansible_collections.erlang.otp.plugins.module_utils._core.remote_host import remote_host
from ansible_collections.erlang.otp.plugins.module_utils._formats.elf import THIS_PROGRAM
from ansible_collections.erlang.otp.plugins.module_utils._handler.preflight import check_release, check_tree, kept_beside
from ansible_collections.erlang.otp.plugins.module_utils._handler.remove import remove_files
from ansible_collections.erlang.otp.plugins.module_utils._handler.unpack import install_package, no_release
from ansible_collections.erlang.otp.plugins.module_utils._handler.upgrade import Upgrade, describe
from ansible_collections.erlang.otp.plugins.module_utils._tree.extra_files import Kept
from ansible_collections.erlang.otp.plugins.module_utils._tree.history import has_removal
from ansible_collections.erlang.otp.plugins.module_utils._tree.register import make_permanent, read_release, register
from ansible_collections.erlang.otp.plugins.module_utils._tree.repair import repair
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import LOCK


def apply_offline(upgrade: Upgrade) -> None:
    """Take the release to the requested state. Raises HandlerError, PackageNeeded, OtpError."""
    request, tree, result = upgrade.request, upgrade.tree, upgrade.result
    result["transport"] = "offline"
    if upgrade.changes.check_mode or not tree.has("releases"):
        repair(tree, upgrade.changes, FileOptions())
    else:
        with lock(tree.path(LOCK), timeout=request.lock_timeout):
            repair(tree, upgrade.changes, tree.file_options())
    result["before"] = describe(None, tree)
    permanent = result["before"]["permanent"]
    if request.state == "current":
        raise OtpError(f"the system below {tree.root} is down, and a release is current only while it runs: start it, or use state permanent")
    if request.state == "absent":
        remove_files(upgrade, upgrade.version, upgrade.changes)
        action = "remove"
    else:
        action = "unpack" if request.state in ("unpacked", "ready") else "offline"
        if request.state != "unpacked" and permanent != upgrade.version:
            upgrade.check_history()
        _unpack(upgrade)
        if request.configuration is not None:
            upgrade.configure(request.configuration)
        if request.state == "ready":
            result["way"] = "none" if permanent == upgrade.version else "offline"
            _check(upgrade)
        elif request.state != "unpacked":
            _make_permanent(upgrade)
    result["after"] = describe(None, tree)
    if not upgrade.changes.check_mode:
        _note(upgrade, action, permanent)
    if request.keep and result["after"]["permanent"] == upgrade.version:
        upgrade.remove_older(lambda version: remove_files(upgrade, version, upgrade.changes))
        result["after"] = describe(None, tree)


def _note(upgrade: Upgrade, action: str, permanent: str | None) -> None:
    """Add to the history what this run did, or one that was killed before it added it."""
    before, missed = permanent, None
    if action == "offline" and permanent == upgrade.version:
        missed = upgrade.missing_commit(upgrade.result["after"]["releases"])
        before = missed or permanent
    elif action == "remove" and not has_removal(upgrade.history, upgrade.version):
        missed = upgrade.version
    if upgrade.changes.changed or missed:
        upgrade.record(action, before=before)


def _unpack(upgrade: Upgrade) -> None:
    """Put the release into the tree, and into RELEASES."""
    if install_package(upgrade, upgrade.tree):
        return
    if read_release(upgrade.tree, upgrade.version) is None:
        raise no_release(upgrade, upgrade.tree)
    _register(upgrade)


def _check(upgrade: Upgrade) -> None:
    """Check the release, unless it is permanent. Raises HandlerError for a fatal problem."""
    release = read_release(upgrade.tree, upgrade.version)
    if release is not None and upgrade.result["before"]["permanent"] != upgrade.version:
        host = remote_host()
        like, optional = host.program if host else THIS_PROGRAM, upgrade.request.optional_native
        upgrade.report([*check_release(upgrade.tree, release, like=like, optional_native=optional), *check_tree(upgrade.tree)])


def _make_permanent(upgrade: Upgrade) -> None:
    tree, version = upgrade.tree, upgrade.version
    if read_release(tree, version) is None:
        # In check mode, with a package that is still on the controller.
        upgrade.changes.actions.append(f"make release {version} permanent below {tree.directory}")
        return
    statuses = [entry.status for entry in tree.releases() or [] if entry.version == version]
    if upgrade.request.state == "rebooted_old" and statuses not in (["old"], ["permanent"]):
        raise OtpError(f"release {version} below {tree.directory} is not an old release: use state permanent")
    _check(upgrade)
    _register(upgrade, make_permanent)


def _register(upgrade: Upgrade, then=None) -> None:
    """Put the release into RELEASES, and call then with the entries."""
    tree, changes, options = upgrade.tree, upgrade.changes, upgrade.tree.file_options()
    release = read_release(tree, upgrade.version)
    if release is None:
        # The user of the system has removed it meanwhile.
        raise no_release(upgrade, tree)

    kept: list[Kept] = []

    def write() -> None:
        entries = register(tree, release, changes, options, kept=kept)
        if then is not None:
            then(tree, release, entries, changes, options, kept=kept)

    if changes.check_mode:
        write()
    else:
        with lock(tree.path(LOCK), timeout=upgrade.request.lock_timeout):
            write()
    upgrade.report(map(kept_beside, kept))
