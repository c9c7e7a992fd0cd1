# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guide "Packages of rebar3 and mix", walked through: its commands, its files and its inventories, on one host that is this machine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import textwrap
import typing as t
from pathlib import Path

import pytest
from upgrade_site import Run, Site, run_of
from waiting import LIMIT

GUIDE = Path(__file__).parents[2] / "docs/docsite/rst/guide_rebar3_mix.rst"
BLOCK = re.compile(r"^\.\. code-block:: (\w+)\n\n((?:   .*\n|\n)+)", re.MULTILINE)
DATABASE = "sqlite:/a very private value"


def blocks(section: str) -> list[tuple[str, str]]:
    """The language and the text of each block of code in a section."""
    _before, text = re.split(rf"^{section}\n-+\n", GUIDE.read_text(), flags=re.MULTILINE)
    text = re.split(r"^[^\n]+\n--+\n", text, flags=re.MULTILINE)[0]
    return [(language, textwrap.dedent(block).strip() + "\n") for language, block in BLOCK.findall(text)]


class Newcomer:
    """Somebody at a shell, with what this machine needs in the place of three hosts."""

    def __init__(self, site: Site, host: str) -> None:
        self.here, self.host, self.site = site.directory, host, site
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": str(self.site.programs / "python"),
            "vault_otp_cookie": self.site.cookie,
            "vault_database_url": DATABASE,
            "otp_root": site.root("root"),
            "otp_home": f"{site.directory}/home",
            "otp_user": "root",
            "otp_service_manager": "none",
            "otp_environment": {"ERL_EPMD_PORT": self.site.epmd_port},
            **{name: int(LIMIT) for name in ("otp_start_timeout", "otp_restart_timeout", "otp_upgrade_timeout")},
        }
        (site.directory / "this_machine.json").write_text(json.dumps(variables))

    def type(self, block: str, *more: str) -> Run:
        """The commands of a block; more: arguments for Ansible. What the last one has answered."""
        run = run_of(0, "")
        for line in block.splitlines():
            command = line.removeprefix("$ ")
            if "ansible-playbook" in command:
                command = f"{self.site.programs}/{command} -e @{self.site.directory}/this_machine.json --limit {self.host} {' '.join(more)}"
            environment = {**self.site.environment(), "HOME": str(self.site.directory), "LC_ALL": "C.UTF-8", "REBAR_OFFLINE": "1", "HEX_OFFLINE": "1"}
            ended = subprocess.run(
                ["sh", "-ec", f"{command}; pwd >{self.site.directory}/here"],
                cwd=self.here,
                env=environment,
                text=True,
                capture_output=True,
                timeout=LIMIT,
                check=False,
            )
            assert ended.returncode == 0, ended.stdout + ended.stderr
            self.here = Path((self.site.directory / "here").read_text().strip())
            run = run_of(0, ended.stdout + ended.stderr)
        return run

    def write(self, block: str) -> None:
        """The file that the first line names; mix.exs has it already."""
        name = block.split("\n")[0].removeprefix("# ").split(",")[0]
        place = self.here / name
        place.parent.mkdir(exist_ok=True)
        place.write_text(place.read_text().replace("      deps: deps()", f"{block}      deps: deps()") if place.exists() else block)


@pytest.fixture
def site() -> t.Iterator[Site]:
    site = Site(Path(tempfile.mkdtemp(prefix="otp-guide-")), ["root"])
    with site.at_work():
        yield site


def test_from_rebar3(site: Site) -> None:
    reader = Newcomer(site, "tele-1.example.com")
    make, inventory, deploy = (text for _kind, text in blocks("From rebar3"))
    reader.type(make)
    reader.write(inventory)
    # The rest is as in test_packages.py.
    assert "install release tele 0.1.0" in reader.type(deploy, "--check", "-v").output


def test_from_mix(site: Site) -> None:
    reader = Newcomer(site, "shop-1.example.com")
    new, *files, make, inventory, deploy, migration, upgrade = [text for _language, text in blocks("From mix")]
    reader.type(new)
    for file in (*files, inventory, migration):
        reader.write(file)
    module, project = reader.here / "lib/shop.ex", reader.here / "mix.exs"
    migrate = f'  def migrate, do: File.write!("{site.directory}/migrated", [System.get_env("DATABASE_URL"), " ", System.get_env("RELEASE_VSN")])\nend\n'
    module.write_text(re.sub(r"end\n\Z", lambda _: migrate, module.read_text()))
    reader.type(make)
    assert "changed   running" in re.sub(r" +(?=running)", "   ", reader.type(deploy).output)
    project.write_text(project.read_text().replace('version: "0.1.0"', 'version: "0.2.0"'))
    later = project.stat().st_mtime + 2
    os.utime(project, (later, later))
    run = reader.type(upgrade)
    assert re.search(r"shop-1\S+ +0.1.0 +0.2.0 .*done", run.output), run.output
    # Who builds no packages hears nothing of builders.
    assert "otp_builders" not in run.output
    assert (site.directory / "migrated").read_text() == f"{DATABASE} 0.2.0" and DATABASE not in run.output
    asked = [f"{site.root('root')}/bin/shop", "rpc", "IO.puts Application.get_env(:shop, :database)"]
    assert subprocess.run(asked, text=True, capture_output=True, timeout=LIMIT, check=False).stdout == f"{DATABASE}\n"


def test_each_row_of_the_table_has_a_test() -> None:
    table = GUIDE.read_text().partition("Commands of other tools\n")[2]
    named = re.findall(r"^ +\.\. (tests/real/\w+\.py)::(\w+)$", table, re.MULTILINE)
    assert len(named) == table.count("   * - ") - 1
    for file, name in named:
        assert f"def {name}(" in (GUIDE.parents[3] / file).read_text()
