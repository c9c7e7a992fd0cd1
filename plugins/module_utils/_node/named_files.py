# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that a process names in its arguments, or in a file that these name: for the user of the process, no more than that (docs/design.md, Walls)."""

from __future__ import annotations

import os

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import as_user
from ansible_collections.erlang.otp.plugins.module_utils._core.reading import read_file

# Much more than certificates and a configuration have.
LIMIT = 1 << 20
# PATH_MAX of Linux.
LONGEST = 4096


def read_named(path: str, user: int | None) -> bytes:
    """The content, read with the rights of the user. Raises OSError, and OtpError for what is not a regular file, too large, or not an absolute path.

    user: None for a path of the operator's.
    """
    # A relative path would be relative to the directory of that process.
    if not os.path.isabs(path) or len(path) > LONGEST:
        raise OtpError(f"{path[:80]!r} is not an absolute path of at most {LONGEST} characters.")
    with as_user(user, path):
        content = read_file(path, limit=LIMIT)
    if content is None:
        raise OtpError(f"{path} does not exist.")
    return content
