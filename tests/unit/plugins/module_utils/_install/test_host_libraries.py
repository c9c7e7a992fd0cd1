# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the loader of a host finds libraries: glibc with and without its cache, musl, and images, whose files may be those of any host.

Rule: a library of another machine type, and what is not a library, do not count.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._formats.elf import Program
from ansible_collections.erlang.otp.plugins.module_utils._install.host_libraries import CACHE, HostLibraries
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.elf_files import elf_file

INTEL = Program(64, "<", 62, "/lib64/ld-linux-x86-64.so.2")
MUSL = "/lib/ld-musl-x86_64.so.1"


class Image:
    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def add(self, *paths: str, content: bytes | None = None) -> None:
        for path in paths:
            file = Path(f"{self.directory}{path}")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(elf_file() if content is None else content)

    def find(self, name: str, *search: str, loader: str = INTEL.interpreter) -> str | None:
        return HostLibraries(str(self.directory), loader).find(name, INTEL, search)


@pytest.fixture
def image(tmp_path: Path) -> Image:
    return Image(tmp_path / "[image]")


def cache(*entries: tuple[str, str], order: str = "<", before: bytes = b"") -> bytes:
    """As glibc's ldconfig writes it (sysdeps/generic/dl-cache.h)."""
    texts, table, start = b"", b"", 48 + 24 * len(entries)
    for name, path in entries:
        table += struct.pack(order + "iIIIQ", 0x303, start + len(texts), start + len(texts) + len(name) + 1, 0, 0)
        texts += name.encode() + b"\0" + path.encode() + b"\0"
    return before + b"glibc-ld.so.cache1.1" + struct.pack(order + "II", len(entries), len(texts)) + bytes(20) + table + texts


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("before", [b"", b"ld.so-1.7.0\0" + bytes(4)])
def test_the_cache(image: Image, order: str, before: bytes) -> None:
    image.add("/opt/x/liba.so.1", "/opt/x/libb.so.1")
    image.add(CACHE, content=cache(("liba.so.1", "/opt/none/liba.so.1"), ("liba.so.1", "/opt/x/liba.so.1"), order=order, before=before))
    assert image.find("liba.so.1") == "/opt/x/liba.so.1"
    assert image.find("libb.so.1") is None


def test_the_cache_is_what_ldconfig_prints() -> None:
    program = shutil.which("ldconfig", path="/sbin:/usr/sbin")
    if program is None:
        pytest.skip("a system without ldconfig")
    lines = subprocess.run([program, "-p"], capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()
    theirs: dict[str, list[str]] = {}
    for line in lines:
        name, arrow, path = line.strip().partition(" => ")
        if arrow:
            theirs.setdefault(name.partition(" (")[0], []).append(path)
    assert HostLibraries("", INTEL.interpreter).cache == theirs != {}


def test_directories_are_enough_without_a_cache(image: Image) -> None:
    image.add("/opt/x/liba.so.1", "/opt/y/libb.so.1")
    image.add("/etc/ld.so.conf", content=b"# ours\ninclude ld.so.conf.d/*.conf\ninclude /etc/ld.so.conf\n")
    image.add("/etc/ld.so.conf.d/x.conf", content=b"/opt/x  # here\n")
    assert image.find("liba.so.1") == "/opt/x/liba.so.1" and image.find("libb.so.1") is None
    # What ldconfig has not been run for, the loader does not find.
    image.add(CACHE, content=cache(("libb.so.1", "/opt/y/libb.so.1")))
    assert image.find("liba.so.1") is None and image.find("libb.so.1") == "/opt/y/libb.so.1"
    image.add(CACHE, content=cache(("libb.so.1", "/opt/y/libb.so.1"))[:80])
    assert image.find("liba.so.1") == "/opt/x/liba.so.1"


@pytest.mark.parametrize("directory", ["/lib", "/usr/lib", "/lib64", "/usr/lib64", "/lib/aarch64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib32"])
def test_directories_of_the_loader(image: Image, directory: str) -> None:
    image.add(CACHE, content=cache(("x", "/x")))
    image.add(f"{directory}/liba.so.1")
    assert image.find("liba.so.1") == f"{directory}/liba.so.1"


def test_directories_of_the_program_come_first(image: Image) -> None:
    image.add("/lib/liba.so.1", "/opt/x/liba.so.1")
    assert image.find("liba.so.1", "/opt/none", "/opt/x") == "/opt/x/liba.so.1"


def test_another_machine_type_does_not_count(image: Image) -> None:
    image.add("/lib/liba.so.1", content=elf_file(machine=183))
    image.add("/usr/lib/libb.so.1", content=b"/* GNU ld script */")
    assert image.find("liba.so.1") is None and image.find("libb.so.1") is None
    image.add("/usr/lib/liba.so.1")
    assert image.find("liba.so.1") == "/usr/lib/liba.so.1"


def test_musl(image: Image) -> None:
    image.add(MUSL, "/usr/lib/libz.so.1", "/lib64/liba.so.1", "/opt/x/libb.so.1")
    for name in ("libc.so", "libc.musl-x86_64.so.1", "libm.so.6", "ld-musl-x86_64.so.1"):
        assert image.find(name, loader=MUSL) == name
    assert image.find("libz.so.1", loader=MUSL) == "/usr/lib/libz.so.1"
    assert image.find("liba.so.1", loader=MUSL) is None and image.find("libcrypto.so.3", loader=MUSL) is None
    # By its loader, also if that is called as glibc's (gcompat).
    assert image.find("libc.so.6") == "libc.so.6"
    image.add("/etc/ld-musl-x86_64.path", content=b"/opt/x:/lib64\n")
    assert image.find("liba.so.1", loader=MUSL) == "/lib64/liba.so.1" and image.find("libb.so.1", loader=MUSL) == "/opt/x/libb.so.1"
    assert image.find("libz.so.1", loader=MUSL) is None


def test_musl_beside_glibc(image: Image) -> None:
    image.add(MUSL, "/lib/libc.so.6")
    image.add(CACHE, content=cache(("libc.so.6", "/lib/libc.so.6")))
    assert image.find("libm.so.6") is None and image.find("libc.so.6") == "/lib/libc.so.6"


def test_links_of_an_image(image: Image) -> None:
    """An absolute one leads to a file of the image, which is somewhere else here."""
    image.add("/usr/lib/x86_64-linux-gnu/liba.so.1.0", "/usr/lib/x")
    (image.directory / "lib").symlink_to("usr/lib")
    Path(f"{image.directory}/usr/lib/x86_64-linux-gnu/liba.so.1").symlink_to("liba.so.1.0")
    Path(f"{image.directory}/usr/lib/x86_64-linux-gnu/libb.so.1").symlink_to("/etc/alternatives/libb.so.1")
    assert image.find("liba.so.1") and image.find("libb.so.1")


def test_versions(image: Image) -> None:
    image.add("/lib/liba.so.1", content=elf_file(versions=["A_1", "A_2"]))
    image.add("/lib/libb.so.1")
    host = HostLibraries(str(image.directory), INTEL.interpreter)
    assert host.lacks("/lib/liba.so.1", ["A_1", "A_3", "A_2", "A_4"]) == ["A_3", "A_4"]
    # The loader only warns of a library without versions, and musl's does not look.
    assert host.lacks("/lib/libb.so.1", ["B_1"]) == [] and host.lacks("/lib/none.so", ["B_1"]) == []
    assert HostLibraries(str(image.directory), MUSL).lacks("/lib/liba.so.1", ["A_3"]) == []


def test_names_that_are_paths(image: Image) -> None:
    image.add("/opt/x/liba.so")
    assert image.find("/opt/x/liba.so") and image.find("/opt/x/libb.so") is None and image.find("priv/libc.so")
