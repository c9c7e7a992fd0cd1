# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ways through several releases. Rules: the shortest one; of several the first by name; the nearest releases first; a circle ends."""

from __future__ import annotations

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._formats.relup_ways import find_ways


@pytest.mark.parametrize(
    ("steps", "ways"),
    [
        ({}, {}),
        ({"1": ["2"], "2": ["3"]}, {"2": ["2"], "3": ["2", "3"]}),
        ({"1": ["3", "2"], "2": ["3"]}, {"2": ["2"], "3": ["3"]}),
        ({"1": ["b", "a"], "a": ["2"], "b": ["2"]}, {"a": ["a"], "b": ["b"], "2": ["a", "2"]}),
        ({"1": ["2"], "2": ["1"], "5": ["6"]}, {"2": ["2"]}),
    ],
)
def test_the_shortest_ways(steps: dict[str, list[str]], ways: dict[str, list[str]]) -> None:
    assert list(find_ways(steps, "1").items()) == list(ways.items())
