# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record that a run leaves on the controller, and the server to which it is posted: what they are told is what the table says.

The tests stand in the order of a node's life, and share one site.
"""

from __future__ import annotations

import getpass
import http.server
import json
import socket
import tempfile
import threading
import typing as t
from pathlib import Path

import pytest
from upgrade_site import Site, upgrade_site

HOST = "record"
KEY = "a-key-that-nobody-sees"


class Receiver(http.server.ThreadingHTTPServer):
    """status: the answer. received: path, headers and body of each request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = 204
        self.received: list[tuple[str, t.Any, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook/{KEY}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.received.append((self.path, self.headers, body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_arguments: t.Any) -> None:
        """Nothing on the terminal."""


@pytest.fixture(scope="module")
def receiver() -> t.Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def site() -> t.Iterator[Site]:
    with upgrade_site(Path(tempfile.mkdtemp(prefix="otp-record-")), hosts=[HOST]) as site:
        yield site


def records(site: Site) -> list[dict[str, t.Any]]:
    return [json.loads(line) for line in (site.directory / ".runs.jsonl").read_text(encoding="utf-8").splitlines()]


def test_the_first_run_leaves_a_record_and_check_mode_none(site: Site) -> None:
    (record,) = records(site)
    assert record["schema"] == 1 and record["operator"] == f"{getpass.getuser()}@{socket.gethostname()}"
    assert (record["playbooks"], record["outcome"]) == (["erlang.otp.deploy"], "ok")
    (host,) = record["hosts"]
    assert {key: host[key] for key in ("host", "before", "now", "outcome")} == {"host": HOST, "before": None, "now": "FIRST", "outcome": "changed"}
    site.play("restart", "--check")
    assert records(site) == [record]


def test_a_failure_is_recorded_and_posted_as_the_table_has_it(site: Site, receiver: Receiver) -> None:
    site.write_inventory("SECOND", "FIRST", otp_gates=[{"name": "never", "command": "/bin/false"}], otp_gate_retries=0)
    headers = {"Authorization": f"Bearer {KEY}"}
    run = site.play("upgrade", "-vvv", code=2, otp_notify={"url": receiver.url, "headers": headers})
    record = records(site)[-1]
    (host,) = record["hosts"]
    assert record["outcome"] == "failed" and [host["before"], host["now"]] == run.rows[HOST][:2] == ["FIRST", "FIRST"]
    assert host["outcome"] == run.rows[HOST][3] == "rolled back" and "never" in host["reason"]
    ((path, found, body),) = receiver.received
    assert path == f"/hook/{KEY}" and found["Authorization"] == f"Bearer {KEY}" and json.loads(body) == record
    # It is on the command line of this run, which Ansible shows with -vvv.
    assert KEY not in run.output.replace(json.dumps({"otp_notify": {"url": receiver.url, "headers": headers}}), "")


def test_a_template_makes_the_message_and_only_failures_are_posted_if_that_is_wanted(site: Site, receiver: Receiver) -> None:
    template = site.directory / "chat.json.j2"
    template.write_text("""{"text": {{ ("fleet: " ~ otp_run.outcome ~ ", by " ~ otp_run.operator ~ ' "quoted"') | to_json }}}""")
    receiver.received.clear()
    notify = {"url": receiver.url, "template": str(template)}
    site.write_inventory("SECOND", "FIRST", otp_notify=notify)
    site.play("upgrade", otp_force=True)
    ((_path, _headers, body),) = receiver.received
    assert json.loads(body) == {"text": f'fleet: ok, by {records(site)[-1]["operator"]} "quoted"'}
    site.play("upgrade", otp_notify={**notify, "only_failures": True})
    assert len(receiver.received) == 1 and records(site)[-1]["hosts"][0]["outcome"] == "unchanged"


@pytest.mark.one_of(2)
@pytest.mark.parametrize(
    ("text", "reason"), [("{{ otp_runs.outcome }}", "otp_runs"), ("{% if %}", "chat.json.j2"), ("{{ 1 / 0 }}", "division"), (None, "chat.json.j2")]
)
def test_a_template_with_a_mistake_is_a_warning_and_the_record_is_posted(site: Site, receiver: Receiver, text: str | None, reason: str) -> None:
    template = site.directory / "chat.json.j2"
    template.unlink(missing_ok=True)
    if text is not None:
        template.write_text(text)
    receiver.received.clear()
    run = site.play("restart", otp_notify={"url": receiver.url, "template": str(template)})
    assert run.rows[HOST][3] == "done"
    words = " ".join(run.output.split())
    assert f"otp_notify.template: {template} cannot be rendered, so that the record itself is posted: " in words and reason in words.partition("posted: ")[2]
    ((_path, _headers, body),) = receiver.received
    assert json.loads(body) == records(site)[-1]
    # The way out.
    template.write_text("{{ otp_run.outcome }}")
    receiver.received.clear()
    assert "cannot be rendered" not in site.play("restart", otp_notify={"url": receiver.url, "template": str(template)}).output
    assert receiver.received[0][2] == "ok"


def test_a_server_that_does_not_take_it_and_a_file_that_cannot_be_written_are_warnings(site: Site, receiver: Receiver) -> None:
    count, receiver.status = len(records(site)), 500
    run = site.play("restart", otp_notify={"url": receiver.url}, otp_run_log=str(site.directory))
    assert run.rows[HOST][3] == "done" and "otp_notify: the record of this run was not taken: Status code was 500" in " ".join(run.output.split())
    assert f"the run cannot be recorded in {site.directory}: Is a directory" in " ".join(run.output.split())
    assert f"/{KEY}" not in run.output and len(records(site)) == count
    # The way out.
    assert "cannot be recorded" not in site.play("restart", otp_run_log="").output and len(records(site)) == count
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        run = site.play("restart", otp_notify={"url": f"http://127.0.0.1:{nobody.getsockname()[1]}/{KEY}"})
    assert "was not taken" in run.output and "refused" in run.output and f"/{KEY}" not in run.output and len(records(site)) == count + 1


def test_a_mistake_in_it_is_found_before_a_host_is_touched(site: Site) -> None:
    run = site.play("restart", code=2, otp_notify={"url": f"ftp://{KEY}", "template": "chat.j2"})
    assert "otp_notify.url must begin with http://" in run.output and "otp_notify.template is 'chat.j2': give an absolute path" in run.output
    assert KEY not in run.output
    run = site.play("restart", code=2, otp_notify={"uri": "http://localhost"})
    assert "uri is unknown: there are headers, only_failures, template, url" in " ".join(run.output.split())


def test_the_removal_is_recorded(site: Site) -> None:
    site.play("remove", otp_remove=HOST)
    record = records(site)[-1]
    assert record["playbooks"] == ["erlang.otp.remove"] and record["hosts"][0]["outcome"] == "removed"
