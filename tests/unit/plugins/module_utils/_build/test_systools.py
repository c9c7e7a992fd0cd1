# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked of systools, and what is made of its answers; tests/real asks it."""

from __future__ import annotations

import os
import sys

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._build.applications import Found
from ansible_collections.erlang.otp.plugins.module_utils._build.boot_scripts import BootScripts, scripts_key
from ansible_collections.erlang.otp.plugins.module_utils._build.earlier_release import Earlier
from ansible_collections.erlang.otp.plugins.module_utils._build.inputs import Sources
from ansible_collections.erlang.otp.plugins.module_utils._build.otp import Otp
from ansible_collections.erlang.otp.plugins.module_utils._build.systools import (
    AppupUse,
    Diagnostic,
    Run,
    ScriptOptions,
    exref_job,
    make_relup_job,
    make_script_job,
    strip_job,
)
from ansible_collections.erlang.otp.plugins.module_utils._build.upgrades import Upgrades
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import Application, Release
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import format_term

OPTIONS = [
    (ScriptOptions(), ""),
    # The calls are another job.
    (ScriptOptions(exref=True, no_warn_sasl=True), ",no_warn_sasl"),
    (ScriptOptions(src_tests=True, warnings_as_errors=True, no_dot_erlang=True), ",src_tests,warnings_as_errors,no_dot_erlang"),
    (ScriptOptions(variables=(("A", "/a"), ("B", "/b"))), ',{variables,[{"A","/a"},{"B","/b"}]}'),
]


@pytest.mark.parametrize(("options", "expected"), OPTIONS)
def test_jobs(options, expected):
    text = format_term(make_script_job("release", ["/e/bin"], options))
    assert "".join(text.split()) == f'{{make_script,"release",[{{path,["/e/bin"]}}{expected}]}}'
    use = AppupUse("dn", "a", "pea", "/e/bin/pea.appup", "1.0")
    relup = make_relup_job("release", ["a", "b"], ["a"], ["/e/bin"], restart_emulator=True, appups=[use])
    assert (
        "".join(format_term(relup).split())
        == '{make_relup,"release",["a","b"],["a"],[{path,["/e/bin"]},restart_emulator],[{dn,"a","pea","/e/bin/pea.appup","1.0"}]}'
    )
    assert "".join(format_term(exref_job([("pea", "/e/bin")], ["/e/bin", "/f"])).split()) == '{exref,[{pea,"/e/bin"}],["/e/bin","/f"]}'
    assert "".join(format_term(strip_job(["Docs"], [("/a", "/b")])).split()) == '{strip,["Attr","Docs"],[{"/a","/b"}]}'


@pytest.fixture
def otp(tmp_path):
    """A tree whose erl is a program of ours."""
    otp = Otp(str(tmp_path / "otp"), "13", "25")
    (tmp_path / "otp" / "erts-13" / "bin").mkdir(parents=True)
    (tmp_path / "otp" / "lib" / "sasl-1" / "ebin").mkdir(parents=True)
    return otp


def erl(otp, program: str) -> None:
    path = f"{otp.erts_bin}/erlexec"
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"#!{sys.executable}\nimport os, sys\n{program}\n")
    os.chmod(path, 0o755)


def test_results(tmp_path, otp):
    answer = '{ok, [{"missing_sasl", "{warning,missing_sasl}", "*WARNING* Missing\\napplication  sasl\\n"}]}.\n{error, []}.\n'
    erl(otp, f"open(sys.argv[-1] + '/results', 'w').write({answer!r})")
    warning = Diagnostic("missing_sasl", "{warning,missing_sasl}", "Missing application sasl")
    assert Run(otp, str(tmp_path), []).results() == [(True, [warning]), (False, [])]


def test_the_environment_is_not_the_users(tmp_path, otp, monkeypatch):
    for name in ("ERL_FLAGS", "ERL_AFLAGS", "ERL_LIBS", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, "users")
    erl(otp, "print(sorted(os.environ.items())); sys.exit(1)")
    with pytest.raises(OtpError) as caught:
        Run(otp, str(tmp_path), []).results()
    assert "users" not in str(caught.value)
    assert f"('HOME', '{tmp_path}')" in str(caught.value)


def test_an_erl_that_fails(tmp_path, otp):
    erl(otp, "print('no way'); sys.exit(3)")
    with pytest.raises(OtpError, match="erl ended with status 3 before the boot scripts were made. Its output: no way"):
        Run(otp, str(tmp_path), []).results()


def test_a_run_that_is_not_wanted_any_more(tmp_path, otp):
    erl(otp, "import time; time.sleep(60)")
    run = Run(otp, str(tmp_path), [])
    run.stop()
    run.stop()
    with pytest.raises(OtpError, match="erl ended with status -9"):
        run.results()


def test_scripts_are_kept_as_they_are():
    scripts = BootScripts(bytes(range(256)), "ü".encode(), b"", b"relup", [Diagnostic("k", "t", "s")])
    assert BootScripts.unpack(scripts.pack()) == scripts


def sources(otp, rel: bytes = b"rel", app: bytes = b"app", ebin: str = "/e") -> Sources:
    found = Found(Application("pea", "1", "", (), (), (), (), ()), app, ebin, False)
    return Sources(otp, None, Release("R", "1", "13", ()), rel, "r", [found], {})


EARLIER = Earlier("/first.rel", Release("R", "0", "13", ()), {}, None, None, "identity")


def test_what_scripts_depend_on(tmp_path, otp):
    plain = ScriptOptions()
    first = scripts_key(sources(otp), plain, "")
    assert first == scripts_key(sources(otp), plain, "")
    assert first == scripts_key(sources(otp, ebin="/other"), plain, "")
    variables = ScriptOptions(variables=(("A", "/e"),))
    others = [
        scripts_key(sources(otp, rel=b"other"), plain, ""),
        scripts_key(sources(otp, app=b"other"), plain, ""),
        scripts_key(sources(otp), ScriptOptions(no_dot_erlang=True), ""),
        scripts_key(sources(otp), plain, "content"),
        scripts_key(sources(otp), plain, "", restart_emulator=True),
        scripts_key(sources(otp)._replace(upgrades=Upgrades(appups={"pea": b"appup"})), plain, ""),
        scripts_key(sources(otp)._replace(upgrades=Upgrades(up=(EARLIER,))), plain, ""),
        scripts_key(sources(otp)._replace(upgrades=Upgrades(down=(EARLIER,))), plain, ""),
        scripts_key(sources(otp)._replace(upgrades=Upgrades(up=(EARLIER._replace(identity="other"),))), plain, ""),
        scripts_key(sources(otp._replace(otp_version="26")), plain, ""),
        scripts_key(sources(otp), variables, ""),
        scripts_key(sources(otp, ebin="/other"), variables, ""),
        # File times are nothing that could be compared: never the same.
        scripts_key(sources(otp), ScriptOptions(src_tests=True), ""),
        scripts_key(sources(otp), ScriptOptions(src_tests=True), ""),
    ]
    (tmp_path / "otp/lib/sasl-1/ebin/systools_make.beam").write_bytes(b"patched")
    others.append(scripts_key(sources(otp), plain, ""))
    assert len({first, *others}) == len(others) + 1
