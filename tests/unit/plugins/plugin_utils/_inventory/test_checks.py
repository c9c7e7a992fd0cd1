# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of a host.

Rules: every problem names its variable and the way out, all of them at once; kinds and choices are those of the argument specs; numbers and booleans
may be text; a path on the host is absolute; no message has the cookie; what a box cannot do is refused.
"""

from __future__ import annotations

import hashlib

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.erlang.otp.plugins.filter.package_node import package_node
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory import checks
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.checks import box, problems
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import release_members, write_package

GOOD = {"otp_root": "/srv/exchange", "otp_node_name": "exchange@localhost", "otp_cookie": "s3cret"}
BOTH = {"path": "a", "content": "", "on_change": {"restart": True, "rpc": {"module": "m", "function": "f"}}}
COOKIE_FILE = {"path": "home/.erlang.cookie", "content": ""}


def told(**variables):
    return problems({**GOOD, **variables})


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"otp_node_name": "", "otp_cookie": ""},
        {"otp_node_name": "exchange@a.example.org"},
        {"otp_node_name": "exchange@a.example.org", "otp_long_names": "yes"},
        {"otp_node_name": "exchange"},
        {"otp_node_name": "exchange", "otp_long_names": True},
        {"otp_root": "/srv/ρίζα with space"},
        {"otp_release_version": "1.10", "otp_upgrade_to": "", "otp_release": None},
        {"otp_erl_flags": ["+P", "500000"], "otp_vm_args": "# no -setcookie here\n+K true\n"},
        {"otp_image": "/srv/north.tar.gz", "otp_image_directory": "/srv/north"},
        {"otp_hosts": "boxes", "otp_serial": 1, "otp_max_fail_percentage": 0, "otp_environment": {"LANG": "C"}},
        {"otp_heart_beat_timeout": "11", "otp_status_page": "fleet.html", "otp_stdin_transport": False},
        {"otp_files": [], "otp_master": ""},
        {"otp_files": [{"path": "etc/a", "content": "", "mode": "0400"}, {"path": "run/b", "file": "b", "on_change": {}}, {"path": "c", "template": "c.j2"}]},
        {"otp_files": [{"path": "run/b", "content": "b", "on_change": {"rpc": {"module": "m", "function": "f", "arguments": [1]}}}], "otp_box": True},
        {"otp_erl_flags": ["-kernel", "inet_dist_use_interface", "{127, 0, 0, 1}"], "otp_user": "_exchange-1", "otp_log_dir": "/var/log/exchange"},
    ],
)
def test_nothing_to_say(variables):
    assert told(**variables) == []


@pytest.mark.parametrize(
    ("variables", "name", "way_out"),
    [
        ({"otp_nodename": "x"}, "otp_nodename", "did you mean otp_node_name?"),
        ({"otp_zzzzzz": "x"}, "otp_zzzzzz", "documentation"),
        ({"otp_release_version": 1.10}, "otp_release_version is 1.1", "in quotes, as in '1.10'"),
        ({"otp_upgrade_to": 2}, "otp_upgrade_to is 2", "in quotes"),
        ({"otp_upgrade_to": "1 0"}, "otp_upgrade_to", "without white space"),
        ({"otp_release": "1.é"}, "otp_release", "ASCII characters"),
        ({"otp_release_applications": ["sasl", {"name": "pea", "version": 1.10}]}, "the version of pea is 1.1", "in quotes"),
        ({"otp_root": ""}, "otp_root", "/srv/exchange"),
        ({"otp_root": "exchange"}, "otp_root", "absolute path, such as /srv/exchange"),
        ({"otp_root": "/"}, "otp_root", "a separate one"),
        ({"otp_root": "/usr"}, "otp_root", "a separate one"),
        ({"otp_root": "/srv/a/../b"}, "otp_root", "as /srv/b"),
        ({"otp_root": "/srv/a/"}, "otp_root", "as /srv/a"),
        ({"otp_node_name": "exch.ange"}, "otp_node_name", "NAME@HOST"),
        ({"otp_node_name": "exch ange@host"}, "otp_node_name", "NAME@HOST"),
        ({"otp_node_name": "exchange@host", "otp_long_names": True}, "otp_long_names", "need a host with a dot"),
        ({"otp_node_name": "exchange@host.org", "otp_long_names": "0"}, "otp_long_names", "need a host without a dot"),
        ({"otp_cookie": ""}, "otp_cookie", "ansible-vault"),
        ({"otp_cookie": "two words"}, "otp_cookie", "printable"),
        ({"otp_cookie": "line\n"}, "otp_cookie", "printable"),
        ({"otp_erl_flags": "+P 500000"}, "otp_erl_flags", "must be a list"),
        ({"otp_erl_flags": ["-setcookie", "x"]}, "otp_erl_flags", "Set otp_cookie instead"),
        ({"otp_vm_args": "-setcookie x"}, "otp_vm_args", "Set otp_cookie instead"),
        ({"otp_vm_args": "+K true\n-sname x"}, "otp_vm_args", "set otp_node_name instead"),
        ({"otp_erl_flags": ["-heart"]}, "otp_erl_flags", "set otp_heart instead"),
        ({"otp_environment": {"A-B": 1}}, "otp_environment", "not a name for an environment variable"),
        ({"otp_environment": {"A": ["s3cret"]}}, "otp_environment", "no single value for A"),
        ({"otp_environment": {"A": None}}, "otp_environment", "no single value for A"),
        ({"otp_environment": {"ROOTDIR": "/"}}, "otp_environment", "use another name"),
        ({"otp_environment": {"HOME": "/"}}, "otp_environment", "set otp_home instead"),
        ({"otp_environment_secrets": {"A": "s3cret\nline"}}, "otp_environment_secrets", "encode the value"),
        ({"otp_environment_secrets": {"A": 1}, "otp_environment": {"A": 1}}, "otp_environment_secrets", "both have A"),
        ({"otp_heart_beat_timeout": 10}, "otp_heart_beat_timeout", "11 to 65535"),
        ({"otp_erl_flags": ["+P 500000"]}, "otp_erl_flags", "a separate element"),
        ({"otp_erl_flags": [["+P", 500000]]}, "otp_erl_flags", "a list of single values"),
        ({"otp_release_extra_files": [{"src": "x"}]}, "otp_release_extra_files", "missing required arguments: dest"),
        ({"otp_release_extra_files": [{"src": "x", "dest": "y", "mod": "z"}]}, "otp_release_extra_files.mod", "there are dest, src"),
        ({"otp_files": [{"content": ""}]}, "otp_files", "missing required arguments: path"),
        ({"otp_files": [{"path": "a", "contents": ""}]}, "otp_files.contents", "there are content, file"),
        ({"otp_files": [{"path": "a", "content": "", "on_change": {"reload": True}}]}, "otp_files.on_change.reload", "there are restart, rpc"),
        ({"otp_files": [{"path": "/etc/a", "content": ""}]}, "otp_files has '/etc/a'", "it is absolute. Give the path below"),
        ({"otp_files": [{"path": "a/../b", "content": ""}]}, "otp_files has 'a/../b'", "write it without"),
        ({"otp_files": [{"path": "bin/start", "content": ""}]}, "otp_files has 'bin/start'", "Use another directory, such as etc"),
        ({"otp_files": [{"path": "a", "content": ""}, {"path": "a", "content": ""}]}, "otp_files has 'a' twice", "leave one of them out"),
        ({"otp_files": [{"path": "a"}]}, "otp_files, a: it has none of", "give it one of them"),
        ({"otp_files": [{"path": "a", "content": "", "file": "b"}]}, "otp_files, a: it has content and file of", "give it one of them"),
        ({"otp_files": [{"path": "a", "content": {"b": 1}}]}, "otp_files, a: its content is not a text", "by the filter to_nice_yaml"),
        ({"otp_files": [{"path": "a", "template": "/no/a.j2"}]}, "otp_files, a: its template is '/no/a.j2'", "not a file on the controller"),
        ({"otp_files": [{"path": "a", "file": "/no/a"}]}, "otp_files, a: its file is '/no/a'", "not a file on the controller"),
        ({"otp_files": [{"path": "a", "content": "", "mode": 416}]}, "otp_files, a: its mode is the number 416", "write it in quotes, such as '0640'"),
        ({"otp_files": [{"path": "a", "content": "", "mode": "rw"}]}, "otp_files, a: mode: 'rw'", "Give digits in quotes"),
        ({"otp_files": [BOTH]}, "otp_files, a: on_change has restart and rpc", "leave one of them out"),
        ({"otp_files": [COOKIE_FILE], "otp_home": "/srv/exchange/home"}, "otp_files, home/.erlang.cookie", "set otp_cookie instead"),
        (
            {"otp_files": [{"path": "a", "content": ""}], "otp_master": "north", "otp_node_name": "a@b"},
            "otp_files is not for a client node",
            "set it for the master",
        ),
        (
            {"otp_files": [{"path": "run/a", "content": ""}], "otp_box": True, "otp_run_dir": "/run/exchange"},
            "otp_files, run/a: on a box",
            "choose a path that does not begin with run",
        ),
        ({"otp_root": ["/srv/exchange"]}, "otp_root", "must be a single value"),
        ({"otp_vm_args": ["+K", "true"]}, "otp_vm_args", "must be a single value"),
        ({"otp_environment": ["LANG=C"]}, "otp_environment", "must be a mapping"),
        ({"otp_sys_config": "[]."}, "otp_sys_config", "must be a mapping"),
        ({"otp_user": ""}, "otp_user", "such as erlang"),
        ({"otp_user": "root;x"}, "otp_user", "the name of a user"),
        ({"otp_group": "two words"}, "otp_group", "the name of a group"),
        ({"otp_home": "home"}, "otp_home", "absolute path"),
        ({"otp_log_dir": "log/exchange"}, "otp_log_dir", "absolute path"),
        ({"otp_client_run_dir": "run"}, "otp_client_run_dir", "absolute path"),
        ({"otp_client_loader": "nfs"}, "otp_client_loader", "must be one of: efile, inet"),
        ({"otp_state": "begun"}, "otp_state", "must be one of: started, stopped, present"),
        ({"otp_heart": "perhaps"}, "otp_heart", "not a valid boolean"),
        ({"otp_epmd_port": "x"}, "otp_epmd_port", "convert"),
        ({"otp_start_timeout": "-5"}, "otp_start_timeout", "number of seconds"),
        ({"otp_start_timeout": -5}, "otp_start_timeout", "number of seconds"),
        ({"otp_package": "/nonexistent/exchange.tar.gz"}, "otp_package", "does not exist on the controller"),
        ({"otp_package": "/usr/share"}, "otp_package", "is a directory: pack what is in it (rebar3 as prod tar, "),
        ({"otp_package": "https://packages/exchange.tar.gz"}, "otp_package", "set otp_package_checksum"),
        ({"otp_sys_config_template": "/no/sys.config.j2"}, "otp_sys_config_template", "not a file on the controller"),
        ({"otp_image": "north.squashfs"}, "otp_image", "an absolute path"),
        ({"otp_image": "/srv/north.img"}, "otp_image", "ends in .tar"),
        ({"otp_image_directory": "image"}, "otp_image_directory", "an absolute path"),
        ({"otp_heart": "maybe"}, "otp_heart", "write true or false"),
        ({"otp_heart": None}, "otp_heart", "has no value: set it to true or false"),
        ({"otp_environment": None}, "otp_environment", "has no value: set it to a mapping"),
        ({"otp_serial": "abc"}, "otp_serial", "a number of hosts"),
        ({"otp_max_fail_percentage": "ten"}, "otp_max_fail_percentage", "a number from 0 to 100"),
        ({"otp_sys_config": {"a": {}}, "otp_sys_config_template": "x.j2"}, "otp_sys_config_template", "leave one of them out"),
    ],
)
def test_a_problem_names_its_variable_and_the_way_out(variables, name, way_out):
    (sentence,) = told(**variables)
    assert name in sentence and way_out in sentence


def test_the_kinds_on_a_builder_are_checked():
    (sentence,) = problems({"otp_strip": "maybe", "otp_release_version": "1"}, target=False)
    assert "otp_strip" in sentence


def test_a_builder_is_told_of_a_version_too():
    release = {"otp_release_name": "pea", "otp_release_applications": ["sasl", {"name": "pea", "version": "1.0"}]}
    (sentence,) = problems({**release, "otp_release_version": 1.10}, target=False)
    assert "in quotes" in sentence
    assert problems({**release, "otp_release_version": "1.10"}, target=False) == []


def test_a_secret_is_not_told():
    assert not any("my secret" in sentence for sentence in told(otp_cookie="my secret cookie"))
    assert not any("my secret" in sentence for sentence in told(otp_environment_secrets={"A": "my secret\n", "B": ["my secret"]}))


def test_all_problems_are_told_at_once():
    assert len(told(otp_root="x", otp_cookie="", otp_nodename="x")) == 3


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"otp_box": False, "otp_service_manager": "systemd", "otp_package": "https://packages.example.com/exchange.tar.gz"},
        {"otp_box": True, "otp_service_manager": "sysv", "otp_package": "packages/exchange.tar.gz"},
    ],
)
def test_nothing_is_wrong_with_a_box(variables):
    assert list(box(variables)) == []


@pytest.mark.parametrize(
    ("variables", "way_out"),
    [
        ({"otp_service_manager": "systemd"}, "use sysv or none"),
        ({"otp_console": "journal"}, "must be run_erl"),
        ({"otp_package": "https://packages.example.com/exchange.tar.gz"}, "give a file on the controller"),
        ({"otp_boot_variables": {"LIBS": "/opt/libs"}}, "below otp_root"),
    ],
)
def test_what_a_box_cannot_do(variables, way_out):
    (problem,) = box({"otp_box": True, **variables})
    assert problem.startswith(next(iter(variables)))
    assert way_out in problem


def test_a_package_has_the_checksum_that_is_given(tmp_path):
    package = tmp_path / "exchange.tar.gz"
    package.write_bytes(b"package")
    digest = "sha256:" + hashlib.sha256(b"package").hexdigest()
    for checksum in ("", digest, f"{digest.upper()} "):
        assert told(otp_package=str(package), otp_package_checksum=checksum) == []
    (said,) = told(otp_package=str(package), otp_package_checksum="sha256:" + "0" * 64)
    assert (
        said
        == f"otp_package_checksum is sha256:{'0' * 64}, and otp_package is {str(package)!r}, whose checksum is {digest}: it is damaged, or another package."
    )


def test_a_package_that_cannot_be_read(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(checks, "checksum_of", refuse)
    (tmp_path / "exchange.tar.gz").touch()
    (said,) = told(otp_package=str(tmp_path / "exchange.tar.gz"))
    assert said.endswith("which cannot be read: Permission denied.")


def test_a_node_whose_name_env_sh_computes(tmp_path):
    """The role has a question mark in its place."""
    members = {**release_members(), "releases/FIRST/env.sh": b"export RELEASE_NODE=shop@$(hostname -f)\n"}
    given = {**GOOD, "otp_package": write_package(tmp_path / "package.tar.gz", members), "otp_node_name": "?"}
    (problem,) = problems(given)
    assert problem.endswith("because env.sh computes RELEASE_NODE: set otp_node_name to NAME@HOST.")
    assert problems({**given, "otp_node_name": "shop@localhost"}) == []
    (problem,) = problems({**GOOD, "otp_node_name": "?"})
    assert problem.startswith("otp_node_name is '?'")
    assert package_node(given["otp_package"], {}, unknown="?") == {"name": "?", "long": False}
    with pytest.raises(AnsibleFilterError, match="env.sh computes RELEASE_NODE"):
        package_node(given["otp_package"])
