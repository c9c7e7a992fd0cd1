# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of install_release/2 and check_install_release/2, as the terms that release_handler takes (release_handler(3))."""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom

# In release_handler milliseconds, here seconds as all timeouts.
TIMEOUTS = ("code_change_timeout", "suspend_timeout")
# What differs from release_handler's own defaults.
OTHER = {"error_action": "reboot", "update_paths": True}


def install_options(given: t.Mapping[str, t.Any]) -> list[tuple[Atom, t.Any]]:
    """Those of install_release/2, but for release_handler's own defaults."""
    times = [(Atom(name), round(given[name] * 1000)) for name in TIMEOUTS if given.get(name) is not None]
    # Python writes True, and Erlang true.
    return times + [(Atom(name), Atom(str(other).lower())) for name, other in OTHER.items() if given.get(name) == other]


def check_options(given: t.Mapping[str, t.Any]) -> list[Atom]:
    """Those of check_install_release/2."""
    return [Atom("purge")] if given.get("purge") else []
