# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet for other programs: one document, as docs/status.schema.json describes it."""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.fleet import Data

# Another number with each change that breaks those who read the document.
SCHEMA = 1
OF_A_ROW = ("host", "state", "master", "groups", "name", "release", "permanent", "erts", "node", "outdated", "disagreements", "drift")
OF_THE_HISTORY = ("time", "action", "release", "from", "outcome", "reason")
OF_A_RELEASE = ("name", "version", "erts_version", "status", "package_sha256")
OF_A_PLACE = ("version", "name", "release", "runs")


def fleet_data(fleet: Data, hosts: t.Mapping[str, Data]) -> dict[str, t.Any]:
    """The document. fleet, hosts: what describe_fleet returned and was given. What is not known is None, and times are those of RFC 3339."""
    return {
        "schema": SCHEMA,
        "time": f"{fleet['time'].replace(' ', 'T')}Z",
        "hosts": [_host(row, hosts[row["host"]].get("result") or {}) for row in fleet["rows"]],
        "application": _application(fleet["application"]) if fleet["application"] else None,
        "mixed": mixed_data(fleet),
    }


def mixed_data(fleet: Data) -> list[dict[str, t.Any]]:
    """The groups of several releases. fleet: what describe_fleet returned."""
    return [{"group": mixed["group"], "releases": [_release(release) for release in mixed["releases"]]} for mixed in fleet["mixed"]]


def _host(row: Data, result: Data) -> dict[str, t.Any]:
    running = result.get("running") or {}
    return {
        **{key: row[key] if row[key] != "" else None for key in OF_A_ROW},
        "started": running.get("started"),
        "uptime": row["uptime"],
        "package_sha256": row["package"] or None,
        "failed_releases": sorted(result.get("failed_releases", {})),
        "notes": [note["text"] for note in row["notes"]],
        "releases": [{key: release.get(key) for key in OF_A_RELEASE} for release in result.get("releases", [])],
        "history": [{key: entry.get(key) for key in OF_THE_HISTORY} for entry in result.get("history", [])],
    }


def _application(found: Data) -> dict[str, t.Any]:
    return {
        "name": found["name"],
        "places": [{**{key: place[key] for key in OF_A_PLACE}, "hosts": _hosts(place["rows"])} for place in found["places"]],
        "without": _hosts(found["without"]),
        "unknown": _hosts(found["unknown"]),
    }


def _hosts(rows: t.Iterable[Data]) -> list[str]:
    return [row["host"] for row in rows]


def _release(release: Data) -> dict[str, t.Any]:
    return {"name": release["name"], "version": release["version"], "hosts": _hosts(release["rows"])}
