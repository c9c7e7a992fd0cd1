# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service's files, its links, and the programs of the host that make them; those are the test's own here."""

from __future__ import annotations

import os

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core import run as _programs
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import Owner
from ansible_collections.erlang.otp.plugins.module_utils._node import service as _service
from ansible_collections.erlang.otp.plugins.module_utils._node.service import Service, ServiceFile, ensure_service, is_at_boot, is_run_by, must


def script(path, at_boot=True):
    return Service("sysv", "exchange", at_boot, (ServiceFile(str(path), "#!/bin/sh\n", 0o755),))


@pytest.fixture(autouse=True)
def owner(monkeypatch):
    monkeypatch.setattr(_service, "ROOT", Owner(os.getuid(), os.getgid()))


def test_what_links_say_about_the_boot(tmp_path):
    unit = Service("systemd", "exchange", True, ())
    wants = tmp_path / "systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True)
    assert not is_at_boot(unit, str(tmp_path))
    (wants / "exchange.service").symlink_to("/nowhere")
    assert is_at_boot(unit, str(tmp_path))

    (tmp_path / "rc3.d").mkdir()
    assert not is_at_boot(script("/etc/init.d/exchange"), str(tmp_path))
    (tmp_path / "rc3.d/S01exchange2").touch()
    (tmp_path / "rc3.d/K01exchange").touch()
    assert not is_at_boot(script("/etc/init.d/exchange"), str(tmp_path))
    (tmp_path / "rc3.d/S01exchange").touch()
    assert is_at_boot(script("/etc/init.d/exchange"), str(tmp_path))
    assert is_at_boot(script("/etc/init.d/S80exchange"), "/nowhere")


def test_links_of_which_some_are_missing(tmp_path):
    """A level may have been disabled by hand; one without any link is where update-rc.d was killed."""
    for level in "0123456":
        (tmp_path / f"rc{level}.d").mkdir()
    for level, link in (("2", "S01"), ("3", "S01"), ("4", "K01"), ("5", "S01")):
        (tmp_path / f"rc{level}.d/{link}exchange").touch()
        assert is_at_boot(script("/etc/init.d/exchange"), str(tmp_path)) is None
    for level in "016":
        assert is_at_boot(script("/etc/init.d/exchange"), str(tmp_path)) is None
        (tmp_path / f"rc{level}.d/K01exchange").touch()
    assert is_at_boot(script("/etc/init.d/exchange"), str(tmp_path)) is True
    for level in "235":
        (tmp_path / f"rc{level}.d/S01exchange").unlink()
    assert is_at_boot(script("/etc/init.d/exchange"), str(tmp_path)) is False


def test_a_program_that_makes_no_link_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(_service, "PATH", str(tmp_path))
    (tmp_path / "update-rc.d").write_text("#!/bin/sh\n")
    (tmp_path / "update-rc.d").chmod(0o755)
    monkeypatch.setattr(_service, "must", lambda command: None)
    with pytest.raises(OtpError, match="exchange is not enabled at boot"):
        ensure_service(script(tmp_path / "no-such-script-anywhere"), Changes())


def test_a_script_is_written_once_and_only_for_real(tmp_path):
    path = tmp_path / "S80exchange"
    changes = Changes(check_mode=True)
    diff = ensure_service(script(path), changes)
    assert changes.actions == [f"write {path}"] and diff[0]["after"] == "#!/bin/sh\n" and not path.exists()
    changes = Changes()
    assert ensure_service(script(path), changes) == diff and os.access(path, os.X_OK)
    changes = Changes()
    assert ensure_service(script(path), changes) == [] and not changes.actions


def test_an_optional_file_wants_its_directory(tmp_path):
    optional = ServiceFile(str(tmp_path / "conf.d/exchange.conf"), "text", 0o644, True)
    service = script(tmp_path / "S80exchange")
    service = service._replace(files=(*service.files, optional))
    ensure_service(service, Changes())
    assert not os.path.exists(optional.path)
    os.mkdir(tmp_path / "conf.d")
    ensure_service(service, Changes())
    assert os.path.exists(optional.path)


def test_the_boot_without_a_program_for_it(tmp_path, monkeypatch):
    monkeypatch.setattr(_service, "PATH", str(tmp_path))
    with pytest.raises(OtpError, match="otp_init_script: /etc/init.d/S80exchange"):
        ensure_service(script(tmp_path / "no-such-script-anywhere"), Changes())
    assert ensure_service(script(tmp_path / "S80exchange"), Changes()) and (tmp_path / "S80exchange").exists()


@pytest.mark.parametrize(("program", "at_boot", "line"), [
    ("update-rc.d", True, "update-rc.d NAME defaults"), ("chkconfig", True, "chkconfig --add NAME"), ("update-rc.d", False, "update-rc.d -f NAME remove"),
])  # fmt: skip
def test_the_program_of_the_host_is_told(tmp_path, monkeypatch, program, at_boot, line):
    (tmp_path / program).write_text(f'#!/bin/sh\necho {program} "$@" >{tmp_path}/said\n')
    (tmp_path / program).chmod(0o755)
    for module in (_service, _programs):
        monkeypatch.setattr(module, "PATH", str(tmp_path))
    _service.set_at_boot(script("/etc/init.d/of-this-test", at_boot))
    assert (tmp_path / "said").read_text().strip() == line.replace("NAME", "of-this-test")


@pytest.mark.parametrize(("found", "commands"), [(None, ["-f x remove", "x defaults"]), (False, ["x defaults"])])
def test_links_of_which_some_are_missing_are_made_again(tmp_path, monkeypatch, found, commands):
    (tmp_path / "update-rc.d").touch(mode=0o755)
    done = []
    monkeypatch.setattr(_service, "PATH", str(tmp_path))
    monkeypatch.setattr(_service, "is_at_boot", lambda service: found)
    monkeypatch.setattr(_service, "must", lambda command: done.append(" ".join(command[1:])))
    _service.set_at_boot(script("/etc/init.d/x"))
    assert done == commands


def test_a_host_without_systemd_is_told_so(tmp_path, monkeypatch):
    monkeypatch.setattr(os.path, "isdir", lambda path: False)
    changes = Changes()
    with pytest.raises(OtpError, match="otp_service_manager to sysv or none"):
        ensure_service(Service("systemd", "exchange", True, ()), changes)
    assert not changes.actions
    assert ensure_service(script(tmp_path / "S80exchange"), changes)


def test_what_was_never_there_is_stopped(tmp_path):
    for manager in ("systemd", "sysv"):
        service = script(tmp_path / "no-such-file")._replace(manager=manager)
        assert not _service.is_up(service)
        _service.stop(service)


def test_whose_a_process_is():
    assert is_run_by(script("/etc/init.d/exchange"), os.getpid())
    assert not is_run_by(Service("systemd", "no-such-unit", True, ()), os.getpid())


@pytest.mark.parametrize(
    "groups, unit",
    [
        ("0::/system.slice/exchange.service\n", "exchange"),
        ("9:name=systemd:/machine/x/system.slice/exchange@1.service\n8:pids:/machine/x\n0::/machine/x\n", "exchange@1"),
        ("0::/user.slice/user-0.slice/session-3.scope\n", ""),
        ("0::/\n", ""),
        (None, ""),
    ],
)
def test_the_unit_of_a_process(monkeypatch, groups, unit):
    monkeypatch.setattr(_service, "read_file", lambda path: groups and groups.encode())
    assert _service.unit_of(4711) == unit
    assert is_run_by(Service("systemd", "exchange", True, ()), 4711) == (unit == "exchange")


def test_a_program_that_fails_or_is_missing():
    with pytest.raises(OtpError, match="sh -c echo why; exit 3 ended with code 3: why"):
        must(["sh", "-c", "echo why; exit 3"])
    with pytest.raises(OtpError, match="cannot run /no/such/program"):
        must(["/no/such/program"])


@pytest.mark.parametrize("has_epmd", [True, False])
def test_a_unit_that_does_not_come_up_says_why_and_leaves_no_job(monkeypatch, tmp_path, has_epmd):
    """It names no unit of EPMD that the release has not needed."""
    asked = []

    def systemd(command, timeout):
        asked.append(" ".join(command))
        if command[1] == "restart":
            raise OtpError("it has not ended.")
        return 0, {"is-active": "activating", "--unit": "no port for epmd"}.get(command[1], "")

    monkeypatch.setattr(_service, "run", systemd)
    unit = Service("systemd", "x", True, tuple(ServiceFile(str(tmp_path / f"{name}.service"), "", 0o644) for name in ("x", "x-epmd")))
    if has_epmd:
        (tmp_path / "x-epmd.service").touch()
    state = " x-epmd.service is activating." if has_epmd else ""
    with pytest.raises(OtpError, match=f"cannot start x.service: it has not ended.{state} The journal ends with:\nno port for epmd"):
        _service.start(unit)
    assert asked[1] == "systemctl stop --no-block x.service" + (" x-epmd.service" if has_epmd else "")
    assert asked[-1].startswith("journalctl --unit x.service " + ("--unit x-epmd.service --lines" if has_epmd else "--lines"))
