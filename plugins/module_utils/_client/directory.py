# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The directory of a client node on its master: created, kept, switched to another release while the node is down, and removed.

OTP system documentation, "Releases", Disk-Less and/or Read-Only Clients; sasl(6): masters, client_directory, static_emulator, start_prg.
A client that has a directory keeps its release: only its own release_handler changes it while it runs. The files of the release are
written first, then RELEASES, and last what decides which release boots: an interrupted run leaves a client that boots.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._client.kept import KeptOfClient, settle
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import lock, read_file
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import as_owner
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import FileOptions, Owner, check_owner
from ansible_collections.erlang.otp.plugins.module_utils._formats import releases_file
from ansible_collections.erlang.otp.plugins.module_utils._formats.distribution_flags import problem_for_clients
from ansible_collections.erlang.otp.plugins.module_utils._formats.releases_file import InstalledRelease, StartErlData
from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import Release
from ansible_collections.erlang.otp.plugins.module_utils._node.listening import listening
from ansible_collections.erlang.otp.plugins.module_utils._tree.client_tree import CLIENTS, ClientTree, Section, read_config, section_of, with_section
from ansible_collections.erlang.otp.plugins.module_utils._tree.names import check_version, is_temporary
from ansible_collections.erlang.otp.plugins.module_utils._tree.publish import staging
from ansible_collections.erlang.otp.plugins.module_utils._tree.record import STAGING, missing_part
from ansible_collections.erlang.otp.plugins.module_utils._tree.register import entry_of, read_release, switched, write_releases
from ansible_collections.erlang.otp.plugins.module_utils._tree.repair import repair
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import HANDLER_LOCK, LOCK


class ClientRequest(t.NamedTuple):
    """The options of otp_release_client. release: None for the one it has, or else the permanent one of its root directory.

    sys_config: None to keep the present one; start_script: likewise, content of bin/start. uid, gid: -1 for those of the root directory.
    runs: whether the node is up; raises OtpError if that is not known. emulator, restart_on_change: as of KeptOfClient, and whether a restart follows.
    """

    root: str
    client: str
    machine_type: str = ""
    state: str = "present"  # or absent
    release: str | None = None
    masters: tuple[str, ...] = ()
    static_emulator: bool = False
    start_script: str | None = None
    sys_config: str | None = None
    uid: int = -1
    gid: int = -1
    mode: int = 0o640
    runs: t.Callable[[], bool] = lambda: False
    emulator: str = ""
    restart_on_change: bool = False
    lock_timeout: float = 60.0


def ensure_client(request: ClientRequest, changes: Changes) -> dict[str, t.Any]:
    """Ensure the requested directory. Returns client_directory, root, release, before, erts_version, outdated, diff.

    Raises OtpError before anything is touched."""
    tree = ClientTree(request.root, request.client, request.machine_type)
    work = _remove if request.state == "absent" else _ensure
    try:
        with as_owner(request.root), contextlib.ExitStack() as locks:
            # In the order of _handler: first the client's, then that of the root directory.
            for path in (tree.path(HANDLER_LOCK), tree.shared.path(LOCK)):
                if not changes.check_mode and os.path.isdir(os.path.dirname(path)):
                    locks.enter_context(lock(path, timeout=request.lock_timeout))
            return work(tree, request, changes)
    except OSError as error:
        raise OtpError(f"client {request.client} below {request.root}: {error.filename}: {error.strerror}") from error


def _ensure(tree: ClientTree, request: ClientRequest, changes: Changes) -> dict[str, t.Any]:
    if not tree.shared.has("releases"):
        raise OtpError(
            f"{tree.root} is not the root directory of a target system: install a release there, by the playbook erlang.otp.deploy or otp_release_install"
        )
    # As it runs: erlexec has put together what its package, its inventory and its environment say.
    problem = problem_for_clients(listening(tree.shared.root))
    if problem:
        raise OtpError(
            f"the node of the master, which runs the system below {tree.shared.root}, is out of reach for clients: {problem}. Take the flag out of its vm.args,"
            " of otp_erl_flags or of ERL_FLAGS in otp_environment, and restart it."
        )
    # The master's node must be able to write the files: by default they belong to the owner of its releases.
    check_owner(request.uid, tree.shared.root)
    options = tree.shared.file_options(request.uid, request.gid)
    _ensure_readable(tree, request, options, changes)
    before = tree.releases() or []
    boots = (tree.start_erl_data() if before else None) or releases_file.permanent_release(before)
    release = _find_release(tree, request, boots)
    if boots is not None and boots.release_version != release.version and request.runs():
        raise OtpError(
            f"client {request.client} runs release {boots.release_version}, not {release.version}: upgrade it, by the playbook"
            " erlang.otp.upgrade or otp_release_handler with client, or stop it first"
        )
    files = _files(tree, request, release, boots)
    kept = KeptOfClient(tree.client_directory, request.emulator, boots.release_version if boots else "")
    after = [switched(entry, release.version) for entry in before if not is_temporary(entry.version)]
    if release.version not in [entry.version for entry in after]:
        after = [entry_of_client(tree, release, "permanent"), *after]
    own = [tree.client_directory, *(tree.path(*names) for names in (("bin",), ("releases",), ("releases", release.version)))]
    for directory in own if tree.machine_type else [tree.shared.path(CLIENTS), *own]:
        if not os.path.isdir(directory):
            changes.do(f"create the directory {directory}", options.directory, directory)
    diff = [_write(path, content, mode, options, changes, kept) for path, (content, mode) in files.items()]
    if after != before:
        changes.do(f"record release {release.version} as permanent in {tree.path('releases', 'RELEASES')}", write_releases, tree, after, options)
    _write_boot_files(tree, request, StartErlData(release.erts_version, release.version), files, options, changes, kept)
    releases = {
        "before_header": tree.client_directory,
        "after_header": tree.client_directory,
        "before": releases_file.describe(before),
        "after": releases_file.describe(after),
    }
    outdated = settle(kept, request.restart_on_change, changes)
    result = _result(tree, release.version, release.erts_version, [*filter(None, diff), releases])
    return {**result, "before": boots.release_version if boots else None, "outdated": outdated}


def _ensure_readable(tree: ClientTree, request: ClientRequest, options: FileOptions, changes: Changes) -> None:
    """Repair RELEASES and start_erl.data after a power cut of the master. A client that runs has both in memory, and writes them again."""
    try:
        tree.releases()
        tree.start_erl_data()
    except OtpError:
        if request.runs():
            raise
        repair(tree, changes, options)


def _result(tree: ClientTree, release: str | None, erts_version: str | None, diff: list[dict[str, str]]) -> dict[str, t.Any]:
    return {
        "client_directory": tree.client_directory,
        "root": tree.root,
        "release": release,
        "erts_version": erts_version,
        "before": None,
        "outdated": [],
        "diff": diff,
    }


def _find_release(tree: ClientTree, request: ClientRequest, boots: StartErlData | None) -> Release:
    """The requested release, or else the present one, or else that of the master. Raises OtpError unless the root directory has it whole."""
    shared = tree.shared
    permanent = boots or shared.start_erl_data()
    version = request.release or (permanent.release_version if permanent else None)
    if version is None:
        raise OtpError(f"{shared.root} has no permanent release: set the release of the client {request.client}")
    check_version(version)
    release = read_release(shared, version)
    if release is None:
        raise OtpError(f"{shared.path('releases', version)} has no release {version}: install it below {shared.root} first")
    part = missing_part(shared.directory, version, release.erts_version, [(item.name, item.version) for item in release.applications], shared.places(version))
    if part is not None:
        raise OtpError(f"release {version} below {shared.root} is incomplete: {part} is missing. Install it again from its package")
    return release


def _files(tree: ClientTree, request: ClientRequest, release: Release, boots: StartErlData | None) -> dict[str, tuple[bytes, int]]:
    """Content and mode by path, of all files that do not decide which release boots. Raises OtpError."""
    version = release.version
    section = section_of(tree, request.masters, static_emulator=request.static_emulator)
    own = tree.path("releases", version)
    files = {}
    for name, content in release_files(tree, release).items():
        path = os.path.join(own, name)
        # What release_handler has installed stays.
        if not os.path.exists(path):
            files[path] = (content, 0o644)
    files[os.path.join(own, "sys.config")] = (config_for(tree, version, section, boots, request.sys_config), request.mode)
    start = tree.path("bin", "start")
    if request.start_script is not None:
        files[start] = (request.start_script.encode(), 0o755)
    elif not os.path.exists(start):
        raise OtpError(f"{start} is missing, and start_script is not given: without it heart would start the master's {tree.shared.path('bin', 'start')}")
    return files


def release_files(tree: ClientTree, release: Release) -> dict[str, bytes]:
    """The client's own files of a release except sys.config, content by name: it shares only libraries and ERTS with its master."""
    names = (rel_name(tree, release), "start.boot", "relup")
    files = {name: read_file(tree.shared.path("releases", release.version, name)) for name in names}
    return {name: content for name, content in files.items() if content is not None}


def rel_name(tree: ClientTree, release: Release) -> str:
    """The name of the .rel file in the release directory of the client's root directory."""
    return next(name for name in tree.shared.names("releases", release.version) if name.endswith(".rel"))


def config_for(tree: ClientTree, version: str, section: Section, boots: StartErlData | None, given: str | None = None) -> bytes:
    """The client's sys.config for a release: as given, else its own, else that of the release that it boots; with the client's parameters."""
    if given is not None:
        return with_section(given.encode(), section, source="the given sys_config", strict=True)
    content = read_config(tree, version)
    if content is None and boots is not None:
        content = read_config(tree, boots.release_version)
    return with_section(content or b"[].\n", section, source=tree.path("releases", version, "sys.config"))


def entry_of_client(tree: ClientTree, release: Release, status: str) -> InstalledRelease:
    """The entry of RELEASES, with absolute library paths: masters would look for relative ones of a machine type below their own root directory."""
    entry = entry_of(tree, release, status)
    libraries = [library._replace(directory=os.path.join(tree.root, library.directory)) for library in entry.libraries]
    return entry._replace(libraries=tuple(libraries))


def _write_boot_files(
    tree: ClientTree, request: ClientRequest, boots: StartErlData, files: dict, options: FileOptions, changes: Changes, kept: KeptOfClient
) -> None:
    """What the start script reads: start_erl.data, or for a static client releases/start.boot and releases/sys.config."""
    data = tree.path("releases", "start_erl.data")
    copies = {name: tree.path("releases", name) for name in ("sys.config", "start.boot")}
    if not request.static_emulator:
        content = releases_file.format_start_erl_data(boots)
        # release_handler writes it without a newline.
        if (read_file(data) or b"").split() != content.split():
            _write(data, content, 0o644, options, changes, kept)
        for path in copies.values():
            if os.path.exists(path):
                changes.do(f"remove {path}, because the client no longer has a static emulator", os.unlink, path)
        return
    for name, path in copies.items():
        source = tree.path("releases", boots.release_version, name)
        content, mode = files.get(source) or (read_file(source) or b"", 0o644)
        _write(path, content, mode, options, changes, kept)
    if os.path.exists(data):
        changes.do(f"remove {data}, because the client has a static emulator", os.unlink, data)


def _write(path: str, content: bytes, mode: int, options: FileOptions, changes: Changes, kept: KeptOfClient) -> dict[str, str] | None:
    """Ensure the file. Returns a diff of changed text. A file without secrets keeps the mode that release_handler gave it."""
    if mode == 0o644 and read_file(path) == content:
        return None
    before = kept.ensure(path, content, mode=mode, owner=Owner(options.uid, options.gid), changes=changes)
    if before is None or path.endswith(".boot"):
        return None
    shown = {"before": before.decode("utf-8", "replace"), "after": content.decode("utf-8", "replace")}
    return {"before_header": path, "after_header": path, **shown}


def _remove(tree: ClientTree, request: ClientRequest, changes: Changes) -> dict[str, t.Any]:
    if not os.path.lexists(tree.client_directory):
        return _result(tree, None, None, [])
    if request.runs():
        raise OtpError(f"client {request.client} runs, so its directory {tree.client_directory} is not removed: stop it first")
    before = releases_file.describe(tree.releases() or [])
    with staging(tree.shared, changes):
        changes.do(f"remove {tree.client_directory}", os.rename, tree.client_directory, tree.shared.path(STAGING, "client"))
    headers = {"before_header": tree.client_directory, "after_header": tree.client_directory}
    return _result(tree, None, None, [{**headers, "before": before, "after": ""}])
