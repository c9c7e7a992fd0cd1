# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""sys.config as a real emulator takes or refuses it at its start: the tables of the unit tests."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from waiting import LIMIT

from ansible_collections.erlang.otp.tests.unit.plugins.module_utils._config.test_configure import REFUSED, TAKEN


def starts(erl: str, directory: Path, text: str) -> bool:
    for name in ("other.config", "ot.config"):
        (directory / name).write_text("[{sasl,[]}].\n")
    (directory / "sys.config").write_text(text)
    done = subprocess.run(
        [erl, "-noshell", "-config", str(directory / "sys"), "-eval", "halt(0)."],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "ERL_CRASH_DUMP_BYTES": "0"},
        timeout=LIMIT,
        check=False,
    )
    return done.returncode == 0


@pytest.mark.parametrize("text", TAKEN)
def test_what_we_take_the_emulator_takes(erl, tmp_path, text):
    assert starts(erl, tmp_path, text)


# A word that is reserved since OTP 27 is refused because the release may run on that.
@pytest.mark.parametrize("text", [text for text, _message in REFUSED if "else" not in text])
def test_what_we_refuse_the_emulator_refuses(erl, tmp_path, text):
    assert not starts(erl, tmp_path, text)
