# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter to_term."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.erlang.otp.plugins.filter.to_term import FilterModule

to_term = FilterModule().filters()["to_term"]


def test_text():
    assert to_term({"kernel": {"logger_level": {"$atom": "info"}}}) == "[{kernel,[{logger_level,info}]}]"
    assert to_term([1, 2], width=1) == "[1,\n 2]"


def test_error():
    with pytest.raises(AnsibleFilterError, match=r"^to_term: \$atmo is not one of"):
        to_term({"$atmo": 1})
