# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release package as it should be, against the one that is there."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._formats.tar_writer import PackageMember
from ansible_collections.erlang.otp.plugins.module_utils._build.build_record import BuildRecord, read_record, write_record
from ansible_collections.erlang.otp.plugins.module_utils._build.plan import make_plan, scripted_groups
from ansible_collections.erlang.otp.plugins.module_utils._build.assemble import (
    Assembler,
    PackageFile,
    describe_package,
    end_fragment,
    sha256_of,
    strippable,
    write_package,
)
from ansible_collections.erlang.otp.plugins.module_utils._build.boot_scripts import BootScripts, ScriptRun, SystoolsError, scripts_key
from ansible_collections.erlang.otp.plugins.module_utils._build.cache import Cache, default_directory
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import flush_directory, read_file, write_file
from ansible_collections.erlang.otp.plugins.module_utils._formats.gzip_writer import Fragment, gzip_parts
from ansible_collections.erlang.otp.plugins.module_utils._build.package_members import (
    Group,
    application_group,
    bin_group,
    check_machines,
    check_names,
    erts_group,
    extra_group,
    log_group,
    place,
    release_group,
)
from ansible_collections.erlang.otp.plugins.module_utils._build.otp import find_otp
from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import Release, parse_rel
from ansible_collections.erlang.otp.plugins.module_utils._build.inputs import Options, Sources, read_sources
from ansible_collections.erlang.otp.plugins.module_utils._build.systools import Diagnostic
from ansible_collections.erlang.otp.plugins.module_utils._build.upgrades import Layout, describe_upgrade_paths, lay_out

# Files of a package have one time, so that the same content gives the same bytes: that of SOURCE_DATE_EPOCH, else this
# (1980-01-01, the first day that every archive format can say).
EPOCH = 315532800


def build_release(options: Options, changes: Changes) -> dict[str, t.Any]:
    """Have the package and its .rel, .boot, .script and relup in the output directory. Returns what the module returns.

    In check mode all is made but not kept. Raises OtpError; the earlier package is whole then.
    """
    sources = read_sources(options, find_otp(options.otp_root))
    try:
        return ReleaseBuild(options, sources, changes).run()
    except OSError as error:
        where = error.filename or options.output_dir
        raise OtpError(f"{where}: {error.strerror}. The package in {options.output_dir}, if there was one, is as it was.") from error


class ReleaseBuild:
    """One build, in this order: inputs, plan, boot scripts, fragments, package, thin package; then the outputs are put in place.

    As relx's rlx_assemble and rlx_tar do; the chapter is "Creating and Upgrading a Target System".
    """

    def __init__(self, options: Options, sources: Sources, changes: Changes) -> None:
        self.options = options
        self.sources = sources
        self.changes = changes
        self.cache = Cache(options.cache_dir or default_directory(), writable=not changes.check_mode)
        strip = repr((sources.otp.otp_version, options.strip_keep)) if options.strip else ""
        self.assembler = Assembler(cache=self.cache, mtime=_mtime(), strip=strip)
        self.plan = make_plan(options, sources)
        self.package = self._output(".tar.gz")
        self.record_path = os.path.join(options.output_dir, f".{sources.stem}.build.json")
        self.base = _base_package(options.base)
        self.sha256 = sha256_of(self.package)
        self.erl: ScriptRun | None = None
        self.stack = contextlib.ExitStack()
        self._directory = ""
        self._layout: Layout | None = None

    def _output(self, suffix: str) -> str:
        return os.path.join(self.options.output_dir, self.sources.stem + suffix)

    def run(self) -> dict[str, t.Any]:
        state = read_record(self.record_path)
        before = _describe(_read_release(self._output(".rel")), state.relup, self.sha256)
        with self.stack:
            state = self._update(state)
        written = self.written
        after = _describe(self.sources.release, state.relup, written.sha256)
        return {
            "changed": self.changes.changed,
            "actions": self.changes.actions,
            "package": self.package,
            "sha256": written.sha256,
            "size": written.size,
            "name": self.sources.release.name,
            "version": self.sources.release.version,
            "erts_version": self.sources.release.erts_version,
            "applications": [{"name": found.name, "version": found.version, "directory": found.directory} for found in self.sources.found],
            "relup": list(state.relup),
            "thin": state.thin,
            "diagnostics": [warning._asdict() for warning in state.warnings],
            "diff": {"before": before, "after": after, "before_header": self.package, "after_header": self.package},
        }

    def _update(self, state: BuildRecord) -> BuildRecord:
        """Bring the outputs, which the state tells of, up to date; their state then."""
        options, script = self.options, self.options.script
        key = "" if script.exref else self._scripts_key("")
        if key and key != state.scripts_key and not options.strip and not self.cache.has(key):
            # erl is the slowest: it works while the applications are read and compressed.
            self._start_erl([])
        keys = self.assembler.find_keys(self.plan.all_groups(), state.keys)
        key = key or self._scripts_key(repr(keys))
        inputs = self._fingerprint(key, keys)
        if inputs == state.inputs and self._is_there(state):
            return state
        scripts = self._scripts(key, keys)
        warnings = (*scripts.warnings, *self._notes())
        outputs, thin = self._keep(scripts, keys, state.outputs)
        self.cache.tidy()
        relup = describe_upgrade_paths(self.sources.upgrades, self.sources.release, scripts.relup) if scripts.relup else []
        state = BuildRecord(inputs, key, tuple(keys.values()), outputs, warnings, tuple(relup), thin)
        if not self.changes.check_mode:
            write_record(self.record_path, state)
        return state

    def _scripts_key(self, content: str) -> str:
        return scripts_key(self.sources, self.options.script, content, restart_emulator=self.options.restart_emulator)

    def _notes(self) -> list[Diagnostic]:
        """What there is to say of the earlier releases. Raises SystoolsError where warnings are errors."""
        layout = self._lay_out()
        notes = [*self.sources.upgrades.notes, *(layout.notes if layout else [])]
        if notes and self.options.script.warnings_as_errors:
            raise SystoolsError(" ".join(note.sentence for note in notes), notes)
        return notes

    def _fingerprint(self, key: str, keys: dict[str, str]) -> str:
        """Of all that the outputs depend on."""
        archives = [(name, [group.name for group in groups]) for name, groups in self.plan.variables.items()]
        inputs = (key, keys, archives, self.options.var_tar, sorted(self.sources.files.items()), _mtime(), self.base and sha256_of(self.base))
        return hashlib.sha256(repr(inputs).encode()).hexdigest()

    def _is_there(self, state: BuildRecord) -> bool:
        """Whether all outputs are as they were written."""
        for name, sha256 in state.outputs.items():
            path = os.path.join(self.options.output_dir, name)
            if (self.sha256 if path == self.package else sha256_of(path)) != sha256:
                return False
        if not self.sha256:
            return False
        self.written = PackageFile(self.package, self.sha256, os.path.getsize(self.package))
        return True

    def _work_directory(self) -> str:
        if not self._directory:
            import tempfile

            self._directory = self.stack.enter_context(tempfile.TemporaryDirectory(prefix="erlang-otp-"))
        return self._directory

    def _lay_out(self) -> Layout | None:
        """The earlier releases, in the work directory."""
        if self._layout is None and self.sources.upgrades.releases:
            self._layout = lay_out(self.sources.upgrades, self.sources.found, self._work_directory())
        return self._layout

    def _start_erl(self, strip: t.Sequence[str]) -> ScriptRun:
        options = self.options
        self.erl = ScriptRun(
            self.sources,
            options.script,
            self._work_directory(),
            layout=self._lay_out(),
            restart_emulator=options.restart_emulator,
            strip=strip,
            keep=options.strip_keep,
        )
        self.stack.callback(self.erl.stop)
        return self.erl

    def _scripts(self, key: str, keys: dict[str, str]) -> BootScripts:
        """The boot scripts; by the same run of erl the BEAM files are stripped that have to be."""
        to_strip = []
        if self.options.strip:
            to_strip = [path for group in self.plan.all_groups() if self.assembler.lacks(keys[group.name]) for path in strippable(group)]
        packed = None if self.erl or to_strip else self.cache.get(key)
        if packed is not None:
            return BootScripts.unpack(packed)
        scripts = (self.erl or self._start_erl(to_strip)).scripts()
        self.cache.put(key, scripts.pack())
        return scripts

    def _keep(self, scripts: BootScripts, keys: dict[str, str], earlier: dict[str, str]) -> tuple[dict[str, str], dict[str, t.Any] | None]:
        """Put the outputs in place where they are not what they should be; their SHA-256 by name, as ``earlier`` has it, and the thin package."""
        archives = {name: self._variable_archive(groups, keys) for name, groups in self.plan.variables.items()}
        included = archives if self.options.var_tar == "include" else {}
        fragments = self._fragments(scripts, keys, included)
        files = {self._output(".rel"): self.sources.rel, self._output(".boot"): scripts.boot, self._output(".script"): scripts.script}
        if scripts.relup:
            files[os.path.join(self.options.output_dir, "relup")] = scripts.relup
        if self.options.var_tar == "ownfile":
            files.update({os.path.join(self.options.output_dir, name + ".tar.gz"): content for name, content in archives.items()})
        self._write(fragments)
        thin = self._thin(files) if self.base else None
        self._remove_others([*files, self.package], earlier)
        for path, content in files.items():
            if read_file(path) != content:
                self.changes.do(f"write {path}", write_file, path, content)
        if self.sha256 != self.written.sha256:
            self.changes.do(f"make the release package {self.package}", self._put_package)
        digests = {os.path.basename(path): hashlib.sha256(content).hexdigest() for path, content in files.items()}
        return {**digests, os.path.basename(self.package): self.written.sha256}, thin

    def _remove_others(self, outputs: list[str], earlier: dict[str, str]) -> None:
        """What an earlier run made of this release, and this one does not: a relup, a thin package."""
        for path in sorted({os.path.join(self.options.output_dir, name) for name in earlier} - {*outputs}):
            if sha256_of(path) == earlier[os.path.basename(path)]:
                self.changes.do(f"remove {path}", os.unlink, path)

    def _write(self, fragments: t.Iterable[Fragment]) -> None:
        """The package, beside its place; in check mode only as far as it is needed."""
        beside = os.path.join(self.options.output_dir, f".{self.sources.stem}.tar.gz.{os.getpid()}.new")
        if self.changes.check_mode:
            if not self.base:
                self.written = describe_package(self.package, fragments)
                return
            beside = os.path.join(self._work_directory(), "package.tar.gz")
        else:
            os.makedirs(self.options.output_dir, exist_ok=True)
        self.written = write_package(beside, fragments)
        self.stack.callback(_remove, beside)

    def _thin(self, files: dict[str, bytes]) -> dict[str, t.Any]:
        """Add the thin package to the files; what the module returns of it."""
        from ansible_collections.erlang.otp.plugins.module_utils._build.thin import make_thin

        path = self._output("-thin.tar.gz")
        thin = make_thin(self.written.path, self.sources.release, self.base, mtime=_mtime())
        files[path] = thin.content
        base = {"name": thin.base.name, "version": thin.base.version, "sha256": thin.base.sha256}
        return {
            "package": path,
            "sha256": hashlib.sha256(thin.content).hexdigest(),
            "size": len(thin.content),
            "base": base,
            "without": sorted(thin.base.directories),
        }

    def _put_package(self) -> None:
        os.replace(self.written.path, self.package)
        flush_directory(self.options.output_dir)

    def _fragments(self, scripts: BootScripts, keys: dict[str, str], archives: dict[str, bytes]) -> t.Iterator[Fragment]:
        """The package's fragments, in the order of its members."""
        for group in scripted_groups(self.sources, scripts):
            yield self.assembler.fragment(group)
        for group in self.plan.groups:
            yield self._fragment(group, keys)
        for name, content in archives.items():
            yield self.assembler.fragment(Group(name, [PackageMember(name + ".tar.gz", content=content)]))
        yield end_fragment()

    def _variable_archive(self, groups: list[Group], keys: dict[str, str]) -> bytes:
        return b"".join(gzip_parts([*(self._fragment(group, keys) for group in groups), end_fragment()]))

    def _fragment(self, group: Group, keys: dict[str, str]) -> Fragment:
        return self.assembler.fragment(group, keys[group.name], self.erl.stripped if self.erl else None)


def _base_package(path: str | None) -> str:
    """Of option base: the path of the full package, "" for none. Most builds have none, and do without what makes a thin one."""
    if path is None:
        return ""
    from ansible_collections.erlang.otp.plugins.module_utils._build.thin import base_package

    return base_package(path)


def _mtime() -> int:
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    return int(given) if given.isdigit() else EPOCH


def _describe(release: Release | None, relup: t.Iterable[dict[str, t.Any]], sha256: str | None) -> str:
    """The release as lines, for the diff."""
    if release is None:
        return ""
    lines = [f"release {release.name} {release.version}", f"erts {release.erts_version}"]
    lines += [f"{listed.name} {listed.version}" for listed in release.applications]
    lines += [f"relup {path['direction']} from {path['from']} to {path['to']}, restarts: {path['restarts']}" for path in relup]
    return "\n".join([*lines, f"sha256 {sha256}", ""])


def _read_release(path: str) -> Release | None:
    """The release of an earlier run, as far as its .rel file can be read."""
    content = read_file(path)
    try:
        return None if content is None else parse_rel(content, filename=path)
    except OtpError:
        return None


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)
