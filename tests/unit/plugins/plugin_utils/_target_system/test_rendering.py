# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: each script is one for sh, whatever the variables have; bin/start restores what a power cut left, and removes the copies;
no shell evaluates a value of the environment, which is in no
script; the init script makes directories with the modes of the role; stop and status act on an emulator of this root directory, and on no other process.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import subprocess
import sys

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.erlang.otp.plugins.filter.client_files import FilterModule
from ansible_collections.erlang.otp.plugins.module_utils._target_system.environment import format_environment
from ansible_collections.erlang.otp.plugins.plugin_utils._target_system.rendering import environment, flags, named, options, scripts, service

# As id says it, whatever the environment says.
ME = pwd.getpwuid(os.geteuid()).pw_name
VARIABLES = {
    "otp_root": "/srv/ex'change",
    "otp_user": "exchange",
    "otp_group": "exchange",
    "otp_home": "/var/lib/exchange",
    "otp_node_name": "",
    "otp_long_names": False,
    "otp_heart": False,
    "otp_heart_beat_timeout": 60,
    "otp_erl_flags": [],
    "otp_code_mode": "",
    "otp_environment": {},
    "otp_environment_secrets": {},
    "otp_boot_variables": {},
    "otp_run_dir": "/srv/ex'change/run",
    "otp_pipe_dir": "/srv/ex'change/run/pipe",
    "otp_log_dir": "/srv/ex'change/log",
    "otp_service_manager": "none",
    "otp_service_name": "ex.change",
    "otp_start_at_boot": True,
    "otp_unit_hardening": True,
    "otp_unit_lines": [],
    "otp_init_script": "/etc/init.d/S80exchange",
    "otp_open_files": 0,
    "otp_console": "run_erl",
    "otp_log_generations": 5,
    "otp_log_max_size": 100000,
    "otp_epmd": True,
    "otp_epmd_port": 4369,
    "otp_epmd_address": "",
    "otp_dist_ports": "",
    "otp_boot_server": False,
    "otp_boot_server_clients": [],
}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "-mode embedded"),
        ({"otp_heart": True}, "-heart -mode embedded"),
        ({"otp_node_name": "x@h"}, "-sname x@h -mode embedded"),
        ({"otp_node_name": "x@h.example", "otp_long_names": True}, "-name x@h.example -mode embedded"),
        ({"otp_node_name": "x@h", "otp_service_manager": "systemd"}, "-sname x@h -start_epmd false -mode embedded"),
        ({"_otp_tls": "mutual", "otp_root": "/srv/x"}, "-proto_dist inet_tls -ssl_dist_optfile /srv/x/bin/ssl_dist.conf -mode embedded"),
        (
            {"_otp_tls": "one-way", "otp_root": "/srv/x", "otp_erl_flags": ["-proto_dist", "inet6_tls"]},
            "-ssl_dist_optfile /srv/x/bin/ssl_dist.conf -mode embedded -proto_dist inet6_tls",
        ),
        ({"otp_node_name": "x@h", "otp_epmd": False, "otp_dist_ports": 9100}, "-sname x@h -start_epmd false -erl_epmd_port 9100 -mode embedded"),
        ({"otp_node_name": "x"}, "-sname x -mode embedded"),
        ({"otp_code_mode": "interactive"}, "-mode interactive"),
        ({"otp_dist_ports": 9100}, "-kernel inet_dist_listen_min 9100 inet_dist_listen_max 9100 -mode embedded"),
        ({"otp_dist_ports": "9100-9105"}, "-kernel inet_dist_listen_min 9100 inet_dist_listen_max 9105 -mode embedded"),
        ({"otp_boot_variables": {"B": "/b", "A": "/a"}}, "-boot_var A /a -boot_var B /b -mode embedded"),
        ({"otp_console": "journal"}, "-noinput -mode embedded"),
        ({"otp_boot_server": True, "otp_root": "/srv/x"}, "-mode embedded -args_file /srv/x/bin/boot_server.args"),
        ({"otp_heart": True, "otp_console": "journal", "otp_erl_flags": ["+S", 1]}, "-heart -noinput -mode embedded +S 1"),
    ],
)
def test_flags(given, expected):
    assert " ".join(flags({**VARIABLES, **given})) == expected


def test_options_have_the_values_of_variables_with_their_names() -> None:
    variables = {"otp_root": "/srv/x", "otp_state": "", "otp_manage_user": False, "otp_boot_variables": {}, "otp_heart": True}
    found = named(variables, {"root": {}, "state": {}, "manage_user": {}, "boot_variables": {}, "home": {}})
    assert found == {"root": "/srv/x", "manage_user": False, "boot_variables": {}}


def test_the_environment_says_where_epmd_is_and_what_is_given_goes_over_it():
    assert environment(VARIABLES) == {"ERL_EPMD_PORT": 4369}
    given = {"otp_epmd_address": "127.0.0.1", "otp_environment": {"LANG": "C", "ERL_EPMD_PORT": 4370}}
    assert environment({**VARIABLES, **given}) == {"ERL_EPMD_PORT": 4370, "ERL_EPMD_ADDRESS": "127.0.0.1", "LANG": "C"}


@pytest.mark.parametrize("given", [{}, {"otp_heart": True, "otp_environment": {"A": "it's", "B": True}}, {"otp_console": "journal", "otp_open_files": "99"}])
@pytest.mark.parametrize("manager", ["none", "systemd", "sysv"])
def test_each_script_is_one_for_sh(given, manager):
    variables = {**VARIABLES, **given, "otp_service_manager": manager}
    found = scripts(variables)
    assert [file["path"] for file in found] == ["bin/start", "bin/start_erl", "bin/stop", "bin/{release}"]
    assert {file["mode"] for file in found} == {"0755"}
    for file in [*found, *((service(variables) or {"files": []})["files"] if manager == "sysv" else [])]:
        subprocess.run(["sh", "-n"], input=file["content"], text=True, check=True)


class Start:
    """A system whose run_erl writes its environment, and bin/start of the role."""

    def __init__(self, root):
        self.root = root
        (root / "bin").mkdir()
        (root / "releases").mkdir()
        (root / "bin/run_erl").write_text("#!/bin/sh\ncat /proc/$$/environ\n")
        (root / "bin/run_erl").chmod(0o755)
        self.give_environment("A=1\n")

    def give_environment(self, text):
        (self.root / "bin/environment").write_bytes(os.fsencode(text))

    def run(self, *shell, **variables):
        here = {"otp_root": str(self.root), "otp_user": ME, "otp_pipe_dir": str(self.root / "pipe"), "otp_log_dir": str(self.root / "log")}
        (script, *_others) = scripts({**VARIABLES, **here, **variables})
        return subprocess.run([*(shell or ["sh"]), "-c", script["content"], "start"], capture_output=True, timeout=600, check=False)


@pytest.fixture
def start(tmp_path):
    return Start(tmp_path)


# What a shell would evaluate, split, unquote or expand.
ODD = [
    "it's",
    '"',
    "$HOME `id` $(id)",
    "\\",
    "a\\nb",
    "\\$x\\",
    "  two  spaces ",
    "\t",
    "a=b",
    "*",
    "~",
    "#",
    "-n",
    "%s",
    "!!",
    "ρίζα",
    "",
    "\x01\x1b[0m\r",
    "x" * 100000,
]
SHELLS = [shell for shell in (["dash"], ["bash", "--posix"], ["busybox", "sh"]) if shutil.which(shell[0])]


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_no_shell_evaluates_the_environment(start, shell):
    variables = {f"NAME_{number}": value for number, value in enumerate(ODD)} | {"name": "1", "line": "2", "PATH": "/usr/bin:/bin"}
    start.give_environment(format_environment(variables))
    run = start.run(*shell)
    assert (run.returncode, run.stderr) == (0, b"")
    found = dict(pair.split(b"=", 1) for pair in run.stdout.split(b"\0") if pair)
    assert {name: found[os.fsencode(name)] for name in variables} == {name: os.fsencode(value) for name, value in variables.items()}
    assert found[b"ROOTDIR"] == os.fsencode(start.root) and b"NODE_VARIABLE" not in found


def test_a_node_does_not_start_without_its_environment(start):
    (start.root / "bin/environment").unlink()
    run = start.run()
    assert run.returncode == 1 and b"cannot read" in run.stderr and b"ROOTDIR" not in run.stdout


def test_no_value_is_in_a_script():
    given = {"otp_environment": {"A": "very private"}, "otp_service_manager": "systemd", "otp_node_name": "x@h"}
    assert "very private" not in str([scripts({**VARIABLES, **given}), service({**VARIABLES, **given})])


def released(permanent: str) -> str:
    statuses = {"FIRST": "old", "SECOND": "old", permanent: "permanent"}
    return "[" + ",\n ".join(f'{{release,"x","{version}","13.1.5",[],{status}}}' for version, status in statuses.items()) + "].\n"


@pytest.mark.parametrize(
    ("releases", "data", "boots"),
    [
        (released("SECOND"), "13.1.5 SECOND\n", "13.1.5 SECOND\n"),
        (released("SECOND"), "13.1.5 SECOND", "13.1.5 SECOND"),
        # Torn, empty, at odds, not there.
        (released("SECOND")[:-20], "13.1.5 SECOND\n", "13.1.5 FIRST\n"),
        (released("SECOND"), "", "13.1.5 FIRST\n"),
        (released("SECOND"), "13.1.5 FIRST\n", "13.1.5 FIRST\n"),
        (released("FIRST"), None, "13.1.5 FIRST\n"),
    ],
)
def test_a_host_that_boots_puts_right_what_a_power_cut_has_left(start, releases, data, boots):
    directory = start.root / "releases"
    files = {"RELEASES": releases, "start_erl.data": data, "RELEASES.saved": released("FIRST"), "start_erl.data.saved": "13.1.5 FIRST\n"}
    for name, content in files.items():
        if content is not None:
            (directory / name).write_text(content)
    assert start.run().returncode == 0
    assert (directory / "start_erl.data").read_text() == boots
    permanent = boots.split()[1]
    assert (directory / "RELEASES").read_text() == released(permanent)
    assert not list(directory.glob("*.saved"))


@pytest.mark.parametrize(
    ("given", "server", "client"),
    [
        ("mutual", ',{cacertfile,"/r/tls/ca.pem"},{verify,verify_peer},{fail_if_no_peer_cert,true}', ',{cacertfile,"/r/tls/ca.pem"},{verify,verify_peer}'),
        ("one-way", ",{verify,verify_none}", ",{verify,verify_none}"),
    ],
)
def test_the_options_of_tls(given, server, client):
    files = '{certfile,"/r/tls/certificate.pem"},{keyfile,"/r/tls/key.pem"}'
    found = {file["path"]: file["content"] for file in options({**VARIABLES, "otp_root": "/r", "_otp_tls": given})["files"]}
    coding, dummy, text = found["bin/ssl_dist.conf"].partition("\n")
    assert coding == "%% coding: utf-8" and "".join(text.split()) == f"[{{server,[{files}{server}]}},{{client,[{files}{client}]}}]."


@pytest.mark.parametrize(
    ("given", "paths"),
    [
        ({"otp_service_manager": "sysv"}, ["/etc/init.d/S80exchange"]),
        ({"otp_service_manager": "systemd"}, ["/etc/systemd/system/ex.change.service", "/etc/needrestart/conf.d/ex.change.conf"]),
        (
            {"otp_service_manager": "systemd", "otp_node_name": "x@h"},
            ["/etc/systemd/system/ex.change.service", "/etc/systemd/system/ex.change-epmd.service", "/etc/needrestart/conf.d/ex.change.conf"],
        ),
        (
            {"otp_service_manager": "systemd", "otp_node_name": "x@h", "otp_epmd": False, "otp_dist_ports": 9100},
            ["/etc/systemd/system/ex.change.service", "/etc/needrestart/conf.d/ex.change.conf"],
        ),
        (
            {"otp_service_manager": "systemd", "otp_node_name": "x@h", "otp_erl_flags": ["-start_epmd", "false", "-erl_epmd_port", "9100"]},
            ["/etc/systemd/system/ex.change.service", "/etc/needrestart/conf.d/ex.change.conf"],
        ),
    ],
)
def test_the_files_of_a_service(given, paths):
    found = service({**VARIABLES, **given})
    assert [file["path"] for file in found["files"]] == paths
    assert found["name"] == "ex.change"
    assert found["at_boot"] is True


def test_a_host_that_chooses_gets_the_files_of_each_manager():
    given = {**VARIABLES, "otp_node_name": "x@h", "otp_init_script": "/etc/init.d/ex.change"}
    found = options({**given, "otp_service_manager": "auto"})
    for manager, kind in (("systemd", "systemd"), ("sysv", "sysv"), ("rcS", "sysv"), ("none", "none")):
        variables = {**given, "otp_service_manager": kind}
        if manager == "rcS":
            variables["otp_init_script"] = "/etc/init.d/S80ex.change"
        expected = options(variables)
        for name, files in (("files", found["files"]), ("service", found["service"]["files"])):
            for_it = [{**file, "managers": 0} for file in files if manager in file.get("managers", [manager])]
            of_it = expected["files"] if name == "files" else (expected["service"] or {"files": []})["files"]
            assert for_it == [{**file, "managers": 0} for file in of_it], (manager, name)
    assert found["service"]["manager"] == "auto" and len(found["files"]) == 7
    own = options({**given, "otp_service_manager": "auto", "otp_init_script": "/etc/init.d/S10x"})["service"]["files"]
    assert [file["path"] for file in own if file["managers"] != ["systemd"]] == ["/etc/init.d/S10x"] * 2


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        ("root", {"run": "755", "log": "750"}),
        # bin/start makes, as the user of the node, what is below a directory of that user.
        ("", {}),
    ],
)
def test_an_init_script_makes_directories_as_the_role_does(tmp_path, root, expected):
    """Where a file system is empty at boot: otherwise the next run would find them given to others."""
    here = {"otp_root": str(tmp_path / root), "otp_user": ME, "otp_group": grp.getgrgid(os.getgid()).gr_name, "otp_service_manager": "sysv"}
    directories = {"otp_run_dir": "run", "otp_pipe_dir": "run/pipe", "otp_log_dir": "log"}
    files = service({**VARIABLES, **here, **{name: f"{tmp_path}/{path}" for name, path in directories.items()}})["files"]
    # There is no bin/start: it ends there.
    assert subprocess.run(["sh", "-c", files[0]["content"], "init", "start"], capture_output=True, timeout=600, check=False).returncode == 127
    found = {path.relative_to(tmp_path).as_posix(): f"{path.stat().st_mode & 0o777:o}" for path in tmp_path.rglob("*")}
    assert found == expected


@pytest.fixture
def process(tmp_path):
    """Starts a process with the arguments of an emulator of this root directory, and notes it as the emulator of the system."""
    started = []

    def start(root):
        program = "import time; print(flush=True); time.sleep(60)"
        arguments = [sys.executable, "-c", program, "--", "-root", root, "-bindir", "x"]
        started.append(subprocess.Popen(arguments, env={**os.environ, "ROOTDIR": root}, stdout=subprocess.PIPE))
        started[0].stdout.read(1)
        (tmp_path / "run").mkdir()
        (tmp_path / "run/emulator.pid").write_text(f"{started[0].pid}\n")
        return started[0]

    yield start
    for each in started:
        each.kill()
        each.communicate()


@pytest.mark.parametrize("suffix", ["", "2"])
def test_stop_and_status_act_on_the_emulator_of_this_root_directory_alone(tmp_path, process, suffix):
    running = process(f"{tmp_path}{suffix}")
    variables = {**VARIABLES, "otp_root": str(tmp_path), "otp_user": ME, "otp_service_manager": "sysv"}
    init, stop = service(variables)["files"][0]["content"], scripts(variables)[2]["content"]
    status = subprocess.run(["sh", "-c", init, "init", "status"], capture_output=True, text=True, timeout=60, check=False)
    assert (status.returncode, str(running.pid) in status.stdout) == ((3, False) if suffix else (0, True))
    subprocess.run(["sh", "-c", stop, "stop"], timeout=600, check=True)
    assert running.poll() == (None if suffix else -15)


def test_a_unit_has_limits_lines_and_percent_signs_as_systemd_wants_them():
    given = {"otp_service_manager": "systemd", "otp_root": "/srv/50%", "otp_open_files": 4096, "otp_unit_lines": ["MemoryMax=2G"]}
    unit, needrestart = (file["content"] for file in service({**VARIABLES, **given})["files"])
    assert 'ExecStart=/bin/sh "/srv/50%%/bin/start"\n' in unit
    assert "\nLimitNOFILE=4096\n" in unit and unit.index("MemoryMax=2G\n") > unit.index("LimitNOFILE")
    assert r"^ex\.change(-epmd)?\.service$" in needrestart


def test_no_service_where_none_is_wanted():
    assert options(VARIABLES)["service"] is None


client_files = FilterModule().filters()["client_files"]
PLACE = {
    "root": "/srv/ex'change",
    "directory": "/srv/ex'change/clients/x@h",
    "home": "/srv/ex'change/clients/x@h",
    "run_dir": "/run/ex'change",
    "log_dir": "/var/log/ex",
}
OF_CLIENT = {**VARIABLES, "otp_node_name": "x@h"}


@pytest.mark.parametrize("place", [{}, {"static": True}, {"static": True, "hosts": ["10.0.0.1", "10.0.0.2"]}])
@pytest.mark.parametrize("given", [{}, {"otp_heart": True}, {"otp_service_manager": "systemd", "otp_boot_server": True}])
def test_each_script_of_a_client_is_one_for_sh(given, place):
    found = client_files({**OF_CLIENT, **given}, **PLACE, **place)
    assert ("node.service" in found) == ("otp_service_manager" in given)
    for name in ("start", "stop"):
        subprocess.run(["sh", "-n"], input=found[name], text=True, check=True)
    assert "boot_server" not in found["start"]
    assert ("-loader inet -hosts 10.0.0.1 10.0.0.2 -id x@h -mode embedded" in found["start"]) == ("hosts" in place)


@pytest.mark.parametrize(
    ("static", "expected"),
    [
        (False, "/srv/m/erts-15.2/bin /srv/m/clients/x@h/releases/FIRST\n/srv/m/clients/x@h/releases/start_erl.data"),
        (True, "/srv/m/erts-15.2/bin /srv/m/clients/x@h/releases\n/srv/m/clients/x@h/bin/start_erl.data"),
    ],
)
def test_what_a_client_boots(static, expected):
    place = {key: value.replace("ex'change", "m") for key, value in PLACE.items()}
    script = client_files({**OF_CLIENT, "otp_heart": True}, **place, static=static)["start"]
    # The lines that are about it, with the data file of a release in place of that below $ROOT.
    names = ("ROOTDIR=", "RELDIR=", "BINDIR=", "BOOT_DIR=", "HEART_COMMAND=")
    lines = [line for line in script.splitlines() if line.startswith(names)]
    text = "\n".join(["ERTS_VSN=15.2 VSN=FIRST", *lines, 'echo "$BINDIR $BOOT_DIR"', 'echo "${HEART_COMMAND#* }"'])
    assert subprocess.run(["sh", "-c", text], text=True, capture_output=True, check=True).stdout == expected + "\n"


def test_a_static_client_has_its_emulator_in_a_file():
    assert client_files(OF_CLIENT, **PLACE, static=True, erts_version="15.2")["start_erl.data"] == "15.2 static\n"
    assert "start_erl.data" not in client_files(OF_CLIENT, **PLACE, erts_version="15.2")


def test_the_unit_of_a_client_waits_for_its_mount_and_makes_its_directory():
    place = {**PLACE, "root": "/srv/m", "run_dir": "/run/x"}
    unit = client_files({**OF_CLIENT, "otp_service_manager": "systemd"}, **place)["node.service"]
    assert '\nRequiresMountsFor="/srv/m"\n' in unit
    assert '\nRuntimeDirectory="x"\n' in unit
    assert '\nExecStart=/bin/sh "/srv/ex\'change/clients/x@h/bin/start"\n' in unit
    elsewhere = client_files({**OF_CLIENT, "otp_service_manager": "systemd"}, **{**place, "run_dir": "/var/run/x"})["node.service"]
    assert "RuntimeDirectory" not in elsewhere


def test_the_list_of_the_boot_server_is_a_file_of_its_own():
    given = {"otp_boot_server": True, "otp_boot_server_clients": ["10.0.0.9", "10.0.0.11"]}
    file = scripts({**VARIABLES, **given})[-1]
    assert (file["path"], file["mode"]) == ("bin/boot_server.args", "0644")
    assert file["content"] == "-kernel start_boot_server true\n-kernel boot_server_slaves [{10,0,0,9},{10,0,0,11}]\n"


def test_what_a_client_lacks():
    with pytest.raises(AnsibleFilterError, match="lacks a variable or an option"):
        client_files(OF_CLIENT, root="/srv/m")
    with pytest.raises(AnsibleFilterError, match="needs a mapping"):
        client_files([], **PLACE)
