# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much a package may unpack to, unless the user allows more: a small file can inflate to any size."""

from __future__ import annotations

# Bytes of all members of a package together.
MAX_SIZE = 4 << 30
MAX_MEMBERS = 200_000
