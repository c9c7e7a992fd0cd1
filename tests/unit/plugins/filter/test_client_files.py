# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: each script of a client is one for sh, and boots what its place says; the unit waits for the mount; what is missing is named."""

from __future__ import annotations

import subprocess

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.erlang.otp.plugins.filter.client_files import FilterModule
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils._target_system.role_variables import VARIABLES

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


def test_what_a_client_lacks():
    with pytest.raises(AnsibleFilterError, match="lacks a variable or an option"):
        client_files(OF_CLIENT, root="/srv/m")
    with pytest.raises(AnsibleFilterError, match="needs a mapping"):
        client_files([], **PLACE)
