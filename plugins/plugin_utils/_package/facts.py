# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the controller knows of a release package, for the module that is asked before the package is sent."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import json
import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.checksum import sha256

if t.TYPE_CHECKING:
    from ansible_collections.erlang.otp.plugins.module_utils._formats.tar_reader import TarMember

# Where there is no system, and none can be.
NOWHERE = "/dev/null/root"
LARGEST = 1 << 20
SUFFIX, THIN = ".tar.gz", "-thin.tar.gz"
SOURCES = ("sys.config", "sys.config.src", "vm.args", "vm.args.src")
# What an installation looks for in a package: its parts, and how it was made.
PARTS = (".app", "/erlexec", "/epmd", "/run_erl", "/to_erl", "/start.boot", "/env.sh", "/install_upgrade.escript")


def thin_of(package: str) -> str:
    """The path of the thin package of this one, which has a place there; the role release makes it. Empty if the package has no usual name."""
    return package[: -len(SUFFIX)] + THIN if package.endswith(SUFFIX) else ""


def release_of(package: str) -> dict[str, t.Any]:
    """The release that it has, as the option _package_release takes it; read once in a process. Raises OtpError and OSError."""
    return {**_read_release(*version_of(package)), "package": package}


@functools.lru_cache
def _read_release(package: str, *dummy_version: int) -> dict[str, t.Any]:
    # Lazy, for start-up time: each process of Ansible imports the filters that import this file.
    from ansible_collections.erlang.otp.plugins.module_utils._package.read import read_upgrade_paths
    from ansible_collections.erlang.otp.plugins.module_utils._package.thin_base import read_base

    base = read_base(package)
    release, upgrade_from, made_from = read_upgrade_paths(package)
    return {
        "name": release.name,
        "version": release.version,
        "erts_version": release.erts_version,
        "applications": {item.name: item.version for item in release.applications},
        "upgrade_from": upgrade_from,
        "made_from": made_from,
        "base": base and base.as_data(),
    }


def ways_of(package: str) -> dict[str, t.Any]:
    """Name, version, upgrade_from and made_from of release_of(), read once in a process, from the beginning of the package. Raises OtpError and OSError."""
    return {**_read_ways(*version_of(package))}


@functools.lru_cache
def _read_ways(package: str, *dummy_version: int) -> dict[str, t.Any]:
    from ansible_collections.erlang.otp.plugins.module_utils._package.read import read_upgrade_paths

    release, upgrade_from, made_from = read_upgrade_paths(package, whole=False)
    return {"name": release.name, "version": release.version, "upgrade_from": upgrade_from, "made_from": made_from}


def checksum_of(package: str) -> str:
    """Its sha256 as 64 hexadecimal digits, read once in a process. Raises OtpError and OSError."""
    return _read_checksum(*version_of(package))


@functools.lru_cache
def _read_checksum(package: str, *dummy_version: int) -> str:
    return sha256(package)


def version_of(package: str) -> tuple[str, int, int, int]:
    """What is another one if the file is."""
    status = os.stat(package)
    return os.path.realpath(package), status.st_ino, status.st_mtime_ns, status.st_size


def contents_in_run(package: str, directory: str) -> dict[str, t.Any]:
    """What contents_of() returns, read once in a run. directory: that of the run. Raises OtpError and OSError."""
    return _once_in_run("contents", contents_of, package, directory)


def manifest_in_run(package: str, directory: str) -> dict[str, t.Any]:
    """What read_manifest() of _package/contents returns, read once in a run. directory: that of the run. Raises OtpError and OSError."""
    from ansible_collections.erlang.otp.plugins.module_utils._package.contents import read_manifest

    return _once_in_run("manifest", read_manifest, package, directory)


def _once_in_run(kind: str, read: t.Callable[[str], t.Any], package: str, directory: str) -> dict[str, t.Any]:
    """What is read of the package: Ansible forks for each host."""
    name = hashlib.sha256(repr(version_of(package)).encode("utf-8", "surrogateescape")).hexdigest()
    with open(os.path.join(directory, f"erlang.otp-{kind}-{name}.json"), "a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        with contextlib.suppress(ValueError):
            return json.load(file)  # type: ignore[no-any-return]
        # The first one, or one after another that was killed.
        file.truncate(0)
        found = read(package)
        json.dump(found, file)
        return found  # type: ignore[no-any-return]


def contents_of(package: str) -> dict[str, t.Any]:
    """What release_of() returns, and what a host needs to foretell an installation in check mode. Reads the whole package. Raises OtpError and OSError."""
    from ansible_collections.erlang.otp.plugins.module_utils._formats.gzip_reader import Inflated
    from ansible_collections.erlang.otp.plugins.module_utils._install.unpack import unpack
    from ansible_collections.erlang.otp.plugins.module_utils._package.contents import read_members
    from ansible_collections.erlang.otp.plugins.module_utils._package.limits import MAX_SIZE
    from ansible_collections.erlang.otp.plugins.module_utils._tree.own_script import find_scripts, script_of
    from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

    sources = Sources()
    with Inflated(package) as stream:
        size, unpacked = stream.size(), unpack(stream, Tree(NOWHERE), sources, max_size=MAX_SIZE)
    directory = f"releases/{unpacked.release.version}/"
    script = script_of(unpacked.release.name)
    release = release_of(package)
    for directory, copies in (release["base"] or {}).get("copies", {}).items():
        unpacked.sizes[directory] = unpacked.sizes.get(directory, 0) + copies["size"]
    programs = {path: text.encode("latin-1") for path, text in sources.found.items() if path.startswith("bin/")}
    return {
        **release,
        "digests": read_members(package),
        "size": size,
        "sizes": unpacked.sizes,
        "paths": sorted(path for path in unpacked.paths if path.endswith(PARTS)),
        "sources": {name: sources.found[directory + name] for name in SOURCES if directory + name in sources.found},
        "scripts": {} if script is None else find_scripts(script, programs),
        "native": unpacked.native.as_data(),
    }


class Sources:
    """In the place of the writer of an installation: keeps what a configuration is made from, and scripts, by path, each byte as a character."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}

    def write(self, path: str, member: TarMember, pieces: t.Iterable[memoryview]) -> None:
        """Read the member, as the installation does."""
        is_source = (path.startswith("bin/") or (path.startswith("releases/") and path.endswith(SOURCES))) and member.size < LARGEST
        content = [bytes(piece) for piece in pieces if is_source]
        if is_source:
            self.found[path] = b"".join(content).decode("latin-1")
