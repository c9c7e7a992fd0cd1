# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: a line for each variable, in order; what such a file, a shell or Linux cannot keep is refused, and no message has a value; a diff has the
values of the given variables only.
"""

from __future__ import annotations

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._target_system.environment import LONGEST, format_environment, without_secrets


def test_a_line_for_each_variable_in_order():
    assert format_environment({"b": " $x = 'y' ", "A": ""}) == "A=\nb= $x = 'y' \n"


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("A-B", "private", "not a name"),
        ("1A", "private", "not a name"),
        ("", "private", "not a name"),
        ("A\n", "private", "not a name"),
        ("ROOTDIR", "private", "use another name"),
        ("IFS", "private", "use another name"),
        ("A", "private\nB=1", "encode the value"),
        ("A", "private\0", "encode the value"),
        ("A", "private\udcff", "encode the value"),
        ("A", "private" + LONGEST * "ρ", "longer than 131071 bytes"),
    ],
)
def test_what_cannot_be_kept(name, value, reason):
    with pytest.raises(OtpError, match=reason) as error:
        format_environment({"OTHER": "1", name: value})
    assert "private" not in str(error.value)


def test_a_diff_without_secrets():
    assert without_secrets("A=1=2\nB=private\nC=\n\0on the box: abc", {"A", "C"}) == "A=1=2\nB=********\nC=\n"
