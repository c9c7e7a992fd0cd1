# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A relup leads from what the fleet runs: the inventory does not say from where.

The tests are in the order of the life of one fleet: a canary goes ahead, then nodes of two releases go to a third one, at once and without a restart.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from upgrade_site import Site, upgrade_site

from ansible_collections.erlang.otp.plugins.module_utils._package.read import read_upgrade_paths

HOSTS = ("north", "south")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Site]:
    with upgrade_site(tmp_path_factory.mktemp("fleet"), hosts=HOSTS) as site:
        yield site


def ways(site: Site, release: str) -> set[str]:
    """The releases from which the package's relup leads."""
    return {*read_upgrade_paths(site.package(release)["otp_package"])[1]}


def test_the_canary_of_an_upgrade(site: Site) -> None:
    site.write_inventory("SECOND")
    pids = site.pids()
    said = site.play("upgrade", "--check", "--limit", "builder,north")
    assert said.rows["north"][-2] == "would change" and not Path(site.package("SECOND")["otp_package"]).exists()
    run = site.play("upgrade", "--limit", "builder,north")
    assert run.rows["north"][:2] + run.rows["north"][-2:] == ["FIRST", "SECOND", "done", "-"] and site.pids() == pids
    assert ways(site, "SECOND") == {"FIRST"}
    # A run that asks no host makes the same package.
    assert site.play("deploy", "--limit", "builder,north").changed == {"builder": 0, "north": 0}
    # And back, without a restart: the relup leads down as well.
    run = site.play("rollback", "--limit", "north")
    assert run.rows["north"][-2] == "done" and site.pids() == pids
    site.play("upgrade", "--limit", "builder,north")


def test_a_release_without_a_package_is_named_before_anything_is_built(site: Site) -> None:
    site.write_inventory("THIRD")
    first = Path(site.package("FIRST")["otp_package"])
    first.rename(f"{first}.away")
    refused = site.play("upgrade", code=2)
    said = " ".join(refused.output.split())
    assert f"south has release FIRST, and {first.parent} has no {first.name} to make a relup from. Copy that package there" in said
    assert not Path(site.package("THIRD")["otp_package"]).exists() and site.releases("south") == {("FIRST", "permanent")}
    # Its ways out.
    said = site.play("upgrade", "--check", code=0, otp_upgrade_method="restart")
    assert said.rows["south"][-2] == "would change"
    said = site.play("upgrade", "--check", "--limit", "builder,north", otp_upgrade_from=["exchange-SECOND.tar.gz"])
    assert said.rows["north"][-2] == "would change"
    Path(f"{first}.away").rename(first)


def test_nodes_of_two_releases(site: Site) -> None:
    pids = site.pids()
    run = site.play("upgrade", otp_serial="100%")
    assert [run.rows[host][:2] + run.rows[host][-2:] for host in HOSTS] == [["SECOND", "THIRD", "done", "-"], ["FIRST", "THIRD", "done", "-"]]
    assert site.pids() == pids and ways(site, "THIRD") == {"FIRST", "SECOND"}
    # Nobody runs these any more, and the relup leads from them as before.
    assert site.play("upgrade").changed == {"builder": 0, "north": 0, "south": 0}


def test_without_an_appup_the_nodes_are_restarted_if_that_is_allowed(site: Site) -> None:
    """The release has another version, and its application as well, of which no appup leads from the one before."""
    source, package = site.directory / "exchange-source", Path(site.package("FOURTH")["otp_package"])
    (source / "fourth.rel").write_text((source / "third.rel").read_text().replace('"THIRD"', '"FOURTH"').replace('"3.0"', '"4.0"'))
    ebin = source / "4.0/ebin"
    ebin.mkdir(parents=True)
    for path in (source / "3.0/ebin").glob("*.beam"):
        (ebin / path.name).write_bytes(path.read_bytes())
    (ebin / "exchange.app").write_text((source / "3.0/ebin/exchange.app").read_text().replace('"3.0"', '"4.0"'))
    site.write_inventory("FOURTH")
    refused = site.play("upgrade", "--limit", "builder,north", code=2)
    assert "exchange.appup does not exist" in " ".join(refused.output.split()) and not package.exists()
    run = site.play("upgrade", "--limit", "builder,north", otp_allow_restart=True)
    assert "The package has no relup, so its nodes are restarted, as otp_allow_restart says:" in " ".join(run.output.split())
    assert run.rows["north"][1] == "FOURTH" and run.rows["north"][-2] == "done" and ways(site, "FOURTH") == set()
