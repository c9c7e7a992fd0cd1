# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rule: the lines that systemd cannot carry out in a container are left out there, and nowhere else. The molecule fleets are such containers."""

from __future__ import annotations

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._node.sandbox import FILTERS, for_this_host

UNIT = "[Service]\n" + "".join(f"{line}\n" for line in FILTERS) + "NoNewPrivileges=yes\n"


@pytest.mark.parametrize(("capabilities", "is_whole"), [("000001ffffffffff", True), ("00000000a80425fb", False), (None, True)])
def test_lines_for_this_host(tmp_path, capabilities, is_whole):
    status = tmp_path / "status"
    if capabilities:
        status.write_text(f"Name:\tsystemd\nCapPrm:\t0000000000000000\nCapEff:\t{capabilities}\nCapBnd:\t0000000000000000\n")
    assert for_this_host(UNIT, status=str(status)) == (UNIT if is_whole else "[Service]\nNoNewPrivileges=yes\n")
