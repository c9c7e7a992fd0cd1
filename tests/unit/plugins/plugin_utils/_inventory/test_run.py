# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of a run: what Ansible cannot make batches of is refused, and an inventory that has one of them."""

from __future__ import annotations

import pytest

from ansible_collections.erlang.otp.plugins.filter.upgrade_state import FilterModule
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.run import in_the_inventory, run


@pytest.mark.parametrize("serial", [1, 0, "5", "25%", [1, "25%", "100%"], ["1"]])
def test_batches(serial: object) -> None:
    assert [*run({"otp_serial": serial, "otp_max_fail_percentage": "12.5"})] == []


@pytest.mark.parametrize("serial", ["abc", "", -1, "-1", 1.5, True, None, [], ["1", "abc"], "[1,2]", "25.5%", {}])
def test_no_batches(serial: object) -> None:
    (said,) = run({"otp_serial": serial})
    assert said.startswith(f"otp_serial is {serial!r}: give a number of hosts")
    with pytest.raises(Exception, match="otp_serial is "):
        FilterModule().filters()["upgrade_state"]([], serial=serial)


@pytest.mark.parametrize("percentage", ["ten", -1, 101, "101", True, None, [5]])
def test_no_percentage(percentage: object) -> None:
    (said,) = run({"otp_max_fail_percentage": percentage})
    assert said.startswith(f"otp_max_fail_percentage is {percentage!r}: ")


def test_an_inventory_has_no_variable_of_a_run() -> None:
    hosts = [{"inventory_hostname": "a", "otp_serial": 1, "otp_hosts": "b"}, {"inventory_hostname": "b", "otp_serial": 1}, {"inventory_hostname": "c"}]
    assert [*in_the_inventory(hosts, {"otp_serial", "otp_hosts"})] == []
    (said,) = in_the_inventory(hosts, {"otp_hosts"})
    assert said.startswith("otp_serial is in the inventory, of a, b: it belongs to a run")


def test_a_stop_file_is_where_the_run_can_write(tmp_path) -> None:
    assert [*run({"otp_stop_file": f"{tmp_path}/stop"})] == [] == [*run({"otp_stop_file": ""})]
    for path in ("stop", f"{tmp_path}/none/stop"):
        (said,) = run({"otp_stop_file": path})
        assert said.startswith(f"otp_stop_file is {path!r}: give an absolute path, in a directory of the controller that this run can write to")
