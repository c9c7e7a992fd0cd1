# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""playbooks/remove.yml: a system comes off its host, with all that deploy has brought, and nothing else does.

The tests stand in the order of a removal, and share one site of two systems and one user that the first deploy makes.
"""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest
import yaml
from upgrade_site import Site, upgrade_site

from ansible_collections.erlang.otp.plugins.module_utils._target_system.user_record import path_of

HOSTS = ("north", "south")
USER = f"otp{os.getpid()}"
SYSTEMS = {
    "otp_user": USER,
    "otp_home": "{{ otp_root }}-home",
    "otp_run_dir": "{{ otp_root }}-run",
    "otp_log_dir": "{{ otp_root }}-log",
    # Linked to from the one that each system has.
    "otp_service_manager": "sysv",
    "otp_init_script": "{{ otp_root }}-init.d/S80{{ inventory_hostname }}",
}


@pytest.fixture(scope="module")
def site() -> t.Iterator[Site]:
    directory = Path(tempfile.mkdtemp(prefix="otp-remove-"))
    directory.chmod(0o755)
    for host in HOSTS:
        (directory / f"{host}-init.d").mkdir()
    try:
        with upgrade_site(directory, hosts=HOSTS, **SYSTEMS) as site:
            yield site
    finally:
        subprocess.run(["userdel", USER], check=False, capture_output=True)
        Path(path_of(USER)).unlink(missing_ok=True)


def left(site: Site, host: str) -> list[str]:
    """What is there of the host's system, but for the directory that was made for its init script."""
    return sorted(path.name for path in site.directory.glob(f"{host}*") if path.name != f"{host}-init.d")


def test_without_its_name_no_system_is_removed(site: Site) -> None:
    before = site.pids()
    for name in ("", "exchange", "south"):
        run = site.play("remove", code=2, **({"otp_remove": name} if name else {}))
        assert "The system of this host is north" in run.output and "Nothing is removed" in run.output
        assert f"the name given is {name or 'empty'}" in run.output
    assert site.pids() == before and None not in before.values()


def test_check_mode_reports_all_and_removes_nothing(site: Site) -> None:
    before = (site.pids(), left(site, "north"))
    run = site.play("remove", "--check", "--limit", "north", "-v")
    assert run.rows["north"][3:5] == ["would be removed", "not there"]
    for name in ("", "-run", "-log", "-home"):
        assert f'"remove {site.root("north")}{name}"' in run.output
    assert "stop the node north@localhost" in run.output
    assert (site.pids(), left(site, "north")) == before and len(before[1]) == 4


def test_a_system_that_is_no_system_stays(site: Site) -> None:
    (site.directory / "empty/data").mkdir(parents=True)
    run = site.play("remove", "--limit", "north", code=2, otp_root=f"{site.directory}/empty", otp_remove="empty")
    assert "has no directory releases, so it is not the root directory of a target system" in run.output
    assert run.output.count("[ERROR]") == 1 and run.rows["north"][3] == "failed" and (site.directory / "empty/data").is_dir()


def test_an_image_is_removed_in_another_way(site: Site) -> None:
    """As a box (test_box.py) and a client (below)."""
    image, before = site.directory / "image", (site.pids(), left(site, "north"))
    refused = site.play("remove", "--limit", "north", code=2, otp_destdir=str(image), otp_remove="north")
    assert f"(otp_destdir): remove {image}{site.root('north')}." in " ".join(refused.output.split())
    assert (site.pids(), left(site, "north")) == before


def test_clients_are_removed_first(site: Site) -> None:
    before, client = site.inventory.read_text(), Path(site.root("north"), "clients", "post@localhost")
    inventory = yaml.safe_load(before)
    groups = inventory["all"]["children"]
    groups["otp"]["hosts"]["north"]["otp_epmd_port"] = site.epmd_port
    of_post = {"otp_node_name": client.name, "otp_client_run_dir": f"{site.directory}/post", "otp_client_log_dir": f"{site.directory}/post"}
    of_master = {"otp_master": "north", "otp_root": site.root("north"), "otp_epmd_port": site.epmd_port, "otp_release": "FIRST", "otp_state": "stopped"}
    groups["otp_clients"] = {"vars": {**groups["otp"]["vars"], **of_master, "otp_service_manager": "none"}, "hosts": {"post": of_post}}
    site.inventory.write_text(yaml.safe_dump(inventory))
    site.play("clients")
    refused = site.play("remove", "--limit", "north", code=2, otp_remove="north")
    assert "has post@localhost, whose nodes run from this system: remove these clients first" in " ".join(refused.output.split())
    assert client.is_dir() and site.pids()["north"]
    refused = site.play("remove", "--limit", "post", code=2, otp_hosts="otp_clients", otp_remove=Path(site.root("north")).name)
    assert "set otp_client_state to absent, and run the playbook erlang.otp.clients" in " ".join(refused.output.split()) and client.is_dir()
    # That way out; the next test removes the system.
    assert site.play("clients", otp_client_state="absent").rows["post"][3] == "removed" and not client.exists()
    site.inventory.write_text(before)


def test_a_system_is_removed_and_links_out_of_it_are_not_followed(site: Site) -> None:
    outside = site.directory / "outside"
    outside.mkdir(mode=0o777)
    (outside / "kept").write_text("of another one")
    # What a node that an attacker controls leaves behind.
    for name in ("", "-log", "-run", "-home"):
        place = Path(site.root("north") + name)
        (place / "way").symlink_to(outside)
        (place / "deep").mkdir()
        (place / "deep/way").symlink_to(outside)
        for path in (place / "way", place / "deep", place / "deep/way"):
            os.lchown(path, pwd.getpwnam(USER).pw_uid, -1)
    south = site.pids()["south"]
    run = site.play("remove", "--limit", "north", "-v", otp_remove="north")
    assert run.rows["north"][3:5] == ["removed", "not there"] and run.changed["north"] == 1
    assert left(site, "north") == [] and not list((site.directory / "north-init.d").iterdir())
    assert (outside / "kept").read_text() == "of another one"
    # The other system has the user, and its node runs on.
    assert site.pids() == {"north": None, "south": south} and pwd.getpwnam(USER)
    again = site.play("remove", "--limit", "north", otp_remove="north")
    assert again.changed["north"] == 0 and again.rows["north"][3:5] == ["unchanged", "not there"]


def test_files_of_another_user_in_it_are_named(site: Site) -> None:
    theirs = Path(site.root("south"), "theirs")
    theirs.mkdir()
    (theirs / "of root").write_text("x")
    run = site.play("remove", "--limit", "south", code=2, otp_remove="south")
    assert f"{theirs} has files of another user than the one of the system: remove it by hand" in run.output
    assert Path(site.root("south"), "releases").is_dir() and pwd.getpwnam(USER)
    (theirs / "of root").unlink()
    theirs.rmdir()


def test_the_last_system_takes_its_user_with_it(site: Site) -> None:
    run = site.play("remove", "--limit", "south", "-v", otp_remove="south")
    assert run.rows["south"][3] == "removed" and f"remove the system user {USER}" in run.output
    assert left(site, "south") == [] and not os.path.exists(path_of(USER))
    assert USER not in {entry.pw_name for entry in pwd.getpwall()} and USER not in {entry.gr_name for entry in grp.getgrall()}
    assert site.play("remove", "--limit", "south", otp_remove="south").changed["south"] == 0


def test_a_system_that_was_removed_is_deployed_again(site: Site) -> None:
    site.play("deploy", "--limit", "builder,south")
    assert site.ask("south", "version") == "version 1.0"
    site.play("remove", "--limit", "south", otp_remove="south")
    assert left(site, "south") == []
