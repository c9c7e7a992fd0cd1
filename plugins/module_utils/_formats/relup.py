# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A relup as data: from which releases it leads to its own, back to which, and whether the emulator restarts on the way.

Its shape is that of relup(4); it describes the restart instructions, as appup(4) does.
"""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom, TermError, as_text, consult_bytes

RESTART_NEW_EMULATOR, RESTART_EMULATOR = Atom("restart_new_emulator"), Atom("restart_emulator")
BOTH = (RESTART_NEW_EMULATOR.name, RESTART_EMULATOR.name)


class Script(t.NamedTuple):
    """The instructions that lead from, or back to, the release of this version."""

    version: str
    instructions: tuple[t.Any, ...]

    @property
    def restarts(self) -> tuple[str, ...]:
        """The instructions that restart the emulator: restart_new_emulator before all else, restart_emulator after it."""
        return tuple(name.name for name in (RESTART_NEW_EMULATOR, RESTART_EMULATOR) if name in self.instructions)

    @property
    def restart(self) -> str:
        """The same as one word: none, restart_new_emulator, restart_emulator, both."""
        return "both" if self.restarts == BOTH else "".join(self.restarts) or "none"


class Relup(t.NamedTuple):
    """What leads to the release of this version, and back from it."""

    version: str
    up: tuple[Script, ...]
    down: tuple[Script, ...]

    def script(self, direction: str, version: str) -> Script | None:
        """What leads "up" from this version, or "down" to it; the first one counts, as for release_handler."""
        return next((script for script in getattr(self, direction) if script.version == version), None)

    @property
    def upgrade_from(self) -> dict[str, str]:
        """The releases from which it leads up, and how the emulator restarts on the way, as Script.restart."""
        return {script.version: script.restart for script in reversed(self.up)}


def parse_relup(data: bytes, *, filename: str) -> Relup:
    """The content of a file ``relup``. Raises OtpError."""
    terms = consult_bytes(data, filename=filename)
    try:
        (relup,) = terms
        version, up, down = relup
        return Relup(as_text(version), _scripts(up), _scripts(down))
    except (TypeError, ValueError, TermError):
        raise OtpError(f"{filename}: it is not one term {{Vsn, [{{UpFromVsn, Descr, Instructions}}], [{{DownToVsn, Descr, Instructions}}]}}") from None


def _scripts(term: t.Any) -> tuple[Script, ...]:
    scripts = []
    for version, _description, instructions in term:
        if not isinstance(instructions, list) and instructions != "":
            raise TypeError
        scripts.append(Script(as_text(version), tuple(instructions)))
    return tuple(scripts)
