# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values and settings that end a run before any host is touched, and those that must change nothing. No node is needed.

Rules: one failure names each variable at fault with its hosts; variables of a run are not in an inventory; booleans and numbers may be text; a builder that
--limit leaves out is named; packages have a place without an inventory file; no setting of Ansible's hides the table.
"""

from __future__ import annotations

import json
import os
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml
from error_blocks import blocks_of, check_blocks
from upgrade_site import BIN
from waiting import LIMIT, free_port

from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.specs import options

TOP = Path(__file__).parents[2]
NONE = "no system is installed below"


class Fleet:
    """Two hosts on this machine without a system, and a builder."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.of_south: dict[str, t.Any] = {}
        self.of_all: dict[str, t.Any] = {"otp_user": "root", "otp_upgrade_to": "SECOND"}

    def play(self, playbook: str, *arguments: str, code: int = 2, settings: dict[str, str] | None = None, inventory: str = "", **variables: t.Any) -> str:
        hosts = {host: {"otp_root": f"{self.directory}/{host}"} for host in ("north", "south")}
        hosts["south"] |= self.of_south
        fleet = {"otp_builders": {"hosts": {"builder": {}}}, "otp": {"hosts": hosts, "vars": self.of_all}}
        here = {"ansible_connection": "local", "ansible_python_interpreter": str(BIN / "python"), "ansible_pipelining": True}
        (self.directory / "inventory.yml").write_text(yaml.safe_dump({"all": {"vars": here, "children": fleet}}))
        given = ["-e", json.dumps(variables)] if variables else []
        command = [BIN / "ansible-playbook", "-i", inventory or "inventory.yml", playbook, *given, *arguments]
        environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "0", **(settings or {})}
        run = subprocess.run(command, cwd=self.directory, env=environment, text=True, capture_output=True, timeout=LIMIT, check=False)
        assert run.returncode == code, run.stdout + run.stderr
        assert "Traceback" not in run.stdout + run.stderr
        check_blocks(run.stdout + run.stderr, code)
        return run.stdout + run.stderr


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def test_one_failure_names_the_variables_and_the_hosts(fleet: Fleet) -> None:
    fleet.of_all |= {"otp_heart": "maybe", "otp_gates": [{"url": "health"}], "otp_home": "home"}
    said = fleet.play("erlang.otp.deploy", otp_serial="abc")
    assert said.count("[ERROR]") == said.count("fatal: ") == 1
    assert "north, south: otp_heart: " in said and "The value 'maybe' is not a valid boolean" in said and "otp_serial is 'abc'" in said
    fleet.of_all["otp_heart"] = True
    said = fleet.play("erlang.otp.rollback", "--tags", "upgrade")
    assert "north, south: otp_home is 'home'" in said and "otp_gates has the url 'health'" in said and "otp_heart" not in said


def test_hooks_are_loaded_before_any_host_is_touched(fleet: Fleet) -> None:
    """A mistake in the last one: the first one would have been run by then."""
    before, after = fleet.directory / "before.yml", fleet.directory / "after.yml"
    before.write_text(f"- ansible.builtin.file: {{path: {fleet.directory}/drained, state: touch}}\n")
    after.write_text('- ansible.builtin.debug: {msg: "open}\n')
    said = fleet.play("erlang.otp.upgrade", "--tags", "upgrade", otp_hooks={"before": str(before), "after": str(after)})
    assert f"north, south: otp_hooks.after: {after} cannot be loaded at {after}:2:1: YAML" in said and said.count("[ERROR]") == 1
    assert NONE not in said and not (fleet.directory / "drained").exists()


def test_batches_that_are_none_without_the_checks(fleet: Fleet) -> None:
    assert "otp_serial is 'abc': give a number of hosts" in fleet.play("erlang.otp.upgrade", "--skip-tags", "preflight,build", otp_serial="abc", code=1)


def test_a_variable_of_a_run_in_the_inventory(fleet: Fleet) -> None:
    fleet.of_all |= {"otp_serial": 1, "otp_max_fail_percentage": 10}
    said = fleet.play("erlang.otp.upgrade", "-e", "otp_max_fail_percentage=20")
    assert "otp_serial is in the inventory, of north, south: it belongs to a run" in said and "otp_max_fail_percentage is in" not in said


def test_each_boolean_and_number_may_be_text(fleet: Fleet) -> None:
    """On the command line. The run goes as far as without a node it can; a node without EPMD wants a port."""
    texts = {"bool": "false", "int": "1000"}
    given = [f"{name}={texts[option['type']]}" for name, option in options().items() if option["type"] in texts]
    said = fleet.play(
        "erlang.otp.upgrade",
        "--skip-tags",
        "build",
        *(word for text in [*given, "otp_serial=1", "otp_dist_ports=9100", "otp_hold=2000"] for word in ("-e", text)),
    )
    assert len(given) > 20 and said.count(NONE) >= 2 and "HOST   BEFORE" in said


def test_a_builder_that_a_limit_leaves_out_is_named(fleet: Fleet) -> None:
    said = fleet.play("erlang.otp.upgrade", "--limit", "north", otp_upgrade_to="")
    assert "--limit leaves out builder" in said and "use --limit north,builder" in said
    # That way out leads to the builder, which has nothing to build.
    assert "otp_release_applications is not set" in fleet.play("erlang.otp.upgrade", "--limit", "north,builder", otp_upgrade_to="")
    assert "No package was built" not in fleet.play("erlang.otp.upgrade", "--limit", "north", otp_package=__file__, otp_upgrade_to="")


@pytest.mark.one_of(2)
@pytest.mark.parametrize(
    ("playbook", "task", "said"),
    [
        ("deploy", "Ensure the target system", "no release is installed below"),
        ("rollback", "Bring the release", "The run has not begun at its beginning"),
        ("restart", "Ask for the state of the node", "not for an image (otp_destdir)"),
        ("remove", "Ensure that the target system is absent", "the name given is empty"),
        ("status", "Report what runs where", "not asked"),
    ],
)
def test_a_run_that_begins_in_the_middle_knows_what_it_was_not_told(fleet: Fleet, playbook: str, task: str, said: str) -> None:
    """No check, and no question to the host, is taken for answered that --start-at-task or --step have left out."""
    output = fleet.play(f"erlang.otp.{playbook}", "--start-at-task", task, **({"otp_destdir": "/nowhere"} if playbook == "restart" else {}))
    assert said in " ".join(output.split()), output
    assert not any((fleet.directory / host).exists() for host in ("north", "south"))


@pytest.mark.parametrize(("inventory", "place"), [("a,b,", ".packages"), ("sub/inventory.yml", "sub/.packages")])
def test_packages_have_a_place(fleet: Fleet, inventory: str, place: str) -> None:
    (fleet.directory / "sub").mkdir()
    (fleet.directory / "sub" / "inventory.yml").write_text("all: {hosts: {a: }}\n")
    show = {"hosts": "all", "gather_facts": False, "vars_files": [str(TOP / "roles/release/defaults/main.yml")]}
    (fleet.directory / "show.yml").write_text(yaml.safe_dump([{**show, "tasks": [{"ansible.builtin.debug": {"var": "otp_packages_dir"}}]}]))
    assert f'"{fleet.directory.resolve()}/{place}"' in fleet.play("show.yml", code=0, inventory=inventory)


def test_no_setting_hides_the_table(fleet: Fleet) -> None:
    settings = ("ANY_ERRORS_FATAL", "PRIVATE_ROLE_VARS", "NO_LOG", "TASK_TIMEOUT")
    said = fleet.play("erlang.otp.upgrade", "--skip-tags", "build", settings={f"ANSIBLE_{name}": "1" for name in settings} | {"ANSIBLE_STRATEGY": "free"})
    assert "HOST   BEFORE" in said and f"north: {NONE}" in said and f"south: {NONE}" in said


@pytest.mark.one_of(5)
@pytest.mark.parametrize("playbook", ["deploy", "rollback", "stop", "upgrade", "restart", "start", "status", "provision", "image", "remove"])
def test_a_host_that_is_not_reached_has_one_block_and_a_row(fleet: Fleet, playbook: str) -> None:
    """On the way to the south nobody listens."""
    fleet.of_south = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": free_port()}
    fleet.of_all |= {"otp_service_name": "exchange", "otp_destdir": "/nowhere" if playbook == "image" else ""}
    said = fleet.play(f"erlang.otp.{playbook}", "--skip-tags", "build", otp_remove="exchange")
    assert [(host, kind) for host, _message, kind in blocks_of(said) if host == "south"] == [("south", "UNREACHABLE")], said
    assert '"south' in said.partition("HOST ")[2], said


@pytest.mark.parametrize("name", ["otp_cookie", "otp_node_name", "otp_epmd_port", "otp_master"])
def test_status_names_a_variable_that_is_not_defined(fleet: Fleet, name: str) -> None:
    fleet.of_all |= {"otp_node_name": "a@localhost", name: "{{ of_a_vault }}"}
    said = fleet.play("erlang.otp.status")
    assert "of_a_vault' is undefined" in said and said.count("not asked") >= 2, said
