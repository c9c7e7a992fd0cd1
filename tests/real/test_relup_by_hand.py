# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A relup that was written by hand, for applications without appups: a node goes that way and back; one that does not lead there is refused."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from handler_site import CHANGES, Releases, System
from release_workshop import MINIMAL, Workshop, content

from ansible_collections.erlang.otp.plugins.module_utils._build.otp import find_otp
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom

# Its last instruction up tells it from one that systools makes.
RELUP = """\
{"SECOND",
 [{"FIRST", [], [
   {load_object_code, {counter, "2.0", [counter]}}, point_of_no_return,
   {suspend, [counter]}, {load, {counter, brutal_purge, brutal_purge}}, {code_change, up, [{counter, []}]}, {resume, [counter]},
   {apply, {application, set_env, [counter, by_hand, true]}}]}],
 [{"FIRST", [], [
   {load_object_code, {counter, "1.0", [counter]}}, point_of_no_return,
   {suspend, [counter]}, {code_change, down, [{counter, []}]}, {load, {counter, brutal_purge, brutal_purge}}, {resume, [counter]}]}]}.
"""


class ByHand(Releases):
    """Two releases; neither application has an appup."""

    def __init__(self, directory: Path) -> None:
        self.workshop = Workshop(directory, find_otp(None))
        self.packages: dict[str, str] = {}
        self.build("FIRST", "1.0")
        self.build("SECOND", "2.0", relup=RELUP)

    def build(self, release: str, counter: str, **options: t.Any) -> dict[str, t.Any]:
        if release not in self.packages:
            (self.application(counter, CHANGES % counter) / "ebin/counter.appup").unlink()
        rel = self.workshop.rel(*MINIMAL, f"counter-{counter}", stem=release, name="COUNTER", version=release)
        first = (self.packages["FIRST"],) if options else ()
        given = {"sys_config": "[].\n", "output_dir": str(self.workshop.directory / release), "upgrade_from": first, "downgrade_to": first}
        built = self.workshop.build(rel=rel, **{**given, **options})
        self.packages[release] = built["package"]
        return built


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> ByHand:
    return ByHand(tmp_path_factory.mktemp("by_hand"))


def test_the_result_has_its_ways_and_it_is_built_once(releases: ByHand, tmp_path: Path) -> None:
    again = releases.build("SECOND", "2.0", relup=RELUP)
    assert [(way["direction"], way["from"], way["instructions"]) for way in again["relup"]] == [("up", "FIRST", 7), ("down", "SECOND", 6)]
    assert not again["changed"] and [*again["made_from"]] == ["FIRST"] and content(again["package"], "releases/SECOND/relup").decode() == RELUP
    (tmp_path / "relup").write_text(RELUP)
    assert not releases.build("SECOND", "2.0", relup=str(tmp_path / "relup"))["changed"]
    # What was not given is not taken from there: systools would find it in the directory where it works.
    with pytest.raises(OtpError, match=r"set otp_appup \(option appup\) to generate"):
        releases.build("SECOND", "2.0", relup=None)


def test_a_node_goes_that_way_and_back(releases: ByHand) -> None:
    with System(releases) as system:
        system.start()
        pid, count = system.pid, system.count()
        assert system.take("SECOND", "permanent", check_mode=True)["changed"]
        system.take("SECOND", "permanent")
        assert (system.pid, system.call("counter", "version"), system.count()) == (pid, "2.0", count + 1)
        assert system.call("application", "get_env", Atom("counter"), Atom("by_hand")) == (Atom("ok"), Atom("true"))
        system.take("FIRST", "permanent")
        assert (system.pid, system.call("counter", "version"), system.count()) == (pid, "1.0", count + 2)


@pytest.mark.parametrize(
    ("old", "new", "options", "message"),
    [
        ('{"SECOND",', '{"THIRD",', {}, "relup is a relup to release THIRD, but the package is release SECOND"),
        ('{"FIRST", [],', '{"ZERO", [],', {}, r"relup has no instructions up from release FIRST \(it has: ZERO\)"),
        ("}]}.", "}]}", {}, r"relup, line \d+"),
        ('"SECOND",', '"SECOND", extra,', {}, "relup: it is not one term"),
        ("", "", {"upgrade_from": (), "downgrade_to": ()}, r"set otp_upgrade_from \(option upgrade_from\) to the releases from which this relup leads"),
    ],
)
def test_one_that_does_not_lead_there_is_refused(releases: ByHand, old: str, new: str, options: dict[str, t.Any], message: str) -> None:
    before = Path(releases.packages["SECOND"]).read_bytes()
    with pytest.raises(OtpError, match=message):
        releases.build("SECOND", "2.0", relup=RELUP.replace(old, new, 1), **options)
    with pytest.raises(OtpError, match="relup: /nonexistent/relup can't be read"):
        releases.build("SECOND", "2.0", relup="/nonexistent/relup")
    # The way out.
    assert not releases.build("SECOND", "2.0", relup=RELUP)["changed"] and Path(releases.packages["SECOND"]).read_bytes() == before
