# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Step 3 by a restart: the node boots the release once, and every other start boots the permanent one.

As release_handler does it for restart_emulator (relup(4), release_handler.erl): ``new_start_erl.data`` names the release, heart starts the
node with that file once, and by ``tmp_current`` in RELEASES the new release_handler takes the release for ``current``. No relup is needed, and
no sasl in either release.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import time

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import flush_directory, lock
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import kill
from ansible_collections.erlang.otp.plugins.module_utils._core.remote_host import remote_host
from ansible_collections.erlang.otp.plugins.module_utils._core.run import run
from ansible_collections.erlang.otp.plugins.module_utils._formats.releases_file import StartErlData, format_start_erl_data
from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import Release
from ansible_collections.erlang.otp.plugins.module_utils._handler.node_upgrade import NodeUpgrade
from ansible_collections.erlang.otp.plugins.module_utils._handler.request import HandlerError
from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import CallError, Raised
from ansible_collections.erlang.otp.plugins.module_utils._node.log_tail import last_words
from ansible_collections.erlang.otp.plugins.module_utils._node.reconnecting import (
    DOWN,
    NotBack,
    is_down,
    is_settled,
    reap_emulator,
    wait_for_restart,
    wait_until_settled,
)
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Running, evaluate, shorten_stop
from ansible_collections.erlang.otp.plugins.module_utils._terms.printer import format_term
from ansible_collections.erlang.otp.plugins.module_utils._tree.backup import forget_saved, save
from ansible_collections.erlang.otp.plugins.module_utils._tree.history import FAILED, REFUSED, TRIAL, pending_trial
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator
from ansible_collections.erlang.otp.plugins.module_utils._tree.register import read_release, register, write_releases
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import LOCK

NEW_START = "new_start_erl.data"
# In one expression: heart must not have the command without the reboot.
REBOOT = "ok = heart:set_cmd(%s), init:reboot()."
# Seconds. bin/start waits up to five for the emulator that it replaces, and heart up to ten for a crash dump.
HEART_STARTS = 20.0


def boot(upgrade: NodeUpgrade) -> None:
    """Restart the node on the release. Raises HandlerError when it does not come up; it is back on the permanent release then, if that can be."""
    before, began, since = upgrade.running, time.monotonic(), time.time()
    upgrade.changes.note(f"restart the node {upgrade.session.node} from release {before.current} on {upgrade.version}")
    if upgrade.changes.check_mode:
        upgrade.result["restarted"] = True
        return
    if before.permanent == upgrade.version:
        restart_on_permanent(upgrade)
        reason = "" if upgrade.running.current == upgrade.version else f"the node came back on release {upgrade.running.current}"
    else:
        _begin_trial(upgrade, before)
        reason = _end_trial(upgrade, before, since)
    upgrade.result["unreachable_seconds"] = round(time.monotonic() - began, 3)
    if reason:
        raise upgrade.failure("install", before, reason)
    upgrade.note_restart(before)
    _record(upgrade, before.current, before.pid, seconds=round(time.monotonic() - began, 3))


def restart_on_permanent(upgrade: NodeUpgrade, reason: str = "") -> None:
    """Restart the node on its permanent release; an emulator that does not end is killed. Raises HandlerError."""
    before = upgrade.running
    try:
        upgrade.restart()
    except HandlerError as error:
        _come_back(upgrade, before, "; ".join(filter(None, (reason, str(error)))))


def resume(upgrade: NodeUpgrade) -> None:
    """Wait for the end of a trial whose run was killed, and record it. Raises HandlerError when the node does not come back; in check mode CallError."""
    entry = pending_trial(upgrade.history)
    if entry is None:
        return
    # The node can write the history.
    pid = entry.get("pid_before")
    before = Running(upgrade.session.node, pid if isinstance(pid, int) else 0, None, "", False, (), None, "", upgrade.tree.root)
    version, began = entry["release"], f"it was booted at {entry['time']}, and the run ended before it was up"
    try:
        if upgrade.changes.check_mode:
            upgrade.observe()
        else:
            upgrade.running = wait_until_settled(upgrade.session, before, root=upgrade.tree.root, timeout=upgrade.request.restart_timeout)
    except NotBack as error:
        _come_back(upgrade, before, f"{began}; {error}")
    now = upgrade.running
    if not is_settled(now):
        return
    if now.current == version:
        _restore_status(upgrade, version, entry.get("status"))
        _record(upgrade, entry["from"], before.pid, release=version)
    elif now.pid == before.pid:
        upgrade.record("install", release=version, before=entry["from"], outcome=REFUSED, reason="the run ended before the restart")
    else:
        reason = f"{began}; the node is back on release {now.current} (process {now.pid})"
        upgrade.record("fall_back", release=version, before=version, outcome=FAILED, reason=reason)
        upgrade.result["rolled_back"] = version == upgrade.version
    if not upgrade.changes.check_mode:
        _dismiss(upgrade)


def _record(upgrade: NodeUpgrade, before: str | None, pid: int, *, release: str = "", **more) -> None:
    now = upgrade.running
    more = {"pid_before": pid, "pid_after": now.pid, "restarted": True, **more}
    upgrade.record("install", release=release, before=before, permanent=now.permanent == now.current, **more)


def _begin_trial(upgrade: NodeUpgrade, before: Running) -> None:
    """Reboot the node with the release. Raises HandlerError if it refuses."""
    _appoint(upgrade, read_release(upgrade.tree, upgrade.version))
    upgrade.record(TRIAL, before=before.current, pid_before=before.pid, status=before.status_of(upgrade.version))
    words = (before.start or f"{upgrade.tree.root}/bin/start", f"{upgrade.tree.root}/releases/{NEW_START}")
    shorten_stop(upgrade.session, timeout=upgrade.request.timeout)
    try:
        evaluate(upgrade.session, REBOOT % format_term(" ".join(map(shlex.quote, words))), timeout=upgrade.request.timeout)
    except Raised as error:
        _dismiss(upgrade)
        upgrade.record("install", before=before.current, outcome=REFUSED, reason=str(error))
        raise HandlerError(f"{error} Nothing has changed.") from error
    except CallError:
        # The node may end before it answers.
        pass


def _appoint(upgrade: NodeUpgrade, release: Release) -> None:
    """Have the next start by heart boot the release."""
    tree, options = upgrade.tree, upgrade.tree.file_options()
    with lock(tree.path(LOCK), timeout=upgrade.request.lock_timeout):
        save(tree, options)
        entries = register(tree, release, Changes(), options)
        if any(application.name == "sasl" for application in release.applications):
            # Without sasl, nothing would set it back.
            write_releases(tree, [entry._replace(status="tmp_current") if entry.version == release.version else entry for entry in entries], options)
        options.file(tree.path("releases", NEW_START), format_start_erl_data(StartErlData(release.erts_version, release.version)))
    if remote_host():
        remote_host().send()


def _end_trial(upgrade: NodeUpgrade, before: Running, since: float) -> str:
    """Wait until the node is up, on whatever release. Returns why it is not the new one. Raises HandlerError when it does not come back."""
    root, reason = upgrade.tree.root, ""
    try:
        upgrade.running = wait_for_restart(upgrade.session, before, root=root, timeout=upgrade.request.restart_timeout, give_up=True)
        if upgrade.running.current != upgrade.version:
            words = last_words(upgrade.session.log_directory, since=since, starts=2)
            reason = f"the new release did not start, and the node came back on release {upgrade.running.current}. {words}"
    except NotBack as error:
        reason = str(error)
        _come_back(upgrade, before, reason, spare=before.pid)
        if upgrade.running.current == upgrade.version:
            # Late.
            reason = ""
    _dismiss(upgrade)
    if not reason:
        _restore_status(upgrade, upgrade.version, before.status_of(upgrade.version))
    return reason


def _dismiss(upgrade: NodeUpgrade) -> None:
    """Remove the file that names the release, which bin/start_erl has done, unless it is an older one."""
    if remote_host():
        remote_host().refresh()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(upgrade.tree.path("releases", NEW_START))
    flush_directory(upgrade.tree.path("releases"))
    forget_saved(upgrade.tree)


def _restore_status(upgrade: NodeUpgrade, version: str, status: str | None) -> None:
    """What comes back from its trial is as old as before: release_handler, which does not read RELEASES again, has made it unpacked there."""
    tree = upgrade.tree
    if status != "old" or upgrade.changes.check_mode or upgrade.running.permanent == version:
        return
    with lock(tree.path(LOCK), timeout=upgrade.request.lock_timeout):
        entries = [entry._replace(status=status) if entry.version == version else entry for entry in tree.releases() or []]
        write_releases(tree, entries, tree.file_options())


def _come_back(upgrade: NodeUpgrade, before: Running, reason: str, *, spare: int | None = None) -> None:
    """End the emulator that does not come up, so that heart, or else bin/start, starts the permanent release. Raises HandlerError if it is not up then.

    spare: an emulator that is not killed, because it may still stop in good order; heart starts the permanent release after it.
    """
    tree = upgrade.tree
    start = tree.start_erl_data()
    if start is not None:
        tree.file_options().file(tree.path("releases", NEW_START), format_start_erl_data(start))
    pid = find_emulator(tree.root)
    try:
        if pid is not None and (pid == spare or remote_host()):
            raise OtpError(f"process {pid} must end: heart starts the permanent release after it.")
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                kill(pid, signal.SIGKILL)
        _ensure_started(tree.root, pid)
        upgrade.running = wait_until_settled(upgrade.session, before, root=tree.root, timeout=upgrade.request.restart_timeout)
        _dismiss(upgrade)
    except OtpError as error:
        upgrade.record("install", before=before.current, outcome=FAILED, reason=f"{reason} Then {error}")
        raise HandlerError(f"release {upgrade.version}: {reason} Then {error}") from error


def _ensure_started(root: str, ended: int | None) -> None:
    """Run bin/start if heart starts no emulator, as when the one that ended had not come to its heart yet."""
    alive = now = time.monotonic()
    deadline = now + HEART_STARTS
    while ended and now - alive < DOWN and now < deadline:
        if find_emulator(root) not in (None, ended):
            return
        if not remote_host():
            reap_emulator(ended)
        time.sleep(0.05)
        now = time.monotonic()
        alive = alive if is_down(root) else now
    if remote_host():
        remote_host().start()
    else:
        # Under systemd it refuses, and the unit starts it.
        run([f"{root}/bin/start"], timeout=60.0)
