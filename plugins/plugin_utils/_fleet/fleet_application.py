# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One application in a fleet: which version of it is in which release, and on which hosts that release runs or is installed."""

from __future__ import annotations

import re
import typing as t

Data = t.Mapping[str, t.Any]
Place = t.Tuple[str, str, str, bool]


def describe_application(name: str, rows: t.Sequence[dict[str, t.Any]], results: t.Mapping[str, Data]) -> dict[str, t.Any]:
    """Where the application is; each row gets ``application``, a text for a cell of a table.

    name: of the application, or erts. rows: those of describe_fleet. results: of otp_release_info, by host, where applications are those of RELEASES.
    Returns ``name``, ``places`` (the lowest version first: version, name and release of what has it, runs, rows), ``without`` (rows of hosts on
    which no release has it), ``unknown`` (rows of hosts that may have it: not asked, or with a release of which the applications are not known).
    """
    places: dict[Place, list[Data]] = {}
    without, unknown = [], []
    for row in rows:
        releases = results[row["host"]].get("releases") or []
        found = [(str(versions[name]), release) for release in releases if name in (versions := _versions(release))]
        for version, release in found:
            runs = bool(row["release"]) and release["version"] == row["release"]
            places.setdefault((version, str(release["name"]), str(release["version"]), runs), []).append(row)
        row["application"] = _text_of(found, row["release"])
        if not _is_known(results[row["host"]], row["release"]):
            unknown.append(row)
            row["application"] = row["application"] or "not known"
        elif not found:
            without.append(row)
    keys = ("version", "name", "release", "runs")
    ranked = sorted(places.items(), key=lambda item: (_natural(item[0][0]), item[0][1], _natural(item[0][2]), not item[0][3]))
    return {"name": name, "places": [{**dict(zip(keys, place)), "rows": of_place} for place, of_place in ranked], "without": without, "unknown": unknown}


def _versions(release: Data) -> dict[str, t.Any]:
    """Of its applications, and of ERTS, which is not one, but is asked for alike."""
    erts = release.get("erts_version")
    return {**(release.get("applications") or {}), **({"erts": erts} if erts else {})}


def _is_known(result: Data, runs: str) -> bool:
    releases = result.get("releases") or []
    if "installed" not in result or any(not release.get("applications") for release in releases):
        return False
    # A system of which nothing can be read has no releases either.
    return (bool(releases) or not result["installed"]) and (not runs or runs in [release["version"] for release in releases])


def _text_of(found: t.Iterable[tuple[str, Data]], runs: str) -> str:
    running = [version for version, release in found if runs and release["version"] == runs]
    others = [f"{version} in {release['version']}" for version, release in found if version not in running]
    return "; ".join([*(f"{version} runs" for version in running), *others])


def _natural(version: str) -> list[tuple[int, str]]:
    """2.10 is higher than 2.9."""
    return [(int(digits or 0), rest) for digits, rest in re.findall(r"([0-9]*)([^0-9]*)", version[:200])]
