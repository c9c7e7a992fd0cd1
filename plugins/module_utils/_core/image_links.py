# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Links in the directory of an image. The image means its own files by them; to the kernel of this host, an absolute one leads to a file of this host."""

from __future__ import annotations

import os

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError

# As the kernel: path_resolution(7).
_MAX_LINKS = 40
# The entries of a root directory in which files are read and written; those of an emulator, too. "run" is a link of ours that is never followed.
_OF_A_SYSTEM = frozenset(("bin", "lib", "log", "releases", "clients", ".staging", ".systems", ".libraries"))


def refuse_way_out(image: str, path: str) -> None:
    """Raise OtpError if a link on the way to the path of the image, or in its place, leads out of the image. Others are as good as a directory."""
    inside: list[str] = []
    rest, links, shown = path.split("/")[::-1], 0, ""
    while rest:
        name = rest.pop()
        if name == ".." and not inside:
            raise OtpError(shown)
        if name == "..":
            inside.pop()
        elif name not in ("", "."):
            here = "/".join((image, *inside, name))
            try:
                target = os.readlink(here)
            except OSError:
                inside.append(name)
                continue
            links += 1
            behind = os.path.normpath("/".join(("", *([] if target.startswith("/") else inside), target, *rest[::-1]))).replace("//", "/")
            shown = (
                f"{here} is a link to {target!r}, which leads out of the image: its files would be those of this host."
                f" Put what it leads to in its place, or give the path in the image instead, which is {behind}."
            )
            if target.startswith("/") or links > _MAX_LINKS:
                raise OtpError(shown)
            rest += target.split("/")[::-1]


def refuse_ways_out_of(image: str, root: str) -> None:
    """Raise OtpError if the image is a link, or if a link in the system with this root directory leads out of the image."""
    if os.path.islink(image):
        raise OtpError(f"{image} is a link to {os.readlink(image)!r}: give the directory of the image itself.")
    seen: set[str] = set()
    top = f"{image}{root}"
    waiting = [top]
    while waiting:
        directory = waiting.pop()
        try:
            entries = list(os.scandir(directory))
        except (FileNotFoundError, NotADirectoryError):
            continue
        for entry in entries:
            if directory == top and entry.name not in _OF_A_SYSTEM and not entry.name.startswith("erts-"):
                continue
            if entry.is_symlink():
                refuse_way_out(image, entry.path[len(image) :])
            if entry.is_dir() and os.path.realpath(entry.path) not in seen:
                seen.add(os.path.realpath(entry.path))
                waiting.append(entry.path)
