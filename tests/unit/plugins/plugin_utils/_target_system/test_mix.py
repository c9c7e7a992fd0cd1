# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules of bin/start_erl for a release of mix: RELEASE_* are those of the release that boots; env.sh adds, and changes nothing that the host has;
config providers get a copy that only the user can read.
"""

from __future__ import annotations

import os
import subprocess

import pytest

from ansible_collections.erlang.otp.plugins.plugin_utils._target_system.rendering import rendered
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils._target_system.role_variables import VARIABLES

ENV_SH = """\
export ADDED="$RELEASE_NAME of $RELEASE_VSN"
export RELEASE_NODE=other HEART_COMMAND=other ELIXIR_ERL_OPTIONS="-heart +P *"
"""


@pytest.fixture
def root(tmp_path):
    for name in ("run", "home", "bin", "erts-13/bin", "releases/1.0", "releases/2.0"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "bin/start_erl").write_text(rendered("start_erl", VARIABLES))
    erlexec = tmp_path / "erts-13/bin/erlexec"
    erlexec.write_text('#!/bin/sh\ncat /proc/$$/environ\nprintf "%s|" "ARGUMENTS=$#" "$@"\n')
    erlexec.chmod(0o755)
    (tmp_path / "home/.erlang.cookie").write_text("crimson")
    for version in ("1.0", "2.0"):
        release = tmp_path / "releases" / version
        (release / "shop.rel").write_text("")
        (release / "env.sh").write_text(ENV_SH)
        (release / "sys.config").write_text("[].\n")
        (tmp_path / f"releases/{version}.data").write_text(f"13 {version}")
    return tmp_path


def start(root, data, *flags, shell="dash"):
    """The environment of erlexec, and its arguments."""
    environment = {"PATH": os.environ["PATH"], "HOME": f"{root}/home", "HEART_COMMAND": "ours"}
    command = [*shell.split(), f"{root}/bin/start_erl", str(root), f"{root}/releases", f"{root}/releases/{data}", *flags]
    said = subprocess.run(command, env=environment, text=True, capture_output=True, check=True)
    *variables, arguments = said.stdout.split("\0")
    return dict(line.partition("=")[::2] for line in variables), arguments.split("|")[1:-1]


@pytest.mark.parametrize("shell", ["dash", "bash --posix", "busybox sh"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_the_release_that_boots(root, version, shell):
    variables, arguments = start(root, f"{version}.data", "-sname", "shop", "-mode", "embedded", shell=shell)
    release = f"{root}/releases/{version}"
    expected = {"ROOT": str(root), "NAME": "shop", "VSN": version, "NODE": "shop", "DISTRIBUTION": "sname", "COOKIE": "crimson", "MODE": "embedded"}
    expected |= {"SYS_CONFIG": f"{release}/sys", "TMP": f"{root}/run", "VM_ARGS": f"{release}/vm.args", "COMMAND": "start"}
    assert {name: variables[f"RELEASE_{name}"] for name in expected} == expected
    assert variables["ADDED"] == f"shop of {version}" and variables["HEART_COMMAND"] == "ours"
    expected = ["-boot", f"{release}/start", "-config", f"{release}/sys", "-boot_var", "RELEASE_LIB", f"{root}/lib", "-sname", "shop", "-mode", "embedded"]
    assert arguments == [*expected, "+P", "*"]


def test_a_node_that_is_not_distributed(root):
    variables, dummy = start(root, "1.0.data")
    assert variables["RELEASE_DISTRIBUTION"] == "none"


def test_config_providers_get_a_copy_that_only_the_user_can_read(root):
    (root / "run/shop-0.9.runtime.config").write_text("old secrets")
    (root / "releases/1.0/sys.config").write_text("%% RUNTIME_CONFIG=true\n[].\n")
    variables, arguments = start(root, "1.0.data")
    copy = root / "run/shop-1.0.runtime.config"
    assert variables["RELEASE_SYS_CONFIG"] == arguments[3] == f"{root}/run/shop-1.0.runtime"
    assert copy.read_text() == "%% RUNTIME_CONFIG=true\n[].\n" and copy.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (root / "run").glob("*.config")] == [copy.name]


def test_a_hot_upgrade_that_was_interrupted(root):
    release = root / "releases/1.0"
    (release / "sys.config").rename(release / "sys.config.built")
    (release / "sys.config").symlink_to(root / "run/1.0.hot.runtime.config")
    start(root, "1.0.data")
    assert not (release / "sys.config").is_symlink() and (release / "sys.config").read_text() == "[].\n"
    assert not (release / "sys.config.built").exists()


def test_the_emulator_between_two_releases_has_the_files_of_the_old_one(root):
    (root / "releases/new.data").write_text("13 __new_emulator__1.0")
    variables, arguments = start(root, "new.data")
    assert variables["RELEASE_VSN"] == "1.0" and arguments[1] == f"{root}/releases/__new_emulator__1.0/start"


def test_another_release_has_none_of_this(root):
    (root / "releases/1.0/env.sh").unlink()
    variables, arguments = start(root, "1.0.data")
    assert "RELEASE_ROOT" not in variables and "RELEASE_LIB" not in arguments
