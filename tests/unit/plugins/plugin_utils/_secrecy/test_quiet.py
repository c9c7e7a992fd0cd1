# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: a module that goes to the host in Ansible's own way does not write its options to the log there; each module of the collection has an action
plugin, so this holds for all.
"""

from __future__ import annotations

from pathlib import Path

from ansible import constants as C

from ansible_collections.erlang.otp.plugins.plugin_utils._secrecy.quiet import execute_quietly
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils._transport.tasks import make_action

PLUGINS = Path(__file__).parents[5] / "plugins"


def test_nothing_is_logged(monkeypatch):
    action, seen = make_action(), []
    monkeypatch.setattr(type(action), "_execute_module", lambda _self, module_args, task_vars, **_options: seen.append(task_vars) or {"arguments": module_args})
    given = {"otp_root": "/srv/x"}
    assert execute_quietly(action, {"a": 1}, given) == {"arguments": {"a": 1}}
    assert C.config.get_config_value("DEFAULT_NO_TARGET_SYSLOG", variables=seen[0]) is True
    assert seen[0]["otp_root"] == "/srv/x" and given == {"otp_root": "/srv/x"}


def test_every_module_has_an_action():
    modules, actions = ({path.stem for path in (PLUGINS / kind).glob("*.py")} for kind in ("modules", "action"))
    assert modules == actions
    assert not [path for path in PLUGINS.rglob("*.py") if "._execute_module(" in path.read_text() and path.stem != "quiet"]
