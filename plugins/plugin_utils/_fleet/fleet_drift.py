# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What differs on the hosts of a report from their packages, as otp_release_verify has found it. Plain data in and out."""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.upgrade_outcome import has_failed, message
from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.verify_state import count_of, limited, not_verified

Data = t.Mapping[str, t.Any]


def drift_of(found: Data) -> list[str] | None:
    """A sentence for each finding. None if it is not known whether something differs: nothing was found, and not everything that runs was compared."""
    if "drift" not in found:
        return None
    texts = [str(finding["text"]) for finding in found["drift"]]
    permanent = next((release for release in found["releases"] if release["is_permanent"]), None)
    return texts if texts or (permanent and permanent["is_known"] and not found["node"]["error"]) else None


def note_drift(row: dict[str, t.Any], found: Data) -> None:
    """Add ``drift`` to the row of a host, its notes, and its state. found: the result of otp_release_verify, empty for a host that was not verified."""
    row["drift"] = drift_of(found)
    row["notes"] += [{"text": text, "time": ""} for text in _sentences(found, row["drift"] or [])]
    if row["drift"] and row["state"] == "running":
        row["state"] = "disagrees"


def _sentences(found: Data, drift: t.Sequence[str]) -> t.Iterator[str]:
    if has_failed(found):
        yield f"it was not verified: {message(found)}"
    elif "drift" in found:
        if drift:
            # That playbook says what to do, and compares the configuration as well.
            yield f"{count_of(len(drift))} from the packages: run erlang.otp.verify, which says what to do"
        yield from limited(drift)
        yield from not_verified(found)
