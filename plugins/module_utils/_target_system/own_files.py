# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operator's files of a system (``otp_files``), on its host: laid out, removed when they are not listed any more, and read by the node that runs.

What a node reads at its start is kept before it is replaced, and restarted batch by batch, as its configuration is (``_tree/previous``). What a call
makes the node read is called for here, after the file was written; if the call fails, the earlier file comes back.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import time
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import flush_directory, read_file, write_file
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import FileOptions, Owner, ensure_directory, ensure_file, parse_mode
from ansible_collections.erlang.otp.plugins.module_utils._core.remote_host import remote_host
from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import name_of, shortened
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress, connect
from ansible_collections.erlang.otp.plugins.module_utils._node.verify import Check, as_checks
from ansible_collections.erlang.otp.plugins.module_utils._terms.patterns import matches
from ansible_collections.erlang.otp.plugins.module_utils._tree.extra_files import LIST as EXTRA_LIST
from ansible_collections.erlang.otp.plugins.module_utils._tree.extra_files import copy_extra, extra_problem
from ansible_collections.erlang.otp.plugins.module_utils._tree.own_files import DUE, LIST, RESTART, RUN, Entry, format_list, paths_problem, read_list
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import started_at
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

# Seconds for a call.
TIMEOUT = 60.0


class OwnFile(t.NamedTuple):
    """A file of the operator. restart: whether the node reads it at its start; call: what makes a running node read it."""

    path: str
    content: bytes
    mode: int = 0o640
    secret: bool = False
    restart: bool = False
    call: Check | None = None


def parse_files(given: t.Sequence[dict[str, t.Any]]) -> tuple[OwnFile, ...]:
    """The files for the checked option own_files. Raises OtpError, which names the wrong one."""
    if problem := paths_problem([entry["path"] for entry in given]):
        raise OtpError(f"otp_files (option own_files) has {problem}.")
    return tuple(map(_parse_file, given))


def _parse_file(entry: dict[str, t.Any]) -> OwnFile:
    change, content = entry["on_change"] or {}, entry["content"].encode("utf-8")
    try:
        if entry["encoding"] == "base64":
            import base64

            content = base64.b64decode(content, validate=True)
        if change.get("restart") and change.get("rpc"):
            raise OtpError("on_change has restart and rpc: leave one of them out.")
        call = as_checks([change["rpc"]], "on_change.rpc")[0] if change.get("rpc") else None
        return OwnFile(entry["path"], content, parse_mode(entry["mode"]), entry["secret"], bool(change.get("restart")), call)
    except (OtpError, ValueError) as error:
        raise OtpError(f"otp_files (option own_files), {entry['path']}: {error}") from None


class OwnFiles:
    """Those of one system. ``diff`` and ``warnings`` collect what is to be shown, and ``restarts`` the files that its node reads at its start."""

    def __init__(self, files: t.Sequence[OwnFile], tree: Tree, changes: Changes, keep: t.Callable[[str], None], run_directory: str = "") -> None:
        """keep: keeps a file that the node was started with, before it is replaced. run_directory: in an image, where that of the node is."""
        self.files, self.tree, self.changes, self.keep, self.run_directory = files, tree, changes, keep, run_directory
        self.owner = Owner(-1, -1)
        self.listed = read_list(tree)
        self.entries: dict[str, Entry] = {}
        # Before this run wrote them; of those that a call makes the node read.
        self.earlier: dict[str, tuple[bytes, os.stat_result] | None] = {}
        self.diff: list[dict[str, str]] = []
        self.warnings: list[str] = []
        self.written: set[str] = set()
        self.restarts = [self.place(file.path) for file in files if file.restart]

    def place(self, path: str) -> str:
        """Where the file is now."""
        first, dummy, rest = path.partition("/")
        # There, $ROOT/run may be a link to a directory of the host on which the image is made.
        return f"{self.run_directory}/{rest}".rstrip("/") if self.run_directory and first == RUN else self.tree.path(path)

    def check_places(self) -> None:
        """Raise OtpError, before anything is changed, for a place that leads elsewhere or that is something else than a file."""
        for file in self.files:
            if problem := self._place_problem(file.path):
                raise OtpError(f"otp_files (option own_files), {file.path}: {problem}. Nothing has been changed. Remove it, or choose another path.")

    def _place_problem(self, path: str) -> str:
        """What is in the way of a file, as a part of a sentence; empty if nothing is. $ROOT/run may be a link: it is ours."""
        parts = path.split("/")
        for end in range(2 if parts[0] == RUN else 1, len(parts) + 1):
            place = self.place("/".join(parts[:end]))
            try:
                mode = os.lstat(place).st_mode
            except (FileNotFoundError, NotADirectoryError):
                return ""
            if stat.S_ISLNK(mode):
                return f"{place} is a link on this host"
            if not (stat.S_ISREG if end == len(parts) else stat.S_ISDIR)(mode):
                return f"{place} is not a {'file' if end == len(parts) else 'directory'} on this host"
        problem = _content_problem(self.place(path))
        return problem and f"{self.place(path)} {problem}"

    def write(self, owner: Owner, pid: int | None) -> None:
        """Write the files, and remove those that are not listed any more. pid: of the emulator that runs. Raises OtpError."""
        self.owner = owner
        is_other = {file.path: read_file(self.place(file.path)) != file.content for file in self.files}
        for file in self.files:
            words = {RESTART} if file.restart else set()
            if file.call and pid is not None and (is_other[file.path] or self._is_due(file, pid)):
                words.add(DUE)
            self.entries[file.path] = Entry(hashlib.sha256(file.content).hexdigest(), frozenset(words))
        gone = {path: entry for path, entry in self.listed.items() if path not in self.entries}
        before = format_list({**gone, **self.entries})
        if before != format_list(self.listed):
            # Before the files: an interrupted run must not leave one that the list lacks.
            self.changes.do(f"list the files of otp_files in {self.tree.path(LIST)}", self._write_list, {**gone, **self.entries})
        for directory in self._directories():
            ensure_directory(directory, mode=0o755, owner=owner, changes=self.changes)
        for file in self.files:
            self._write(file)
        for path, entry in gone.items():
            self._remove(path, entry, pid)
        if gone and not self.changes.check_mode and format_list(self.entries) != before:
            self._write_list(self.entries)

    def _directories(self) -> list[str]:
        """The directories of the files, without those that are made with others. The run directory is there."""
        found = sorted({os.path.dirname(self.place(file.path)) for file in self.files if "/" in file.path} - {self.place(RUN)})
        return [path for path in found if not any(other.startswith(f"{path}/") for other in found)]

    def _is_due(self, file: OwnFile, pid: int) -> bool:
        """Whether an earlier run was to call, and has not. A node that has started since has read the file."""
        entry = self.listed.get(file.path)
        return entry is not None and DUE in entry.words and os.stat(self.place(file.path)).st_mtime_ns > started_at(pid)

    def _write(self, file: OwnFile) -> None:
        path = self.place(file.path)
        if file.call:
            self.earlier[file.path] = _content_of(path)
        keep = self.keep if file.restart else None
        before = ensure_file(path, file.content, mode=file.mode, owner=self.owner, sentence=f"write {path}", changes=self.changes, keep=keep)
        if before is None:
            return
        self.written.add(path)
        with contextlib.suppress(UnicodeDecodeError):
            # A diff has only what can be shown as text.
            shown = {"before": before.decode("utf-8"), "after": file.content.decode("utf-8")}
            self.diff.extend([] if file.secret else [{"before_header": path, "after_header": path, **shown}])

    def _remove(self, path: str, entry: Entry, pid: int | None) -> None:
        """Remove a file that is not listed any more, or put back that of the permanent release, if it is as this collection has written it."""
        place = self.place(path)
        content = None if self._place_problem(path) else read_file(place)
        if content is None or entry.gone:
            if entry.gone and pid is not None:
                self.entries[path] = entry
            return
        if hashlib.sha256(content).hexdigest() != entry.sha256:
            self.warnings.append(f"{place} is not in otp_files any more, and stays, because it was changed on this host: remove it, or list it again.")
            return
        if RESTART in entry.words:
            self.entries[path] = Entry(entry.sha256, entry.words, time.time_ns())
            self.restarts.append(place)
            self.written.add(place)
        keep = self.keep if RESTART in entry.words else None
        if version := self._release_with(path):
            sentence = f"bring {place} of release {version}, which is not in otp_files any more"
            self.changes.do(sentence, self._bring_back, version, path, keep)
            return
        self.changes.do(f"remove {place}, which is not in otp_files any more", self._unlink, place, keep)

    def _release_with(self, path: str) -> str:
        """The permanent release, if it has an extra file of that path; else empty."""
        start = self.tree.start_erl_data()
        version = start.release_version if start else ""
        return version if path in read_list(self.tree, f"releases/{version}/{EXTRA_LIST}", extra_problem) else ""

    def _bring_back(self, version: str, path: str, keep: t.Callable[[str], None] | None) -> None:
        if keep is not None:
            keep(self.place(path))
        copy_extra(self.tree, version, path, FileOptions(*self.owner))

    def _unlink(self, place: str, keep: t.Callable[[str], None] | None) -> None:
        if keep is not None:
            keep(place)
        os.unlink(place)
        flush_directory(os.path.dirname(place))

    def _write_list(self, entries: dict[str, Entry]) -> None:
        path = self.tree.path(LIST)
        if entries:
            write_file(path, format_list(entries), mode=0o640, uid=self.owner.uid, gid=self.owner.gid)
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def call(self, address: NodeAddress) -> None:
        """Make the calls that changes want, each once. Raises OtpError for one that fails, when the earlier files are back."""
        calls: list[tuple[Check, list[str]]] = []
        for file in self.files:
            if file.call and DUE in self.entries[file.path].words:
                paths = next((paths for call, paths in calls if call == file.call), None)
                if paths is None:
                    calls.append((file.call, paths := []))
                paths.append(file.path)
        for call, paths in calls:
            places = ", ".join(map(self.place, paths))
            what = name_of(call.module, call.function, call.arguments)
            self.changes.do(f"call {what} in the node, which reads {places} by it", self._call, address, call, paths)

    def _call(self, address: NodeAddress, call: Check, paths: list[str]) -> None:
        try:
            make_call(address, call)
        except OtpError as error:
            raise OtpError(f"otp_files (option own_files), {', '.join(paths)}: {str(error).rstrip('.')}. {self._go_back(address, call, paths)}") from error
        self._set_called(paths)

    def _set_called(self, paths: list[str]) -> None:
        for path in paths:
            self.entries[path].words -= {DUE}
        self._write_list(self.entries)

    def _go_back(self, address: NodeAddress, call: Check, paths: list[str]) -> str:
        """Put the earlier files back, and have the node read them. Return how it went, as a sentence."""
        back = [path for path in paths if self.place(path) in self.written]
        if not back:
            return "An earlier run has written it, so no earlier file can be put back. Correct the file or the node, and run it again: it calls again."
        for path in back:
            earlier = self.earlier[path]
            try:
                _put_back(self.place(path), earlier)
            except OSError as error:
                self._write_list(self.entries)
                return f"The earlier {self.place(path)} cannot be put back ({error.strerror}). Correct the file or the node, and run it again: it calls again."
            self.entries[path].sha256 = hashlib.sha256(earlier[0] if earlier else b"").hexdigest()
        self._write_list(self.entries)
        _send()
        try:
            make_call(address, call)
        except OtpError as error:
            return f"The earlier file is back, and the same call fails with it as well: {error}"
        self._set_called(paths)
        _send()
        return "The earlier file is back, and the node has read it by the same call."


def make_call(address: NodeAddress, call: Check) -> None:
    """Call the function in the node. Raises OtpError if it does not return what is expected."""
    what = name_of(call.module, call.function, call.arguments)
    with connect(address, timeout=TIMEOUT) as node:
        value = node.call(call.module, call.function, call.arguments, timeout=TIMEOUT)
    if call.expected is not None and not matches(call.expected, value):
        raise OtpError(f"{what} returned {shortened(value)}, and {shortened(call.expected)} was expected")


def _send() -> None:
    """Bring what was written in the copy of a box to the box."""
    if remote_host():
        remote_host().send()


def _content_problem(path: str) -> str:
    """Why the content of a file is not known, so that it can be neither compared nor kept; empty if it is known."""
    if remote_host():
        return str(remote_host().problem_of(path))
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK))
    except PermissionError:
        return "cannot be read by the user of the node on this host"
    return ""


def _content_of(path: str) -> tuple[bytes, os.stat_result] | None:
    content = read_file(path)
    return None if content is None else (content, os.stat(path))


def _put_back(path: str, earlier: tuple[bytes, os.stat_result] | None) -> None:
    if earlier is None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        return
    content, found = earlier
    # Only root can give it back to another user.
    uid, gid = (found.st_uid, found.st_gid) if os.geteuid() == 0 else (-1, -1)
    write_file(path, content, mode=stat.S_IMODE(found.st_mode), uid=uid, gid=gid)
