# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes into a release package, from the user's options: the release, its applications, the files of its release directory."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._build.applications import CodePath, Found, RequestedApplication, applications_of, close_over
from ansible_collections.erlang.otp.plugins.module_utils._build.earlier_release import Search
from ansible_collections.erlang.otp.plugins.module_utils._build.otp import Otp, read_otp
from ansible_collections.erlang.otp.plugins.module_utils._build.systools import ScriptOptions
from ansible_collections.erlang.otp.plugins.module_utils._build.upgrades import GivenRelup, Upgrades, read_upgrades
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.options import named
from ansible_collections.erlang.otp.plugins.module_utils._core.reading import is_directory_name
from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import Release, format_rel, parse_rel
from ansible_collections.erlang.otp.plugins.module_utils._formats.sys_config import parse_sys_config
from ansible_collections.erlang.otp.plugins.module_utils._tree.names import check_bootable


class Options(t.NamedTuple):
    """The options of otp_release_build, by the same names."""

    output_dir: str
    rel: str | None = None
    name: str | None = None
    version: str | None = None
    applications: tuple[RequestedApplication, ...] = ()
    file_name: str | None = None
    code_path: tuple[str, ...] = ()
    otp_root: str | None = None
    erts: str = "true"
    sys_config: str | None = None
    sys_config_src: str | None = None
    vm_args: str | None = None
    vm_args_src: str | None = None
    include: tuple[str, ...] = ()
    strip: bool = False
    strip_keep: tuple[str, ...] = ()
    script: ScriptOptions = ScriptOptions()
    var_tar: str = "include"
    extra_files: tuple[tuple[str, str], ...] = ()
    upgrade_from: tuple[str, ...] = ()
    upgrade_between: t.Mapping[str, t.Sequence[str]] = {}
    downgrade_to: tuple[str, ...] = ()
    upgrade_path: tuple[str, ...] = ()
    appup: str = "require"
    restart_emulator: bool = False
    relup: str | None = None
    base: str | None = None
    replace: bool = False
    cache_dir: str | None = None


class Sources(t.NamedTuple):
    """All that a package is made from, but for the content of the applications."""

    otp: Otp
    erts: Otp | None
    release: Release
    rel: bytes
    stem: str
    found: list[Found]
    files: dict[str, bytes]
    upgrades: Upgrades = Upgrades()

    @property
    def plain_rel(self) -> bytes:
        """The same release with kernel and stdlib alone: what bin/erl starts."""
        applications = tuple(listed for listed in self.release.applications if listed.name in ("kernel", "stdlib"))
        return format_rel(self.release._replace(applications=applications))


def read_sources(options: Options, otp: Otp) -> Sources:
    """Read and check what the options name. Raises OtpError."""
    _check_chunks(options.strip_keep)
    if options.script.exref:
        from ansible_collections.erlang.otp.plugins.module_utils._build.undefined_calls import check_exref

        check_exref(otp)
    code_path = CodePath(options.code_path, otp)
    if options.rel is not None:
        rel = _read(options.rel, "rel")
        release = parse_rel(rel, filename=options.rel)
        stem = os.path.basename(options.rel)
        stem = stem[: -len(".rel")] if stem.endswith(".rel") else stem
    else:
        closed = close_over(options.applications, code_path)
        release = Release(options.name or "", options.version or "", otp.erts_version, tuple(closed))
        rel = format_rel(release)
        stem = release.name.lower()
    _check_names(release, options.file_name or stem)
    if release.erts_version != otp.erts_version:
        raise OtpError(
            f"{options.rel} is for ERTS {release.erts_version}, but {otp.root} has ERTS {otp.erts_version}."
            f" Boot scripts must be made by the OTP that they are for: set {named('otp_root')}, or correct the .rel file."
        )
    found = applications_of(release, code_path)
    _refuse_builds_of_mix(found)
    erts = _erts(options, otp)
    if erts is not None and erts is not otp:
        found = [_for_machine(item, otp, erts) for item in found]
    search = Search(options.upgrade_path, code_path.directories, otp)
    given = None if options.relup is None else GivenRelup(*_content(options.relup, "relup"))
    how: dict[str, t.Any] = {"generate": options.appup == "generate", "between": options.upgrade_between, "given": given}
    upgrades = read_upgrades(options.upgrade_from, options.downgrade_to, search, release, found, **how)
    found = [item._replace(made_appup=upgrades.made[item.name].content) if item.name in upgrades.made else item for item in found]
    return Sources(otp, erts, release, rel, options.file_name or stem, found, _release_files(options), upgrades)


def _refuse_builds_of_mix(found: t.Iterable[Found]) -> None:
    """Raise OtpError for what mix compiles into ``_build/ENV/lib``: a release of it would lack its consolidated protocols, which belong to no application."""
    for item in found:
        # Of a project, and of an umbrella.
        for directory in (item.directory, os.path.join(item.directory, "..", "..")):
            protocols = os.path.normpath(os.path.join(directory, "consolidated"))
            if not item.from_otp and os.path.isdir(protocols):
                raise OtpError(
                    f"{item.directory} is what mix has compiled, and its protocols are in {protocols}, which is a part of no application. Without them each"
                    " call of a protocol looks for its implementation. Have mix make the package (mix release, with the step :tar in mix.exs), and set"
                    " otp_package to it."
                )


def _check_names(release: Release, stem: str) -> None:
    check_bootable(release.version)
    if not is_directory_name(stem):
        raise OtpError(f"Release file_name {stem!r} can't be the name of a file. Give one without '/'.")


def _check_chunks(names: t.Iterable[str]) -> None:
    for name in names:
        if not re.fullmatch("[A-Za-z0-9]{4}", name):
            raise OtpError(f"{named('strip_keep')}: {name!r} is not a chunk of BEAM files. Give names of four letters, such as Docs or Dbgi.")


def _erts(options: Options, otp: Otp) -> Otp | None:
    if options.erts in ("true", "false"):
        return otp if options.erts == "true" else None
    erts = read_otp(options.erts)
    if erts.erts_version != otp.erts_version:
        raise OtpError(
            f"erts: {erts.root} has ERTS {erts.erts_version}, but the release is for {otp.erts_version}, that of {otp.root}. Name a tree with that ERTS."
        )
    return erts


def _for_machine(found: Found, otp: Otp, erts: Otp) -> Found:
    """OTP's own application out of the tree for the other machine type: its libraries and programs in priv are for it."""
    ebin = os.path.join(erts.lib, os.path.relpath(found.ebin, otp.lib))
    return found._replace(ebin=ebin) if found.from_otp and os.path.isdir(ebin) else found


def _release_files(options: Options) -> dict[str, bytes]:
    """The files of the release directory that the user gives."""
    files = {}
    for option, name in (("sys_config", "sys.config"), ("sys_config_src", "sys.config.src"), ("vm_args", "vm.args"), ("vm_args_src", "vm.args.src")):
        value = getattr(options, option)
        if value is None:
            continue
        files[name], source = _content(value, option)
        if name == "sys.config":
            parse_sys_config(files[name], source=source)
    return files


def _content(value: str, option: str) -> tuple[bytes, str]:
    """The content that an option gives, or that of the file that it names; and what messages call it."""
    # No path has a line break, and no such file does without.
    return (value.encode("utf-8", "surrogateescape"), option) if "\n" in value else (_read(value, option), value)


def _read(path: str, option: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise OtpError(f"{option}: {path} can't be read: {error.strerror}.") from error
