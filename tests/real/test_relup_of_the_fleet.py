# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A relup leads from what the fleet runs: the inventory does not say from where.

The tests are in the order of the life of one fleet: a canary goes ahead, then nodes of two releases go to another one, without a restart: through a release
in between, or at once.
"""

from __future__ import annotations

import json
import re
import shutil
import typing as t
from pathlib import Path

import pytest
from upgrade_site import VERSIONS, Run, Site, upgrade_site

from ansible_collections.erlang.otp.plugins.module_utils._build.upgrades import THROUGH
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
    refused = " ".join(site.play("upgrade", "--limit", "north", code=2, otp_upgrade_to="").output.split())
    assert "No package was built: --limit leaves out builder, and otp_package is empty." in refused and "use --limit north,builder" in refused
    # That way out.
    said = site.play("upgrade", "--check", "--limit", "north,builder")
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


def note(run: Run, host: str) -> str:
    """What is said of the host below the table."""
    return " ".join(" ".join(re.findall(rf'"({host}: .*|  .*)",?$', run.output, re.MULTILINE)).split())


def test_where_no_appup_leads_at_once_the_node_goes_through_a_release_in_between(site: Site) -> None:
    """North runs SECOND, and south FIRST, from which THIRD has no appup any more."""
    site.write_inventory("THIRD")
    appup = site.directory / "exchange-source/3.0/ebin/exchange.appup"
    appup.write_text(appup.read_text().replace('"1.0"', '"0.9"'))
    pids, way = site.pids(), "its way is FIRST -> SECOND -> THIRD, without a restart"
    site.ask("south", "dial north")
    calls = site.ask("south", "calls")
    said = site.play("upgrade", "--check", otp_serial="100%")
    assert said.rows["south"][:2] + said.rows["south"][-2:] == ["FIRST", "THIRD", "would change", "-"] and note(said, "south") == f"south: {way}"
    # The last gate of the last release fails, and south is back on FIRST, as north is on SECOND.
    gates = [{"name": "not THIRD", "command": f"""sh -c '! grep -q "install., .release.: .THIRD" {site.root("south")}/releases/history.jsonl'"""}]
    failed = site.play("upgrade", "--limit", "builder,south", code=2, otp_gates=gates)
    assert failed.rows["south"][:2] + failed.rows["south"][-2:] == ["FIRST", "FIRST", "rolled back", "-"]
    assert site.pids() == pids and ("FIRST", "permanent") in site.releases("south") and ways(site, "THIRD") == {"SECOND"}
    run = site.play("upgrade", otp_serial="100%")
    assert [run.rows[host][:2] + run.rows[host][-2:] for host in HOSTS] == [["SECOND", "THIRD", "done", "-"], ["FIRST", "THIRD", "done", "-"]]
    assert note(run, "south") == f"south: {way}" and site.pids() == pids
    back = site.play("rollback", otp_serial="100%")
    assert [back.rows[host][:2] + back.rows[host][-2:] for host in HOSTS] == [["THIRD", "SECOND", "done", "-"], ["THIRD", "FIRST", "done", "-"]]
    assert site.pids() == pids and site.ask("south", "calls") == calls


# An appup without instructions.
LEADS = """{{"{0}", [{{"{1}", []}}], [{{"{1}", []}}]}}.
"""


def add_release(site: Site, release: str, after: str) -> Path:
    """The exchange of the release before, under another version and without an appup. Returns the directory of its code."""
    source, (old, new) = site.directory / "exchange-source", (VERSIONS[after], VERSIONS[release])
    rel = (source / f"{after.lower()}.rel").read_text()
    (source / f"{release.lower()}.rel").write_text(rel.replace(f'"{after}"', f'"{release}"').replace(f'"{old}"', f'"{new}"'))
    ebin = Path(shutil.copytree(source / old / "ebin", source / new / "ebin"))
    app = ebin / "exchange.app"
    app.write_text(app.read_text().replace(f'"{old}"', f'"{new}"'))
    (ebin / "exchange.appup").unlink()
    site.write_inventory(release)
    return ebin


@pytest.mark.full
def test_a_way_through_more_than_one_release(site: Site) -> None:
    """FOURTH has an appup from THIRD alone: FIRST -> SECOND -> THIRD -> FOURTH, with the gates on each, and back, though only two releases are to be kept."""
    pids, gone, calls = site.pids(), site.directory / "gone", site.ask("south", "calls")
    # A package of THIRD without a relup, as deploy makes it where no node runs another release.
    Path(site.package("THIRD")["otp_package"]).unlink()
    site.play("deploy", "--tags", "build")
    (add_release(site, "FOURTH", "THIRD") / "exchange.appup").write_text(LEADS.format("4.0", "3.0"))
    said = " ".join(site.play("upgrade", "--limit", "builder,south", code=2).output.split())
    assert "has no instructions up from 1.0 (it has: 3.0): see appup(4)." in said and THROUGH in said
    # Its way out.
    site.write_inventory("THIRD")
    site.play("upgrade", "--limit", "builder,south", "--tags", "build")
    site.write_inventory("FOURTH")
    # A gate that notes what runs.
    gates = [{"name": "note", "command": f"""sh -c 'tail -n 1 {site.root("south")}/releases/history.jsonl >>{gone}'"""}]
    run = site.play("upgrade", "--limit", "builder,south", otp_gates=gates, otp_keep_releases=2)
    assert run.rows["south"][:2] + run.rows["south"][-2:] == ["FIRST", "FOURTH", "done", "-"] and ways(site, "FOURTH") == {"THIRD"}
    assert [json.loads(line)["release"] for line in gone.read_text().splitlines()] == ["SECOND", "THIRD", "FOURTH", "FOURTH"]
    assert note(run, "south") == "south: its way is FIRST -> SECOND -> THIRD -> FOURTH, without a restart"
    back = site.play("rollback", "--limit", "south")
    assert back.rows["south"][:2] + back.rows["south"][-2:] == ["FOURTH", "FIRST", "done", "-"]
    assert site.pids() == pids and site.ask("south", "calls") == calls


def test_nodes_of_two_releases(site: Site) -> None:
    pids, appup = site.pids(), (site.directory / "exchange-source/3.0/ebin/exchange.appup").read_text()
    (add_release(site, "FIFTH", "THIRD") / "exchange.appup").write_text(appup.replace('"3.0"', '"5.0"').replace('"0.9"', '"1.0"'))
    run = site.play("upgrade", otp_serial="100%")
    assert [run.rows[host][:2] + run.rows[host][-2:] for host in HOSTS] == [["SECOND", "FIFTH", "done", "-"], ["FIRST", "FIFTH", "done", "-"]]
    assert site.pids() == pids and ways(site, "FIFTH") == {"FIRST", "SECOND"} and note(run, "south") == ""
    # Nobody runs these any more, and the relup leads from them as before.
    assert site.play("upgrade").changed == {"builder": 0, "north": 0, "south": 0}


def test_without_an_appup_the_nodes_are_restarted_if_that_is_allowed(site: Site) -> None:
    add_release(site, "SIXTH", "FIFTH")
    refused = site.play("upgrade", "--limit", "builder,north", code=2)
    assert "exchange.appup does not exist" in " ".join(refused.output.split()) and not Path(site.package("SIXTH")["otp_package"]).exists()
    run = site.play("upgrade", "--limit", "builder,north", otp_allow_restart=True)
    assert "The package has no relup, so its nodes are restarted, as otp_allow_restart says:" in " ".join(run.output.split())
    assert run.rows["north"][1] == "SIXTH" and run.rows["north"][-2] == "done" and ways(site, "SIXTH") == set()
