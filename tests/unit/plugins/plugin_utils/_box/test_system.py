# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: a box has an init script and no unit; it is told where rcS would not run that script."""

from __future__ import annotations

import types
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._node.service import Service, ServiceFile
from ansible_collections.erlang.otp.plugins.plugin_utils._box.system import BoxSystem


def warnings_of(directory: Path, manager: str, script: str) -> list[str]:
    system = object.__new__(BoxSystem)
    system.service = Service(manager, "x", True, (ServiceFile(f"/etc/init.d/{script}", "#!/bin/sh\n", 0o755),))
    system.options = types.SimpleNamespace(path=lambda path: f"{directory}{path}")  # type: ignore[assignment]
    system.changes, system.diff, system.warnings = Changes(), [], []
    (directory / "etc/init.d").mkdir(parents=True, exist_ok=True)
    system.ensure_service()
    return system.warnings


def test_a_service_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(OtpError, match="set otp_service_manager to sysv or none"):
        warnings_of(tmp_path, "systemd", "x.service")
    assert warnings_of(tmp_path, "sysv", "S80x") == []


def test_a_script_that_the_box_may_not_run(tmp_path: Path) -> None:
    (warning,) = warnings_of(tmp_path, "sysv", "x")
    assert "Set otp_init_script to such a name, for example /etc/init.d/S80x" in warning
    assert warnings_of(tmp_path, "sysv", "S80x") == []
