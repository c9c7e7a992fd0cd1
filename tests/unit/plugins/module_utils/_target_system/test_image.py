# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: the owner of an image's files is the service user of the image, not of this host; without /etc/passwd a warning names what to do;
no node starts and no lock file is left; links in the image enable the service at boot, and the links of another level are replaced.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._node.lifecycle import Node
from ansible_collections.erlang.otp.plugins.module_utils._node.service import Service, ServiceFile
from ansible_collections.erlang.otp.plugins.module_utils._target_system import image as _image
from ansible_collections.erlang.otp.plugins.module_utils._target_system.image import Image
from ansible_collections.erlang.otp.plugins.module_utils._target_system.options import SystemOptions
from ansible_collections.erlang.otp.plugins.module_utils._target_system.own_files import OwnFile
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import release_members, write_package

PASSWD = f"root:x:0:0::/:/bin/sh\nerlang:x:{os.getuid()}:{os.getgid()}::/:/bin/false\n"


def options(directory: Path, *, service: Service | None = None, manage_user: bool = False) -> SystemOptions:
    return SystemOptions(
        node=Node(root="/srv/x", user="erlang", home="/var/lib/erlang", log_directory="/var/log/x", service=service),
        group="erlang",
        manage_user=manage_user,
        pipe_directory="/srv/x/run/pipe",
        run_directory="/srv/x/run",
        package={"package": write_package(directory / "x.tar.gz", release_members("FIRST")), "checksum": None, "release": None},
        configuration={"sys_config": None, "vm_args": None, "variables": {}, "secrets": {}},
        files=(),
        cookie="secret",
        state="started",
        start_timeout=1,
        restart_on_change=False,
        destdir=str(directory / "image"),
    )


def service(manager: str, path: str, *, at_boot: bool = True) -> Service:
    return Service(manager, "x", at_boot, (ServiceFile(path, "text", 0o755),))


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    etc = tmp_path / "image" / "etc"
    etc.mkdir(parents=True)
    (etc / "passwd").write_text(PASSWD)
    (etc / "group").write_text(f"erlang:x:{os.getgid()}:\n")
    return etc


def test_the_owner_is_the_user_of_the_image(tmp_path: Path, etc: Path) -> None:
    (etc / "passwd").write_text("erlang:x:4711:4712::/:/bin/false\n")
    (etc / "group").write_text("erlang:x:4712:\n")
    assert Image(options(tmp_path), Changes()).ensure_owner() == (4711, 4712)


def test_without_passwd_a_warning_says_what_to_give_to_whom(tmp_path: Path) -> None:
    image = Image(options(tmp_path), Changes())
    assert image.ensure_owner() == (-1, -1)
    assert "give /srv/x, /var/lib/erlang and /var/log/x to erlang in the image" in image.warnings[0]


def test_a_missing_user_is_an_error_or_is_created_in_the_image(tmp_path: Path, etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (etc / "passwd").write_text("root:x:0:0::/:/bin/sh\n")
    with pytest.raises(OtpError, match="has no user 'erlang' .* otp_manage_user"):
        Image(options(tmp_path), Changes()).ensure_owner()

    def create(command: list[str]) -> None:
        assert command[:3] == ["useradd", "--prefix", str(tmp_path / "image")]
        (etc / "passwd").write_text("erlang:x:4711:1::/:/bin/false\n")

    monkeypatch.setattr(_image, "must", create)
    assert Image(options(tmp_path, manage_user=True), Changes()).ensure_owner()[0] == 4711


def test_no_node_starts_and_no_lock_is_left(tmp_path: Path, etc: Path) -> None:
    result = Image(options(tmp_path), Changes()).apply()
    root = tmp_path / "image/srv/x"
    assert result["node"]["running"] is False and result["release"]["version"] == "FIRST"
    assert (root / "releases/start_erl.data").exists() and not (root / ".lock").exists()
    assert (tmp_path / "image/var/lib/erlang/.erlang.cookie").stat().st_mode & 0o777 == 0o400
    again = Changes()
    Image(options(tmp_path), again).apply()
    assert again.actions == []


def test_files_of_the_operator_are_in_the_image(tmp_path: Path, etc: Path) -> None:
    """$ROOT/run leads to a directory of the host that makes the image."""
    files = (OwnFile("etc/a.conf", b"a"), OwnFile("run/b.conf", b"b", restart=True))
    for expected in (True, False):
        changes = Changes()
        Image(options(tmp_path)._replace(own_files=files, run_directory=f"{tmp_path}/run", pipe_directory=f"{tmp_path}/run/pipe"), changes).apply()
        assert any(action.startswith("write ") for action in changes.actions) is expected
    assert (tmp_path / "image/srv/x/etc/a.conf").read_text() == "a" and not (tmp_path / "run").exists()
    assert Path(f"{tmp_path}/image{tmp_path}/run/b.conf").read_text() == "b"


@pytest.mark.parametrize("manager", ["systemd", "sysv"])
def test_links_enable_the_service_and_disable_it(tmp_path: Path, etc: Path, manager: str) -> None:
    path = "/etc/systemd/system/x.service" if manager == "systemd" else "/etc/init.d/x"
    for level in range(7):
        (etc / f"rc{level}.d").mkdir()
    for at_boot in (True, False):
        Image(options(tmp_path, service=service(manager, path, at_boot=at_boot)), Changes()).ensure_service()
        wants = etc / "systemd/system/multi-user.target.wants/x.service"
        starts = [level for level in range(7) if (etc / f"rc{level}.d/S01x").is_symlink()]
        assert (wants.is_symlink() if manager == "systemd" else starts == [2, 3, 4, 5]) is at_boot
        again = Changes()
        Image(options(tmp_path, service=service(manager, path, at_boot=at_boot)), again).ensure_service()
        assert again.actions == []


def test_an_init_script_that_nothing_would_run_is_refused(tmp_path: Path, etc: Path) -> None:
    with pytest.raises(OtpError, match="has no rc2.d.*otp_init_script=/etc/init.d/S80x"):
        Image(options(tmp_path, service=service("sysv", "/etc/init.d/x")), Changes()).ensure_service()
    Image(options(tmp_path, service=service("sysv", "/etc/init.d/S80x")), Changes()).ensure_service()
