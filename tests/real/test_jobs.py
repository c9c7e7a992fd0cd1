# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The workflow of the guide on jobs, run as it is there: the canary, two slices of the fleet on workers of ansible-runner, and one report.

One slice fails while the other one is in its first batch. What the events and reports say is compared with what the nodes say.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import textwrap
import typing as t
from pathlib import Path

import jsonschema
import pytest
import yaml
from upgrade_site import BIN, Site, upgrade_site
from waiting import LIMIT

TOP = Path(__file__).parents[2]
GUIDE = (TOP / "docs/docsite/rst/guide_jobs.rst").read_text("utf-8")
WORKFLOW = textwrap.dedent(re.findall(r"code-block:: shell\n\n((?:   .*\n|\n)+)", GUIDE)[0])
SLICES = {"canary": ["north"], "first_slice": ["south"], "second_slice": ["east", "west"]}


@pytest.fixture(scope="module")
def site() -> t.Iterator[Site]:
    """Nodes that run release FIRST, the inventory of release SECOND in the slices of the guide, and what the jobs share."""
    with upgrade_site(Path(tempfile.mkdtemp(prefix="otp-jobs-")), hosts=[host for hosts in SLICES.values() for host in hosts]) as site:
        shared, fleet = site.directory / "shared", site.directory / "fleet"
        (site.directory / ".packages").rename(site.directory / "packages-of-first")
        shared.mkdir()
        (site.directory / "packages-of-first").rename(shared / "packages")
        (fleet / "project").mkdir(parents=True)
        for playbook in ("upgrade", "status"):
            (fleet / "project" / f"{playbook}.yml").write_text(f"- import_playbook: erlang.otp.{playbook}\n")
        stop = shared / "stop-SECOND"
        # The gate of the one waits until the other one has failed: so that is always in the middle of a batch.
        gates = {"south": "/bin/false", "east": f"/bin/sh -c 'until [ -e {stop} ]; do sleep 0.1; done'"}
        of_hosts = {host: {"otp_gates": [{"name": "rule", "command": command}]} for host, command in gates.items()}
        site.write_inventory("SECOND", "FIRST", of_hosts=of_hosts, otp_gate_retries=0)
        (fleet / "inventory").mkdir()
        slices = "".join(f"[{name}]\n" + "".join(f"{host}\n" for host in hosts) for name, hosts in SLICES.items())
        (fleet / "inventory" / "slices.ini").write_text(slices)
        (fleet / "inventory" / "hosts.yml").write_text(site.inventory.read_text())
        yield site


class Job(t.NamedTuple):
    """What ansible-runner has of a job: its status, and the events, as it wrote them into its artifacts."""

    status: str
    events: list[dict[str, t.Any]]

    def builds(self) -> bool:
        return any(each["event_data"].get("task_action", "").endswith("otp_release_build") for each in self.events if each["event"] == "runner_on_ok")

    def failures(self) -> list[str]:
        return [each["event_data"]["res"]["msg"] for each in self.events if each["event"] == "runner_on_failed"]

    def lines(self) -> list[str]:
        """The report."""
        reports = [each["event_data"] for each in self.events if each["event_data"].get("task", "").startswith("Report ")]
        found = [report["res"]["msg"] for report in reports if "msg" in report.get("res", {})]
        return next(lines for lines in found if isinstance(lines, list))


def job(site: Site, name: str) -> Job:
    artifacts = site.directory / "fleet" / "artifacts" / name
    paths = sorted(artifacts.glob("job_events/*.json"), key=lambda path: int(path.name.partition("-")[0]))
    return Job((artifacts / "status").read_text(), [json.loads(path.read_text()) for path in paths])


def workflow(site: Site) -> subprocess.CompletedProcess[str]:
    settings = {"SHARED": f"{site.directory}/shared", "VERSION": "SECOND", "NAME": "exchange", "PATH": f"{BIN}:{os.environ['PATH']}"}
    return subprocess.run(
        ["/bin/sh", "-c", WORKFLOW],
        cwd=site.directory,
        env={**site.environment(), **settings},
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=LIMIT,
        check=False,
    )


def running(site: Site) -> dict[str, str]:
    """What the nodes themselves say."""
    return {host: next(version for version, status in site.releases(host) if status == "permanent") for host in site.hosts}


def test_a_slice_that_fails_stops_the_other_at_its_batch_and_there_is_one_report(site: Site) -> None:
    said = workflow(site)
    assert said.returncode == 1, said.stdout
    assert running(site) == {"north": "SECOND", "south": "FIRST", "east": "SECOND", "west": "FIRST"}, said.stdout
    canary, first, second = (job(site, name) for name in ("canary", "first", "second"))
    assert [each.status for each in (canary, first, second)] == ["successful", "failed", "failed"]
    # Built once, by the canary's job.
    assert [each.builds() for each in (canary, first, second)] == [True, False, False]
    stop = (site.directory / "shared" / "stop-SECOND").read_text()
    assert re.fullmatch(r"[\dT:-]+Z south: rolled back: .*rule.*\n", stop)
    rows = {line.split()[0]: line.split()[1:3] + line.split()[4:] for line in second.lines()}
    assert rows["east"] == ["FIRST", "SECOND", "done", "-"] and rows["west"][2:] == ["not", "reached", "-"]
    (failure,) = second.failures()
    assert failure.startswith(f"stopped before its next batch, because another run of this change has failed: {stop.strip()}. Mend that, remove ")
    records = [json.loads(line) for line in (site.directory / "shared" / "runs.jsonl").read_text().splitlines()]
    assert [{host["host"]: host["outcome"] for host in record["hosts"]} for record in records] == [
        {"north": "done"},
        {"south": "rolled back"},
        {"east": "done", "west": "not reached"},
    ]
    assert records[2]["outcome"] == "failed" and records[2]["hosts"][1]["reason"] == stop.strip()
    report = json.loads((site.directory / "shared" / "fleet.json").read_text())
    jsonschema.validate(report, json.loads((TOP / "docs/status.schema.json").read_text()))
    assert {host["host"]: host["release"] for host in report["hosts"]} == running(site)
    mixed = {each["group"]: {release["version"]: set(release["hosts"]) for release in each["releases"]} for each in report["mixed"]}
    assert mixed == {
        "otp": {"FIRST": {"south", "west"}, "SECOND": {"north", "east"}},
        "second_slice": {"FIRST": {"west"}, "SECOND": {"east"}},
    }
    assert "2 of 4 hosts run exchange SECOND" in job(site, "report").lines()


@pytest.mark.full
def test_the_same_jobs_again_go_on_once_the_cause_is_mended_and_the_file_removed(site: Site) -> None:
    inventory = site.directory / "fleet" / "inventory" / "hosts.yml"
    # Both gates are open now.
    found = yaml.safe_load(inventory.read_text())
    for host in ("south", "east"):
        found["all"]["children"]["otp"]["hosts"][host]["otp_gates"][0]["command"] = "/bin/true"
    inventory.write_text(yaml.safe_dump(found))
    for number, artifacts in enumerate((site.directory / "fleet" / "artifacts").iterdir()):
        artifacts.rename(site.directory / f"earlier-{number}")
    # The file stops the next jobs as well, before their first batch.
    said = workflow(site)
    assert said.returncode == 1 and running(site)["south"] == "FIRST", said.stdout
    (failure,) = job(site, "canary").failures()
    assert "south: rolled back" in failure and f"remove {site.directory}/shared/stop-SECOND, and run this again" in failure
    (site.directory / "shared" / "stop-SECOND").unlink()
    (site.directory / "fleet" / "artifacts" / "canary").rename(site.directory / "earlier-stopped")
    said = workflow(site)
    assert said.returncode == 0 and set(running(site).values()) == {"SECOND"}, said.stdout
    assert "4 of 4 hosts run exchange SECOND" in job(site, "report").lines()
