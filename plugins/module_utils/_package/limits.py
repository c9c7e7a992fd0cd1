# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much a package may unpack to, unless the user allows more: a small file can inflate to any size."""

from __future__ import annotations

# Bytes of all members of a package together.
MAX_SIZE = 4 << 30
MAX_MEMBERS = 200_000
# Of one name: its bytes, the longest path that Linux takes, and the directories in it; and the bytes of all names, which are kept in memory.
MAX_NAME = 4095
MAX_DEPTH = 100
MAX_NAMES = 64 << 20
# Of the members that are read as texts: how many, and their bytes, of each and of all. Boot scripts are the largest: 200 kB for all applications of OTP.
MAX_TEXTS = 200
MAX_TEXT = 4 << 20
MAX_ALL_TEXTS = 16 << 20
