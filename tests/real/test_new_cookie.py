# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cookie is replaced while the nodes run: they are asked through the old one, keep their processes and their connections, and need no restart.

What a node answers to is asked by erl.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest
from upgrade_site import Site, upgrade_site
from waiting import LIMIT

HOSTS = ("north", "south")
HOMES = {"otp_home": "{{ otp_root }}-home"}


@pytest.fixture(scope="module")
def site() -> t.Iterator[Site]:
    with upgrade_site(Path(tempfile.mkdtemp(prefix="otp-cookie-")), hosts=HOSTS, **HOMES) as site:
        yield site


def rpc(site: Site, host: str, cookie: str, call: str) -> str:
    """What erl, which reads the cookie from a file, gets from the node for the call: module, function, arguments."""
    with tempfile.TemporaryDirectory() as home:
        file = Path(home, ".erlang.cookie")
        file.write_text(cookie)
        file.chmod(0o400)
        expression = f"io:format(\"~0p\", [rpc:call('{host}@localhost', {call}, 5000)]), halt()."
        name = f"asker{secrets.token_hex(4)}@localhost"
        said = subprocess.run(
            ["erl", "-noinput", "-hidden", "-sname", name, "-eval", expression],
            env={**os.environ, "HOME": home, "ERL_EPMD_PORT": str(site.epmd_port)},
            text=True,
            capture_output=True,
            timeout=LIMIT,
            check=True,
        )
        return said.stdout.strip().splitlines()[-1]


def words_of_processes() -> bytes:
    found = b""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += path.read_bytes()
        except OSError:
            pass
    return found


def test_two_connected_nodes_get_a_new_cookie_and_keep_running(site: Site) -> None:
    old, before = site.cookie, site.pids()
    assert rpc(site, "north", old, "net_adm, ping, ['south@localhost']") == "pong"
    site.cookie = new = secrets.token_hex(16)
    site.write_inventory("FIRST", **HOMES)
    for is_done, arguments in ((False, ["--check", "-v", "--diff"]), (True, ["-vvv", "--diff"])):
        run = site.play("deploy", *arguments)
        assert all(f"give the running node {host}@localhost its new cookie" in run.output for host in HOSTS)
        assert all(run.changed[host] == 1 for host in HOSTS) and "earlier version" not in run.output
        assert old not in run.output and new not in run.output
        for host in HOSTS:
            assert (rpc(site, host, old, "erlang, node, []") == "{badrpc,nodedown}") == is_done
            assert (rpc(site, host, new, "erlang, node, []") == f"{host}@localhost") == is_done
    # The same emulators, connected all the time, and connected again by the new cookie.
    assert site.pids() == before
    assert rpc(site, "north", new, "erlang, nodes, []") == "[south@localhost]"
    for call in ("erlang, disconnect_node, [south@localhost]", "net_kernel, connect_node, [south@localhost]"):
        assert rpc(site, "north", new, call) == "true"
    assert new.encode() not in words_of_processes()
    logs = b"".join(path.read_bytes() for host in HOSTS for path in Path(site.root(host), "log").iterdir())
    assert new.encode() not in logs and old.encode() not in logs
    again = site.play("deploy")
    assert all(again.changed[host] == 0 for host in HOSTS) and "earlier version" not in again.output and site.pids() == before


def test_a_run_that_ended_before_the_file_was_written_is_completed(site: Site) -> None:
    before, old = site.pids(), site.cookie
    site.cookie = new = secrets.token_hex(16)
    site.write_inventory("FIRST", **HOMES)
    # What the interrupted run has done.
    assert rpc(site, "north", old, f"erlang, set_cookie, [north@localhost, '{new}']") == "true"
    run = site.play("deploy", "--limit", "north", "-v")
    assert "its new cookie" not in run.output and "earlier version" not in run.output and site.pids() == before
    assert Path(f"{site.root('north')}-home", ".erlang.cookie").read_text() == new
    assert rpc(site, "north", new, "erlang, node, []") == "north@localhost"


def test_a_node_that_knows_neither_cookie_is_told(site: Site) -> None:
    before = site.pids()
    assert rpc(site, "north", site.cookie, "erlang, set_cookie, [north@localhost, foreign]") == "true"
    site.cookie = secrets.token_hex(16)
    site.write_inventory("FIRST", **HOMES)
    run = site.play("deploy", "--limit", "north")
    assert "runs with an earlier version of" in run.output and ".erlang.cookie" in run.output and site.pids() == before
