# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node whose release_handler only keeps a list, and the system that it runs."""

from __future__ import annotations

import os
import shutil
import sys
import typing as t
from pathlib import Path

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import lock
from ansible_collections.erlang.otp.plugins.module_utils._handler.preflight import PROGRAMS
from ansible_collections.erlang.otp.plugins.module_utils._handler.request import Request
from ansible_collections.erlang.otp.plugins.module_utils._handler.running import RunningUpgrade
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import OLD_CODE
from ansible_collections.erlang.otp.plugins.module_utils._node.verify import Check
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Opaque

LIBRARIES = '[{kernel,"8","lib/kernel-8"},{sasl,"4","lib/sasl-4"}]'
ENTRY = '{release,"x","%s","13.1.5",' + LIBRARIES + ",%s}"
RELUP = '{"2", [{"1", [], [point_of_no_return]}], [{"1", [], [point_of_no_return]}]}.\n'
REL = '{release, {"x", "%s"}, {erts, "13.1.5"}, [{kernel, "8"}, {sasl, "4"}]}.\n'
COPIES = {"RELEASES.saved", "start_erl.data.saved"}
CHANGES = ("unpack_release", "install_release", "make_permanent", "set_removed")


class Node:
    """A node: which calls it got, and what was in its directory at each change of its releases."""

    node = "x@h"
    is_remote = True
    log_directory = "/nonexistent"

    def __init__(self, root: Path) -> None:
        self.root = root
        self.statuses = {"2": "unpacked", "1": "permanent"}
        self.is_well = True
        # Which applications it has loaded, and which files of modules are not what it runs.
        self.loaded = {"kernel": "8", "sasl": "4"}
        self.stale: list[str] = []
        self.refuses: tuple[str, ...] = ()
        self.calls: list[str] = []
        self.unlocked: list[str] = []
        self.uncopied: list[str] = []
        self.asked = ""
        self.libraries = {version: ["kernel-8", "sasl-4"] for version in self.statuses}
        # Whether install_release starts another emulator; and what was in the directory when that was first seen.
        self.restarts = self.is_new = False
        self.seen: set[str] = set()
        # The files at a reboot into a release, and whether it comes up on that.
        self.at_reboot: dict[str, str] = {}
        self.comes_up = True
        self.timeouts: dict[str, float] = {}

    def __enter__(self) -> Node:
        return self

    def __exit__(self, *dummy: t.Any) -> None:
        pass

    def call(self, module: str, function: str, arguments: list, *, timeout: float) -> t.Any:
        self._look_for_lock(function)
        if module in ("erl_scan", "erl_parse", "erl_eval"):
            self.asked = arguments[0] if function == "string" else self.asked
            if function == "exprs" and "init:reboot()" in self.asked:
                self._reboot()
            return Atom("value" if module == "erl_eval" else "ok"), self._answer()
        self.calls.append(function)
        self.timeouts[function] = timeout
        if function in CHANGES and not COPIES <= set(os.listdir(self.root / "releases")):
            self.uncopied.append(function)
        if function in self.refuses:
            return Atom("error"), (Atom("code_change_failed"), "2")
        if function in ("install_release", "make_permanent"):
            status, (version,) = {"install_release": "current", "make_permanent": "permanent"}[function], arguments
            self.is_new = self.restarts
            is_back = self.statuses[version] == "permanent"
            self.statuses = {other: "old" if known in (status, "current") else known for other, known in self.statuses.items()}
            self.statuses[version] = "permanent" if is_back else status
        return Atom("ok") if module == "release_handler" else Atom("well" if self.is_well else "ill")

    def _reboot(self) -> None:
        files = {path.name: path.read_text() for path in (self.root / "releases").iterdir() if path.is_file()}
        self.at_reboot = {**files, "command": self.asked}
        self.is_new = True
        if self.comes_up:
            self.statuses["2"] = "current"

    def _answer(self) -> t.Any:
        if "loaded_applications" in self.asked:
            return [(Atom(name), version) for name, version in self.loaded.items()], self.stale
        return [] if self.asked == OLD_CODE or "get_all_env" in self.asked else self._state()

    def _look_for_lock(self, function: str) -> None:
        try:
            with lock(str(self.root / ".handler.lock"), timeout=0):
                self.unlocked.append(function)
        except OtpError:
            pass

    def _state(self) -> tuple:
        if self.is_new and not self.seen:
            self.seen = set(os.listdir(self.root / "releases"))
        handler = Opaque("<1.2.3>", b"new" if self.is_new else b"old")
        known = [("x", version, self.libraries[version], Atom(status)) for version, status in self.statuses.items()]
        start = f"{self.root}/bin/start"
        return str(os.getpid()), handler, Atom("started"), known, f"{start} {self.root}/releases/start_erl.data", start, str(self.root), ""


def make_root(tmp_path: Path) -> Path:
    """A system whose node runs release 1, with release 2 unpacked."""
    root = tmp_path / "root"
    for name in ("bin", "releases/1", "releases/2", "lib/kernel-8/ebin", "lib/sasl-4/ebin", "erts-13.1.5/bin"):
        (root / name).mkdir(parents=True)
    for name in PROGRAMS:
        (root / "erts-13.1.5/bin" / name).symlink_to(Path(sys.executable).resolve())
    shutil.copy("/bin/true", root / "bin/start")
    (root / "releases/RELEASES").write_text(f"[{ENTRY % ('2', 'unpacked')},{ENTRY % ('1', 'permanent')}].\n")
    (root / "releases/start_erl.data").write_text("13.1.5 1\n")
    for version in ("1", "2"):
        (root / "releases" / version / "start.boot").write_text("")
        (root / "releases" / version / "sys.config").write_text("[].\n")
        (root / "releases" / version / "x.rel").write_text(REL % version)
    (root / "releases/2/relup").write_text(RELUP)
    return root


def upgrade_of(root: Path, node: Node, **options: t.Any) -> RunningUpgrade:
    verify = (Check("x", "status", [], Atom("well")),)
    request = Request(**{"root": str(root), "release": "2", "state": "permanent", "verify": verify, "verify_timeout": 0.0, **options})
    upgrade = RunningUpgrade(request, Changes())
    upgrade.session = t.cast(t.Any, node)
    # The files of bin are refreshed by code that has its own tests.
    upgrade.refresh_bin = lambda: None  # type: ignore[method-assign]
    return upgrade


def go(root: Path, node: Node, **options: t.Any) -> dict[str, t.Any]:
    upgrade = upgrade_of(root, node, **options)
    return upgrade.carry_out(upgrade.apply)


def outcomes(result: dict[str, t.Any]) -> list[tuple[str, str]]:
    return [(entry["action"], entry["outcome"]) for entry in result["history"]]
