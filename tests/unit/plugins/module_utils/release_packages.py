# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small release packages for tests: a release of kernel, stdlib and one application, with files instead of an emulator."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import typing as t
from pathlib import Path

from ansible_collections.erlang.otp.plugins.module_utils._terms.etf_decoder import encode
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom

Content = t.Union[bytes, tarfile.TarInfo, None]


def release_members(version: str = "FIRST", *, app_version: str = "1.0", erts: str = "13.1.5", **more: bytes) -> dict[str, Content]:
    """The members of a package by path; None is a directory."""
    rel = f'{{release,{{"SYSTEM","{version}"}},{{erts,"{erts}"}},[{{kernel,"8.5.3"}},{{stdlib,"4.2"}},{{pea,"{app_version}"}}]}}.\n'.encode()
    members: dict[str, Content] = {
        "releases/system.rel": rel,
        f"releases/{version}/system.rel": rel,
        f"releases/{version}/start.boot": f"boot {version}".encode(),
        f"releases/{version}/sys.config": b"[].\n",
        "releases/start_erl.data": f"{erts} {version}\n".encode(),
        "bin/start.boot": b"plain boot of " + erts.encode(),
        "log": None,
    }
    for program in ("epmd", "run_erl", "to_erl", "erlexec", "beam.smp"):
        members[f"erts-{erts}/bin/{program}"] = f"#!/bin/sh\necho {program} {erts}\n".encode()
    for program in ("epmd", "run_erl", "to_erl"):
        members[f"bin/{program}"] = members[f"erts-{erts}/bin/{program}"]
    for application in ("kernel-8.5.3", "stdlib-4.2", f"pea-{app_version}"):
        name = application.partition("-")[0]
        members[f"lib/{application}/ebin/{name}.app"] = f"{{application,{name},[]}}.\n".encode()
        members[f"lib/{application}/ebin/{name}.beam"] = f"beam of {application}".encode()
    members[f"lib/pea-{app_version}/priv/run.sh"] = b"#!/bin/sh\n"
    return members


def with_variable(members: dict[str, Content], *, path: str = "", where: str = "apps/", more: t.Mapping[str, Content] | None = None) -> dict[str, Content]:
    """The same release with its application pea in an archive of its own, for the directory of a variable."""
    libraries = {where + name[len("lib/") :]: members.pop(name) for name in list(members) if name.startswith("lib/pea")}
    home = next(iter(libraries)).split("/")[-3]
    paths = ["$ROOT/lib/kernel-8.5.3/ebin", path or f"$SECOND_ROOT/apps/{home}/ebin"]
    (script,) = [name for name in members if name.endswith("/start.boot") and name.startswith("releases/")]
    members[script] = encode((Atom("script"), ("SYSTEM", "1"), [(Atom("path"), paths), (Atom("progress"), Atom("started"))]))
    members["SECOND_ROOT.tar.gz"] = gzip.compress(tar_bytes({**libraries, **(more or {})}), mtime=0)
    return members


def beam(**chunks: bytes) -> bytes:
    """A module with these chunks."""
    body = b"".join(name.encode() + len(content).to_bytes(4, "big") + content + bytes(-len(content) % 4) for name, content in chunks.items())
    return b"FOR1" + (len(body) + 4).to_bytes(4, "big") + b"BEAM" + body


def tar_bytes(members: t.Mapping[str, Content], *, format: int = tarfile.GNU_FORMAT) -> bytes:
    """A tar file of the members. A TarInfo has what is unusual; its name is the key's."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=format) as archive:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content, io.BytesIO(bytes(content.size)))
                continue
            info = tarfile.TarInfo(name)
            info.mode = 0o755 if content is None or "/bin/" in f"/{name}" or name.endswith(".sh") else 0o644
            info.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            info.size = len(content or b"")
            archive.addfile(info, io.BytesIO(content or b""))
    return file.getvalue()


def write_package(path: Path, members: t.Mapping[str, Content], **keywords: t.Any) -> str:
    """Write the package; returns its path."""
    path.write_bytes(gzip.compress(tar_bytes(members, **keywords), mtime=0))
    return str(path)


def member(name: str, type: bytes = tarfile.REGTYPE, *, mode: int = 0o644, target: str = "", size: int = 0) -> tarfile.TarInfo:
    """A member that is unusual in some way."""
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.linkname, info.size = type, mode, target, size
    return info


def tree(root: Path) -> dict[str, tuple[int, t.Any]]:
    """All that lies below root: mode, and content, link target or None, by path. Lock files are left out."""
    found: dict[str, tuple[int, t.Any]] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        if path.name != ".lock":
            found[str(path.relative_to(root))] = status.st_mode, content
    return found


def checksum(path: str) -> str:
    """The package's checksum as the option takes it."""
    return "sha256:" + hashlib.sha256(Path(path).read_bytes()).hexdigest()
