# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operator's own files (otp_files): rendered, foretold, and read by nodes that run, by a call or by a restart; what fails is taken back.

The tests stand in the order of a fleet's life, and share one site.
"""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest
from handler_site import Releases
from truth_site import Fleet, fleet
from upgrade_site import Run
from waiting import LIMIT

from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress, connect
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator

HOSTS = ("north", "south")
SECRET = "whatnobodymaysee"
RESTART = {"otp_restart_on_change": True, "otp_serial": 1}
EXPRESSION = "application:set_env(counter, limit, {}).\n"
LIMITS = {"path": "etc/limits.script", "template": "limits.j2"}
# The emulator reads it as it reads sys.config.
START = {"path": "etc/conf.d/start.config", "on_change": {"restart": True}}


@pytest.fixture(scope="module")
def site(releases: Releases) -> t.Iterator[Fleet]:
    """Two hosts without a system."""
    with fleet(Path(tempfile.mkdtemp(prefix="otp-files-")), HOSTS, releases) as site:
        (site.directory / "limits.j2").write_text("%% of {{ inventory_hostname }}\n" + EXPRESSION.replace("{}", "{{ limit }}"))
        (site.directory / "notes.bin").write_bytes(b"\xff\0\xfe\n")
        yield site


def write(site: Fleet, *files: dict[str, t.Any], of_hosts: t.Mapping[str, t.Mapping[str, t.Any]] | None = None, **more: t.Any) -> None:
    """The inventory with these files, of which templates and files are beside it."""
    found = [{**file, **{kind: str(site.directory / file[kind]) for kind in ("template", "file") if kind in file}} for file in files]
    flags = ["-config", "{{ otp_root }}/etc/conf.d/start"] if any(file["path"] == START["path"] for file in files) else []
    site.write(of_hosts, otp_package=site.packages["FIRST"], otp_files=found, otp_erl_flags=flags, otp_start_timeout=20, **more)


def script(site: Fleet, **of_rpc: t.Any) -> dict[str, t.Any]:
    """The script for the call by which the node evaluates it."""
    argument = '"{{ otp_root }}/etc/limits.script"'
    return {**LIMITS, "mode": "0600", "on_change": {"rpc": {"module": "file", "function": "script", "arguments": [argument], "expect": "{ok,_}", **of_rpc}}}


def results(run: Run) -> dict[str, dict[str, t.Any]]:
    """What otp_target_system returned, by host, of a run with -v."""
    found = re.findall(r"^(?:ok|changed|fatal): \[(\w+)\](?:: FAILED!)? => (\{.*\})$", run.output, re.MULTILINE)
    return {host: result for host, result in ((host, json.loads(text)) for host, text in found) if "pending" in result}


def diffs(run: Run) -> list[str]:
    return sorted(re.findall(r"^[-+@ ].*$", run.output.partition("the target system] ")[2].partition("\n")[2].partition("PLAY")[0], re.MULTILINE))


def deploy(site: Fleet, *arguments: str, code: int = 0, **variables: t.Any) -> Run:
    """With --check --diff and for good: both say the same, word for word. Scripts of a new system are made of what comes with it."""
    is_new = find_emulator(site.root("north")) is None
    foretold = site.play("deploy", "--check", "--diff", "-v", *arguments, **variables)
    run = site.play("deploy", "--diff", "-v", *arguments, code=code, **variables)
    for host, result in results(run).items():
        assert result["actions"] == results(foretold)[host]["actions"]
    assert is_new or code or diffs(foretold) == diffs(run)
    return run


def ask(site: Fleet, host: str, key: str) -> t.Any:
    """What the node itself has for a variable of counter."""
    with connect(NodeAddress(f"{host}@localhost", cookie_file=site.node(host).cookie_file, epmd_port=site.epmd_port)) as node:
        found = node.call("application", "get_env", [Atom("counter"), Atom(key)], timeout=LIMIT)
    return found[1] if isinstance(found, tuple) else None


def path_of(site: Fleet, host: str, path: str) -> Path:
    return Path(site.root(host), path)


def pids(site: Fleet) -> list[int | None]:
    return [find_emulator(site.root(host)) for host in HOSTS]


def test_they_are_there_before_the_node_starts_and_a_second_run_changes_nothing(site: Fleet) -> None:
    files = [script(site), {"path": "etc/motd", "content": "of {{ inventory_hostname }}\n", "mode": "0644"}, {"path": "share/a/notes", "file": "notes.bin"}]
    files += [{"path": "run/counter.conf", "content": "in the run directory\n"}, {**START, "content": "[{counter, [{size, 1}]}].\n"}]
    (site.directory / "run").mkdir()
    write(site, *files, of_hosts={"south": {"otp_run_dir": str(site.directory / "run")}}, limit=1)
    deploy(site)
    for host in HOSTS:
        assert path_of(site, host, LIMITS["path"]).read_text() == f"%% of {host}\n" + EXPRESSION.format(1)
        assert stat.S_IMODE(path_of(site, host, LIMITS["path"]).stat().st_mode) == 0o600
        assert path_of(site, host, "etc/motd").read_text() == f"of {host}\n" and path_of(site, host, "share/a/notes").read_bytes() == b"\xff\0\xfe\n"
        assert stat.S_IMODE(path_of(site, host, START["path"]).stat().st_mode) == 0o640
        assert ask(site, host, "size") == 1 and ask(site, host, "limit") is None, "a node that starts reads them, and is not called"
    assert (site.directory / "run/counter.conf").read_text() == path_of(site, "north", "run/counter.conf").read_text() == "in the run directory\n"
    again = deploy(site)
    assert {host: again.changed[host] for host in HOSTS} == dict.fromkeys(HOSTS, 0) and not diffs(again)
    for path in (LIMITS["path"], "etc/motd"):
        path_of(site, "north", path).write_text("by hand")
    path_of(site, "north", START["path"]).chmod(0o644)
    run = deploy(site)
    assert (run.changed["north"], run.changed["south"]) == (1, 0) and "-by hand" in diffs(run)
    assert ask(site, "north", "limit") == 1 and stat.S_IMODE(path_of(site, "north", START["path"]).stat().st_mode) == 0o640


def test_a_call_makes_the_node_read_a_change_and_one_that_fails_takes_it_back(site: Fleet) -> None:
    before, start = pids(site), {**START, "content": "[{counter, [{size, 1}]}].\n"}
    write(site, script(site), start, limit=2)
    run = deploy(site)
    assert [ask(site, host, "limit") for host in HOSTS] == [2, 2] and pids(site) == before
    assert "+application:set_env(counter, limit, 2)." in diffs(run)
    # What is not listed any more is gone; south has changed one of them.
    assert not path_of(site, "north", "etc/motd").exists() and not path_of(site, "north", "share/a/notes").exists()
    write(site, script(site), start, of_hosts={"north": {"limit": "oops("}}, limit=3)
    run = deploy(site, code=2)
    said = " ".join(run.output.split())
    assert [run.rows[host][3] for host in HOSTS] == ["failed", "changed"]
    assert "file:script/1 returned {error," in said and "The earlier file is back, and the node has read it by the same call." in said
    assert [ask(site, host, "limit") for host in HOSTS] == [2, 3] and pids(site) == before
    assert path_of(site, "north", LIMITS["path"]).read_text() == "%% of north\n" + EXPRESSION.format(2)
    site.stop("north")
    write(site, script(site), start, limit=4, otp_state="present")
    run = site.play("deploy", "-v")
    assert ask(site, "south", "limit") == 4 and not any("call" in action for action in results(run)["north"]["actions"])
    site.start("north")


def test_a_restart_is_tried_on_the_canary_and_what_does_not_boot_is_taken_back(site: Fleet) -> None:
    before = pids(site)
    write(site, {**START, "content": "[{counter, [{size, 2}]}].\n"})
    run = deploy(site)
    assert pids(site) == before and f"runs with an earlier version of {path_of(site, 'north', START['path'])}" in " ".join(run.output.split())
    assert path_of(site, "north", f".previous/{START['path']}").exists()
    write(site, {**START, "content": "[{counter, [{size, }]}].\n"})
    run = site.play("deploy", code=2, **RESTART)
    assert [run.rows[host][3] for host in HOSTS] == ["rolled back", "not restarted"] and pids(site)[1] == before[1]
    assert path_of(site, "north", START["path"]).read_text() == "[{counter, [{size, 1}]}].\n" and ask(site, "north", "size") == 1
    write(site, {**START, "content": "[{counter, [{size, 3}]}].\n"})
    foretold = site.play("deploy", "--check", **RESTART)
    assert [foretold.rows[host][3] for host in HOSTS] == ["would restart"] * 2
    run = site.play("deploy", **RESTART)
    assert [run.rows[host][3] for host in HOSTS] == ["restarted"] * 2 and [ask(site, host, "size") for host in HOSTS] == [3, 3]
    assert not any(path_of(site, host, ".previous").exists() for host in HOSTS)
    assert {site.play("deploy", **RESTART).rows[host][3] for host in HOSTS} == {"unchanged"}


def test_what_is_removed_from_the_list_wants_what_a_change_wants(site: Fleet) -> None:
    path_of(site, "south", START["path"]).write_text("[{counter, [{size, 4}]}].\n")
    write(site)
    run = deploy(site)
    assert not path_of(site, "north", START["path"]).exists() and path_of(site, "south", START["path"]).exists()
    said = " ".join(run.output.split())
    assert f"{path_of(site, 'south', START['path'])} is not in otp_files any more, and stays" in said
    assert f"runs with an earlier version of {path_of(site, 'north', 'bin/start')}, {path_of(site, 'north', START['path'])}: restart" in said
    site.play("restart", otp_serial=1)
    assert ask(site, "north", "size") is None and not path_of(site, "north", "releases/own_files").read_text().count(" - ")
    assert {site.play("deploy").rows[host][3] for host in HOSTS} == {"unchanged"}


def test_no_secret_is_in_a_diff(site: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    (site.directory / "password").write_text("open")
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", str(site.directory / "password"))
    (site.directory / "key.pem").write_text(f"{SECRET}offile\n")
    (site.directory / "vars.yml").write_text(f"db_password: {SECRET}ofvault\n")
    for name in ("key.pem", "vars.yml"):
        subprocess.run([site.programs / "ansible-vault", "encrypt", site.directory / name], check=True, capture_output=True)
    files = [
        {"path": "etc/tls/key.pem", "file": "key.pem", "mode": "0400"},
        {"path": "etc/db.yml", "content": "password: '{{ db_password }}'\n"},
        {"path": "etc/other.yml", "content": f"password: {SECRET}\n", "secret": True},
        {"path": "etc/plain.yml", "content": "password: none\n"},
    ]
    write(site, *files)
    run = deploy(site, "-e", f"@{site.directory}/vars.yml")
    assert SECRET not in run.output and "+password: none" in diffs(run)
    assert path_of(site, "north", "etc/tls/key.pem").read_text() == f"{SECRET}offile\n"
    assert f"{SECRET}ofvault" in path_of(site, "south", "etc/db.yml").read_text()
    assert not any(stat.S_IMODE(path_of(site, host, file["path"]).stat().st_mode) & 0o007 for file in files for host in HOSTS)
    said = site.play("deploy", "-vvv", "-e", f"@{site.directory}/vars.yml", "--diff", environment={"ANSIBLE_PIPELINING": "0"})
    assert SECRET not in said.output


def test_what_leads_elsewhere_is_refused_before_anything_is_changed(site: Fleet) -> None:
    write(site, {"path": "releases/FIRST/sys.config", "content": ""}, {"path": "etc/a", "content": "", "file": "b"})
    said = " ".join(site.play("deploy", code=2).output.split())
    assert "otp_files has 'releases/FIRST/sys.config': releases is for the files of packages" in said and "Ensure the target system" not in said
    assert "otp_files, etc/a: it has content and file of template, content, file: give it one of them." in said
    elsewhere = site.directory / "elsewhere"
    elsewhere.mkdir()
    path_of(site, "north", "linked").symlink_to(elsewhere)
    write(site, {"path": "etc/first", "content": "1"}, {"path": "linked/second", "content": "2"})
    run = deploy_refused(site)
    assert f"{path_of(site, 'north', 'linked')} is a link on this host. Nothing has been changed." in " ".join(run.output.split())
    assert not os.listdir(elsewhere) and not path_of(site, "north", "etc/first").exists() and path_of(site, "south", "linked/second").exists()
    path_of(site, "north", "linked").unlink()
    site.play("deploy")
    assert path_of(site, "north", "linked/second").read_text() == "2"


def deploy_refused(site: Fleet) -> Run:
    foretold = site.play("deploy", "--check", code=2)
    assert "is a link on this host" in foretold.output
    return site.play("deploy", code=2)
