# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The words that the reports of upgrade, rollback, restart, start and stop have for what became of a host, each by facts that were observed after the work.

The guide on upgrades has the same table; tests/unit/plugins/plugin_utils/_fleet/test_outcomes.py compares them.
"""

from __future__ import annotations

OUTCOMES = {
    "done": "This run has done what was requested: the node runs the release, which is permanent and has passed its gates; a node that is down boots it next",
    "unchanged": "All was as requested before: the node runs the release, which is permanent; a node that is down boots it next",
    "would change": "In check mode: the host can be changed, and would be",
    "not reached": "The run ended before this host, and did nothing there. NOW is what it was found to run at the end of the run",
    "held back": "The host can be changed, and its node was not: another host of its batch was refused. The release may be unpacked",
    "refused": "The host cannot be changed, and its node was not",
    "rolled back": "The node was found to run what it ran before, after a failure",
    "failed": "The node was not found to be as before, after a failure; the reason shows its state",
    "not finished": "The node is as requested; the hook after, or the removal of old releases, failed",
    "lost": "Ansible could not go on with the host in the middle of the work",
    "down, left alone": "The node, or its host, is down, and otp_down is skip",
}
# Those that count as a failure of the host.
BAD = ("refused", "rolled back", "failed", "not finished")
