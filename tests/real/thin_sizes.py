# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a thin package of changed applications may have: the files that have changed, gzipped. And an application of many modules, of which one changes."""

from __future__ import annotations

import gzip
import io
import re
import subprocess
import tarfile
from pathlib import Path

from handler_site import Releases

# Bytes of a thin package for each byte of the changed files, gzipped.
GOAL = 1.2
COUNT = 120


def changed_files(full: str, base: str) -> dict[str, bytes]:
    """The files of the full package that differ from those of the base, in whatever version of the application or of the release."""
    ours, theirs = _contents(full), {_plain(path): content for path, content in _contents(base).items()}
    return {path: content for path, content in ours.items() if theirs.get(_plain(path)) != content}


def gzipped(files: dict[str, bytes]) -> int:
    """The bytes of these files in a tar archive, gzipped."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path, content in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return len(gzip.compress(packed.getvalue(), 9))


def _contents(package: str) -> dict[str, bytes]:
    with tarfile.open(package) as archive:
        return {info.name: file.read() for info in archive if (file := archive.extractfile(info)) is not None}


def _plain(path: str) -> str:
    return re.sub(r"^releases/[^/]+/", "releases/", re.sub(r"^(lib/[^/-]+)-[^/]+/", r"\1/", path))


class Many(Releases):
    """The releases of handler_site, in which counter has many modules more that never change, and one that always does."""

    def application(self, version: str, code_change: str) -> Path:
        directory = super().application(version, code_change)
        same = self.workshop.directory / "same"
        if not same.exists():
            same.mkdir()
            for number in range(COUNT):
                source = f'-module(counter_part_{number}).\n-export([part/1]).\npart(X) -> {{{number}, X, "{_noise(number, 40)}"}}.\n'
                (same / f"counter_part_{number}.erl").write_text(source)
            subprocess.run(["erlc", "-o", same, *sorted(same.glob("*.erl"))], check=True)
        functions = "".join(f'data({number}) -> "{_noise(f"{version} {number}", 20)}";\n' for number in range(150))
        (directory / "src/counter_data.erl").write_text(f"-module(counter_data).\n-export([data/1]).\n{functions}data(_) -> none.\n")
        subprocess.run(["erlc", "-o", directory / "ebin", directory / "src/counter_data.erl"], check=True)
        for module in same.glob("*.beam"):
            (directory / "ebin" / module.name).write_bytes(module.read_bytes())
        resource = directory / "ebin/counter.app"
        names = ", ".join(["counter", "counter_data", *sorted(path.stem for path in same.glob("*.beam"))])
        resource.write_text(resource.read_text().replace("[counter]}, {registered", f"[{names}]}}, {{registered"))
        appup = directory / "ebin/counter.appup"
        appup.write_text(appup.read_text().replace("{advanced, []}}]", "{advanced, []}}, {load_module, counter_data}]"))
        return directory


def _noise(seed: object, words: int) -> str:
    """Text that does not compress well, always the same."""
    import random

    chosen = random.Random(str(seed))
    return "".join(chosen.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _letter in range(words))
