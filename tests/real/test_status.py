# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""playbooks/status.yml, as an operator runs it: three nodes of this machine, and hosts that cannot be asked.

The tests stand in the order of a fleet's life, and share one site.
"""

from __future__ import annotations

import hashlib
import html
import json
import os
import re
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

import jsonschema
import pytest
import yaml
from browser import chromium
from prometheus_client.parser import text_string_to_metric_families
from upgrade_site import HOSTS, Run, Site, upgrade_site
from waiting import LIMIT, wait_until

from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom, as_text
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator, find_emulators

TOP = Path(__file__).parents[2]
# HTML, and an Ansible template: when a host says them, both are text.
HOSTILE = "<script>alert(1)</script> {{ 6 * 7 }}"


@pytest.fixture(scope="module")
def site() -> t.Iterator[Site]:
    """Three nodes that run release FIRST, and two hosts more: away, which is not reached, and bare, which has no system."""
    with upgrade_site(Path(tempfile.mkdtemp(prefix="otp-status-"))) as site:
        bare = {"otp_root": f"{site.directory}/bare", "otp_node_name": "<script>@localhost"}
        away = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1, "otp_root": "/srv/away", "otp_node_name": "away@localhost"}
        more = {"otp": {"hosts": {"away": away, "bare": bare}}, "coast": {"hosts": {"north": None, "south": None}}}
        (site.directory / "more.yml").write_text(yaml.safe_dump(more))
        yield site


def status(site: Site, *arguments: str, code: int = 0, **variables: t.Any) -> Run:
    """What the playbook said of these hosts, having changed nothing but what it writes for others, and having fitted into 100 columns."""
    before = {host: digest(site.root(host)) for host in HOSTS}
    run = site.play("status", "-i", str(site.directory / "more.yml"), *arguments, code=code, **variables)
    assert sum(run.changed.values()) == ("otp_status_page" in variables) + bool({"otp_status_json", "otp_status_metrics"} & set(variables))
    assert {host: digest(site.root(host)) for host in HOSTS} == before
    assert all(len(line) <= 100 for line in run.output.split("\n") if line.startswith('        "'))
    return run


def digest(root: str) -> str:
    """Of what a system's releases directory holds."""
    total = hashlib.sha256()
    for path in sorted(Path(root, "releases").rglob("*")):
        total.update(f"{path} {path.stat().st_mtime_ns}".encode())
    return total.hexdigest()


def handle(site: Site, host: str, *, code: int = 0, **options: t.Any) -> str:
    """What otp_release_handler says of release SECOND on the host."""
    way = {"root": site.root(host), "node": f"{host}@localhost", "cookie": site.cookie, "epmd_port": site.epmd_port}
    arguments = json.dumps({**way, "release": "SECOND", **options})
    command = [str(site.programs / "ansible"), host, "-i", str(site.inventory), "-m", "erlang.otp.otp_release_handler", "-a", arguments]
    said = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False)
    assert said.returncode == code, said.stdout
    return said.stdout


def told(run: Run) -> str:
    """The report as one line, without quotes and line ends."""
    lines = re.findall(r'^        "(.*?)",?$', run.output, re.MULTILINE)
    return re.sub(r" +", " ", " ".join(json.loads(f'"{line}"') for line in lines))


def test_a_fleet_that_agrees(site: Site) -> None:
    run = status(site, "--limit", "north,south,west")
    for host in HOSTS:
        assert run.rows[host][:3] == ["running", "FIRST", "FIRST"] and run.rows[host][5] == f"{host}@localhost"
        assert re.fullmatch(r"\d+ (s|min)", run.rows[host][4])
    report = told(run)
    assert report.endswith("3 of 3 hosts run exchange FIRST") and "north:" not in report


def test_a_changed_configuration_and_a_second_emulator_are_told(site: Site) -> None:
    """A node that runs without the one, and beside the other."""
    root = Path(site.root("south"))
    config, flags = root / "releases/FIRST/sys.config", ["-noinput", "-boot", str(root / "releases/FIRST/start_clean")]
    before = config.stat()
    os.utime(config, (time.time() + 1, time.time() + 1))
    with subprocess.Popen([str(root / "bin/erl"), *flags], stdin=subprocess.DEVNULL, cwd=site.directory) as second:
        wait_until(lambda: len(find_emulators(str(root))) == 2, "another emulator has started", running=second)
        run = status(site, "--limit", "north,south,west", otp_status_json=str(site.directory / "outdated.json"))
        os.utime(config, ns=(before.st_atime_ns, before.st_mtime_ns))
        # The way out ends both.
        assert site.play("restart", "--limit", "south").rows["south"][3] == "done"
    assert len(find_emulators(str(root))) == 1 and status(site, "--limit", "south").rows["south"][0] == "running"
    assert run.rows["south"][0] == "disagrees" and run.rows["north"][0] == "running"
    document = json.loads((site.directory / "outdated.json").read_text(encoding="utf-8"))
    assert {host["host"]: host["outdated"] for host in document["hosts"]} == {"north": [], "west": [], "south": [str(config)]}
    assert f"the node runs with an earlier version of {config}" in told(run) and "a second emulator runs the system below" in told(run)


def test_what_failed_what_is_not_committed_and_what_cannot_be_asked(site: Site) -> None:
    site.write_inventory("SECOND", "FIRST")
    # It is installed beside the one that runs.
    site.play("deploy")
    handle(site, "north", state="permanent")
    never = {"module": "erlang", "function": "node", "expect": "north@localhost"}
    assert "was expected" in handle(site, "south", code=2, state="permanent", verify=[never], verify_timeout=2)
    handle(site, "west", state="current")
    with open(f"{site.root('south')}/releases/history.jsonl", "a", encoding="utf-8") as history:
        entry = {"time": "2026-01-31T12:00:00Z", "action": "verify", "release": HOSTILE, "from": "FIRST", "outcome": "failed", "reason": HOSTILE}
        history.write(json.dumps(entry) + "\n")
    page, document, metrics = (site.directory / name for name in ("fleet.html", "fleet.json", "fleet.prom"))
    run = status(site, code=2, otp_status_page=str(page), otp_status_json=str(document), otp_status_metrics=str(metrics), otp_status_application="exchange")
    states = {host: run.rows[host][:3] for host in (*HOSTS, "away", "bare")}
    assert states["north"] == ["running", "SECOND", "SECOND"] and states["south"] == ["running", "FIRST", "FIRST"]
    assert states["west"] == ["not committed", "SECOND", "FIRST"]
    assert states["away"] == ["unreachable", "-", "-"] and states["bare"] == ["no system", "-", "-"]
    report = told(run)
    assert re.search(r"south: [-\d]+ [:\d]+ UTC: release SECOND failed \(verify\): erlang:node/0 returned south@localhost", report)
    assert "west: release SECOND runs and is not committed: after its next start the node runs FIRST" in report
    # ssh may have ended before Ansible had written to it.
    assert re.search(r"away: Task failed: .*(ssh: connect to host 127.0.0.1 port 1: Connection refused|could not be sent to remote host '127.0.0.1')", report)
    assert "group coast is mixed: 1 on exchange FIRST, 1 on exchange SECOND (north)" in report
    assert "2 of 5 hosts run exchange SECOND 1 of 5 hosts runs exchange FIRST 1 of 5 hosts: unreachable" in report
    assert re.findall(r"^(\w+) .*failed=1", run.output, re.MULTILINE) == ["away"]

    text = page.read_text(encoding="utf-8")
    assert text.count("<script") == 1 and "&lt;script&gt;<wbr>@localhost" in text and html.escape(HOSTILE) in text and HOSTILE in report
    assert page.stat().st_mode & 0o777 == 0o644 and site.cookie not in text
    assert not re.search(r"(src|href)=\"[^#]|@import|url\(", text)
    for said in ("verify <b>SECOND</b>", "release SECOND runs and is not committed", "not committed</span>", "unreachable</span>"):
        assert said in text

    a_browser_shows_it(page, run)

    where_the_application_is(site, report, json.loads(document.read_text(encoding="utf-8"))["application"])
    told_to_programs(run, json.loads(document.read_text(encoding="utf-8")), metrics.read_text(encoding="utf-8"))
    assert document.stat().st_mode & 0o777 == metrics.stat().st_mode & 0o777 == 0o644
    assert site.cookie not in document.read_text(encoding="utf-8") + metrics.read_text(encoding="utf-8")


def a_browser_shows_it(page: Path, run: Run) -> None:
    """What Ansible has rendered fits the page's own policy, so its script runs, and the one that a host says does not."""
    with tempfile.TemporaryDirectory(prefix="otp-browser-") as directory, chromium(Path(directory)) as browser:
        shown = browser.open(page.as_uri())
        assert sorted(shown.texts("tbody th")) == sorted(host for host in run.rows if host in (*HOSTS, "away", "bare"))
        shown.type("input", "not committed")
        assert shown.texts("tbody th") == ["west"] and shown.texts("output") == ["1 of 5 hosts"]
        shown.type("input", "south")
        shown.click("tbody .more")
        assert HOSTILE in " ".join(shown.texts("tbody .past"))
        assert shown.requests() == [page.as_uri()] and not shown.complaints()


def where_the_application_is(site: Site, report: str, found: dict[str, t.Any]) -> None:
    """Each node says itself which version of the application it has loaded."""
    running = {host: place["version"] for place in found["places"] if place["runs"] for host in place["hosts"]}
    assert running == {host: as_text(site.call(host, "application", "get_key", Atom("exchange"), Atom("vsn"))[1]) for host in HOSTS}
    installed = [(place["version"], place["release"], place["hosts"]) for place in found["places"] if not place["runs"]]
    assert installed == [("1.0", "FIRST", ["west", "north"]), ("2.0", "SECOND", ["south"])] and (found["without"], found["unknown"]) == (["bare"], ["away"])
    assert "exchange 1.0: in exchange FIRST, which runs on 1 host (south) exchange 1.0: in exchange FIRST, which is installed on 2 hosts" in report


def told_to_programs(run: Run, document: dict[str, t.Any], metrics: str) -> None:
    """The document is what its schema says, Prometheus' own client takes the metrics, and both say of each host what the table says."""
    schema = json.loads((TOP / "docs/status.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(document)
    hosts = {host["host"]: [host["state"], host["release"] or "-", host["permanent"] or "-"] for host in document["hosts"]}
    assert hosts == {host: run.rows[host][:3] for host in hosts} and len(hosts) == 5
    assert any(HOSTILE in note for host in document["hosts"] for note in host["notes"])
    samples = [sample for family in text_string_to_metric_families(metrics) for sample in family.samples]
    states = {sample.labels["host"]: sample.labels["state"] for sample in samples if sample.name == "otp_host_state"}
    assert states == {host: state for host, (state, *_rest) in hosts.items()}
    releases = {sample.labels["host"]: [sample.labels["release"], sample.labels["permanent"]] for sample in samples if sample.name == "otp_release_info"}
    assert releases == {host: row for host, (_state, *row) in hosts.items() if row[0] != "-"}
    assert {sample.labels["host"]: sample.value for sample in samples if sample.name == "otp_failed_releases"}["south"] == 2
    (asked,) = [sample.value for sample in samples if sample.name == "otp_status_time_seconds"]
    assert abs(time.time() - asked) < LIMIT


def test_a_relative_path_is_below_the_directory_of_the_one_who_runs_it(site: Site) -> None:
    """Ansible's own is that of the playbook, in the collection."""
    site.play("status", "--limit", "north", environment={"PWD": str(site.directory)}, otp_status_page="relative.html", otp_status_json="relative.json")
    for name in ("relative.html", "relative.json"):
        assert (site.directory / name).is_file() and not list(TOP.rglob(name))


def test_what_disagrees_what_is_down_and_what_does_not_answer(site: Site) -> None:
    data = Path(site.root("north"), "releases", "start_erl.data")
    right = data.read_text()
    data.write_text(right.replace("SECOND", "FIRST"))
    site.stop("west")
    site.write_inventory("SECOND", "FIRST", of_hosts={"south": {"otp_cookie": "wrong"}})
    run = status(site, "--limit", "north,south,west")
    assert run.rows["north"][:3] == ["disagrees", "SECOND", "FIRST"]
    assert run.rows["south"][:3] == ["no answer", "-", "FIRST"]
    assert run.rows["west"][:3] == ["down", "-", "FIRST"] and find_emulator(site.root("west")) is None
    report = told(run)
    assert "north: which release is permanent is not clear: SECOND in the node, SECOND in RELEASES, FIRST in start_erl.data" in report
    assert re.search(r"south: the emulator runs \(process \d+\), and its node does not answer: .*cookie", report)
    assert re.search(r"west: [-\d]+ [:\d]+ UTC: release SECOND was installed and never committed: its emulator has ended, and FIRST boots again", report)
