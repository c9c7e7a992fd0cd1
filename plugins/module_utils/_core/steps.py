# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module does at the moment, for a display on the controller that shows it meanwhile (``docs/design.md``, The live display).

A step is a line of standard output before the result. No step is worth a wait: what cannot be written at once is left out.
"""

from __future__ import annotations

import json
import os
import select

# A line of standard output that begins with this is a step.
STEP = "erlang.otp.step "
# Characters of a text. A pipe takes a line of this length whole, or not at all.
LONGEST = 300
# Where the lines go: the file descriptor, if they are read.
_outputs: list[int] = []


def show_steps(output: int = 1) -> None:
    """From now on write the steps to this file descriptor, which is a pipe."""
    _outputs[:] = [output]


def step(text: str) -> None:
    """Say what is done next."""
    for output in _outputs:
        # The controller may be gone, or stopped: the work goes on.
        try:
            if select.select([], [output], [], 0)[1]:
                os.write(output, f"{STEP}{json.dumps(text[:LONGEST])}\n".encode())
        except (OSError, ValueError):
            pass
