# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The blocks ``[ERROR]`` of a run: a run that fails has one, and none says of a host what an earlier one has said. The sites check each run."""

from __future__ import annotations

import re

BLOCK = re.compile(
    r"^\[ERROR\]: (?:(?:Task|Action|Module) failed: )*(.*?)\n(?:Origin: .*?)?^(?:fatal|failed): \[(\w+).*?(FAILED|UNREACHABLE|item)", re.MULTILINE | re.DOTALL
)


def blocks_of(output: str) -> list[tuple[str, str, str]]:
    """The host, the message and the kind of each, in order. Ansible shows a block once where several hosts have failed in the same way."""
    return [(host, message.strip(), kind) for message, host, kind in BLOCK.findall(output)]


def check_blocks(output: str, code: int) -> None:
    """See that each failure has its one block. code: how the run has ended. Each time that a host is tried and not reached is a failure."""
    found = blocks_of(output)
    assert code != 2 or "[ERROR]" in output, output
    for place, (host, message, kind) in enumerate(found):
        before = [text for other, text, _kind in found[:place] if other == host and (message in text or text in message)]
        assert kind == "UNREACHABLE" or not before, f"{host}: {message}\n{before}\n{output}"
