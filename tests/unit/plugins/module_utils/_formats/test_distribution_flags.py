# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a node is distributed. Rules: what erl_epmd, net_kernel and erlexec make of the same arguments; a port that is not fixed is EPMD's to know."""

from __future__ import annotations

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._formats.distribution_flags import Distribution, distribution_of, kernel_parameters

DIRECT = "-start_epmd false -erl_epmd_port 9100"


@pytest.mark.parametrize(
    ("arguments", "port", "has_epmd"),
    [
        ("", 0, True),
        ("-start_epmd false", 0, True),
        (DIRECT, 9100, False),
        ("-erl_epmd_port 9100", 9100, True),
        ("-start_epmd false -kernel erl_epmd_node_listen_port 9100", 9100, False),
        ("-start_epmd false -kernel net_ticktime 5 erl_epmd_node_listen_port 9100 -mode embedded", 9100, False),
        ("-start_epmd false -kernel erl_epmd_node_listen_port 9100 -kernel erl_epmd_node_listen_port 9101", 9100, False),
        # erl_epmd matches one alone.
        (f"{DIRECT} -erl_epmd_port 9101 -kernel erl_epmd_node_listen_port 9102", 9102, False),
        (f"{DIRECT} -erl_epmd_port 9100", 0, True),
        ("-start_epmd false -erl_epmd_port x", 0, True),
        ("-start_epmd false -erl_epmd_port 70000", 0, True),
        ("-start_epmd false -epmd_module mine", 0, False),
        ("-start_epmd false -kernel epmd_module mine", 0, False),
        ("-start_epmd false -epmd_module mine -kernel inet_dist_listen_min 9100 inet_dist_listen_max 9100", 9100, False),
        ("-start_epmd false -epmd_module mine -kernel inet_dist_listen_min 9100 inet_dist_listen_max 9105", 0, False),
        # EPMD knows the port, and the versions of the handshake as well.
        ("-kernel inet_dist_listen_min 9100 inet_dist_listen_max 9100", 0, True),
        ("-extra " + DIRECT, 0, True),
    ],
)
def test_port_and_epmd(arguments, port, has_epmd):
    found = distribution_of(["beam.smp", "-P", "-1", "--", *arguments.split()])
    assert (found.port, found.has_epmd) == (port, has_epmd)


@pytest.mark.parametrize(("arguments", "name"), [("-sname a", "a"), ("-name a@b.c -sname d", "a@b.c"), ("-sname", ""), ("", "")])
def test_name(arguments, name):
    assert distribution_of(arguments.split()) == Distribution(name)


def test_the_configuration_is_read_where_it_matters():
    def config(paths):
        asked.append(paths)
        return {"erl_epmd_node_listen_port": 9100}

    asked: list[list[str]] = []
    assert distribution_of("-config a -start_epmd false -config b".split(), config) == Distribution("", 9100, False, False)
    assert asked == [["a", "b"]]
    assert distribution_of(["-config", "a"], config).port == 0 and distribution_of(DIRECT.split(), config).port == 9100 and len(asked) == 1


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"[{kernel,[{erl_epmd_node_listen_port,9100},{net_ticktime,5}]},{app,[{x,1}]}].", {"erl_epmd_node_listen_port": 9100, "net_ticktime": 5}),
        (b"[{app,[{erl_epmd_node_listen_port,9100}]},{kernel,[]}].", {}),
        (b"[{kernel,[{net_ticktime,5}]}].", {}),
        (b"[{kernel,[{erl_epmd_node_listen_port,", {}),
        (b"", {}),
    ],
)
def test_parameters_of_kernel(content, expected):
    assert kernel_parameters(content) == expected
