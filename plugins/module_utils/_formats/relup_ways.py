# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ways through several releases, where no relup leads from one to another at once. Plain data in and out."""

from __future__ import annotations

import typing as t


def find_ways(steps: t.Mapping[str, t.Iterable[str]], start: str) -> dict[str, list[str]]:
    """The shortest way from the release to each one that can be reached, as the releases after it; the nearest come first.

    steps: the releases to which a relup leads at once, by release. Of ways of the same length the first one by name is taken, so the same steps always give
    the same way.
    """
    ways: dict[str, list[str]] = {start: []}
    # The mapping grows in the order of the search.
    front = [start]
    while front:
        release = front.pop(0)
        for following in sorted(steps.get(release, ())):
            if following not in ways:
                ways[following] = [*ways[release], following]
                front.append(following)
    del ways[start]
    return ways
