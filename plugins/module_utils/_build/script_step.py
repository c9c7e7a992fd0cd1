# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The step of a build that makes the boot scripts and the relup: from the cache, or by one run of erl in a work directory.

systools:make_script/2 and systools:make_relup/4 of SASL make them; the same run strips the BEAM files that are not in the cache.
"""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._build.boot_scripts import BootScripts, ScriptRun, SystoolsError, scripts_key
from ansible_collections.erlang.otp.plugins.module_utils._build.cache import Cache
from ansible_collections.erlang.otp.plugins.module_utils._build.inputs import Options, Sources
from ansible_collections.erlang.otp.plugins.module_utils._build.systools import Diagnostic
from ansible_collections.erlang.otp.plugins.module_utils._build.upgrades import Layout, lay_out
from ansible_collections.erlang.otp.plugins.module_utils._core.files import large_directory


class ScriptStep:
    """The scripts of one build. ``stack``: ends erl and removes the work directory when it is closed."""

    def __init__(self, options: Options, sources: Sources, cache: Cache, stack: contextlib.ExitStack) -> None:
        self._options = options
        self._sources = sources
        self._cache = cache
        self._stack = stack
        self._erl: ScriptRun | None = None
        self._directory = ""
        self._layout: Layout | None = None

    def key(self, content: str) -> str:
        """The key of the scripts in the cache. ``content``: that of the applications, for exref."""
        return scripts_key(self._sources, self._options.script, content, restart_emulator=self._options.restart_emulator)

    def start(self, strip: t.Sequence[str] = ()) -> ScriptRun:
        """Start erl, which goes on beside this process. ``strip``: the BEAM files to strip."""
        self._erl = ScriptRun(self._sources, self._options, self.work_directory(), self._lay_out(), strip)
        self._stack.callback(self._erl.stop)
        return self._erl

    def scripts(self, key: str, strip: t.Sequence[str]) -> BootScripts:
        """The scripts, once the BEAM files are stripped. Raises SystoolsError."""
        packed = None if self._erl or strip else self._cache.get(key)
        if packed is not None:
            return BootScripts.unpack(packed)
        scripts = (self._erl or self.start(strip)).scripts()
        self._cache.put(key, scripts.pack())
        return scripts

    @property
    def stripped(self) -> dict[str, str] | None:
        """The stripped file for the path of each BEAM file that this run stripped."""
        return self._erl.stripped if self._erl else None

    def notes(self) -> list[Diagnostic]:
        """Warnings about the earlier releases. Raises SystoolsError where warnings are errors."""
        layout = self._lay_out()
        notes = [*self._sources.upgrades.notes, *(layout.notes if layout else [])]
        if notes and self._options.script.warnings_as_errors:
            raise SystoolsError(" ".join(note.sentence for note in notes), notes)
        return notes

    def work_directory(self) -> str:
        """A private directory, made when it is first needed."""
        if not self._directory:
            import tempfile

            self._directory = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="erlang-otp-", dir=large_directory()))
        return self._directory

    def _lay_out(self) -> Layout | None:
        """The earlier releases, in the work directory."""
        if self._layout is None and self._sources.upgrades.releases:
            self._layout = lay_out(self._sources.upgrades, self._sources.found, self.work_directory())
        return self._layout
