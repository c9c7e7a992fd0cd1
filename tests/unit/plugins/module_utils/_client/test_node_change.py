# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: what is to be done with a client node follows from its processes, from what is kept of its files and from what was requested. A client that
something is to be done with is the run's alone. It answers with the release that it boots, and what is kept is put back.
"""

from __future__ import annotations

import contextlib
import os

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._client import node_change as _node_change
from ansible_collections.erlang.otp.plugins.module_utils._client.kept import KeptOfClient
from ansible_collections.erlang.otp.plugins.module_utils._client.node_change import ClientNodeRequest, NotUp, change_client
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import Owner
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress
from ansible_collections.erlang.otp.plugins.module_utils._tree.mark import Claim, Held

NODE, ONE, OTHER = "line1@north", "12 boot 700", "13 boot 900"
RUNS = ("heart 14 12", f"emulator {ONE}")


class Site:
    """A client below a root directory. answers: what its node says, one after the other."""

    def __init__(self, root):
        self.root, self.directory = str(root), f"{root}/clients/{NODE}"
        self.config = f"{self.directory}/releases/FIRST/sys.config"
        os.makedirs(os.path.dirname(self.config))
        with open(f"{self.directory}/releases/start_erl.data", "w") as data:
            data.write("13.1 FIRST")
        self.write(b"1", "")
        self.answers = [("started", "FIRST")]

    def write(self, text, emulator=ONE):
        KeptOfClient(self.directory, emulator, "FIRST").ensure(self.config, text, mode=0o640, owner=Owner(-1, -1), changes=Changes())

    def ask(self):
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, str):
            raise OtpError(answer)
        return answer

    def change(self, state, processes=RUNS, *, check_mode=False, **options):
        request = ClientNodeRequest(root=self.root, client=NODE, state=state, processes=tuple(processes), address=NodeAddress(NODE), **options)
        return change_client(request, Changes(check_mode=check_mode))


@pytest.fixture
def site(tmp_path, monkeypatch):
    site = Site(tmp_path)
    monkeypatch.setattr(_node_change.ClientChange, "ask", site.ask)
    monkeypatch.setattr(_node_change, "PAUSE", 0.0)
    return site


@pytest.mark.parametrize(
    ("state", "processes", "options", "way"),
    [
        ("started", RUNS, {}, "none"),
        ("started", (), {}, "start"),
        ("stopped", RUNS, {}, "stop"),
        ("stopped", ("heart 14 12",), {}, "stop"),
        ("stopped", (), {}, "none"),
        ("restarted", RUNS, {}, "restart"),
        ("restarted", RUNS, {"only_changed": True}, "none"),
        ("restarted", RUNS, {"only_changed": True, "outdated": ("/bin/start",), "is_newer": True}, "restart"),
        ("restarted", (), {"down": "skip"}, "none"),
    ],
)
def test_what_is_to_be_done(site, state, processes, options, way):
    found = site.change(state, processes, **options)
    assert found["way"] == way and found["restarted"] == (way == "restart") and found["before"]["running"] == ("FIRST" if processes else None)


def test_a_client_runs_without_a_change_or_was_restarted_with_it(site):
    site.write(b"2")
    found = site.change("restarted", only_changed=True)
    assert (found["way"], found["outdated"], found["before"]["pid"]) == ("restart", [site.config], 12)
    assert site.change("restarted", (f"emulator {OTHER}",), only_changed=True)["way"] == "commit"
    # A boot that failed has left it down.
    assert site.change("restarted", (), only_changed=True)["way"] == "restart"


def test_who_is_down_or_not_committed_is_not_restarted(site):
    with pytest.raises(OtpError, match="the node is down: start it, by the playbook erlang.otp.start"):
        site.change("restarted", ())
    site.answers = [("started", "SECOND")]
    with pytest.raises(OtpError, match="release SECOND runs and is not committed"):
        site.change("restarted")
    with pytest.raises(OtpError, match="has no directory below .*: make it first"):
        change_client(ClientNodeRequest(root=site.root, client="other@north", state="started", address=NodeAddress("other@north")), Changes())


def test_a_client_is_the_runs_alone_while_something_is_to_be_done(site):
    mine, others = Claim("alice", "1-1-a"), Claim("bob", "2-2-b")
    assert not site.change("restarted", check_mode=True, claim=mine, hold=60.0)["held"]
    assert site.change("restarted", claim=mine, hold=60.0)["held"]
    with pytest.raises(Held, match="alice has been restarting the node"):
        site.change("restarted", claim=others, hold=60.0)
    assert not site.change("committed", claim=mine._replace(is_held=True), hold=0.0)["held"]
    assert site.change("stopped", claim=others, hold=60.0)["held"]


def test_it_answers_with_the_release_that_it_boots(site):
    site.answers = ["no.", ("starting", "FIRST"), ("started", "SECOND"), ("started", "FIRST")]
    assert site.change("answering", start_timeout=60.0)["after"]["running"] == "FIRST"
    for answer, reason in (("no.", "no."), (("starting", None), "init reports starting"), (("started", "SECOND"), "it runs release SECOND")):
        site.answers = [answer]
        with pytest.raises(NotUp, match=f"has not answered with release FIRST within 0.01 s: {reason}") as raised:
            site.change("answering", start_timeout=0.01)
        assert raised.value.result == {"is_up": False}


def test_a_call_that_fails_is_no_answer(site, monkeypatch):
    monkeypatch.setattr(_node_change, "connect", lambda dummy: contextlib.nullcontext())

    def fail(dummy, checks, *, timeout):
        raise OtpError(f"{checks} {timeout}")

    monkeypatch.setattr(_node_change, "verify", fail)
    with pytest.raises(OtpError, match="30"):
        site.change("answering", verify=("check",))


def test_what_is_kept_is_put_back_and_only_who_has_read_the_other_restarts(site):
    def text():
        with open(site.config, "rb") as file:
            return file.read()

    site.write(b"2")
    foreseen = site.change("restored", check_mode=True)
    assert (foreseen["rolled_back"], foreseen["restarted"]) == (True, False) and text() == b"2", "it has not been restarted"
    assert site.change("restored", (f"emulator {OTHER}",), check_mode=True)["restarted"] and site.change("restored", (), check_mode=True)["restarted"]
    assert site.change("restored")["rolled_back"] and text() == b"1"
    again = site.change("restored")
    assert (again["rolled_back"], again["restarted"]) == (False, False)


def test_what_is_committed_is_forgotten(site):
    site.write(b"2")
    site.change("committed")
    assert site.change("restarted", only_changed=True)["way"] == "none" and not os.path.exists(site.directory + "/.previous")
