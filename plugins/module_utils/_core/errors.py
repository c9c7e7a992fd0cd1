# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one base of all errors that the collection raises on purpose."""

from __future__ import annotations


class OtpError(Exception):
    """What went wrong, where, and the way out, as one sentence or two for an operator.

    A module shows the text as it is; anything else that is raised is a bug of ours.
    """
