# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text of a node, a box, a package or a mirror, as a terminal may show it: it moves no cursor, and reads from left to right.

All errors of the collection go through here (_core/errors), and all results of its modules (the action plugins).
"""

from __future__ import annotations

# The control characters but \t and \n; the marks that turn the direction of text, and the separators of Unicode's own lines; and bytes that
# are not UTF-8 and that a terminal may take for control characters.
CONTROLS = [*range(0x9), *range(0xB, 0x20), *range(0x7F, 0xA0), 0x61C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A), *range(0xDC80, 0xDCA0)]
_NOTHING = dict.fromkeys(CONTROLS)


def clean(text: str) -> str:
    """The text without control characters."""
    return text if text.isprintable() else text.translate(_NOTHING)


def cleaned(data):
    """The data with all of its texts clean, keys of mappings too."""
    if isinstance(data, str):
        return clean(data)
    if isinstance(data, dict):
        return {cleaned(key): cleaned(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [cleaned(value) for value in data]
    return data
