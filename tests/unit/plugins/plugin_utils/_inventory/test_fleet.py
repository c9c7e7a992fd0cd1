# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: each problem is named once, with its hosts; hosts that are one system are found, and hosts behind different jump hosts are not."""

from __future__ import annotations

from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.fleet import of_hosts, shared_systems


def test_a_problem_of_several_hosts_is_named_once() -> None:
    hosts = [{"inventory_hostname": name, "_otp_problems": problems} for name, problems in (("a", ["x"]), ("b", []), ("c", ["y", "x"]))]
    assert [*of_hosts([*hosts, {"inventory_hostname": "d"}])] == ["a, c: x", "c: y"]


def test_one_address_behind_different_jump_hosts() -> None:
    def host(name: str, **more: object) -> dict:
        return {"inventory_hostname": name, "ansible_host": "10.0.0.1", "otp_root": "/srv/exchange", **more}

    jumps = [host(name, ansible_ssh_common_args=f"-o ProxyJump={name}.example.org") for name in ("a", "b")]
    others = [host("c", ansible_connection="community.docker.docker"), host("d", ansible_connection="ssh"), host("e", ansible_connection="local")]
    assert [*shared_systems([*jumps, *others])] == []
    assert len([*shared_systems([host("f"), host("g", ansible_connection="ansible.builtin.ssh")])]) == 1


def test_hosts_that_are_one_system() -> None:
    def host(name: str, **more: object) -> dict:
        return {"inventory_hostname": name, "otp_root": "/srv/exchange", **more}

    assert [*shared_systems([host("a"), host("b"), host("c", ansible_host="a", ansible_port=2222), host("d", ansible_host="a", otp_root="/srv/other")])] == []
    (said,) = shared_systems([host("a"), host("b", ansible_host="a", otp_root="/srv/exchange/")])
    assert "the hosts a and b are one system, /srv/exchange/ on a" in said
    (said,) = shared_systems([host("a", ansible_connection="local"), host("b", ansible_connection="local")])
    assert "on this machine" in said
    assert [*shared_systems([{"inventory_hostname": "a"}, {"inventory_hostname": "b", "ansible_host": "a"}])] == []
    # A client's root directory is its master's.
    assert [*shared_systems([host("a"), host("b", ansible_host="a", otp_master="a"), host("c", ansible_host="a", otp_master="a")])] == []
