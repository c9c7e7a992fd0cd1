# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The release before, and which releases stay.

Rules: the history tells where a system came from; the release before is the last to be removed; without a history the newest stay.
"""

from __future__ import annotations

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._handler.upgrade import releases_to_remove
from ansible_collections.erlang.otp.plugins.module_utils._tree.history import came_through, entry_of

HISTORY = [
    entry_of("commit", "2", before="1"),
    entry_of("commit", "3", before="2"),
    entry_of("install", "1", before="3"),
    entry_of("commit", "4", before="1", outcome="failed"),
    entry_of("reboot", "1", before="3"),
]
STATUSES = {"5": "unpacked", "4": "old", "1": "permanent", "2": "old", "3": "old"}


@pytest.mark.parametrize(("release", "before"), [("2", "1"), ("3", "2"), ("1", "3"), ("4", None)])
def test_where_a_system_came_from(release: str, before: str | None) -> None:
    assert came_through(HISTORY, release) == ([before] if before else [])


@pytest.mark.parametrize(
    ("keep", "versions"),
    [(0, []), (1, ["5", "4", "2"]), (2, ["5", "4", "2"]), (3, ["4", "2"]), (4, ["2"]), (5, []), (9, [])],
)
def test_the_release_before_is_the_last_to_go(keep: int, versions: list[str]) -> None:
    assert releases_to_remove(STATUSES, HISTORY, "1", keep) == versions


def test_the_releases_in_between_stay_for_the_way_back() -> None:
    way = [entry_of("install", release, before=before) for before, release in (("1", "2"), ("2", "3"), ("3", "4"))]
    history = [entry_of("commit", "1", before="0"), *way, entry_of("commit", "4", before="1")]
    assert came_through(history, "4") == ["3", "2", "1"]
    statuses = {"5": "unpacked", "4": "permanent", "3": "old", "2": "old", "1": "old", "0": "old"}
    assert [releases_to_remove(statuses, history, "4", keep) for keep in (0, 2, 4, 5, 6)] == [[], ["5", "0"], ["5", "0"], ["0"], []]


def test_without_a_history_the_newest_stay() -> None:
    assert releases_to_remove(STATUSES, [], "1", 3) == ["2", "3"]
