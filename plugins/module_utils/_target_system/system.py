# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A target system on its host: user, directories, package, configuration, scripts, cookie, service, node, in this order.

OTP Design Principles, "Creating and Upgrading a Target System"; Embedded Systems User's Guide.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._config.configure import Files, configure_release
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import as_owner
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import FileOptions, Owner, ensure_directory, ensure_file
from ansible_collections.erlang.otp.plugins.module_utils._formats.distribution_flags import distribution_of, kernel_parameters
from ansible_collections.erlang.otp.plugins.module_utils._formats.vm_args import words
from ansible_collections.erlang.otp.plugins.module_utils._install.foretell import sources_of
from ansible_collections.erlang.otp.plugins.module_utils._node.service import Service, ensure_service, epmd_unit, without_epmd
from ansible_collections.erlang.otp.plugins.module_utils._target_system import environment as _environment
from ansible_collections.erlang.otp.plugins.module_utils._target_system.node_state import NodeState
from ansible_collections.erlang.otp.plugins.module_utils._target_system.options import File, SystemOptions
from ansible_collections.erlang.otp.plugins.module_utils._target_system.release import Release, ensure_release
from ansible_collections.erlang.otp.plugins.module_utils._target_system.service_user import ensure_cookie, ensure_user
from ansible_collections.erlang.otp.plugins.module_utils._tree.mark import check_claim
from ansible_collections.erlang.otp.plugins.module_utils._tree.own_script import CONTROL, is_own, script_of, set_aside
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import pid_file
from ansible_collections.erlang.otp.plugins.module_utils._tree.root_directory import ensure_root_directory
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

if t.TYPE_CHECKING:
    from ansible_collections.erlang.otp.plugins.module_utils._target_system.own_files import OwnFiles


class System:
    """Brings a host to the options: ``apply`` runs the steps, each of which records in ``changes`` what it does."""

    is_image = False

    def __init__(self, options: SystemOptions, changes: Changes) -> None:
        self.options = options
        self.changes = changes
        self.tree = Tree(options.node.root, options.destdir)
        self.owner = Owner(-1, -1)
        self.release = Release()
        self.diff: list[dict[str, str]] = []
        self.warnings = [*options.warnings]
        self.service = options.node.service
        # Paths of files that this run writes, or would write in check mode.
        self.written: set[str] = set()
        self.node = NodeState(options, self.tree, changes, self.warnings)
        self.own_files: OwnFiles | None = None

    def apply(self) -> dict[str, t.Any]:
        """Run all steps and return the result.

        Raises PackageNeeded, before anything is changed, if the host needs the package and none is given; Held if a run is upgrading the system; OtpError.
        """
        with self.as_owner():
            if not self.is_image:
                check_claim(self.tree, self.options.claim)
            before = self.tree.start_erl_data()
            if self.options.tls:
                self.check_tls(self.options.tls)
            if self.options.package["package"] is None and not self.changes.check_mode:
                # What is missing is reported here, and not when the user is created or the node is stopped already.
                ensure_release(self.options, self.tree, self.owner, self.changes, is_image=self.is_image, only_check=True)
            if not self.is_image:
                self.node.check()
            self.check_own_files()
            if self.options.state == "stopped":
                # First, so that it never runs with half of the changes.
                self.stop_node()
        self.owner = self.ensure_owner()
        if self.tree.has():
            ensure_root_directory(self.tree, FileOptions(*self.owner), self.changes)
        with self.as_owner():
            self.release = ensure_release(self.options, self.tree, self.owner, self.changes, is_image=self.is_image)
        # Again, because the installation may have made the root directory.
        with self.as_owner():
            self.diff.extend(self.release.diff)
            if self.options.tls:
                self.warnings.extend(self.ensure_tls(self.options.tls))
            self.ensure_directories()
            self.configure()
            # Before bin/start, which reads it.
            self.write_environment()
            for file in self.options.files:
                if file.path == CONTROL:
                    self.write_control_script(file)
                else:
                    self.write(file)
            self.write_own_files()
            self.write_cookie()
            self.ensure_service()
            node = self.ensure_node()
        return {
            "before": before.release_version if before else None,
            "release": {"name": self.release.name, "version": self.release.version},
            "pending": self.release.pending,
            "node": {"name": self.options.node.name, **node},
            "at_boot": self.service.manager if self.service and self.service.at_boot else None,
        }

    def as_owner(self) -> t.ContextManager:
        """Work with the rights of the owner of the root directory. What root does asks for it by itself: accounts, services, directories elsewhere."""
        return as_owner(self.tree.root, self.tree.destdir)

    def stop_node(self) -> None:
        """Stop the node."""
        self.node.stop()

    def ensure_owner(self) -> Owner:
        """The service user and its group, created if they are missing."""
        node = self.options.node
        return ensure_user(node.user, self.options.group, node.home, manage=self.options.manage_user, changes=self.changes, root=self.tree.root)

    def ensure_directories(self) -> None:
        """Home, logs, pid file and pipes; $ROOT/run is a link if otp_run_dir is another directory."""
        options = self.options
        modes = {options.node.home: 0o750, options.node.log_directory: 0o750, options.run_directory: 0o755, options.pipe_directory: 0o700}
        for path, mode in modes.items():
            ensure_directory(options.path(path), mode=mode, owner=self.owner, changes=self.changes)
        if options.run_directory == os.path.dirname(pid_file(self.tree.root)):
            return
        path = os.path.dirname(pid_file(self.tree.directory))
        if os.path.isdir(path) and not os.path.islink(path):
            raise OtpError(f"{path} is a directory, and otp_run_dir is {options.run_directory}: stop the node and remove {path} first.")
        target = self.link_target(options.run_directory)
        if not os.path.islink(path) or os.readlink(path) != target:
            self.changes.do(f"link {path} to {options.run_directory}", link, target, path, self.owner)

    def check_tls(self, tls: t.Mapping[str, str]) -> None:
        """Raise OtpError for files that do not fit together, and for a package that is known to lack ssl."""
        # Lazy, for start-up time, and for hosts whose Python has no ssl.
        from ansible_collections.erlang.otp.plugins.module_utils._target_system import tls_files as _tls_files

        _tls_files.check(tls, self.options.node.name, self.tree)
        coming = self.options.package["release"] or {}
        _tls_files.check_release(self.tree, str(coming.get("version")), coming.get("applications") or ())

    def ensure_tls(self, tls: t.Mapping[str, str]) -> list[str]:
        """The files of the distribution over TLS. Returns warnings."""
        from ansible_collections.erlang.otp.plugins.module_utils._target_system import tls_files as _tls_files

        applications = (self.options.package["release"] or {}).get("applications") or ()
        _tls_files.check_release(self.tree, self.release.version or "", applications)
        return _tls_files.ensure_tls(tls, self.options.node, self.tree, self.owner, self.changes)

    def is_foretold(self) -> bool:
        """Whether this is check mode, and the release is not there yet."""
        return self.changes.check_mode and not os.path.isdir(self.tree.path("releases", self.release.version or "-"))

    def link_target(self, directory: str) -> str:
        """What a link to the directory of the host has in it."""
        return directory

    def configure(self) -> None:
        """sys.config and vm.args of the release."""
        directory, sources = self.tree.path("releases", self.release.version or "-"), None
        if self.is_foretold():
            sources = sources_of(self.options.package["release"])
            if sources is None:
                self.changes.actions.append("configure the release")
                return
        owner, keep, options = self.owner, self.node.previous.keep, self.options.configuration
        result = configure_release(directory=directory, sources=sources, uid=owner.uid, gid=owner.gid, keep=keep, changes=self.changes, **options)
        self.diff.extend(result["diff"])
        self.written.update(path for path in (result["sys_config"], result["vm_args"]) if f"write {path}" in self.changes.actions)
        self.warnings.extend(result["warnings"])

    def write_environment(self) -> None:
        """The environment of the node. The diff has no value of a secret, nor of a variable that is gone, which may have been one."""
        plain = self.options.node.environment
        content = _environment.format_environment({**plain, **self.options.environment_secrets})
        before = self.write(File(_environment.ENVIRONMENT, content, _environment.MODE, secret=True))
        path, shown = self.tree.path(_environment.ENVIRONMENT), plain.keys() - self.options.environment_secrets.keys()
        old, new = (_environment.without_secrets(text, shown) for text in (before or "", content))
        if before is not None and old != new:
            self.diff.append({"before_header": path, "after_header": path, "before": old, "after": new})

    def write(self, file: File) -> str | None:
        """A script or another file of the system. A secret one is not in the diff. Returns the old content if it was different, else None."""
        path = self.tree.path(file.path)
        # bin is there after an installation, and in check mode it may not be there yet.
        if self.tree.has() and os.path.dirname(file.path) != "bin":
            ensure_directory(os.path.dirname(path), mode=0o755, owner=self.owner, changes=self.changes)
        content = file.content.encode("utf-8")
        sentence, keep = f"write {path}", self.node.previous.keep
        before = ensure_file(path, content, mode=file.mode, owner=self.owner, sentence=sentence, changes=self.changes, keep=keep)
        if before is None:
            return None
        self.written.add(path)
        text = before.decode("utf-8", "replace")
        if not file.secret:
            self.diff.append({"before_header": path, "after_header": path, "before": text, "after": file.content})
        return text

    def write_control_script(self, file: File) -> None:
        """bin/NAME of the release, in the place of that of relx or mix."""
        path = script_of(self.release.name or "")
        if path is not None:
            # Where our script is, the installation has kept those of the package.
            coming = (self.options.package["release"] or {}).get("scripts") if self.is_foretold() and not is_own(self.tree, path) else None
            self.warnings.extend(set_aside(self.tree, path, self.changes, FileOptions(*self.owner), coming=coming))
            self.write(file._replace(path=path))

    def check_own_files(self) -> None:
        """Raise OtpError, before anything is changed, for a file of otp_files whose place leads elsewhere."""
        if self.options.own_files or self.tree.has("releases", "own_files"):
            # Lazy, for start-up time: few systems have any.
            from ansible_collections.erlang.otp.plugins.module_utils._target_system.own_files import OwnFiles

            run_directory = self.options.path(self.options.run_directory) if self.is_image else ""
            self.own_files = OwnFiles(self.options.own_files, self.tree, self.changes, self.node.previous.keep, run_directory)
            self.own_files.check_places()

    def write_own_files(self) -> None:
        """The operator's files."""
        if self.own_files is not None:
            self.own_files.write(self.owner, None if self.is_image else self.node.find_pid())
            self.diff.extend(self.own_files.diff)
            self.warnings.extend(self.own_files.warnings)
            self.written |= self.own_files.written & {*self.own_files.restarts}
            self.node.reads = self.own_files.restarts

    def write_cookie(self) -> None:
        """The cookie file of the service user. A running node gets the cookie first."""
        path, cookie = self.options.path(self.options.node.cookie_file), self.options.cookie
        if cookie is None:
            return
        is_known = self.node.rotate_cookie(cookie)
        if ensure_cookie(path, cookie, owner=self.owner, changes=self.changes) and not is_known:
            self.written.add(path)

    def ensure_service(self) -> None:
        """The unit or the init script that starts the node when the host boots."""
        service = self.service_of_release()
        if service is not None:
            self.diff.extend(ensure_service(service, self.changes))

    def service_of_release(self) -> Service | None:
        """The service, without EPMD if the node does not need it by the configuration of the release."""
        service, directory = self.options.node.service, self.tree.path("releases", self.release.version or "-")
        if service is None or not epmd_unit(service):
            return service
        files = sources_of(self.options.package["release"]) or {} if self.is_foretold() else Files(directory)
        found = distribution_of(words(files.get("vm.args") or b""), lambda _paths: kernel_parameters(files.get("sys.config") or b""))
        return service if found.has_epmd else without_epmd(service)

    def ensure_node(self) -> dict[str, t.Any]:
        """The node in its state; returns that state."""
        state = self.node.ensure(self.written)
        # A node that has another name or cookie until it is restarted reads the files then.
        is_lost = self.options.node.name and "status" not in state and state.get("outdated")
        if self.own_files is not None and state["running"] and not is_lost:
            self.own_files.call(self.node.address())
        if self.node.actions:
            headers = {"before_header": "node", "after_header": "node"}
            self.diff.append({**headers, "before": "", "after": "".join(f"{sentence}\n" for sentence in self.node.actions)})
        return state


def link(target: str, path: str, owner: Owner) -> None:
    """Make the link, in place of another one."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    os.symlink(target, path)
    os.lchown(path, *owner)
