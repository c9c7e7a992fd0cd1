# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files as they were before they were replaced, kept in ``.previous`` beside them, by their paths below the directory. An empty directory there is for a
file that did not exist. All calls have the rights of the owner of the directory.
"""

from __future__ import annotations

import contextlib
import os
import stat

from ansible_collections.erlang.otp.plugins.module_utils._core.files import flush_directory, make_parents, read_file, write_file

PREVIOUS = ".previous"


class Kept:
    """The kept files below a directory."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def files(self) -> list[str]:
        """The paths of the files that count now; others may be kept, and are stale."""
        raise NotImplementedError

    def kept(self) -> list[str]:
        """The paths of the files whose earlier content is kept."""
        return [path for path in self.files() if os.path.lexists(self._place(path))]

    def put_back(self) -> None:
        """Put each file back. An interrupted call is completed by the next one."""
        for path in self.kept():
            place = self._place(path)
            if os.path.isdir(place):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
                os.rmdir(place)
            else:
                os.replace(place, path)
            flush_directory(os.path.dirname(path))
        self.forget()

    def forget(self) -> None:
        """Remove what is kept: the node has been restarted, and stays with its files."""
        remove(self._place())

    def exists(self) -> bool:
        """Whether anything is left here."""
        return os.path.lexists(self._place())

    def _copy(self, path: str) -> None:
        self._make_directory()
        place, content = self._place(path), read_file(path)
        make_parents(place)
        if content is None:
            os.mkdir(place)
        else:
            found = os.stat(path)
            write_file(place, content, mode=stat.S_IMODE(found.st_mode), uid=found.st_uid, gid=found.st_gid)
            os.utime(place, ns=(found.st_atime_ns, found.st_mtime_ns))
        flush_directory(os.path.dirname(place))

    def _make_directory(self) -> None:
        with contextlib.suppress(FileExistsError):
            # One of the files has secrets.
            os.mkdir(self._place(), 0o700)

    def _place(self, path: str = "") -> str:
        return os.path.join(self.directory, PREVIOUS, *([os.path.relpath(path, self.directory)] if path else []))


def remove(path: str) -> None:
    """Remove a file, or a directory with everything in it, if it is there."""
    if os.path.isdir(path) and not os.path.islink(path):
        # Lazy, for start-up time: few runs need it.
        from ansible_collections.erlang.otp.plugins.module_utils._tree.publish import remove_tree

        remove_tree(path)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
