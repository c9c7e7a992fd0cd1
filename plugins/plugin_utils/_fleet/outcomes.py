# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The words that reports have for what became of a host, each by facts that were observed after the work.

The guides on upgrades and on deployments have the same tables; tests/unit/plugins/plugin_utils/_fleet/test_outcomes.py compares them.
"""

from __future__ import annotations

# Of upgrade, rollback, restart, start and stop.
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
    "lost": "Ansible could not go on with the host in the middle of the work, or the operator has left out a task of it (--step)",
    "down, left alone": "The node, or its host, is down, and otp_down is skip",
}
# Those that count as a failure of the host.
BAD = ("refused", "rolled back", "failed", "not finished")

# Of deploy, provision, image and remove. What became of a restart is one of OUTCOMES, unless it is one of RESTARTED.
DEPLOYED = {
    "changed": "This run has changed the host, which is as requested but for what a line below the table says",
    "unchanged": "The host was as requested before, but for what a line below the table says",
    "would change": "In check mode: the host would be changed",
    "restarted": "The node runs with its changed files since a restart, and has passed its gates",
    "would restart": "In check mode: the node would be restarted, as its files have changed or would be",
    "not restarted": "The node runs without a change of its files, and its restart is due: the run ended before",
    "failed": "The host is not as requested; the reason shows what was not done. What was done before stays",
    "unreachable": "Ansible could not reach the host; what a call that was cut off has done there is not known",
    "not reached": "The run ended before this host, and did nothing there",
    "removed": "The system is off the host",
    "would be removed": "In check mode: the system would be taken off the host",
}
RESTARTED = {"not reached": "not restarted", "held back": "not restarted", "done": "restarted"}
