# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one rule for paths and names of a host, which systemd, sh, Ansible, the C programs of OTP and the emulator all read.

All else works everywhere: spaces, ``'``, ``%``, signs of globs, other alphabets, a leading ``-`` (tests/real/test_odd_names.py).
"""

from __future__ import annotations

import re
import typing as t

# What reads it otherwise: erlexec starts EPMD by system(), with the path in double quotes; Ansible expands $ in a path; a unit has escapes and
# quotes; and PATH is a list with colons, in which the emulator finds heart.
REFUSED = '"\\$`:'
# As useradd and systemd have it.
USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,30}")
# systemd: at most 255 with -epmd.service.
SERVICE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")


def paths(given: t.Mapping[str, str]) -> t.Iterator[str]:
    """Sentences about paths on the host, by the variables that have them."""
    for name, path in given.items():
        refused = sorted({character for character in path if character in REFUSED or not character.isprintable()})
        if not path.startswith("/"):
            yield f"{name} is {path!r}: it must be an absolute path."
        elif refused:
            yield f"{name} is {path!r}: it has {' '.join(map(repr, refused))}, which systemd, sh or the emulator read otherwise. Use another directory."
        elif {".", ".."} & set(path.split("/")):
            yield f"{name} is {path!r}: write it without '.' and '..'."
