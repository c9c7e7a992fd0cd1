# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of options as text.

Rules: a number and a boolean become what an operator would have written; what is not text names its variable.
"""

from __future__ import annotations

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.values import mapped, texts


def test_as_an_operator_would_have_written_them():
    assert texts("x", {"A": 7100, "B": True, "C": False, "D": "αβ", "E": 0.5}) == {"A": "7100", "B": "true", "C": "false", "D": "αβ", "E": "0.5"}


@pytest.mark.parametrize("value", [None, [], {}, ["a"]])
def test_what_is_no_text_names_its_variable(value):
    with pytest.raises(OtpError, match="variables: the value of PORT is neither"):
        texts("variables", {"PORT": value})


def test_data_keeps_its_form_when_its_values_change():
    assert mapped({"a": [1, {"b": 2}], "c": (3,), "d": {}}, lambda value: -value) == {"a": [-1, {"b": -2}], "c": [-3], "d": {}}
