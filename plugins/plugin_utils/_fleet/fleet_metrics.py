# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet as the metrics of a file that Prometheus' node_exporter reads (its textfile collector)."""

from __future__ import annotations

import calendar
import time as _time
import typing as t

from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.fleet import Data

Samples = t.Iterator[t.Tuple[t.Dict[str, str], float]]


def fleet_metrics(data: Data) -> str:
    """The text of the file. data: what fleet_data returned. A host of which a thing is not known has no sample of it."""
    lines: list[str] = []
    for name, (help_text, samples) in METRICS.items():
        lines += [f"# HELP {name} {help_text}", f"# TYPE {name} gauge"]
        lines += [f"{name}{_labels(labels)} {value:.0f}" for labels, value in samples(data)]
    return "".join(f"{line}\n" for line in lines)


def _labels(labels: t.Mapping[str, str]) -> str:
    """As the text format wants them: a backslash, a quote and the end of a line are escaped."""
    escaped = {name: text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for name, text in labels.items()}
    return "{" + ",".join(f'{name}="{text}"' for name, text in escaped.items()) + "}" if labels else ""


def _releases(data: Data) -> Samples:
    for host in data["hosts"]:
        if host["release"]:
            yield {"host": host["host"], **{key: host[key] or "" for key in ("name", "release", "permanent", "erts")}}, 1


def _states(data: Data) -> Samples:
    for host in data["hosts"]:
        yield {"host": host["host"], "state": host["state"]}, 1


def _uptimes(data: Data) -> Samples:
    for host in data["hosts"]:
        if host["uptime"] is not None:
            yield {"host": host["host"]}, host["uptime"]


def _count_of(key: str) -> t.Callable[[Data], Samples]:
    def samples(data: Data) -> Samples:
        for host in data["hosts"]:
            if host["state"] not in ("unreachable", "not asked") and host[key] is not None:
                yield {"host": host["host"]}, len(host[key])

    return samples


def _time_of(data: Data) -> Samples:
    yield {}, calendar.timegm(_time.strptime(data["time"], "%Y-%m-%dT%H:%M:%SZ"))


METRICS: dict[str, tuple[str, t.Callable[[Data], Samples]]] = {
    "otp_release_info": ("The release that the node runs, and the one that boots next.", _releases),
    "otp_host_state": ("The state of the host, as the playbook status has it.", _states),
    "otp_node_uptime_seconds": ("How long the emulator has run.", _uptimes),
    "otp_failed_releases": ("Releases that failed on the host and have not succeeded since.", _count_of("failed_releases")),
    "otp_restart_pending_files": ("Files that were written since the emulator was started, and that it reads at a start.", _count_of("outdated")),
    "otp_drift": ("What does not fit together on the host, each with a sentence in the report.", _count_of("disagreements")),
    "otp_release_drift": ("Files and modules that are not those of the packages, where they were compared.", _count_of("drift")),
    "otp_status_time_seconds": ("When the fleet was asked, in seconds since the epoch.", _time_of),
}
