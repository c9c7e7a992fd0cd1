# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Applications and releases of OTP's own cases, built with otp_release_build's logic, relups included."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

from handler_site import System, until
from release_workshop import MINIMAL, Workshop

from ansible_collections.erlang.otp.plugins.module_utils._otp import Otp, find_otp
from ansible_collections.erlang.otp.plugins.module_utils._session import nudge


class Cases:
    """A directory with applications and the packages of releases, by the releases' versions."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.otp = find_otp(None)
        self.packages: dict[str, str] = {}

    def application(
        self,
        name: str,
        version: str,
        modules: t.Mapping[str, str],
        *,
        description: str = "A case",
        keys: str = "",
        appup: str = "",
    ) -> Path:
        """An application of these modules, given as source without -module; its directory. appup: all after the version."""
        directory = self.directory / f"lib/{name}-{version}"
        (directory / "ebin").mkdir(parents=True)
        (directory / "src").mkdir()
        sources = []
        for module, text in modules.items():
            sources.append(directory / "src" / f"{module}.erl")
            sources[-1].write_text(f"-module({module}).\n{text}", "utf-8")
        subprocess.run(["erlc", "+debug_info", "-o", directory / "ebin", *sources], check=True)
        properties = f'{{description, "{description}"}}, {{vsn, "{version}"}}, {{modules, [{", ".join(modules)}]}}, {{registered, []}}'
        resource = f"%% coding: utf-8\n{{application, {name}, [{properties}, {{applications, [kernel, stdlib, sasl]}}{keys}]}}.\n"
        (directory / "ebin" / f"{name}.app").write_text(resource, "utf-8")
        if appup:
            (directory / "ebin" / f"{name}.appup").write_text(f'{{"{version}", {appup}}}.\n', "utf-8")
        return directory

    def release(
        self,
        version: str,
        *applications: str,
        name: str = "CASE",
        up: t.Sequence[str] = (),
        down: t.Sequence[str] = (),
        otp: Otp | None = None,
        **options: t.Any,
    ) -> dict[str, t.Any]:
        """Build a release of kernel, stdlib, sasl and these applications (NAME-VERSION), with a relup from and to earlier ones."""
        workshop = Workshop(self.directory, otp or self.otp)
        given = {
            "rel": workshop.rel(*MINIMAL, *applications, stem=version, name=name, version=version),
            "otp_root": workshop.otp.root,
            "sys_config": "[].\n",
            "output_dir": str(self.directory / version),
            "upgrade_from": tuple(self.packages[earlier] for earlier in up),
            "downgrade_to": tuple(self.packages[earlier] for earlier in down),
        }
        result = workshop.build(**{**given, **options})
        self.packages[version] = result["package"]
        return result


def restarts(result: t.Mapping[str, t.Any]) -> dict[str, str]:
    """How each way of the relup of a release that was built restarts the emulator: "up P1H": "none"."""
    return {f"{way['direction']} {way['from'] if way['direction'] == 'up' else way['to']}": way["restarts"] for way in result["relup"]}


def reboot(system: System) -> None:
    """As an operator does it; and wait until heart has started the permanent release."""
    before = system.pid
    system.call("init", "reboot")

    def is_back() -> bool:
        nudge(before)
        return system.observe().status == "started" and system.pid != before

    until(is_back)
