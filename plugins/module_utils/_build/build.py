# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A build: the release package that the options describe, compared with the one in the output directory, and made where it differs.

The chapter is "Creating and Upgrading a Target System" of OTP's System Principles.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._build.applications import CodePath, describe_included
from ansible_collections.erlang.otp.plugins.module_utils._build.assemble import Assembler, PackageFile, end_fragment, strippable
from ansible_collections.erlang.otp.plugins.module_utils._build.boot_scripts import BootScripts, SystoolsError
from ansible_collections.erlang.otp.plugins.module_utils._build.build_record import BuildRecord, read_record, write_record
from ansible_collections.erlang.otp.plugins.module_utils._build.cache import Cache, default_directory
from ansible_collections.erlang.otp.plugins.module_utils._build.inputs import Options, Sources, read_sources
from ansible_collections.erlang.otp.plugins.module_utils._build.native_code import native_code, notes, strip_native
from ansible_collections.erlang.otp.plugins.module_utils._build.once import refuse_other_content
from ansible_collections.erlang.otp.plugins.module_utils._build.other_checkout import note, other_bytes, with_bytes
from ansible_collections.erlang.otp.plugins.module_utils._build.otp import find_otp
from ansible_collections.erlang.otp.plugins.module_utils._build.outputs import Outputs, sha256_of
from ansible_collections.erlang.otp.plugins.module_utils._build.package_members import Group, make_plan, scripted_groups
from ansible_collections.erlang.otp.plugins.module_utils._build.script_step import ScriptStep
from ansible_collections.erlang.otp.plugins.module_utils._build.systools import KEPT, Diagnostic
from ansible_collections.erlang.otp.plugins.module_utils._build.upgrades import describe_upgrade_paths, made_from
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.checksum import sha256
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file
from ansible_collections.erlang.otp.plugins.module_utils._formats.gzip_writer import Fragment
from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import Release, parse_rel
from ansible_collections.erlang.otp.plugins.module_utils._formats.tar_writer import PackageMember
from ansible_collections.erlang.otp.plugins.module_utils._package.contents import read_digests

# All files of a package have the same time, so that the same content gives the same bytes: that of SOURCE_DATE_EPOCH, else this
# (1980-01-01, the first day that every archive format can express).
EPOCH = 315532800
WAY_OUT = "If no system has the earlier one, remove that package, or set replace."


def build_release(options: Options, changes: Changes) -> dict[str, t.Any]:
    """Make the package and its .rel, .boot, .script and relup in the output directory. Returns what the module returns.

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

    rlx_assemble and rlx_tar of relx do the same.
    """

    def __init__(self, options: Options, sources: Sources, changes: Changes) -> None:
        self.options = options
        self.sources = sources
        self.changes = changes
        self.cache = Cache(options.cache_dir or default_directory(), writable=not changes.check_mode)
        strip = repr((sources.otp.otp_version, KEPT, options.strip_keep)) if options.strip else ""
        self.assembler = Assembler(cache=self.cache, mtime=_mtime(), strip=strip)
        self.plan = make_plan(options, sources)
        self.package = self._output(".tar.gz")
        self.record_path = os.path.join(options.output_dir, f".{sources.stem}.build.json")
        self.base = _base_package(options.base)
        self.sha256 = sha256_of(self.package)
        # Of libraries whose bytes are those of an earlier package: files by path, by directory; and the warnings about them.
        self.taken: dict[str, dict[str, str]] = {}
        self.notes: list[Diagnostic] = []
        self.stack = contextlib.ExitStack()
        # The stripped file for the path of each file that this run has stripped.
        self.stripped: dict[str, str] = {}
        self.scripts = ScriptStep(options, sources, self.cache, self.stack)
        self.outputs = Outputs(options.output_dir, changes, self.stack, self.scripts.work_directory)

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
            "digests": state.digests,
            "relup": list(state.relup),
            "made_from": state.made_from,
            "thin": state.thin,
            "appups": [
                {
                    "application": found.name,
                    "version": found.version,
                    "path": self._appup(found.name),
                    "remarks": self.sources.upgrades.made[found.name].remarks,
                }
                for found in self.sources.found
                if found.made_appup is not None
            ],
            "diagnostics": [warning._asdict() for warning in state.warnings],
            "diff": {"before": before, "after": after, "before_header": self.package, "after_header": self.package},
        }

    def _update(self, state: BuildRecord) -> BuildRecord:
        """Bring the outputs up to date. ``state``: the record of the earlier run. Returns the new one."""
        options, script = self.options, self.options.script
        key = "" if script.exref else self.scripts.key("")
        if key and key != state.scripts_key and not options.strip and not self.cache.has(key):
            # erl takes longest: it runs while the applications are read and compressed.
            self.scripts.start()
        keys = self.assembler.find_keys(self.plan.all_groups(), state.keys)
        key = key or self.scripts.key(repr(keys))
        inputs = self._fingerprint(key, keys)
        if inputs == state.inputs and self._is_there(state):
            return state
        groups = self.plan.all_groups() if options.strip else []
        missing = [group for group in groups if self.assembler.lacks(keys[group.name])]
        scripts = self.scripts.scripts(key, [path for group in missing for path in strippable(group)])
        self._strip_native(missing)
        unstripped = [warning for group in groups for warning in notes(native_code(group))]
        included = [Diagnostic("included", *about) for about in describe_included(options.applications, self.sources.release, self.sources.found)]
        warnings = (*self._explained(scripts.warnings), *self.scripts.notes(), *self._about_appups(), *included, *unstripped)
        self.made_from = made_from(self.sources.upgrades) if scripts.relup else {}
        outputs, digests, thin = self._keep(scripts, keys, state.outputs)
        self.cache.tidy()
        relup = describe_upgrade_paths(self.sources.upgrades, self.sources.release, scripts.relup) if scripts.relup else []
        state = BuildRecord(inputs, key, tuple(keys.values()), outputs, (*warnings, *self.notes), tuple(relup), thin, digests, self.made_from)
        if not self.changes.check_mode:
            write_record(self.record_path, state)
        return state

    def _strip_native(self, groups: t.Iterable[Group]) -> None:
        self.stripped = self.scripts.stripped or {}
        paths = [path for group in groups for path in native_code(group)]
        if paths:
            self.stripped = {**self.stripped, **strip_native(paths, self.scripts.work_directory())}

    def _fingerprint(self, key: str, keys: dict[str, str]) -> str:
        """A digest of all that the outputs depend on."""
        archives = [(name, [group.name for group in groups]) for name, groups in self.plan.variables.items()]
        inputs = (
            key,
            keys,
            archives,
            self.options.var_tar,
            self.options.applications,
            sorted(self.sources.files.items()),
            _mtime(),
            self.base and sha256(self.base),
        )
        return hashlib.sha256(repr(inputs).encode()).hexdigest()

    def _appup(self, application: str) -> str:
        """Where an appup that was made is kept for review."""
        return self._output(f".appups/{application}.appup")

    def _explained(self, warnings: list[Diagnostic]) -> list[Diagnostic]:
        script = self.options.script
        if not script.exref:
            return warnings
        from ansible_collections.erlang.otp.plugins.module_utils._build.undefined_calls import KIND, explained, looked_at

        code_path, callers = CodePath(self.options.code_path, self.sources.otp), looked_at(script.exref, self.sources.found)
        warnings = [explained(warning, callers, code_path) for warning in warnings]
        refused = [warning for warning in warnings if warning.kind == KIND and script.warnings_as_errors]
        if refused:
            raise SystoolsError(refused[0].sentence, refused)
        return warnings

    def _about_appups(self) -> t.Iterator[Diagnostic]:
        for found in self.sources.found:
            if found.made_appup is not None:
                review = f"Review {self._appup(found.name)}, and keep it with the source."
                sentences = [
                    f"{found.name} {found.version} has no appup: one was made from compiled code.",
                    review,
                    *self.sources.upgrades.made[found.name].remarks,
                ]
                yield Diagnostic("made_appup", found.name, " ".join(sentences))

    def _is_there(self, state: BuildRecord) -> bool:
        """Whether all outputs are as the earlier run wrote them."""
        for name, digest in state.outputs.items():
            path = os.path.join(self.options.output_dir, name)
            if (self.sha256 if path == self.package else sha256_of(path)) != digest:
                return False
        if not self.sha256:
            return False
        self.written = PackageFile(self.package, self.sha256, os.path.getsize(self.package))
        return True

    def _keep(self, scripts: BootScripts, keys: dict[str, str], earlier: dict[str, str]) -> tuple[dict[str, str], dict[str, str], dict[str, t.Any] | None]:
        """Put the outputs in place where they differ. Returns their SHA-256 by name, as ``earlier``, the digests of the content, and the thin package."""
        archives = {name: self._variable_archive(name, groups, keys) for name, groups in self.plan.variables.items()}
        included = archives if self.options.var_tar == "include" else {}
        files: dict[str, bytes | PackageFile] = {
            self._output(".rel"): self.sources.rel,
            self._output(".boot"): scripts.boot,
            self._output(".script"): scripts.script,
        }
        if scripts.relup:
            files[self.outputs.path("relup")] = scripts.relup
        files.update({self._appup(found.name): found.made_appup for found in self.sources.found if found.made_appup is not None})
        if self.options.var_tar == "ownfile":
            files.update({self.outputs.path(name + ".tar.gz"): archive for name, archive in archives.items()})
        self._write(self._fragments(scripts, keys, included))
        if self._take_earlier_bytes():
            self._write(self._fragments(scripts, keys, included))
        digests = read_digests(self.written.path)
        if self.sha256 not in (None, self.written.sha256) and not self.options.replace:
            refuse_other_content(self.sources.release.name, self.sources.release.version, digests, self.package, way_out=WAY_OUT)
        thin = None
        if self.base:
            from ansible_collections.erlang.otp.plugins.module_utils._build.thin import make_thin

            path = self._output("-thin.tar.gz")
            beside = self.outputs.beside(os.path.basename(path))
            thin_package = make_thin(self.written.path, self.sources.release, self.base, beside, mtime=_mtime())
            files[path] = thin_package.written
            thin = thin_package.describe(path)
        self.outputs.remove_others([*files, self.package], earlier)
        outputs = {os.path.relpath(path, self.options.output_dir): self.outputs.put(path, content, f"write {path}") for path, content in files.items()}
        outputs[os.path.basename(self.package)] = self.outputs.put(self.package, self.written, f"make the release package {self.package}")
        return outputs, digests, thin

    def _take_earlier_bytes(self) -> bool:
        """Find libraries that an earlier package of this release, or the base, has from another checkout. Returns whether there are any."""
        # The same bytes have been made before, or this is asked for.
        is_new = self.sha256 in (None, self.written.sha256) or self.options.replace
        for number, package in enumerate(([] if is_new else [self.package]) + ([self.base] if self.base else [])):
            # One that is damaged may be replaced.
            with contextlib.suppress(OtpError):
                aside = os.path.join(self.scripts.work_directory(), f"taken{number}")
                for directory, taken in other_bytes(self.written.path, package, aside).items():
                    if directory not in self.taken:
                        self.taken[directory] = taken
                        self.notes.append(note(directory, package))
        return bool(self.taken)

    def _write(self, fragments: t.Iterable[Fragment]) -> None:
        """Write the package beside its place, in check mode elsewhere."""
        self.written = self.outputs.write(os.path.basename(self.package), fragments)

    def _fragments(self, scripts: BootScripts, keys: dict[str, str], archives: dict[str, PackageFile]) -> t.Iterator[Fragment]:
        """The package's fragments, in the order of its members."""
        for group in scripted_groups(self.sources, scripts, self.made_from):
            yield self.assembler.fragment(group)
        for group in self.plan.groups:
            yield self._fragment(group, keys)
        for name, archive in archives.items():
            yield self.assembler.fragment(Group(name, [PackageMember(name + ".tar.gz", source=archive.path)]))
        yield end_fragment()

    def _variable_archive(self, name: str, groups: list[Group], keys: dict[str, str]) -> PackageFile:
        return self.outputs.write(name + ".tar.gz", itertools.chain((self._fragment(group, keys) for group in groups), [end_fragment()]))

    def _fragment(self, group: Group, keys: dict[str, str]) -> Fragment:
        if group.name in self.taken:
            return self.assembler.fragment(with_bytes(group, self.taken[group.name]))
        return self.assembler.fragment(group, keys[group.name], self.stripped)


def _base_package(path: str | None) -> str:
    """The path of the full package that option base names, "" without the option."""
    if path is None:
        return ""
    from ansible_collections.erlang.otp.plugins.module_utils._build.thin import base_package

    return base_package(path)


def _mtime() -> int:
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    return int(given) if given.isdigit() else EPOCH


def _describe(release: Release | None, relup: t.Iterable[dict[str, t.Any]], digest: str | None) -> str:
    """The release as lines, for the diff."""
    if release is None:
        return ""
    lines = [f"release {release.name} {release.version}", f"erts {release.erts_version}"]
    lines += [f"{listed.name} {listed.version}" for listed in release.applications]
    lines += [f"relup {path['direction']} from {path['from']} to {path['to']}, restarts: {path['restarts']}" for path in relup]
    return "\n".join([*lines, f"sha256 {digest}", ""])


def _read_release(path: str) -> Release | None:
    """The release of an earlier run, as far as its .rel file can be read."""
    content = read_file(path)
    try:
        return None if content is None else parse_rel(content, filename=path)
    except OtpError:
        return None
