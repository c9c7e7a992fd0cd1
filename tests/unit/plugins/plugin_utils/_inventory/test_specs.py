# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rule: the validator gets values of Python's own kinds, as a copy of Ansible's takes long, and a number of Ansible's is searched for in a range."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible.parsing.dataloader import DataLoader

from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.specs import plain, typed

DATA = {"otp_root": "/srv/x", "otp_log_max_size": 100000, "otp_serial": 1.5, "otp_heart": True, "otp_unit_lines": ["A=b"], "otp_environment": {"LANG": "C"}}


def kinds(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return type(value), {(type(name), name): kinds(item) for name, item in value.items()}
    return (type(value), [kinds(item) for item in value]) if isinstance(value, list) else type(value)


def test_values_of_an_inventory_become_those_of_python(tmp_path: Path) -> None:
    (tmp_path / "vars.yml").write_text(str(DATA))
    loaded = DataLoader().load_from_file(str(tmp_path / "vars.yml"))
    assert loaded == DATA and kinds(loaded) != kinds(DATA)
    assert plain(loaded) == DATA and kinds(plain(loaded)) == kinds(DATA)
    assert typed(loaded)[0]["otp_log_max_size"].__class__ is int
    assert plain(None) is None
