# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the nodes of a cluster are called from the inventory.

Rules: the defaults are those of the role target_system; a client is called on the host of its master, without pipes; no cookie is in a call,
because calls are shown.
"""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.erlang.otp.plugins.filter.cluster_calls import FilterModule

HOSTS: dict[str, dict[str, t.Any]] = {
    "a": {"otp_root": "/srv/x", "otp_node_name": "x@a", "otp_cookie": "secret"},
    "b": {"otp_root": "/srv/x", "otp_node_name": "x@b", "otp_environment": {"ERL_EPMD_PORT": 4400}, "otp_run_dir": "/run/x"},
    "c": {"otp_root": "/srv/x", "otp_node_name": "", "otp_pipe_dir": "/pipes", "otp_epmd_port": "1"},
    "d": {"otp_root": "/srv/x", "otp_node_name": "x@d", "otp_master": "a"},
    "e": {"otp_root": "/srv/x", "otp_package": "https://mirror/x.tar.gz"},
}


def test_where_a_node_is_called() -> None:
    found = FilterModule().filters()["cluster_calls"](HOSTS, hosts=[*HOSTS], more={"cluster": "otp"})
    assert [(call["host"], call["place"], call["node"], call["pipe_dir"], call["epmd_port"]) for call in found] == [
        ("a", "a", "x@a", "/srv/x/run/pipe", 4369),
        ("b", "b", "x@b", "/run/x/pipe", 4400),
        ("c", "c", "", "/pipes", 1),
        ("d", "a", "x@d", "", 4369),
        ("e", "e", "", "/srv/x/run/pipe", 4369),
    ]
    assert "secret" not in str(found) and {call["cluster"] for call in found} == {"otp"}


def test_it_needs_hostvars() -> None:
    with pytest.raises(AnsibleFilterError, match="needs hostvars"):
        FilterModule().filters()["cluster_calls"]([], hosts=[])
