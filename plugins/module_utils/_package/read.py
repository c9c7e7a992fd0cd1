# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The release in a release package, read from a few small members (the layout of systools:make_tar/2, relx and mix)."""

from __future__ import annotations

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats.gzip_reader import Inflated
from ansible_collections.erlang.otp.plugins.module_utils._formats.releases_file import parse_start_erl_data
from ansible_collections.erlang.otp.plugins.module_utils._formats.relup import parse_relup
from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import Release, parse_rel
from ansible_collections.erlang.otp.plugins.module_utils._formats.tar_reader import TarMember
from ansible_collections.erlang.otp.plugins.module_utils._package.extract import PackageError, checked_members
from ansible_collections.erlang.otp.plugins.module_utils._package.limits import MAX_ALL_TEXTS, MAX_TEXT, MAX_TEXTS
from ansible_collections.erlang.otp.plugins.module_utils._tree.made_from import MADE_FROM, MadeFrom, parse_made_from
from ansible_collections.erlang.otp.plugins.module_utils._tree.names import check_bootable
from ansible_collections.erlang.otp.plugins.module_utils._tree.record import SCRIPTS

START_ERL_DATA = "releases/start_erl.data"


def is_text(path: str) -> bool:
    """Whether find_release() or the installation reads this member."""
    if path.startswith("releases/"):
        return path == START_ERL_DATA or (path.count("/") <= 2 and path.endswith((".rel", "/start_clean.boot", "/start.boot", "/base.json")))
    directory, dummy, name = path.partition("bin/")
    if directory == "":
        return name in SCRIPTS or name == "start.boot"
    return directory.startswith("erts-") and directory.count("/") == 1 and (name in SCRIPTS or name.endswith(".src"))


def read_text(member: TarMember, pieces, texts: dict[str, bytes], *, package: str) -> bytes:
    """The content of a member for which is_text() holds; texts: those that were read before, which are kept."""
    if member.size > MAX_TEXT:
        raise PackageError(f"package {package}: {member.name!r} has {member.size} bytes: at most {MAX_TEXT} are read from a file of its kind")
    if len(texts) == MAX_TEXTS or member.size + sum(map(len, texts.values())) > MAX_ALL_TEXTS:
        raise PackageError(f"package {package}: {member.name!r} is one too many: of files of its kind, at most {MAX_TEXTS} and {MAX_ALL_TEXTS} bytes are read")
    return b"".join(bytes(piece) for piece in pieces)


def find_release(texts: dict[str, bytes], *, package: str) -> Release:
    """The one release of a package, from the content of its .rel files and of start_erl.data, by path.

    The ``.rel`` is at ``releases/NAME.rel``, at ``releases/VSN/NAME.rel``, or at both (systools:make_tar/2, relx, mix).
    """
    found = {}
    for path, content in sorted(texts.items()):
        if path.endswith(".rel"):
            release = parse_rel(content, filename=f"{package}: {path}")
            if path.count("/") == 1 or path.split("/")[1] == release.version:
                found[release.name, release.version, release.erts_version, tuple(release.applications)] = release
    if START_ERL_DATA in texts and len(found) > 1:
        version = parse_start_erl_data(texts[START_ERL_DATA], filename=f"{package}: {START_ERL_DATA}").release_version
        found = {key: release for key, release in found.items() if release.version == version}
    if len(found) != 1:
        what = "has several" if found else "has no"
        raise PackageError(f"package {package}: it {what} release resource file releases/NAME.rel or releases/VSN/NAME.rel: is it a release package?")
    (release,) = found.values()
    try:
        check_bootable(release.version)
    except OtpError as error:
        raise PackageError(f"package {package}: {error}") from None
    return release


def read_package(package: str) -> Release:
    """The release in the package. A package that begins with its ``releases/`` is read no further than that."""
    return find_release(_head(package), package=package)


def read_upgrade_paths(package: str, *, whole: bool = True) -> tuple[Release, dict[str, str], MadeFrom]:
    """The release in the package, the releases from which its relup leads to it, as of Relup.upgrade_from, and from which packages that was made.

    whole: look for a relup in the whole package, and not only at its beginning, where builds have it.
    """
    texts = _head(package)
    release = find_release(texts, package=package)
    path = f"releases/{release.version}/relup"
    if path not in texts and whole:
        # One that was added to the package later may be at its end.
        texts = _head(package, whole=True)
    if path not in texts:
        return release, {}, {}
    made_from = parse_made_from(texts.get(f"releases/{release.version}/{MADE_FROM}"))
    return release, parse_relup(texts[path], filename=f"{package}: {path}").upgrade_from, made_from


def _head(package: str, *, whole: bool = False) -> dict[str, bytes]:
    """The .rel files, start_erl.data and relups below the package's releases/, by path. whole: also those after other files."""
    texts: dict[str, bytes] = {}
    with Inflated(package) as stream:
        for path, member, pieces in checked_members(stream):
            if path.endswith((".rel", "/relup", "/" + MADE_FROM)) or path == START_ERL_DATA:
                if path.startswith("releases/") and path.count("/") <= 2 and member.kind == "file":
                    texts[path] = read_text(member, pieces, texts, package=package)
            elif texts and not whole and not path.startswith("releases/"):
                break
    return texts
