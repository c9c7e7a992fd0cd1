# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: the init that runs on the host is chosen, and none where another program does its work; none where this process may not write;
a unit that is not ours is left, with a warning. In an image its files decide.

On hosts with systemd, and on boxes with BusyBox init, molecule and tests/real/test_box.py show the same.
"""

from __future__ import annotations

import os

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import Owner
from ansible_collections.erlang.otp.plugins.module_utils._node import service as _service
from ansible_collections.erlang.otp.plugins.module_utils._node import service_manager as _service_manager
from ansible_collections.erlang.otp.plugins.module_utils._node.service import Service, ServiceFile, ensure_service
from ansible_collections.erlang.otp.plugins.module_utils._node.service_manager import MANAGED, Found, find_manager

# As the templates begin, by the role.
OURS = f"{MANAGED}target_system)"


@pytest.mark.parametrize(
    ("init", "programs", "manager"),
    [
        ("systemd", ["update-rc.d"], "systemd"),
        ("init", ["update-rc.d"], "sysv"),
        ("init", ["chkconfig"], "sysv"),
        ("init", ["rcS"], "rcS"),
        ("linuxrc", ["rcS"], "rcS"),
        # OpenRC starts none of our scripts.
        ("init", [], "none"),
        # A container, which may have the programs.
        ("sleep", ["update-rc.d", "rcS"], "none"),
        ("catatonit", ["update-rc.d"], "none"),
    ],
)
def test_the_init_that_runs_is_chosen(tmp_path, monkeypatch, init, programs, manager):
    isdir, access = os.path.isdir, os.access
    monkeypatch.setattr(os.path, "isdir", lambda path: init == "systemd" if path == "/run/systemd/system" else isdir(path))
    monkeypatch.setattr(os, "access", lambda path, mode: "rcS" in programs if path == "/etc/init.d/rcS" else access(path, mode))
    monkeypatch.setattr(_service_manager.shutil, "which", lambda name, path: name in programs)
    monkeypatch.setattr(_service_manager, "read_file", lambda path: f"{init}\n".encode() if path == "/proc/1/comm" else None)
    assert find_manager({name: f"{tmp_path}/{name}" for name in ("systemd", "sysv", "rcS")}) == Found(manager)


def test_a_file_of_another_one_is_left_with_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(_service_manager, "_of_host", lambda: "rcS")
    script = tmp_path / "S80x"
    script.write_text("#!/bin/sh\n# of the host\n")
    found = find_manager({"rcS": str(script)})
    assert found.manager == "none" and f"{script} is not a file of this collection" in found.warning and "otp_service_manager to sysv" in found.warning
    # That way out.
    monkeypatch.setattr(_service, "ROOT", Owner(os.getuid(), os.getgid()))
    ensure_service(Service("sysv", "x", True, (ServiceFile(str(script), f"#!/bin/sh\n{OURS}\n", 0o755),)), Changes())
    assert find_manager({"rcS": str(script)}) == Found("rcS")
    for role in ("target_system", "clients"):
        script.write_text(f"#!/bin/sh\n{OURS.replace('target_system', role)}\n")
        assert find_manager({"rcS": str(script)}) == Found("rcS")


def test_without_the_rights_to_write_nothing_starts_it(tmp_path, monkeypatch):
    monkeypatch.setattr(_service_manager, "_of_host", lambda: "systemd")
    monkeypatch.setattr(os, "access", lambda path, mode: path != str(tmp_path))
    assert find_manager({"systemd": f"{tmp_path}/x.service"}) == Found("none")
    # One that root has written before stays.
    (tmp_path / "x.service").write_text(OURS)
    assert find_manager({"systemd": f"{tmp_path}/x.service"}) == Found("systemd")


@pytest.mark.parametrize(
    ("path", "manager"), [("usr/lib/systemd/systemd", "systemd"), ("etc/rc2.d/x", "sysv"), ("etc/init.d/rcS", "rcS"), ("etc/init.d/other", "none")]
)
def test_in_an_image_its_files_decide(tmp_path, path, manager):
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).touch()
    assert find_manager({name: f"/etc/{name}" for name in ("systemd", "sysv", "rcS")}, str(tmp_path)) == Found(manager)
