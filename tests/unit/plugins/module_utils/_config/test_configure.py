# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""sys.config and vm.args of a release directory."""

from __future__ import annotations

import os
import stat

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._config.configure import configure_release
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "sys.config.src").write_text('[{kernel,[{logger_level,${LEVEL:-info}}]},\n {pea,[{root,"%ROOT%"},{password,"${PASSWORD}"}]}].\n')
    (tmp_path / "vm.args.src").write_text("-name ${NODE}\n")
    return tmp_path


def configure(directory, *, check_mode=False, **options):
    changes = Changes(check_mode=check_mode)
    said = configure_release(directory=str(directory), changes=changes, **options)
    return said, changes


VALUES = {"NODE": "pea@host", "PASSWORD": "green", "ROOT": "/opt/pea"}


def test_from_sources(directory):
    said, changes = configure(directory, variables=VALUES, check_mode=True)
    expected = [f"write {directory}/sys.config", f"write {directory}/vm.args"]
    assert changes.actions == expected
    assert not (directory / "sys.config").exists()

    said, changes = configure(directory, variables=VALUES)
    assert changes.actions == expected
    assert (directory / "sys.config").read_text() == ('[{kernel,[{logger_level,info}]},\n {pea,[{root,"/opt/pea"},{password,"green"}]}].\n')
    assert (directory / "vm.args").read_text() == "-name pea@host\n"
    assert said["variables"] == ["LEVEL", "NODE", "PASSWORD", "ROOT"]
    assert (said["sys_config"], said["vm_args"]) == (f"{directory}/sys.config", f"{directory}/vm.args")
    assert [entry["after"] for entry in said["diff"]] == [(directory / name).read_text() for name in ("sys.config", "vm.args")]
    assert [entry["before"] for entry in said["diff"]] == ["", ""]

    said, changes = configure(directory, variables=VALUES)
    assert not changes.changed and said["diff"] == []


@pytest.mark.parametrize("given", [{"vm_args": "+K true\n-setcookie crimson # x\n"}, {}], ids=["given", "of the package"])
def test_a_cookie_is_left_out_and_in_no_diff(directory, given):
    (directory / "vm.args.src").unlink()
    (directory / "vm.args").write_text("-setcookie violet\n+K true\n")
    said, dummy = configure(directory, variables=VALUES, **given)
    assert "setcookie" not in (directory / "vm.args").read_text() and "+K true" in (directory / "vm.args").read_text()
    assert "violet" not in str(said) and "crimson" not in str(said)
    (warning,) = said["warnings"]
    assert "-setcookie" in warning and warning.endswith(".") and warning.count(". ") == 1
    # The way out: without it in what is given, or in the package, there is no warning. The cookie of the node is a file of its user.
    for options in ({"vm_args": "+K true\n"}, {}):
        assert configure(directory, variables=VALUES, **options)[0]["warnings"] == []


def test_what_the_host_decides_is_left_out_and_told_once(directory):
    (directory / "vm.args.src").unlink()
    (directory / "vm.args").write_text("-sname tele\n\n+K true\n")
    flags = ["-sname", "-name"]
    said, dummy = configure(directory, variables=VALUES, host_flags=flags)
    assert (directory / "vm.args").read_text() == "+K true\n"
    assert said["warnings"] == [f"{directory}/vm.args has -sname tele, which the variables of this host decide. It is left out."]
    assert said["diff"][-1]["before"] == "-sname tele\n\n+K true\n"
    (directory / "vm.args.src").write_text("-sname ${NODE}\n+K true\n")
    said, changes = configure(directory, variables=VALUES, host_flags=flags)
    assert not changes.changed and said["warnings"] == []
    configure(directory, variables=VALUES)
    assert (directory / "vm.args").read_text() == "-sname pea@host\n+K true\n"


def test_config_providers_are_not_replaced(tmp_path):
    (tmp_path / "sys.config").write_text("[{elixir,[{config_provider_init,1}]}].\n")
    with pytest.raises(OtpError, match="Leave out otp_sys_config"):
        configure(tmp_path, sys_config="[].\n")
    assert not configure(tmp_path)[1].actions[1:] and "provider" in (tmp_path / "sys.config").read_text()


def test_secrets_win_and_leave_no_diff(directory):
    said, changes = configure(directory, variables=VALUES, secrets={"PASSWORD": "violet"})
    assert "violet" in (directory / "sys.config").read_text()
    assert changes.changed and said["diff"] == []
    assert "violet" not in str(said)


def test_mode_and_owner(directory):
    configure(directory, variables=VALUES)
    found = os.stat(directory / "sys.config")
    assert stat.S_IMODE(found.st_mode) == 0o640
    assert (found.st_uid, found.st_gid) == (directory.stat().st_uid, directory.stat().st_gid)
    said, changes = configure(directory, variables=VALUES, mode=0o600)
    assert changes.actions == [f"set mode and owner of {directory}/{name}" for name in ("sys.config", "vm.args")]
    assert said["diff"] == []
    assert stat.S_IMODE(os.stat(directory / "vm.args").st_mode) == 0o600


def test_given_content_is_taken_as_it_is(directory):
    said, _changes = configure(directory, sys_config='[{pea,[{a,"${NODE}"}]}].\n', vm_args="-sname %ROOT%\n", variables=VALUES)
    assert (directory / "sys.config").read_text() == '[{pea,[{a,"${NODE}"}]}].\n'
    assert (directory / "vm.args").read_text() == "-sname %ROOT%\n"
    assert said["variables"] == []


def test_without_sources(tmp_path):
    said, _changes = configure(tmp_path)
    assert (tmp_path / "sys.config").read_text() == "[].\n"
    assert said["vm_args"] is None and not (tmp_path / "vm.args").exists()
    _said, changes = configure(tmp_path)
    assert not changes.changed


def test_present_files_stay_and_are_checked(tmp_path):
    (tmp_path / "sys.config").write_text("[{a,[{b,1}]}].")
    (tmp_path / "vm.args").write_text("-heart")
    configure(tmp_path)
    assert (tmp_path / "sys.config").read_text() == "[{a,[{b,1}]}]."
    (tmp_path / "sys.config").write_text("[{a,[{b,1}]}]")
    with pytest.raises(OtpError, match=r"sys.config, line 1, column 14: is not Erlang terms: expected a full stop"):
        configure(tmp_path)


def test_a_source_in_latin_1_stays_one(tmp_path):
    (tmp_path / "sys.config.src").write_bytes(b'%% coding: latin-1\n[{a,[{b,"\xe9${V}"}]}].\n')
    configure(tmp_path, variables={"V": "ü"})
    assert (tmp_path / "sys.config").read_bytes() == b'%% coding: latin-1\n[{a,[{b,"\xe9\xfc"}]}].\n'
    with pytest.raises(OtpError, match="characters that latin-1 lacks"):
        configure(tmp_path, variables={"V": "α"})


def refused(directory, **options) -> str:
    """The error; the old files have to stay."""
    configure(directory, sys_config="[].\n", vm_args="old\n")
    with pytest.raises(OtpError) as caught:
        configure(directory, **options)
    assert (directory / "sys.config").read_text() == "[].\n"
    assert (directory / "vm.args").read_text() == "old\n"
    assert sorted(os.listdir(directory)) == ["sys.config", "sys.config.src", "vm.args", "vm.args.src"]
    return str(caught.value)


def test_undefined_variables_are_all_named(directory):
    message = refused(directory, variables={})
    assert f"{directory}/sys.config.src: no value is given for PASSWORD (line 2)." in message
    assert f"{directory}/vm.args.src: no value is given for NODE (line 1)." in message


@pytest.mark.parametrize("kind", ["variables", "secrets"])
def test_an_unreadable_result_names_line_and_variable_and_no_value(directory, kind):
    message = refused(directory, **{kind: {**VALUES, "PASSWORD": 'gr"een', "LEVEL": "debug\n\n"}})
    assert f"{directory}/sys.config.src, line 2: with the value of ROOT and PASSWORD this is not Erlang terms: expected , or }}." in message
    assert "een" not in message


def test_an_unreadable_source_without_variables_there(directory):
    (directory / "sys.config.src").write_text("[{a,\n ${A}},\n }].\n")
    message = refused(directory, variables={**VALUES, "A": "[\n\n]"})
    assert message == f"{directory}/sys.config.src, line 3, column 2: is not Erlang terms: expected a term"


# What the emulator does with each is tried in tests/real.
REFUSED = [
    ("", "the given sys.config: sys.config must be one list that ends with a full stop"),
    ("[]. [].", "must be one list"),
    ("{kernel,[]}.", "must be one list"),
    ("[]", "line 1, column 3: is not Erlang terms: expected a full stop"),
    ("[{sasl,[{a,else}]}].", "column 12: is not Erlang terms: expected a term"),
    ("[kernel].", "element 1 of the list is neither {Application,[{Parameter,Value}, ...]} nor the name of another configuration file"),
    ('["other",""].', "element 2 of the list is neither"),
    ('[{"sasl",[]}].', "element 1 of the list is neither"),
    ("[{sasl,[],x}].", "element 1 of the list is neither"),
    ("[{sasl,[]}|x].", "must be one list"),
    ("[{sasl,foo}].", "element 1 of the list has no list of parameters for sasl"),
    ("[{sasl,[{a,1}|x]}].", "element 1 of the list has no list of parameters for sasl"),
    ("[{sasl,[{a,1},foo]}].", "element 1 of the list has as parameter 2 of sasl something else than {Parameter,Value}"),
    ('[{sasl,[{"a",1}]}].', "has as parameter 1 of sasl something else"),
    ("[{sasl,[{a,1,2}]}].", "has as parameter 1 of sasl something else"),
    ("[{sasl,[{a,1},{a,2}]}].", "has the parameter a of sasl twice"),
]
TAKEN = ["[].", '"".', '[{sasl,""}].', '["other", {sasl,[]}].', "[[111,116]].", "[{sasl,[{a,1}]},{sasl,[{a,2}]}]. % end", "[{a,[{b,#{c=>fun m:f/1}}]}]."]


@pytest.mark.parametrize("text, message", REFUSED)
def test_what_the_emulator_would_refuse(directory, text, message):
    assert message in refused(directory, sys_config=text, variables=VALUES)


@pytest.mark.parametrize("text", TAKEN)
def test_what_the_emulator_takes(directory, text):
    configure(directory, sys_config=text, vm_args="")
    assert (directory / "sys.config").read_text() == text


def test_in_check_mode_a_release_that_is_still_in_its_package(directory, tmp_path):
    """It says what the run would say, and writes nothing."""
    sources = {path.name: path.read_bytes() for path in directory.iterdir()}
    away = tmp_path / "away"
    said, changes = configure(away, check_mode=True, sources=sources, variables=VALUES)
    assert changes.actions == [f"write {away}/sys.config", f"write {away}/vm.args"] and not away.exists()
    with pytest.raises(OtpError, match="no value is given for PASSWORD"):
        configure(away, check_mode=True, sources=sources)


def test_a_release_that_is_not_there(tmp_path):
    with pytest.raises(OtpError, match="missing is not a directory. Install the release before you configure it"):
        configure(tmp_path / "missing")


PORT, PARAMETER = "-start_epmd false -erl_epmd_port 9100\n", "-kernel net_ticktime 60 erl_epmd_node_listen_port 9101\n"
IN_CONFIG = "[{kernel,[{erl_epmd_node_listen_port,9101}]}].\n"
BY_HOST, BY_PARAMETER = ["-erl_epmd_port"], ["-kernel erl_epmd_node_listen_port"]


@pytest.mark.parametrize(
    ("vm_args", "sys_config", "host_flags", "places"),
    [
        (PORT + PARAMETER, "[].", [], ("the given vm.args has", "the given vm.args has")),
        (PORT, IN_CONFIG, [], ("the given vm.args has", "the given sys.config has")),
        (PARAMETER, "[].", BY_HOST, ("the variables of this host give (otp_epmd false, or otp_erl_flags)", "the given vm.args has")),
        ("", IN_CONFIG, BY_HOST, ("the variables of this host give (otp_epmd false, or otp_erl_flags)", "the given sys.config has")),
        (PORT, "[].", BY_PARAMETER, ("the given vm.args has", "the variables of this host give (otp_epmd false, or otp_erl_flags)")),
        ("", "[].", BY_HOST + BY_PARAMETER, ("the variables of this host give", "the variables of this host give")),
        (PORT, "[].", BY_HOST, None),
        (PARAMETER, IN_CONFIG, BY_PARAMETER, None),
        (PORT * 2, IN_CONFIG, [], None),
        ("# " + PORT + PARAMETER, "[].", [], None),
    ],
)
def test_a_port_in_both_ways_is_refused_before_anything_is_written(directory, vm_args, sys_config, host_flags, places):
    given = {"vm_args": vm_args, "sys_config": sys_config, "host_flags": host_flags, "variables": VALUES}
    if places is None:
        configure(directory, **given)
        return
    with pytest.raises(OtpError) as error:
        configure(directory, **given)
    flag, parameter = places
    assert f"given twice: {flag}" in str(error.value) and f"-erl_epmd_port, and {parameter}" in str(error.value)
    assert not (directory / "sys.config").exists()
