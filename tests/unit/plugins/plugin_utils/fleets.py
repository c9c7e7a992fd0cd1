# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What otp_release_info says of hosts that are well and of others, for tests."""

from __future__ import annotations

import typing as t

NEVER = "exchange:status/0 returned stopped, and {running,_} was expected, for 30 s"


def said(release: str = "2.0", *, permanent: str | None = None, name: str = "exchange", node: str = "", running: dict | None = None, **more: t.Any) -> dict:
    """A node that runs the release. running: what else the node says; more: what else the module says."""
    permanent = permanent or release
    releases = [{"name": name, "version": version} for version in sorted({release, permanent})]
    told = {"pid": 100, "answers": True, "status": "started", "release": release, "permanent": permanent, "name": node, "erts_version": "13.1.5"}
    told.update({"started": "2026-11-18T03:12:55Z", "uptime": 3600, "releases": releases, **(running or {})})
    return {
        "installed": True,
        "permanent": {"release": permanent, "erts_version": "13.1.5"},
        "releases": releases,
        "disagreements": [],
        "running": told,
        "history": [],
        "failed_releases": {},
        "previous": None,
        "uncommitted": None,
        "upgrading": None,
        **more,
    }


def down(permanent: str = "2.0", **more: t.Any) -> dict:
    """No emulator runs; the module then says so much of the node."""
    return said(permanent, **{**more, "running": None}) | {"running": {"pid": None, "answers": False, "release": None, "releases": []}}


def failed(time: str = "2026-11-21T03:04:05Z", reason: str = NEVER) -> dict:
    return {"time": time, "action": "verify", "reason": reason}


def hosts(*said_of: t.Any, groups: t.Sequence[str] = ("otp",)) -> dict[str, dict]:
    """The hosts h1, h2, ..., of which this was said."""
    return {f"h{number}": {"result": one, "node": f"exchange@h{number}", "groups": groups} for number, one in enumerate(said_of, 1)}
