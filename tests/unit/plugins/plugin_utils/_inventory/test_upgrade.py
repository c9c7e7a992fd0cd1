# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of an upgrade, each problem with its variable and its way out."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.checks import problems

REL = b'{release,{"system","FIRST"},{erts,"13.1.5"},[{kernel,"8.5.3"}]}.\n'


def told(**variables):
    return problems({"otp_root": "/srv/exchange", **variables})


@pytest.fixture
def package(tmp_path: Path) -> str:
    """As far as it is read."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        member = tarfile.TarInfo("releases/FIRST/system.rel")
        member.size = len(REL)
        archive.addfile(member, io.BytesIO(REL))
    path = tmp_path / "system-FIRST.tar.gz"
    path.write_bytes(gzip.compress(file.getvalue()))
    return str(path)


def test_nothing_to_say(package: str) -> None:
    hook = Path(package).with_name("drain.yml")
    hook.write_text("- ansible.builtin.meta: noop\n")
    urls = [{"url": "http://x/", "status": 204, "name": "x"}, {"url": "https://x", "status": ["200", 204]}]
    gates = [*urls, {"command": "true"}, {"rpc": {"module": "m", "function": "f"}}]
    assert told(otp_package=package, otp_upgrade_to="FIRST", otp_gates=gates, otp_hooks={"before": str(hook), "after": str(hook)}) == []
    assert told(otp_package="", otp_upgrade_to="SECOND") == []


def test_the_release_in_the_package_is_another_one(package: str) -> None:
    (said,) = told(otp_package=package, otp_upgrade_to="FRIST")
    assert "otp_upgrade_to is 'FRIST'" in said and f"otp_package is '{package}', which has release FIRST" in said
    Path(package).write_bytes(b"no package")
    (said,) = told(otp_package=package, otp_upgrade_to="FIRST")
    assert said.startswith("otp_package: ") and package in said


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"otp_hooks": ["before"]}, "otp_hooks must be a mapping"),
        ({"otp_hooks": {"befor": "/x.yml"}}, "otp_hooks.befor is unknown: there are after, before,"),
        ({"otp_hooks": {"before": None}}, "otp_hooks.before is None: give an absolute path"),
        (
            {"otp_hooks": {"before": "drain.yml"}},
            "otp_hooks.before is 'drain.yml': give an absolute path on the controller, such as",
        ),
        ({"otp_hooks": {"before": "/no/drain.yml"}}, "otp_hooks.before is '/no/drain.yml', which is not a file on the controller"),
        ({"otp_gates": {"url": "http://x/"}}, "otp_gates must be a list"),
        ({"otp_gates": ["true"]}, "otp_gates must be a list of mappings"),
        ({"otp_gates": [{"name": "x"}]}, "otp_gates has a gate with none of rpc, url, command: give it one of them"),
        ({"otp_gates": [{"url": "http://x/", "command": "true"}]}, "otp_gates has a gate with url and command of rpc, url, command"),
        ({"otp_gates": [{"comand": "true"}]}, "otp_gates.comand is unknown: there are command, name, rpc, status, url"),
        ({"otp_gates": [{"url": "x.example.org/health"}]}, "otp_gates has the url 'x.example.org/health': it must begin with http:// or https:// and a host"),
        ({"otp_gates": [{"url": "http:///health"}]}, "and a host"),
        ({"otp_gates": [{"url": "http://x/", "status": "ok"}]}, "option 'status' found in 'otp_gates'"),
        ({"otp_gates": [{"command": "true", "status": 200}]}, "status is for a url"),
        ({"otp_gates": [{"rpc": {"module": "m"}}]}, "otp_gates: missing required arguments: function"),
        ({"otp_gates": [{"rpc": {"module": "m", "function": "f", "expects": 1}}]}, "otp_gates.rpc.expects is unknown"),
    ],
)
def test_problems(variables: dict, said: str) -> None:
    (found,) = told(**variables)
    assert said in found
