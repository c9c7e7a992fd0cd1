# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which members a release package has: what target_system:create/1 of "Creating and Upgrading a Target System" puts into one.

They are in groups that are compressed separately.
"""

from __future__ import annotations

import os
import stat
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._build.applications import Found, refuse_dangling
from ansible_collections.erlang.otp.plugins.module_utils._build.boot_scripts import BootScripts
from ansible_collections.erlang.otp.plugins.module_utils._build.inputs import Options, Sources
from ansible_collections.erlang.otp.plugins.module_utils._build.otp import Otp
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file
from ansible_collections.erlang.otp.plugins.module_utils._core.options import named
from ansible_collections.erlang.otp.plugins.module_utils._formats.elf import Program, find_incompatible, machine_of
from ansible_collections.erlang.otp.plugins.module_utils._formats.relup import parse_relup
from ansible_collections.erlang.otp.plugins.module_utils._formats.sys_config import parse_sys_config
from ansible_collections.erlang.otp.plugins.module_utils._formats.tar_writer import DIRECTORY, FILE, LINK, PackageMember
from ansible_collections.erlang.otp.plugins.module_utils._tree.made_from import MADE_FROM, MadeFrom, format_made_from

# Tools of the build host, which systools:make_tar/2 leaves out.
BUILD_TOOLS = frozenset(["ct_run", "dialyzer", "erlc", "typer", "yielding_c_fun"])
# Wrapper scripts with the root directory of the build host written into them. The installation makes its own.
MADE_BY_INSTALLATION = frozenset(["erl", "start"])
# What bin/ has of erts-VSN/bin: start_erl and erl come with the installation.
BIN = ("epmd", "run_erl", "to_erl")
# The name of the group of the user's own files.
EXTRA_FILES = "extra_files"


class Group(t.NamedTuple):
    """Members that belong together: the archive's fragment by that name."""

    name: str
    members: list[PackageMember]


class Place(t.NamedTuple):
    """Where an application goes: into which archive ("" is the package, else a variable's), and its directory there."""

    archive: str
    directory: str


def release_group(version: str, erts_version: str, files: dict[str, bytes], rel_name: str) -> Group:
    """The members below releases/. ``files`` are those of the release directory, the .rel among them."""
    members = [PackageMember(f"releases/{rel_name}", content=files[rel_name])]
    members += [PackageMember(f"releases/{version}/{name}", content=content) for name, content in sorted(files.items())]
    members.append(PackageMember("releases/start_erl.data", content=f"{erts_version} {version}\n".encode()))
    return Group("releases", members)


def bin_group(plain_boot: bytes) -> Group:
    """bin/start.boot, by which bin/erl starts kernel and stdlib alone: a basic target system."""
    return Group("bin", [PackageMember("bin/start.boot", content=plain_boot)])


def erts_group(erts: Otp) -> Group:
    """The emulator and its helpers; *.src, where this OTP has them, are what the installation makes scripts from."""
    names = sorted(set(os.listdir(erts.erts_bin)) - BUILD_TOOLS - MADE_BY_INSTALLATION)
    missing = [name for name in BIN if name not in names]
    if missing:
        raise OtpError(f"{erts.erts_bin} lacks {', '.join(missing)}: this ERTS is not complete, a target system needs them.")
    members = [_file(f"bin/{name}", os.path.join(erts.erts_bin, name)) for name in BIN]
    members += [_file(f"erts-{erts.erts_version}/bin/{name}", os.path.join(erts.erts_bin, name)) for name in names]
    return Group("erts", members)


def log_group() -> Group:
    """Where run_erl writes the log of an embedded system."""
    return Group("log", [PackageMember("log", DIRECTORY, 0o755)])


def place(found: Found, variables: t.Iterable[tuple[str, str]]) -> Place:
    """Where systools has the boot script look for the application.

    Below a variable's directory it is $VARIABLE/REST/NAME-VSN (systools:make_script/2, option variables), else lib/NAME-VSN.
    Raises OtpError for a directory there of another name: the boot script would look in a path that nothing can have.
    """
    full_name = f"{found.name}-{found.version}"
    for variable, prefix in variables:
        inside = os.path.relpath(found.ebin, prefix).split(os.sep)
        if inside[-1] == "ebin":
            inside.pop()
        if inside[:1] == [os.pardir]:
            continue
        if not inside or inside[-1] not in (found.name, full_name):
            raise OtpError(
                f"variables: {found.directory} is in {prefix}, the directory of {variable}. An application must be below it, in a"
                f" directory called {full_name} or {found.name}: move or rename it."
            )
        return Place(variable, "/".join([*inside[:-1], full_name]))
    return Place("", f"lib/{full_name}")


def application_group(found: Found, directory: str, include: t.Iterable[str]) -> Group:
    """The application's .app, .appup (which a later relup is made from), modules, priv and the directories asked for."""
    ebin = f"{directory}/ebin"
    names = [f"{module}.beam" for module in found.application.modules]
    missing = sorted(set(names).difference(os.listdir(found.ebin)))
    if missing:
        raise OtpError(f"{found.ebin} lacks {', '.join(missing)}, listed in {found.name}.app. Compile the application, or correct the list.")
    for name in (*names, found.name + ".appup"):
        refuse_dangling(os.path.join(found.ebin, name))
    members = [PackageMember(f"{ebin}/{found.name}.app", content=found.app_file)]
    if found.made_appup is not None:
        members.append(PackageMember(f"{ebin}/{found.name}.appup", content=found.made_appup))
    elif os.path.isfile(os.path.join(found.ebin, found.name + ".appup")):
        members.append(PackageMember(f"{ebin}/{found.name}.appup", source=os.path.join(found.ebin, found.name + ".appup")))
    members += [PackageMember(f"{ebin}/{name}", source=os.path.join(found.ebin, name)) for name in sorted(names)]
    for name in sorted({"priv", *include} - {"ebin"}):
        check_relative(name, "include")
        path = os.path.join(found.directory, name)
        if os.path.isdir(path) and found.directory != found.ebin:
            members += tree(path, f"{directory}/{name}")
    return Group(directory, members)


def extra_group(extra_files: t.Iterable[tuple[str, str]]) -> Group:
    """The user's own files and directories, given as (path, name in the package). Raises OtpError for a name that leads outside."""
    members: list[PackageMember] = []
    for path, name in extra_files:
        check_relative(name, "extra_files")
        if os.path.isdir(path):
            members += tree(path, name)
        elif os.path.exists(path):
            members.append(_file(name, path))
        else:
            raise OtpError(f"{named('extra_files')}: {path} does not exist.")
    return Group(EXTRA_FILES, members)


def _check_extra(group: Group, version: str) -> None:
    """Raises OtpError for a sys.config or relup of the release that systools:make_tar/2 refuses, and for a relup that release_handler does not take."""
    for member in group.members:
        if member.source and member.name == f"releases/{version}/sys.config":
            parse_sys_config(read_file(member.source) or b"", source=member.source)
        elif member.source and member.name == f"releases/{version}/relup":
            leads_to = parse_relup(read_file(member.source) or b"", filename=member.source).version
            if leads_to != version:
                raise OtpError(f"{member.source} is a relup to release {leads_to}, but the package is release {version}. Give the relup to that release.")


def check_relative(name: str, option: str) -> None:
    """Raises OtpError for a name that leads out of the directory that it is relative to."""
    if "\0" in name or any(part in ("", ".", "..") for part in name.split("/")):
        raise OtpError(f"{option}: {name!r} is not a path in the package. Give a relative path, without '.' and '..'.")


def tree(path: str, name: str) -> list[PackageMember]:
    """All below the directory; an empty directory as itself, the others by what is in them.

    A link that stays inside the directory stays a link. One that leads elsewhere is followed: on the target there might be
    nothing behind it.
    """
    return _tree(path, name, os.path.realpath(path), ())


def _tree(path: str, name: str, inside: str, above: tuple[str, ...]) -> list[PackageMember]:
    real = os.path.realpath(path)
    if real in above:
        raise OtpError(f"{path} is a link to a directory that contains it. Remove it: it can't be packed.")
    try:
        entries = sorted(os.listdir(path))
    except OSError as error:
        raise OtpError(f"{path} can't be read into the package: {error.strerror}.") from error
    if not entries:
        return [PackageMember(name, DIRECTORY, 0o755)]
    members: list[PackageMember] = []
    for entry in entries:
        source, member_name = os.path.join(path, entry), f"{name}/{entry}"
        if os.path.islink(source) and _stays(source, inside):
            members.append(PackageMember(member_name, LINK, 0o777, target=os.readlink(source)))
        elif os.path.isdir(source):
            members += _tree(source, member_name, inside, (*above, real))
        else:
            members.append(_file(member_name, source))
    return members


def _stays(link: str, inside: str) -> bool:
    """Whether the link is relative and leads to something in the directory."""
    if os.path.isabs(os.readlink(link)) or not os.path.exists(link):
        return False
    behind = os.path.normpath(os.path.join(os.path.realpath(os.path.dirname(link)), os.readlink(link)))
    return behind.startswith(inside + os.sep) and os.path.realpath(link).startswith(inside + os.sep)


def _file(name: str, path: str) -> PackageMember:
    """A regular file with its mode, without write permission for group and others."""
    refuse_dangling(path)
    try:
        status = os.stat(path)
    except OSError as error:
        raise OtpError(f"{path} can't be read into the package: {error.strerror}.") from error
    if not stat.S_ISREG(status.st_mode):
        raise OtpError(f"{path} is a device, socket or pipe. Remove it: a package holds files, directories and links.")
    if status.st_mode & (stat.S_ISUID | stat.S_ISGID):
        raise OtpError(f"{path} has the set-user-id or set-group-id bit, which a package must not have. Remove it: chmod ug-s.")
    return PackageMember(name, FILE, stat.S_IMODE(status.st_mode) & 0o755, source=path)


def check_machines(groups: t.Iterable[Group], erts: Otp | None) -> None:
    """Raises OtpError for a library or program that is for another machine type than the emulator; files of extra_files may be."""
    emulator = None if erts is None else _machine(os.path.join(erts.erts_bin, "beam.smp"))
    programs = {}
    for group in groups:
        for member in group.members:
            if member.source and not member.name.endswith((".beam", ".appup")):
                program = _machine(member.source)
                if program is not None:
                    programs[member.source] = program
    odd = find_incompatible(programs, emulator)
    if odd:
        raise OtpError(
            f"{odd}. Give libraries with native code for the same machine type: in the Erlang/OTP tree that {named('erts')} names, or compiled for it on"
            f" {named('code_path')}; or strip priv of what is not for it."
        )


def _machine(path: str) -> Program | None:
    with open(path, "rb", buffering=0) as file:
        return machine_of(file.read(64))


def check_names(groups: t.Iterable[Group]) -> None:
    """Raises OtpError when two members have the same name, or one has a name that no host takes."""
    seen: set[str] = set()
    for group in groups:
        for member in group.members:
            _check_encoding(member)
            if member.name in seen:
                raise OtpError(
                    f"Two members of the package have the name {member.name}. Check {named('extra_files')}, and whether an application is given twice."
                )
            seen.add(member.name)


def _check_encoding(member: PackageMember) -> None:
    try:
        (member.name + member.target).encode("utf-8")
    except UnicodeEncodeError:
        path = f"{member.name} -> {member.target}" if member.target else member.source or member.name
        shown = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        raise OtpError(f"The name of {shown} is not UTF-8, as the names in a package are. Rename the file.") from None


class Plan(t.NamedTuple):
    """Groups of members in the order of the package, and those of each variable's own archive."""

    groups: list[Group]
    variables: dict[str, list[Group]]

    def all_groups(self) -> list[Group]:
        return [*self.groups, *(group for groups in self.variables.values() for group in groups)]


def make_plan(options: Options, sources: Sources) -> Plan:
    """The groups of the package, except those that need the boot scripts. Raises OtpError."""
    groups: list[Group] = [erts_group(sources.erts)] if sources.erts is not None else []
    variables: dict[str, list[Group]] = {name: [] for name, _directory in options.script.variables}
    for found in sources.found:
        archive, directory = place(found, options.script.variables)
        (variables[archive] if archive else groups).append(application_group(found, directory, options.include))
    check_machines([*groups, *(group for members in variables.values() for group in members)], sources.erts)
    groups += [log_group(), extra_group(options.extra_files)]
    _check_extra(groups[-1], sources.release.version)
    scripts = BootScripts(b"", b"", b"", b"relup" if sources.upgrades.releases else b"", [])
    check_names([*scripted_groups(sources, scripts), *groups])
    return Plan(groups, {name: members for name, members in variables.items() if members and options.var_tar != "omit"})


def scripted_groups(sources: Sources, scripts: BootScripts, made_from: MadeFrom | None = None) -> list[Group]:
    """The groups with systools' files. made_from: of the relup.

    The plain boot script is in the release directory as well: from there an upgrade updates bin/.
    """
    release, rel_name = sources.release, sources.stem + ".rel"
    files = {**sources.files, rel_name: sources.rel, "start.boot": scripts.boot, "start_clean.boot": scripts.plain_boot}
    if scripts.relup:
        files.update({"relup": scripts.relup, MADE_FROM: format_made_from(made_from or {})})
    return [release_group(release.version, release.erts_version, files, rel_name), bin_group(scripts.plain_boot)]
