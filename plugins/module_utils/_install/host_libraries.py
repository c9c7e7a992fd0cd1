# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shared libraries of this host, or of an image, where its loader looks for them: ld.so(8), ldconfig(8), and musl's documentation of its loader.

No program is run, because there may be none (BusyBox), or only that of another system (images): the cache that ``ldconfig -p`` prints is read.
"""

from __future__ import annotations

import glob
import os
import re
import struct
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.reading import open_file, read_file
from ansible_collections.erlang.otp.plugins.module_utils._formats.dynamic import Dynamic, read_dynamic
from ansible_collections.erlang.otp.plugins.module_utils._formats.elf import Program, machine_of

CACHE = "/etc/ld.so.cache"
_CONFIGURATION = "/etc/ld.so.conf"
# Of the loader itself, without any configuration; Debian's have the machine type in their names.
_DEFAULTS = ("/lib/*-linux-*", "/usr/lib/*-linux-*", "/lib64", "/usr/lib64", "/lib32", "/usr/lib32", "/lib", "/usr/lib")
_OF_MUSL = "/lib:/usr/local/lib:/usr/lib"
# What musl's loader is itself, whatever the file is called.
_PARTS_OF_MUSL = re.compile(r"lib(c|pthread|rt|m|dl|util|xnet)\.|ld-musl-")
_CACHE_MAGIC = b"glibc-ld.so.cache1.1"
_LARGEST, _DEEPEST = 16 << 20, 8


class HostLibraries:
    """image: the directory of the image, "" for this host. loader: that of the emulator, by which the C library is known."""

    def __init__(self, image: str, loader: str) -> None:
        self.image = image
        self.cache = self._read_cache()
        self.is_musl = "ld-musl" in loader or (self.cache is None and bool(self._glob("/lib/ld-musl-*")))
        if self.is_musl:
            self.directories = [path for name in self._glob("/etc/ld-musl-*.path") for path in re.split(r"[:\n]", self._text(name))] or _OF_MUSL.split(":")
        else:
            self.directories = [path for pattern in _DEFAULTS for path in self._glob(pattern)]
            self.directories += [] if self.cache else self._configured(_CONFIGURATION)
        self._known: dict[str, Dynamic | None] = {}

    def find(self, name: str, program: Program, search: t.Iterable[str]) -> str | None:
        """The path of the library that the program needs; None if it is missing. search: absolute directories, before all others."""
        if "/" in name or (self.is_musl and _PARTS_OF_MUSL.match(name)):
            # A path below the working directory may be any.
            return name if not name.startswith("/") or os.path.lexists(self.image + name) else None
        cached = () if self.is_musl else (self.cache or {}).get(name, ())
        candidates = (*(f"{path}/{name}" for path in search), *cached, *(f"{path}/{name}" for path in self.directories))
        return next((path for path in candidates if self._is_for(path, program)), None)

    def lacks(self, path: str, versions: t.Iterable[str]) -> list[str]:
        """Which of the symbol versions the library at the path does not have. One without any only warns, and musl does not look at them."""
        if path not in self._known:
            try:
                with open_file(self.image + path) as file:
                    self._known[path] = read_dynamic(file)
            except (OSError, OtpError):
                self._known[path] = None
        there = self._known[path]
        return [version for version in versions if version not in there.versions] if there and there.versions and not self.is_musl else []

    def _is_for(self, path: str, program: Program) -> bool:
        try:
            with open_file(self.image + path, buffering=0) as file:
                found = machine_of(file.read(64))
        except (OSError, OtpError, ValueError):
            # A link of an image may have an absolute target, which is somewhere else here.
            return bool(self.image) and os.path.islink(self.image + path)
        return found is not None and found.is_like(program)

    def _glob(self, pattern: str) -> list[str]:
        found = glob.glob(glob.escape(self.image) + pattern)
        return sorted(path[len(self.image) :] for path in found)

    def _text(self, path: str) -> str:
        try:
            return os.fsdecode(read_file(self.image + path, limit=_LARGEST) or b"")
        except (OSError, OtpError):
            return ""

    def _configured(self, path: str, depth: int = 0) -> list[str]:
        """The directories in a file such as /etc/ld.so.conf."""
        found = []
        for line in self._text(path).splitlines():
            word, dummy, pattern = line.partition("#")[0].strip().partition(" ")
            if word == "include" and depth < _DEEPEST:
                where = os.path.join(os.path.dirname(path), pattern.strip())
                found += [directory for name in self._glob(where) for directory in self._configured(name, depth + 1)]
            elif word.startswith("/"):
                found.append(word)
        return found

    def _read_cache(self) -> dict[str, list[str]] | None:
        """The paths of the libraries by their names, from glibc's cache; None if there is none that can be read."""
        try:
            content = read_file(self.image + CACHE, limit=_LARGEST) or b""
            # That of glibc before 2.32 begins with an older one.
            start = content.index(_CACHE_MAGIC)
            # It is in the order of bytes of its host: the other one makes the number of libraries a huge one.
            count, order = min((*struct.unpack_from(order + "I", content, start + len(_CACHE_MAGIC)), order) for order in "<>")
            found: dict[str, list[str]] = {}
            for number in range(min(count, len(content) // 24)):
                name, path = struct.unpack_from(order + "II", content, start + 48 + number * 24 + 4)
                name, path = (os.fsdecode(content[place : content.index(b"\0", place, place + 4096)]) for place in (start + name, start + path))
                found.setdefault(name, []).append(path)
            return found
        except (OSError, OtpError, ValueError, struct.error):
            return None
