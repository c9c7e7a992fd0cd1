# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""OTP's cases upgrade and upgrade_restart: a node goes through releases with and without an application, and to another ERTS and back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from case_site import ERTS, Cases, reboot
from handler_site import System, disagreements

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom, as_text


def value_of(system: System, key: str) -> str:
    return system.call("application", "get_env", Atom("a"), Atom(key))[1].name


def script_id(system: System) -> str:
    """The release of the boot script: that of the emulator's start, whatever was installed since."""
    return as_text(system.call("init", "script_id")[1])


def is_running(system: System, application: str) -> bool:
    return Atom(application) in [each[0] for each in system.call("application", "which_applications")]


def loaded_from(system: System, module: str) -> str:
    return os.path.relpath(as_text(system.call("code", "which", Atom(module))), system.root)


def test_upgrade(upgrade_cases: Cases) -> None:
    """OTP: releases are installed, lost by a reboot, committed, rebooted into, left for another ERTS and removed; the files that
    nobody uses go, the others stay. Here the same life, by otp_release_handler; and what is removed must not be permanent or run."""
    with System(upgrade_cases, first="P1G") as system:
        system.start()
        # Lost by a reboot, as it was not committed.
        system.take("P1H", "current")
        assert is_running(system, "a") and loaded_from(system, "a") == "lib/a-1.0/ebin/a.beam"
        reboot(system)
        assert system.statuses() == {"P1H": "unpacked", "P1G": "permanent"} and not is_running(system, "a")
        # Committed, it is what boots.
        system.take("P1H", "permanent", force=True)
        reboot(system)
        assert system.statuses() == {"P1H": "permanent", "P1G": "old"} and script_id(system) == "P1H"
        assert [value_of(system, key) for key in ("key1", "key2")] == ["val1", "val2"]
        # Another version of the application: code, path and environment are its, in the same emulator.
        pid = system.pid
        system.take("P1I", "current")
        assert loaded_from(system, "a") == "lib/a-1.1/ebin/a.beam" and as_text(system.call("a", "version")) == "1.1"
        assert [value_of(system, key) for key in ("key1", "key2")] == ["val1", "newval2"]
        assert system.pid == pid and script_id(system) == "P1H"
        with pytest.raises(OtpError, match="has no release P1X: give its package"):
            system.take("P1X", "current", package=False)
        reboot(system)
        assert system.statuses() == {"P1I": "unpacked", "P1H": "permanent", "P1G": "old"} and value_of(system, "key2") == "val2"
        to_another_erts_and_back(system)
        removed_one_by_one(system)


def to_another_erts_and_back(system: System) -> None:
    """From P1H, permanent, to P2A on the new ERTS, and between it and the others."""
    said = system.take("P2A", "current", allow_restart=True)
    assert said["restarted"] and script_id(system) == "__new_emulator__P1H" and erts_of(system) == ERTS
    assert system.statuses() == {"P2A": "current", "P1I": "unpacked", "P1H": "permanent", "P1G": "old"}
    system.take("P1I", "permanent", package=False, allow_restart=True, force=True)
    assert script_id(system) == "P1I" and erts_of(system) != ERTS
    assert system.statuses() == {"P2A": "old", "P1I": "permanent", "P1H": "old", "P1G": "old"}
    system.take("P2A", "current", package=False, allow_restart=True)
    assert script_id(system) == "__new_emulator__P1I"
    system.take("P1H", "current", package=False, allow_restart=True)
    assert script_id(system) == "P1H" and system.statuses()["P1I"] == "permanent" and loaded_from(system, "a") == "lib/a-1.0/ebin/a.beam"
    system.take("P1I", "current", package=False)
    assert system.statuses() == {"P2A": "old", "P1I": "permanent", "P1H": "old", "P1G": "old"}
    system.take("P2A", "permanent", package=False, allow_restart=True)
    reboot(system)
    assert system.statuses() == {"P2A": "permanent", "P1I": "old", "P1H": "old", "P1G": "old"}
    assert script_id(system) == "P2A" and erts_of(system) == ERTS and disagreements(system) == []


def removed_one_by_one(system: System) -> None:
    """Back to P1H and to P1G; what each release had alone goes with it."""
    stdlib = next(Path(system.root, "lib").glob("stdlib-*"))
    system.take("P1H", "rebooted_old")
    assert system.statuses()["P1H"] == "permanent" and erts_of(system) != ERTS and value_of(system, "key2") == "val2"
    with pytest.raises(OtpError, match="release P1H is permanent"):
        system.take("P1H", "absent")
    system.take("P2A", "absent")
    # P1I needs the application still, and no release the ERTS.
    assert directories(system, "lib", "a-") == ["a-1.0", "a-1.1"] and len(directories(system, "", "erts-")) == 1
    system.take("P1I", "absent")
    assert directories(system, "lib", "a-") == ["a-1.0"] and stdlib.is_dir()
    system.take("P1G", "rebooted_old")
    assert not is_running(system, "a") and Atom("a") not in [each[0] for each in system.call("application", "loaded_applications")]
    system.take("P1H", "absent")
    assert directories(system, "lib", "a-") == [] and directories(system, "releases", "P") == ["P1G", "P1G.rel"]
    assert system.statuses() == {"P1G": "permanent"} and disagreements(system) == []


def test_upgrade_restart(upgrade_cases: Cases) -> None:
    """OTP: a relup with restart_emulator and another ERTS restarts twice on the way up, once on the way down, and ends on the boot
    script of the new release. Here the module waits for both restarts, and says so."""
    with System(upgrade_cases, first="P1H") as system:
        assert emulators_started(system.start()) == 1
        said = system.take("P2B", "permanent", allow_restart=True)
        assert said["restarted"] and emulators_started(system) == 3
        assert script_id(system) == "P2B" and erts_of(system) == ERTS and value_of(system, "key2") == "newval2"
        assert system.statuses() == {"P2B": "permanent", "P1H": "old"} and disagreements(system) == []
        said = system.take("P1H", "permanent", package=False, allow_restart=True)
        assert said["restarted"] and emulators_started(system) == 4
        assert script_id(system) == "P1H" and erts_of(system) != ERTS and system.statuses() == {"P2B": "old", "P1H": "permanent"}


def erts_of(system: System) -> str:
    """The version of the ERTS whose programs the node runs."""
    return Path(os.readlink(f"/proc/{system.pid}/exe")).parts[-3].partition("-")[2]


def directories(system: System, where: str, prefix: str) -> list[str]:
    return sorted(name for name in os.listdir(os.path.join(system.root, where)) if name.startswith(prefix))


def emulators_started(system: System) -> int:
    """How often bin/start has started one, by run_erl's logs."""
    return sum(path.read_text(errors="replace").count("Erlang/OTP ") for path in system.logs.glob("erlang.log.*"))
