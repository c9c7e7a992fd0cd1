# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A directory with applications and builds of them, for tests."""

from __future__ import annotations

import os
import subprocess
import tarfile
import typing as t
from pathlib import Path

from waiting import LIMIT

from ansible_collections.erlang.otp.plugins.module_utils._build.build import build_release
from ansible_collections.erlang.otp.plugins.module_utils._build.inputs import Options
from ansible_collections.erlang.otp.plugins.module_utils._build.otp import Otp
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes


class Workshop:
    """A directory with applications, and builds of them."""

    def __init__(self, directory: Path, otp: Otp) -> None:
        self.directory = directory
        self.otp = otp
        self.output = directory / "out"

    def application(
        self,
        name: str,
        version: str = "1.0",
        *,
        place: str | None = None,
        needs: str = "",
        keys: str = "",
        description: str = "A test",
        body: str = "",
    ) -> Path:
        """An application of one module, compiled; its directory."""
        directory = self.directory / (place or f"lib/{name}-{version}")
        (directory / "ebin").mkdir(parents=True)
        (directory / "src").mkdir()
        (directory / "src" / f"{name}.erl").write_text(f'-module({name}).\n-export([version/0]).\n{body}version() -> "{version}".\n', "utf-8")
        subprocess.run(["erlc", "+debug_info", "-o", directory / "ebin", directory / "src" / f"{name}.erl"], check=True)
        applications = f"{{applications, [kernel, stdlib{needs}]}}"
        properties = f'{{description, "{description}"}}, {{vsn, "{version}"}}, {{modules, [{name}]}}, {{registered, []}}, {applications}{keys}'
        resource = f"{{application, {name}, [{properties}]}}.\n"
        (directory / "ebin" / f"{name}.app").write_text(resource, "utf-8")
        return directory

    def version_of(self, application: str) -> str:
        return next(name.partition("-")[2] for name in os.listdir(self.otp.lib) if name.startswith(application + "-"))

    def rel(self, *applications: str, stem: str = "mysystem", name: str = "MYSYSTEM", version: str = "FIRST", erts: str = "") -> str:
        """The path of a .rel file of these applications, OTP's own by name, others as NAME-VERSION."""
        listed = []
        for application in applications:
            app, _dash, vsn = application.partition("-")
            listed.append(f'{{{app}, "{vsn or self.version_of(app)}"}}')
        path = self.directory / f"{stem}.rel"
        path.write_text(f'{{release, {{"{name}", "{version}"}}, {{erts, "{erts or self.otp.erts_version}"}}, [{", ".join(listed)}]}}.\n', "utf-8")
        return str(path)

    def build(self, *, check_mode: bool = False, **options: t.Any) -> dict[str, t.Any]:
        code_path = (str(self.directory / "lib/*/ebin"),) if (self.directory / "lib").exists() else ()
        # Most tests that build a version again are not about what has it.
        chosen = {"code_path": code_path, "output_dir": str(self.output), "cache_dir": str(self.directory / "cache"), "replace": True}
        return build_release(Options(**{**chosen, **options}), Changes(check_mode=check_mode))


MINIMAL = ("kernel", "stdlib", "sasl")


def members(package: str) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(package) as archive:
        return {member.name: member for member in archive}


def content(package: str, name: str) -> bytes:
    with tarfile.open(package) as archive:
        file = archive.extractfile(name)
        assert file is not None
        return file.read()


def erl(root: Path, otp: Otp, *arguments: str) -> str:
    """What the emulator of the unpacked target system says."""
    erts = root / f"erts-{otp.erts_version}" / "bin"
    environment = {"ROOTDIR": str(root), "BINDIR": str(erts), "EMU": "beam", "PROGNAME": "erl", "HOME": str(root), "PATH": os.defpath}
    command = [str(erts / "erlexec"), "-noinput", *arguments]
    result = subprocess.run(command, env=environment, capture_output=True, timeout=LIMIT, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout.decode()


def unpack(package: str, root: Path) -> Path:
    root.mkdir()
    subprocess.run(["tar", "xzf", package, "-C", root], check=True)
    return root


def files_of(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}
