# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The packages on the controller from which a relup is made: of what the fleet has, and of what the release's last package has a relup from.

A relup that once led from a release keeps doing so: hosts that have gone that way may need it to go back (docs/design.md, Packages).
"""

from __future__ import annotations

import contextlib
import glob
import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.reading import is_directory_name
from ansible_collections.erlang.otp.plugins.module_utils._formats.relup_ways import find_ways
from ansible_collections.erlang.otp.plugins.plugin_utils._package.facts import release_of, ways_of

# Of hosts in a sentence.
LONGEST = 8


class Earlier(t.NamedTuple):
    """Names of packages in the directory, and a sentence for each release of the fleet that has none there.

    between: by the name of a package of what the fleet has, those to which its nodes can go without a restart, the nearest first.
    """

    packages: list[str]
    problems: list[str]
    between: dict[str, list[str]]


def find_earlier(
    answers: t.Mapping[str, t.Mapping[str, t.Any]], directory: str, name: str, version: str, stored: t.Sequence[t.Mapping[str, t.Any]] = (), store: str = ""
) -> Earlier:
    """What a relup for this release is made from.

    answers: what otp_release_info found, by host; one that did not answer, or has no system, counts as none. stored: the packages of the package store, as
    otp_package_store lists them; store: its place. Raises OtpError and OSError.
    """
    hosts: dict[tuple[str, str], list[str]] = {}
    for host, answer in answers.items():
        release = _release_of(answer)
        if release and release[1] != version:
            hosts.setdefault(release, []).append(host)
    there = {(item["name"], item["version"]): item["upgrade_from"] for item in stored}
    found = {key: package_name(*key) for key in hosts if key in there or os.path.isfile(os.path.join(directory, package_name(*key)))}
    problems = [_problem(*key, hosts[key], directory, store) for key in sorted({*hosts} - {*found})]
    last = os.path.join(directory, package_name(name, version))
    made_from = release_of(last)["made_from"] if os.path.isfile(last) else []
    kept = [package_name(name, key) for key in made_from if (name, key) in there or os.path.isfile(os.path.join(directory, package_name(name, key)))]
    ways_to = {key[1]: ways for key, ways in there.items() if key[0] == name} if found else {}
    ways_to.update({other: facts["upgrade_from"] for other, facts in packages_in(directory, name).items()} if found else {})
    steps: dict[str, set[str]] = {}
    for other, ways_from in ways_to.items():
        for earlier in (earlier for earlier, restart in ways_from.items() if restart == "none" and other != version):
            steps.setdefault(earlier, set()).add(other)
    ways = {package: find_ways(steps, key[1]) for key, package in found.items() if key[0] == name}
    between = {package: [package_name(name, other) for other in ways[package]] for package in sorted(ways) if ways[package]}
    return Earlier(sorted({*found.values(), *kept}), problems, between)


def packages_in(directory: str, name: str) -> dict[str, dict[str, t.Any]]:
    """What ways_of() returns of each package of the release of this name that the directory has under its name, by version. One that is damaged is left out."""
    found = {}
    for path in glob.glob(os.path.join(glob.escape(directory), package_name(glob.escape(name), "*"))):
        with contextlib.suppress(OtpError, OSError):
            facts = ways_of(path)
            if os.path.basename(path) == package_name(name, facts["version"]):
                found[facts["version"]] = facts
    return found


def package_name(name: str, version: str) -> str:
    """As the role release names the packages that it brings to the controller."""
    return f"{name}-{version}.tar.gz"


def _release_of(answer: t.Mapping[str, t.Any]) -> tuple[str, str] | None:
    """Name and version of the release that the host runs, or boots next. A host says what its releases are, so they may be anything."""
    here = (answer.get("running") or {}).get("release") or (answer.get("permanent") or {}).get("release")
    for release in answer.get("releases") or []:
        key = release.get("name"), release.get("version")
        if release.get("version") == here and all(isinstance(part, str) and is_directory_name(part) for part in key):
            return t.cast("tuple[str, str]", key)
    return None


def _problem(name: str, version: str, hosts: t.Sequence[str], directory: str, store: str) -> str:
    listed = ", ".join(hosts[:LONGEST]) + (f" and {len(hosts) - LONGEST} more" if len(hosts) > LONGEST else "")
    package = package_name(name, version)
    lack = f"neither the package store {store} nor {directory} has {package}" if store else f"{directory} has no {package}"
    place = f"to {directory}" if store else "there"
    return (
        f"{listed} {'has' if len(hosts) == 1 else 'have'} release {version}, and {lack} to make a relup from. Copy that package {place},"
        " or set otp_upgrade_from to the packages to make the relup from, or otp_upgrade_method to restart."
    )
