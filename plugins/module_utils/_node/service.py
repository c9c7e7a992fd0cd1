# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The service that starts a node when its host boots: a systemd unit, or a script of SysV or BusyBox init (docs/design.md)."""

from __future__ import annotations

import glob
import os
import re
import shutil
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import as_root
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import Owner, ensure_file
from ansible_collections.erlang.otp.plugins.module_utils._core.run import PATH, run
from ansible_collections.erlang.otp.plugins.module_utils._node.sandbox import for_this_host

ROOT = Owner(0, 0)
# Seconds that bin/stop waits, and that a unit allows for it.
TIMEOUT = 90.0


class ServiceFile(t.NamedTuple):
    """A file of the host, such as a unit; its path is absolute. An optional one is written if its directory exists."""

    path: str
    content: str
    mode: int
    optional: bool = False


class Service(t.NamedTuple):
    """The service that runs a node. The first of the files is its unit or init script."""

    manager: str  # systemd, sysv
    name: str
    at_boot: bool
    files: tuple[ServiceFile, ...]


def ensure_service(service: Service, changes: Changes) -> list[dict[str, str]]:
    """Ensure the files, that the manager has read them, and that the service starts at boot or not. Returns the diff. Raises OtpError."""
    if service.manager == "systemd" and not os.path.isdir("/run/systemd/system"):
        raise OtpError("this host has not been booted with systemd: set otp_service_manager to sysv or none.")
    diff = []
    for file in service.files:
        if file.optional and not os.path.isdir(os.path.dirname(file.path)):
            continue
        content = for_this_host(file.content) if service.manager == "systemd" else file.content
        before = ensure_file(file.path, content.encode("utf-8"), mode=file.mode, owner=ROOT, sentence=f"write {file.path}", changes=changes)
        if before is not None:
            diff.append({"before_header": file.path, "after_header": file.path, "before": before.decode("utf-8", "replace"), "after": content})
    if diff and service.manager == "systemd":
        changes.do("make systemd read its units again", must, ["systemctl", "daemon-reload"])
    if is_at_boot(service) != service.at_boot:
        changes.do(f"{'enable' if service.at_boot else 'disable'} {service.name} at boot", set_at_boot, service)
        if not changes.check_mode and (now := is_at_boot(service)) != service.at_boot:
            # update-rc.d is silent about a link that it cannot make.
            raise OtpError(
                f"{service.name} is {'only partly ' if now is None else 'not '}{'enabled' if service.at_boot else 'disabled'} at boot: is /etc writable?"
            )
    return diff


def is_at_boot(service: Service, etc: str = "/etc") -> bool | None:
    """Whether the host starts the service when it boots, read from its links; None if some levels lack one: what makes them was interrupted."""
    if service.manager == "systemd":
        return os.path.islink(f"{etc}/systemd/system/multi-user.target.wants/{service.name}.service")
    script = os.path.basename(service.files[0].path)
    # BusyBox's rcS runs what is called S and two digits; others have links of such names.
    if re.match(r"S\d\d", script):
        return True
    links = {level: glob.glob(f"{etc}/rc{level}.d/[SK][0-9][0-9]{glob.escape(script)}") for level in "0123456" if os.path.isdir(f"{etc}/rc{level}.d")}
    starts = any(os.path.basename(link).startswith("S") for level, found in links.items() if level in "2345" for link in found)
    return None if starts and not all(links.values()) else starts


def set_at_boot(service: Service) -> None:
    """Enable or disable the service at boot. Raises OtpError."""
    if service.manager == "systemd":
        must(["systemctl", "enable" if service.at_boot else "disable", "--quiet", f"{service.name}.service"])
        return
    script = os.path.basename(service.files[0].path)
    debian = (["update-rc.d", script, "defaults"], ["update-rc.d", "-f", script, "remove"])
    for enable, disable in (debian, (["chkconfig", "--add", script], ["chkconfig", "--del", script])):
        if shutil.which(enable[0], path=PATH):
            # Both programs leave a service as it is of which there is any link.
            if not service.at_boot or is_at_boot(service) is None:
                must(disable)
            return must(enable) if service.at_boot else None
    raise OtpError(
        f"this host has neither update-rc.d nor chkconfig to enable {script} at boot:"
        f" give the script a name that the host's rcS starts, such as otp_init_script: /etc/init.d/S80{service.name}."
    )


def start(service: Service) -> None:
    """Start the service; restart it if parts of it run. Raises OtpError with the output if that fails."""
    if service.manager == "sysv":
        must([service.files[0].path, "start"])
        return
    # A release may need none of EPMD, which is decided on the host.
    unit, epmd = f"{service.name}.service", [os.path.basename(file.path) for file in service.files if is_of_epmd(service, file) and os.path.exists(file.path)]
    try:
        # restart: a unit whose node has ended may still be active for a moment.
        code, output = _run_as_root(["systemctl", "restart", unit])
    except OtpError as error:
        # Its job would start the node some time later.
        _run_as_root(["systemctl", "stop", "--no-block", unit, *epmd])
        code, output = 1, str(error)
    if code != 0:
        state = f" {epmd[0]} is {_run_as_root(['systemctl', 'is-active', *epmd])[1]}." if epmd else ""
        units = [option for name in (unit, *epmd) for option in ("--unit", name)]
        journal = _run_as_root(["journalctl", *units, "--lines", "8", "--output", "cat", "--no-pager"])[1]
        raise OtpError(f"systemd cannot start {unit}: {output}{state} The journal ends with:\n{journal}")


def epmd_unit(service: Service) -> list[str]:
    """The name of the unit of EPMD, if the service has one."""
    return [os.path.basename(file.path) for file in service.files if is_of_epmd(service, file)]


def is_of_epmd(service: Service, file: ServiceFile) -> bool:
    """Whether the file is the unit of EPMD."""
    return os.path.basename(file.path) == f"{service.name}-epmd.service"


def without_epmd(service: Service) -> Service:
    """The service of a node that needs no EPMD. Its unit wants that of EPMD, which does not matter to systemd where there is none."""
    return service._replace(files=tuple(file for file in service.files if not is_of_epmd(service, file)))


def stop(service: Service) -> None:
    """Stop the service and all its processes. Raises OtpError."""
    # Before the first run the unit or script does not exist.
    if os.path.exists(service.files[0].path):
        must(["systemctl", "stop", f"{service.name}.service"] if service.manager == "systemd" else [service.files[0].path, "stop"])


def is_up(service: Service) -> bool:
    """Whether systemd runs the service, or is about to start it again. False for an init script, where it is not known."""
    if service.manager != "systemd" or not os.path.exists(service.files[0].path):
        return False
    return _run_as_root(["systemctl", "is-active", f"{service.name}.service"])[1] not in ("inactive", "failed", "unknown")


def is_run_by(service: Service, pid: int) -> bool:
    """Whether the process belongs to the service. True for an init script, where it is not known."""
    return service.manager != "systemd" or unit_of(pid) == service.name


def unit_of(pid: int) -> str:
    """The name of the service of systemd that the process belongs to; empty for none. systemd.service(5), systemd-cgls(1)."""
    found = re.search(r"/([^/\n]+)\.service$", (read_file(f"/proc/{pid}/cgroup") or b"").decode("utf-8", "replace"), re.MULTILINE)
    return found[1] if found else ""


def names_directory(unit: str, directory: str) -> bool:
    """Whether a service of systemd runs programs in the directory, or in their own one."""
    return directory in _run_as_root(["systemctl", "show", "--property=ExecStart,WorkingDirectory", f"{unit}.service"])[1]


def must(command: list[str]) -> None:
    """Run the command as root. Raises OtpError with its output if it fails."""
    code, output = _run_as_root(command)
    if code != 0:
        raise OtpError(f"{' '.join(command)} ended with code {code}: {output or 'no output'}")


def _run_as_root(command: list[str]) -> tuple[int, str]:
    with as_root():
        return run(command, timeout=TIMEOUT)
