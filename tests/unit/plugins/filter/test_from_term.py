# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter from_term."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.erlang.otp.plugins.filter.from_term import FilterModule

from_term = FilterModule().filters()["from_term"]


def test_data():
    assert from_term("[{kernel,[{logger_level,info}]}].") == {"kernel": {"logger_level": {"$atom": "info"}}}


def test_errors():
    with pytest.raises(AnsibleFilterError, match="^from_term: <text>, line 1, column 3: expected , or }; found the end of the text"):
        from_term("{a")
    with pytest.raises(AnsibleFilterError, match="needs a text, not int"):
        from_term(1)
