# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""playbooks/verify.yml: a node of this machine, whose files, code and configuration somebody changes by hand.

The tests stand in the order of a node's life, and share one site.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from upgrade_site import Run, Site, upgrade_site
from waiting import LIMIT

from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom

HOST = "verified"


@pytest.fixture(scope="module")
def site() -> t.Iterator[Site]:
    with upgrade_site(Path(tempfile.mkdtemp(prefix="otp-verify-")), hosts=[HOST]) as site:
        yield site


def told(run: Run) -> str:
    """The report as one line, without quotes and line ends."""
    lines = re.findall(r'^        "(.*?)",?$', run.output, re.MULTILINE)
    return re.sub(r" +", " ", " ".join(json.loads(f'"{line}"') for line in lines))


def files(site: Site) -> dict[str, tuple[int, int, bytes]]:
    """Of the system: mode, time and content."""
    paths = [path for top in ("bin", "lib", "releases", "erts-*") for path in Path(site.root(HOST)).glob(f"{top}/**/*")]
    return {str(path): (path.stat().st_mode, path.stat().st_mtime_ns, path.read_bytes()) for path in paths if path.is_file()}


def in_status(site: Site, **variables: t.Any) -> tuple[str, list[str] | None, list[float]]:
    """Of the host in the report of erlang.otp.status: its state, its drift in the document, and in the metrics as Prometheus' own client reads them."""
    document, metrics = site.directory / "fleet.json", site.directory / "fleet.prom"
    run = site.play("status", otp_status_json=str(document), otp_status_metrics=str(metrics), **{"otp_verify": True, **variables})
    (host,) = json.loads(document.read_text(encoding="utf-8"))["hosts"]
    assert host["state"] == run.rows[HOST][0] and all(sentence in told(run) for sentence in host["drift"] or [])
    samples = [sample for family in text_string_to_metric_families(metrics.read_text(encoding="utf-8")) for sample in family.samples]
    return host["state"], host["drift"], [sample.value for sample in samples if sample.name == "otp_release_drift"]


def test_a_system_as_it_was_deployed(site: Site) -> None:
    before = files(site)
    run = site.play("verify")
    assert run.rows[HOST] == ["FIRST", "the same", "the same", "the same", "verified"]
    assert in_status(site) == ("running", [], [0])
    assert run.changed == {HOST: 0} and files(site) == before


def test_what_was_changed_by_hand_is_found_and_put_back(site: Site) -> None:
    root, good = Path(site.root(HOST)), files(site)
    library, (erts,) = root / "lib/exchange-1.0/ebin", root.glob("erts-*")
    (library / "exchange_switch.beam").write_bytes(second(site))
    (library / "exchange.app").unlink()
    (library / "backdoor.beam").write_bytes(second(site))
    (erts / "bin/epmd").chmod(0o777)
    with (erts / "bin/erlexec").open("ab") as program:
        program.write(b"more")
    # The host's own records are no proof.
    record = root / "releases/FIRST/package.json"
    recorded = record.read_text()
    record.write_text(recorded.replace('"sha256": "', '"sha256": "0'))
    bad = files(site)
    run = site.play("verify", code=2)
    assert run.rows[HOST] == ["FIRST", "5 differ", "the same", "not compared", "drift"], run.output
    said = told(run)
    for sentence in (
        "lib/exchange-1.0/ebin/exchange_switch.beam is not that of the package",
        f"{erts.name}/bin/erlexec is not that of the package",
        "lib/exchange-1.0/ebin/exchange.app is missing",
        "lib/exchange-1.0/ebin/backdoor.beam is in no package",
        f"{erts.name}/bin/epmd has the mode 0777, and in the package 0755",
        "with -e otp_repair=true",
        "Remove what is in no package, or name it in otp_verify_ignore.",
    ):
        assert sentence in said, said
    state, drift, samples = in_status(site)
    assert (state, samples) == ("disagrees", [5]) and drift is not None and len(drift) == 5 and all(sentence in said for sentence in drift)
    run = site.play("verify", "--check", code=2, otp_repair=True)
    assert run.changed == {HOST: 1} and files(site) == bad
    run = site.play("verify", code=2, otp_repair=True, otp_run_log=str(site.directory / "runs"))
    assert run.rows[HOST] == ["FIRST", "1 differs", "the same", "not compared", "drift"]
    assert f"put back {library}/exchange.app" in told(run) and '"erlang.otp.verify"' in (site.directory / "runs").read_text()
    # It has what it had, and what no package has.
    record.write_text(recorded)
    now = {path: (mode, content) for path, (mode, _time, content) in files(site).items()}
    assert {path for path, (mode, _time, content) in good.items() if now.get(path) != (mode, content)} == set()
    assert {*now} - {*good} == {str(library / "backdoor.beam")}


def second(site: Site) -> bytes:
    """The code of another release."""
    return (site.directory / "exchange-source/2.0/ebin/exchange_switch.beam").read_bytes()


def test_a_module_that_was_exchanged_in_the_node_and_configuration_that_was_edited(site: Site) -> None:
    """What was added before is named as known now."""
    root = Path(site.root(HOST))
    site.call(HOST, "code", "load_binary", Atom("exchange_switch"), "by hand", second(site))
    site.call(HOST, "code", "load_binary", Atom("exchange_extra"), "by hand", extra(site))
    for path in (root / "releases/FIRST/sys.config", root / "bin/start"):
        path.write_text(path.read_text() + "\n")
    run = site.play("verify", code=2, otp_verify_ignore=["lib/*/backdoor.beam"])
    assert run.rows[HOST] == ["FIRST", "the same", "2 differ", "2 differ", "drift"]
    said = told(run)
    assert f"the module exchange_switch in the node is not that of {root}/lib/exchange-1.0/ebin/exchange_switch.beam" in said
    assert "the module exchange_extra in the node is in no file of release FIRST" in said
    assert f"write {root}/releases/FIRST/sys.config" in said and "run erlang.otp.deploy" in said and "restart the node" in said
    (root / "lib/exchange-1.0/ebin/backdoor.beam").unlink()
    site.play("deploy", otp_restart_on_change=True)
    assert site.play("verify").rows[HOST] == ["FIRST", "the same", "the same", "the same", "verified"]


def extra(site: Site) -> bytes:
    (site.directory / "exchange_extra.erl").write_text("-module(exchange_extra).\n")
    subprocess.run(["erlc", "exchange_extra.erl"], cwd=site.directory, check=True, timeout=LIMIT)
    return (site.directory / "exchange_extra.beam").read_bytes()


def test_a_release_without_a_package_is_not_verified(site: Site) -> None:
    run = site.play("verify", code=2, otp_packages_dir=str(site.directory / "nothing"))
    assert run.rows[HOST] == ["FIRST", "not known", "the same", "not compared", "not verified"]
    assert f"release FIRST is not verified: there is no full package of exchange FIRST in {site.directory}/nothing" in told(run)
    assert in_status(site, otp_packages_dir=str(site.directory / "nothing")) == ("running", None, [])
    assert in_status(site, otp_verify=False) == ("running", None, [])
