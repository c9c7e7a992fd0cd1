# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The boot scripts of a release, and its relup: made by systools, or taken from the cache when they were made from the same input before."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._build.inputs import Options, Sources
from ansible_collections.erlang.otp.plugins.module_utils._build.systools import (
    Diagnostic,
    Run,
    ScriptOptions,
    exref_job,
    make_relup_job,
    make_script_job,
    strip_job,
    systools_identity,
)
from ansible_collections.erlang.otp.plugins.module_utils._build.upgrades import Layout
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError

# Names in the work directory, whatever the user's .rel file is called.
RELEASE, PLAIN = "release", "plain"
# Counts up when packed scripts look different.
PACKED_FORMAT = 3
# Warnings about a relup that upgrades.py reports with more detail.
REPORTED_ELSEWHERE = ("erts_vsn_changed", "bad_vsn")


class SystoolsError(OtpError):
    """systools refuses the release. ``diagnostics``: why, as data."""

    def __init__(self, text: str, diagnostics: list[Diagnostic]) -> None:
        super().__init__(text)
        self.diagnostics = diagnostics


class BootScripts(t.NamedTuple):
    """The release's boot file and script, the boot file of kernel and stdlib alone, the relup or b"", and systools' warnings."""

    boot: bytes
    script: bytes
    plain_boot: bytes
    relup: bytes
    warnings: list[Diagnostic]

    def pack(self) -> bytes:
        files = [content.decode("latin-1") for content in self[:4]]
        return json.dumps([files, self.warnings]).encode()

    @staticmethod
    def unpack(packed: bytes) -> BootScripts:
        files, warnings = json.loads(packed)
        boot, script, plain_boot, relup = (content.encode("latin-1") for content in files)
        return BootScripts(boot, script, plain_boot, relup, list(map(Diagnostic.from_data, warnings)))


def scripts_key(sources: Sources, options: ScriptOptions, content: str, *, restart_emulator: bool = False) -> str:
    """What the scripts depend on: .rel and .app files, where variables lead, options, systools; for a relup earlier releases and
    appups; and, for exref, the content.

    That every module listed is there has been checked before.
    """
    if options.src_tests:
        # It compares file times, which nothing else here looks at: never the same.
        content = os.urandom(16).hex()
    applications = [(found.app_file, found.ebin if options.variables else "") for found in sources.found]
    relup = (sources.upgrades.identity, restart_emulator)
    identity = (PACKED_FORMAT, systools_identity(sources.otp), sources.rel, applications, options, relup, content)
    return "scripts-" + hashlib.sha256(repr(identity).encode()).hexdigest()


def link_variables(ebins: list[str], variables: tuple[tuple[str, str], ...], directory: str) -> tuple[list[str], tuple[tuple[str, str], ...]]:
    """The same for systools, by links in the directory if it would take an application for one of another variable.

    It compares texts: for it, /opt/shared2 is in /opt/shared.
    """
    homes = [next((prefix for _name, prefix in variables if os.path.commonpath((ebin, prefix)) == prefix), None) for ebin in ebins]
    if homes == [next((prefix for _name, prefix in variables if ebin.startswith(prefix)), None) for ebin in ebins]:
        return ebins, variables
    links = {prefix: os.path.join(directory, f"{number}.variable") for number, (_name, prefix) in enumerate(variables)}
    for prefix, link in links.items():
        os.symlink(prefix, link)
    linked = [ebin if home is None else os.path.join(links[home], os.path.relpath(ebin, home)) for ebin, home in zip(ebins, homes)]
    return linked, tuple((name, links[prefix]) for name, prefix in variables)


class ScriptRun:
    """systools at work on the scripts, on a relup from and to what is laid out if none is given, and on BEAM files to strip, in a private directory."""

    def __init__(self, sources: Sources, options: Options, directory: str, layout: Layout | None, strip: t.Sequence[str]) -> None:
        for name, content in ((RELEASE, sources.rel), (PLAIN, sources.plain_rel)):
            with open(os.path.join(directory, name + ".rel"), "wb") as file:
                file.write(content)
        ebins = [found.ebin for found in sources.found]
        linked, variables = link_variables(ebins, options.script.variables, directory)
        script = options.script._replace(variables=variables)
        plain_options = ScriptOptions(no_warn_sasl=True, no_dot_erlang=script.no_dot_erlang, variables=script.variables)
        self.stripped = {path: os.path.join(directory, f"{number}.beam") for number, path in enumerate(strip)}
        jobs = [make_script_job(RELEASE, linked, script), make_script_job(PLAIN, linked, plain_options)]
        self._relup = sources.upgrades.relup
        self._has_relup = layout is not None and not self._relup
        if layout is not None and self._has_relup:
            path = [*layout.made, *ebins, *layout.ebins]
            jobs.append(make_relup_job(RELEASE, layout.up, layout.down, path, restart_emulator=options.restart_emulator, appups=layout.uses))
        if options.script.exref:
            from ansible_collections.erlang.otp.plugins.module_utils._build.undefined_calls import looked_at

            callers = [(found.name, found.ebin) for found in looked_at(options.script.exref, sources.found)]
            # The modules that the emulator has by itself are there.
            preloaded = glob.glob(os.path.join(glob.escape(sources.otp.lib), "erts-*", "ebin"))
            jobs.append(exref_job(callers, [*ebins, *preloaded]))
        self._directory = directory
        self._run = Run(sources.otp, directory, jobs + ([strip_job(options.strip_keep, self.stripped.items())] if strip else []))

    def scripts(self) -> BootScripts:
        """Wait for the scripts. Raises SystoolsError with all of systools' errors."""
        results = self._run.results()
        # Of the release and of kernel and stdlib alone it may be the same.
        refused = list(dict.fromkeys(diagnostic for went_well, diagnostics in results if not went_well for diagnostic in diagnostics))
        if refused:
            sentences = dict.fromkeys(diagnostic.sentence for diagnostic in refused)
            raise SystoolsError(f"systools refuses the release. {' '.join(sentences)}", refused)
        boot, script, plain = (self._read(name) for name in (RELEASE + ".boot", RELEASE + ".script", PLAIN + ".boot"))
        # Of kernel and stdlib alone they are the same.
        warnings = list(dict.fromkeys(warning for result in (results[0], *results[2:]) for warning in result[1] if warning.kind not in REPORTED_ELSEWHERE))
        return BootScripts(boot, script, plain, self._read("relup") if self._has_relup else self._relup, warnings)

    def stop(self) -> None:
        self._run.stop()

    def _read(self, name: str) -> bytes:
        with open(os.path.join(self._directory, name), "rb") as file:
            return file.read()
