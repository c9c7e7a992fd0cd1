# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs where in a fleet: the results of otp_release_info, as rows, notes and sums. Plain data in and out, for templates."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.terminal import clean
from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.fleet_application import describe_application
from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.fleet_drift import note_drift

# The worst first, and what each means.
STATES = {
    "unreachable": "Ansible did not reach the host",
    "not asked": "the module failed on the host",
    "no system": "nothing is installed below otp_root",
    "down": "no emulator runs the system",
    "no answer": "the emulator runs, and its node did not answer",
    "starting": "the node has not booted, or is about to be started",
    "stopping": "the node is about to end",
    "not committed": "another release than the permanent one runs",
    "disagrees": "files, node or packages disagree",
    "running": "all is well",
}
SEVERITY = {state: number for number, state in enumerate(STATES)}
# Every host is in the first, and the other is for hosts that are in none.
GROUPS_OF_ANSIBLE = ("all", "ungrouped")

Data = t.Mapping[str, t.Any]


def describe_fleet(
    hosts: t.Mapping[str, Data],
    *,
    time: str,
    clients: t.Collection[tuple[str, str]] = (),
    packages: t.Mapping[tuple[str, str], tuple[str, str]] | None = None,
    application: str = "",
) -> dict[str, t.Any]:
    """The fleet as plain data.

    hosts: by name, in the order of the inventory, ``result`` (the registered one of otp_release_info, or None), ``node``
    (the name that the inventory has), ``groups``, of a client ``master``, the host it runs from, and ``verified`` (of otp_release_verify).
    time: that of the report.
    clients: those of the whole inventory, each with its master and its node. packages: of the controller, path and sha256 by name and version.
    application: the name of one that is looked for.
    Returns ``time``, ``rows`` (the worst first, clients below their masters), ``notes`` (what is to be known, with the hosts), ``releases``
    (which of them run on how many hosts), ``states`` (the same of the hosts on which none runs), ``mixed`` (groups with several releases),
    ``application`` (where it is, or None).
    """
    rows = [row_of(host, data.get("result") or {}, data.get("node") or "") for host, data in hosts.items()]
    for number, row in enumerate(rows):
        row["id"] = f"host-{number + 1}"
    for row in rows:
        master = hosts[row["host"]].get("master") or ""
        row["master"] = master if master in hosts else ""
        row["groups"] = [group for group in hosts[row["host"]].get("groups") or [] if group not in GROUPS_OF_ANSIBLE]
        row["notes"] += [{"text": text, "time": ""} for text in unnamed_clients(row["host"], hosts[row["host"]].get("result") or {}, clients)]
    note_packages(rows, packages or {})
    for row in rows:
        note_drift(row, hosts[row["host"]].get("verified") or {})
    fleet = fleet_of(rows, time=time)
    if application:
        fleet["application"] = describe_application(application, fleet["rows"], {host: data.get("result") or {} for host, data in hosts.items()})
    return fleet


def fleet_of(rows: list[dict[str, t.Any]], *, time: str) -> dict[str, t.Any]:
    """What describe_fleet returns without an application, of the rows of all hosts, to which nothing more is noted."""
    for row in rows:
        row["severity"] = SEVERITY[row["state"]]
    rows.sort(key=lambda row: row["severity"])
    rows = below_masters(rows)
    return {
        "time": time,
        "application": None,
        "rows": rows,
        "notes": notes_of(rows),
        "releases": releases_of(rows),
        "states": states_of(rows),
        "mixed": mixed_groups(rows),
    }


def below_masters(rows: t.Iterable[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """The rows, each client's after that of its master. rows: the worst first; a master's place is that of the worst of them."""
    families: dict[str, list[dict[str, t.Any]]] = {}
    for row in rows:
        families.setdefault(row["master"] or row["host"], []).append(row)
    return [row for family in families.values() for row in sorted(family, key=lambda row: bool(row["master"]))]


def unnamed_clients(host: str, result: Data, clients: t.Collection[tuple[str, str]]) -> t.Iterator[str]:
    """A note for each directory of a client on this host that no host of the inventory has."""
    for client in result.get("clients", []):
        if (host, client["client"]) not in clients:
            yield f"client {client['client']} has a directory, but no host of the inventory: run erlang.otp.clients with -e otp_clients_prune=true to remove it"


def row_of(host: str, result: Data, node: str) -> dict[str, t.Any]:
    """A host. release: that which runs; notes: ``text`` and ``time``, which may be empty; history: the newest first."""
    running = result.get("running") or {}
    permanent = (result.get("permanent") or {}).get("release")
    names = {release["version"]: release["name"] for release in [*result.get("releases", []), *running.get("releases", [])]}
    release = running.get("release")
    return {
        "host": host,
        "state": state_of(result),
        "name": names.get(release or permanent, ""),
        "release": release or "",
        "package": package_of(result, release or permanent),
        "permanent": permanent or "",
        "outdated": list(running.get("outdated") or []),
        "disagreements": list(result.get("disagreements", [])),
        "erts": running.get("erts_version") or "",
        "started": readable_time(running.get("started") or ""),
        "uptime": running.get("uptime"),
        "up": duration(running.get("uptime")),
        "node": running.get("name") or node,
        "notes": [*notes_on(result)],
        "history": [{**entry, "time": readable_time(entry["time"])} for entry in reversed(result.get("history", []))],
    }


def package_of(result: Data, version: str | None) -> str:
    """The sha256 of the package from which the host has the release, empty if it is not known."""
    return next((release.get("package_sha256") or "" for release in result.get("releases", []) if release["version"] == version), "")


def note_packages(rows: t.Sequence[dict[str, t.Any]], packages: t.Mapping[tuple[str, str], tuple[str, str]]) -> None:
    """Add a note to each host whose release is from another package than the controller's, or than that of other hosts, of the same version."""
    found: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        if row["package"]:
            found.setdefault((row["name"], row["release"] or row["permanent"]), set()).add(row["package"])
    for row in rows:
        release = row["name"], row["release"] or row["permanent"]
        path, digest = packages.get(release, ("", ""))
        if not row["package"] or (len(found[release]) == 1 and digest in ("", row["package"])):
            continue
        what = f"release {release[1]} is from the package with sha256 {row['package'][:12]}..."
        if digest not in ("", row["package"]):
            sentence = f"{what}, not from {path} ({digest[:12]}...): it may have other content than its version says"
        else:
            sentence = f"{what}, and other hosts have this version from another package, which may have other content"
        if sentence not in row["disagreements"]:
            row["notes"].append({"text": sentence, "time": ""})
            row["disagreements"].append(sentence)
        row["state"] = "disagrees" if row["state"] == "running" else row["state"]


def state_of(result: Data) -> str:
    """One of STATES."""
    if result.get("unreachable"):
        return "unreachable"
    if result.get("failed") or "installed" not in result:
        return "not asked"
    if not result["installed"]:
        return "no system"
    running = result.get("running") or {}
    if running.get("pid") is None:
        return "starting" if running.get("status") == "starting" else "down"
    if not running["answers"]:
        return "no answer"
    if running["status"] in ("starting", "stopping"):
        return str(running["status"])
    if running["release"] != running["permanent"]:
        return "not committed"
    return "disagrees" if result["disagreements"] else "running"


def notes_on(result: Data) -> t.Iterator[dict[str, str]]:
    """The notes on a host."""
    if "installed" not in result:
        yield {"text": one_line(result.get("msg") or "it has not been asked"), "time": ""}
    for sentence in result.get("disagreements", []):
        yield {"text": one_line(sentence), "time": ""}
    running = (result.get("running") or {}).get("release")
    mark = result.get("upgrading")
    if mark:
        text = f"{mark['operator']} is {mark['doing']}: others are refused until it gives it back, or {readable_time(mark['until'])}"
        yield {"text": one_line(text), "time": readable_time(mark["since"])}
    tried = result.get("uncommitted")
    if tried and tried["release"] != running:
        text = f"release {tried['release']} was installed and never committed: its emulator has ended, and {tried['from']} boots again"
        yield {"text": text, "time": readable_time(tried["time"])}
    for version, failure in result.get("failed_releases", {}).items():
        yield {"text": f"release {version} failed ({failure['action']}): {one_line(failure['reason'])}", "time": readable_time(failure["time"])}


def notes_of(rows: t.Iterable[Data]) -> list[dict[str, t.Any]]:
    """The notes of all hosts; a note that several hosts have is there once. first, last: when, the same for a single time, or empty."""
    notes: dict[str, dict[str, t.Any]] = {}
    for row in rows:
        for note in row["notes"]:
            common = notes.setdefault(note["text"], {"text": note["text"], "hosts": [], "first": note["time"], "last": note["time"]})
            common["hosts"].append({"host": row["host"], "id": row["id"]})
            common["first"] = min(common["first"], note["time"])
            common["last"] = max(common["last"], note["time"])
    return list(notes.values())


def releases_of(rows: t.Iterable[Data]) -> list[dict[str, t.Any]]:
    """The releases that run, that of the most hosts first: name, version, rows."""
    found: dict[tuple[str, str], list[Data]] = {}
    for row in rows:
        if row["release"]:
            found.setdefault((row["name"], row["release"]), []).append(row)
    ranked = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    return [{"name": name, "version": version, "rows": of_release} for (name, version), of_release in ranked]


def states_of(rows: t.Iterable[Data]) -> list[dict[str, t.Any]]:
    """The states of the hosts of which no release is known to run, the worst first: state, meaning, rows."""
    found: dict[str, list[Data]] = {}
    for row in rows:
        if not row["release"]:
            found.setdefault(row["state"], []).append(row)
    return [{"state": state, "meaning": STATES[state], "rows": found[state]} for state in STATES if state in found]


def mixed_groups(rows: t.Iterable[Data]) -> list[dict[str, t.Any]]:
    """Groups whose hosts run several versions of one release: group, and releases as of releases_of. Of groups with the same hosts, the first."""
    members: dict[str, list[Data]] = {}
    for row in rows:
        for group in row["groups"]:
            members.setdefault(group, []).append(row)
    mixed, seen = [], set()
    for group, of_group in members.items():
        releases = releases_of(of_group)
        names = [release["name"] for release in releases]
        releases = [release for release in releases if names.count(release["name"]) > 1]
        hosts = frozenset(row["host"] for row in of_group)
        if releases and hosts not in seen:
            mixed.append({"group": group, "releases": releases})
            seen.add(hosts)
    return mixed


def one_line(text: str) -> str:
    """The text without line ends and what would move a terminal's cursor."""
    return clean(re.sub(r"[\x00-\x20\x7f-\x9f]+", " ", str(text))).strip()


def readable_time(time: str) -> str:
    """``2026-01-31 12:00:59`` of ``2026-01-31T12:00:59Z``; UTC as that is. The history is a file that anybody may have written to."""
    return str(time).replace("T", " ").rstrip("Z")


def duration(seconds: int | None) -> str:
    """In the two largest units that say something; empty for None."""
    if seconds is None:
        return ""
    for unit, size, lesser, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit} {seconds % size // part} {lesser}"
    return f"{seconds // 60} min" if seconds >= 60 else f"{seconds} s"
