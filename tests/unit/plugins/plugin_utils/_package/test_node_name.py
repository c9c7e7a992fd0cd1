# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: relx's name is the one of vm.args; mix's is that of the release, or what env.sh says; what is computed must be in the inventory."""

from __future__ import annotations

import pytest

from ansible_collections.erlang.otp.plugins.filter.package_node import package_node
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.plugin_utils._package.node_name import find_node_name

REL = b'{release,{"shop","1.0"},{erts,"13.1"},[{kernel,"8.5",permanent}]}.\n'


@pytest.mark.parametrize(
    ("files", "name", "long"),
    [
        ({}, "", False),
        ({"vm.args": b"+K true\n"}, "", False),
        ({"vm.args": b"-sname tele\n"}, "tele", False),
        ({"vm.args": b"-name tele@127.0.0.1\n"}, "tele@127.0.0.1", True),
        ({"vm.args.src": b"-name ${NODE}\n", "vm.args": b"-sname no\n"}, "a@b.example", True),
        ({"vm.args.src": b"-name ${OTHER}\n"}, "", False),
        ({"env.sh": b"# export RELEASE_NODE=no\n"}, "shop", False),
        ({"env.sh": b"", "vm.args": b"-sname own\n"}, "own", False),
        ({"env.sh": b"export RELEASE_DISTRIBUTION=name\nexport RELEASE_NODE='shop@127.0.0.1'; A=1\n"}, "shop@127.0.0.1", True),
        ({"env.sh": b"export RELEASE_DISTRIBUTION=none\n"}, "", False),
    ],
)
def test_the_name_of_the_package(files, name, long):
    assert find_node_name({"shop.rel": REL, **files}, {"NODE": "a@b.example"}, package="p") == (name, long)


@pytest.mark.parametrize("line", ["export RELEASE_NODE=shop@$(hostname -f)", "RELEASE_NODE=a\nRELEASE_NODE=b", 'export RELEASE_DISTRIBUTION="${X:-name}"'])
def test_a_computed_name_must_be_in_the_inventory(line):
    with pytest.raises(OtpError, match="set otp_node_name"):
        find_node_name({"shop.rel": REL, "env.sh": line.encode()}, {}, package="p")


@pytest.mark.parametrize("package", ["", None, "https://example.org/shop.tar.gz", "/nowhere/shop.tar.gz"])
def test_what_is_not_a_file_says_nothing(package):
    assert package_node(package) == {"name": "", "long": False}


def test_the_installation_says_what_is_wrong_with_a_package(tmp_path):
    (tmp_path / "shop.tar.gz").write_text("junk")
    assert package_node(str(tmp_path / "shop.tar.gz")) == {"name": "", "long": False}
