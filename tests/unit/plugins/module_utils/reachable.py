# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A test's directory for other users: pytest's own are for the user who runs it alone, and root works in a tree with its owner's rights."""

from __future__ import annotations

from pathlib import Path


def reachable(directory: Path) -> Path:
    """The directory, which each user can enter from now on."""
    for above in [directory, *directory.parents]:
        if not above.stat().st_mode & 0o001:
            above.chmod(above.stat().st_mode | 0o011)
    return directory
