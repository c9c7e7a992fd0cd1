# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module otp_release_config makes of its options."""

from __future__ import annotations

import os

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.modules.otp_release_config import configure


@pytest.fixture
def root(tmp_path):
    release = tmp_path / "releases" / "FIRST"
    release.mkdir(parents=True)
    (tmp_path / "releases" / "start_erl.data").write_text("13.1.5 FIRST\n")
    (release / "sys.config.src").write_text("[{pea,[{port,${PORT}},{tls,${TLS:-false}}]}].\n")
    return tmp_path


def run(root, **options):
    names = ("release", "sys_config", "vm_args", "owner", "group")
    parameters = {**dict.fromkeys(names), "variables": {}, "secrets": {}, "host_flags": [], "mode": "0640", "root": str(root), **options}
    return configure(parameters, Changes())


def test_the_permanent_release_with_values_of_all_types(root):
    assert run(root, variables={"PORT": 7000, "TLS": True})["release"] == "FIRST"
    assert (root / "releases" / "FIRST" / "sys.config").read_text() == "[{pea,[{port,7000},{tls,true}]}].\n"


def test_another_release_with_owner_and_mode(root):
    (root / "releases" / "2.0").mkdir()
    run(root, release="2.0", owner=str(os.getuid()), group=str(os.getgid()), mode="600")
    assert os.stat(root / "releases" / "2.0" / "sys.config").st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "options, message",
    [
        ({"variables": {"PORT": [1]}}, "^variables: the value of PORT is neither"),
        ({"secrets": {"PORT": None}}, "^secrets: the value of PORT is neither"),
        ({"owner": "nobody-of-this-name"}, "owner: this host has no user 'nobody-of-this-name'"),
        ({"group": "nobody-of-this-name"}, "group: this host has no group 'nobody-of-this-name'"),
        ({"mode": "rw"}, "is not an octal mode between"),
        ({"mode": "4755"}, "is not an octal mode between"),
        ({"mode": "-1"}, "is not an octal mode between"),
        ({"release": "../FIRST"}, "is not a version"),
        ({"release": ".."}, "is not a version"),
        ({"release": "NONE"}, "Install the release before"),
    ],
)
def test_options_at_fault(root, options, message):
    with pytest.raises(OtpError, match=message):
        run(root, **{"variables": {"PORT": 1}, **options})


def test_no_release_is_permanent(tmp_path):
    with pytest.raises(OtpError, match="start_erl.data is missing, so no release is permanent: set release"):
        run(tmp_path)
