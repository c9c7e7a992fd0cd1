# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real nodes in directories with every character that a path may have: start, heart, hot upgrade, restart, calls, stop.

What is refused is refused before a host is changed. tests/unit/plugins/plugin_utils/_inventory/test_names.py has the rule, and extensions/molecule
the same under systemd.
"""

from __future__ import annotations

import os
import signal
import tempfile
import typing as t
from pathlib import Path

import pytest
from upgrade_site import Site, bring_exchange
from waiting import LIMIT, wait_until

from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _node
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.names import REFUSED

HOST = "north"
# All of ASCII that is left, a percent sign before a specifier of systemd, a glob sign that would match, and letters of other alphabets.
ODD = "-a b 'c' %d %n %% *?[a] ~#;&!(e){f}<g>|h=i,j@k+l^m_ -n . ρίζα ключ é 根"


class OddSite(Site):
    def root(self, host: str) -> str:
        return f"{self.directory}/{ODD}/{host} root"


@pytest.fixture(scope="module")
def site() -> t.Iterator[OddSite]:
    directory = Path(tempfile.mkdtemp(prefix="otp-odd-"))
    directory.chmod(0o755)
    site = OddSite(directory, [HOST])
    bring_exchange(directory / "exchange-source")
    with site.at_work():
        yield site


def inventory(site: OddSite, release: str, *earlier: str, **more: t.Any) -> None:
    places = {name: f"{site.directory}/{ODD}/{name}" for name in ("otp_run_dir", "otp_log_dir", "otp_pipe_dir")}
    site.write_inventory(release, *earlier, **places, otp_environment={"ERL_EPMD_PORT": site.epmd_port, "ODD": ODD}, **more)


def test_every_character_that_is_left(site: OddSite) -> None:
    punctuation = {chr(number) for number in range(32, 127) if not chr(number).isalnum()}
    assert set(ODD) & punctuation == punctuation - set(REFUSED) - {"/"}
    inventory(site, "FIRST")
    site.play("deploy")
    assert site.ask(HOST, "version") == "version 1.0"
    pid = t.cast(int, find_emulator(site.root(HOST)))
    assert f"ODD={ODD}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")

    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: find_emulator(site.root(HOST)) not in (None, pid), "heart has started the emulator again")
    _node.wait_until_answering(site.node(HOST), timeout=LIMIT)

    inventory(site, "SECOND", "FIRST")
    site.play("upgrade")
    assert site.ask(HOST, "version") == "version 2.0"
    assert site.releases(HOST) == {("FIRST", "old"), ("SECOND", "permanent")}
    inventory(site, "SECOND", "FIRST", otp_erl_flags=["+K", "true", "-odd", ODD.lstrip("-")])
    site.play("deploy", otp_restart_on_change=True)
    assert site.ask(HOST, "version") == "version 2.0"
    assert site.play("deploy").changed[HOST] == 0
    assert site.play("status").code == 0
    site.play("deploy", otp_state="stopped")
    assert find_emulator(site.root(HOST)) is None
