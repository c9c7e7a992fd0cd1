# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How an emulator beside the node finds it: by the arguments of the node, its sys.config, and the .rel files of its release."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.plugin_utils._target_system.rendering import rendered
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils._target_system.test_rendering import VARIABLES

REL = '{release, {"exchange", "1.0"}, {erts, "13"}, [{kernel, "8"}, {asn1, "5.0"}, {crypto, "5.1"}, {public_key, "1.13"},\n {ssl, "10.8"}]}.\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("run", "bin", "erts-13/bin", "releases/1.0"):
        (tmp_path / name).mkdir(parents=True)
    user = pwd.getpwuid(os.geteuid()).pw_name
    variables = {**VARIABLES, "otp_root": str(tmp_path), "otp_user": user, "otp_home": str(tmp_path), "otp_node_name": "exchange@north"}
    (tmp_path / "bin/exchange").write_text(rendered("control", {**variables, "otp_environment": {"ERL_EPMD_PORT": 4369}}))
    (tmp_path / "releases/start_erl.data").write_text("13 1.0\n")
    erlexec = tmp_path / "erts-13/bin/erlexec"
    erlexec.write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    erlexec.chmod(0o755)
    return tmp_path


def flags_beside(root: Path, *flags: str) -> list[str]:
    """The arguments of the emulator beside a node with these flags."""
    command = [sys.executable, "-c", "print(flush=True); input()", "-root", str(root), *flags]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as node:
        assert node.stdout and node.stdout.readline()
        (root / "run/emulator.pid").write_text(str(node.pid))
        said = subprocess.run(
            ["sh", root / "bin/exchange", "rpc", "erlang"], stdin=subprocess.DEVNULL, text=True, capture_output=True, check=False, timeout=600
        )
        node.kill()
    assert said.returncode == 0, said.stderr
    return said.stdout.split("|")


def test_the_libraries_of_tls_are_those_of_the_release_that_has_two_rel_files(root: Path) -> None:
    for name in ("exchange.rel", "exchange-1.0.rel"):
        (root / "releases/1.0" / name).write_text(REL)
    flags = flags_beside(root, "-proto_dist", "inet_tls")
    paths = [value for flag, value in zip(flags, flags[1:]) if flag == "-pa"]
    assert paths == [f"{root}/lib/{name}/ebin" for name in ("asn1-5.0", "crypto-5.1", "public_key-1.13", "ssl-10.8")]


@pytest.mark.parametrize("suffix", ["", ".config"])
@pytest.mark.parametrize(
    "config",
    [
        "[{kernel,[{erl_epmd_node_listen_port,9100}]}].\n",
        "[{kernel, [{net_ticktime, 60}, { erl_epmd_node_listen_port , 9100 }]}].\n",
        "%% {erl_epmd_node_listen_port,1}\n[{kernel,[\n  {erl_epmd_node_listen_port,9100}\n]},\n {other,[\n  {erl_epmd_node_listen_port,9101}]}].\n",
    ],
)
def test_the_port_from_sys_config(root: Path, config: str, suffix: str) -> None:
    (root / "releases/1.0/sys.config").write_text(config)
    flags = flags_beside(root, "-start_epmd", "false", "-config", f"{root}/releases/1.0/sys{suffix}")
    at = flags.index("erl_epmd_node_listen_port")
    assert flags[at - 1 : at + 3] == ["-kernel", "erl_epmd_node_listen_port", "9100", "-sname"]
