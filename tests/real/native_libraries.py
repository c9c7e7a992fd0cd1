# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Libraries that need another one, and packages with such a library."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path


def compile_c(path: Path, source: str, *options: str) -> Path:
    """A library, unless the options say otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    command = ["cc", "-x", "c", "-", "-x", "none", "-o", str(path), "-fPIC", *([] if "-pie" in options or "-static" in options else ["-shared"]), *options]
    subprocess.run(command, input=source, text=True, check=True, timeout=60)
    return path


def stub(directory: Path, *versions: str) -> Path:
    """libotpstub.so.1 with a function stub_VERSION for each version."""
    script = directory / f"{'-'.join(versions)}.map"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text("".join(f"{version} {{ global: stub_{version}; }};\n" for version in versions))
    source = "".join(f"int stub_{version}(void) {{ return 1; }}\n" for version in versions)
    return compile_c(directory / "libotpstub.so.1", source, "-Wl,-soname,libotpstub.so.1", f"-Wl,--version-script={script}")


def nif(path: Path, library: Path, version: str, search: Path | str) -> bytes:
    """A library that calls the version's function of the stub, looked for in the directory."""
    source = f"int stub_{version}(void);\nint nif_init(void) {{ return stub_{version}(); }}\n"
    return compile_c(path, source, str(library), f"-Wl,-rpath,{search}").read_bytes()


def with_nif(package: str, place: Path, version: str, search: Path) -> str:
    """The package with a library in the priv of counter, as the path PLACE.tar.gz."""
    content = nif(place.with_suffix(".so"), stub(place.parent / "new", "STUB_1", "STUB_2"), version, search)
    path = f"{place}.tar.gz"
    with tarfile.open(package) as old, tarfile.open(path, "w:gz", compresslevel=1, format=tarfile.GNU_FORMAT) as new:
        for member in old:
            new.addfile(member, old.extractfile(member) if member.isfile() else None)
        (library,) = {"/".join(found.split("/")[:2]) for found in new.getnames() if found.startswith("lib/counter-")}
        member = tarfile.TarInfo(f"{library}/priv/needy.so")
        member.size = len(content)
        new.addfile(member, io.BytesIO(content))
    return path
