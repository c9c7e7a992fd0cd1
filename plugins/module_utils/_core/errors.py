# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one base of all errors that the collection raises on purpose."""

from __future__ import annotations

# Characters of a message; what is quoted may have no end.
LONGEST = 10_000


class OtpError(Exception):
    """What happened, where, why and what to do, for an operator. Modules show the text as it is; any other exception is a bug.

    The text may quote what others wrote, so it is without control characters, and has an end.
    """

    def __str__(self) -> str:
        # Lazy, for start-up time: most runs have no error.
        from ansible_collections.erlang.otp.plugins.module_utils._core.terminal import clean

        text = clean(super().__str__())
        return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
