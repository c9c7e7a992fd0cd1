# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One report of several documents that the slices of a fleet have written, each as docs/status.schema.json describes it."""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.fleet import STATES, Data, duration, fleet_of, note_packages, readable_time
from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.fleet_data import SCHEMA, mixed_data

# What a row has, and a document does not know as null.
TEXTS = ("master", "name", "release", "permanent", "erts", "node")


def merge_documents(documents: t.Iterable[Data]) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
    """The fleet as describe_fleet returns it, and the document of all of it. Of a host that is in several documents, the newest counts.

    The time is that of the oldest document. Raises ValueError, KeyError, TypeError or AttributeError for what is not such a document.
    """
    ordered = sorted(documents, key=lambda document: str(document["time"]))
    for document in ordered:
        if document["schema"] != SCHEMA:
            raise ValueError(f"its schema is {document['schema']!r}, and {SCHEMA} is known here")
    hosts = {str(host["host"]): host for document in ordered for host in document["hosts"]}
    rows = [_row(host, number) for number, host in enumerate(hosts.values(), 1)]
    # A release from another package than on the hosts of another slice is only seen here.
    note_packages(rows, {})
    fleet = fleet_of(rows, time=readable_time(ordered[0]["time"]))
    found = [
        {**hosts[row["host"]], "state": row["state"], "disagreements": row["disagreements"], "notes": [note["text"] for note in row["notes"]]}
        for row in fleet["rows"]
    ]
    return fleet, {"schema": SCHEMA, "time": ordered[0]["time"], "hosts": found, "application": None, "mixed": mixed_data(fleet)}


def _row(host: Data, number: int) -> dict[str, t.Any]:
    if host["state"] not in STATES:
        raise ValueError(f"the state of {host['host']} is {host['state']!r}")
    return {
        **host,
        **{key: host[key] or "" for key in TEXTS},
        "id": f"host-{number}",
        "disagreements": [*host["disagreements"]],
        "notes": [{"text": text, "time": ""} for text in host["notes"]],
        "package": host["package_sha256"] or "",
        "started": readable_time(host["started"] or ""),
        "up": duration(host["uptime"]),
        "history": [{**entry, "time": readable_time(entry["time"] or "")} for entry in reversed(host["history"])],
    }
