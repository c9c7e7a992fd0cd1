# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Other OTPs: the one at hand under other version numbers, for systools and release_handler another OTP; and those of ``OTP_TREES``.

They build and run releases.
"""

from __future__ import annotations

import os
import re
import shutil
import typing as t
from pathlib import Path

from ansible_collections.erlang.otp.plugins.module_utils._build.otp import Otp, read_otp
from ansible_collections.erlang.otp.plugins.module_utils._formats.appup import parse_appup

# By word: the one at hand, renumbered; the root directory of another OTP, or of a whole system with one.
TREES = ["renumbered", *filter(None, os.environ.get("OTP_TREES", "").split(":"))]


def other_otp(tree: str, otp: Otp, place: Path) -> Otp:
    """That of a word of TREES. place: where the one at hand is, renumbered."""
    if tree == "renumbered":
        erts = otp.erts_version.partition(".")[0] + ".0.9"
        return renumber(otp, place, erts=erts, applications={"sasl": before(otp, "sasl")})
    places = (Path(tree) / place for place in ("", "usr/lib/erlang", "usr/local/lib/erlang", "usr/lib64/erlang"))
    return read_otp(str(next(place for place in places if (place / "lib").is_dir() and list(place.glob("erts-*")))))


def version_of(otp: Otp, application: str) -> str:
    """The version of an application of the OTP."""
    return next(path.name.partition("-")[2] for path in Path(otp.lib).iterdir() if path.name.startswith(f"{application}-"))


def before(otp: Otp, application: str) -> str:
    """The newest version that the application's appup leads from: they are written as expressions such as ^4\\.1$."""
    appup = Path(otp.lib, f"{application}-{version_of(otp, application)}", "ebin", f"{application}.appup")
    texts = parse_appup(appup.read_bytes(), filename=str(appup)).versions("up").split(", ")
    plain = [text.strip("^$").replace("\\", "") for text in texts if text.endswith("$") and not re.search(r"[*+]", text)]
    return max(plain, key=lambda version: [int(part) for part in version.split(".")])


def renumber(otp: Otp, root: Path, *, erts: str, applications: t.Mapping[str, str] | None = None) -> Otp:
    """An OTP at root with ERTS of this version, and applications of these; all else is that of the other one.

    Its own erl runs on the other one's kernel and stdlib, so these are there as well.
    """
    shutil.copytree(otp.erts_bin, root / f"erts-{erts}" / "bin")
    (root / "lib").mkdir()
    renumbered = applications or {}
    for path in Path(otp.lib).iterdir():
        name = path.name.partition("-")[0]
        if name not in renumbered or name in ("kernel", "stdlib"):
            (root / "lib" / path.name).symlink_to(path)
    for name, version in renumbered.items():
        ebin = root / "lib" / f"{name}-{version}" / "ebin"
        shutil.copytree(Path(otp.lib, f"{name}-{version_of(otp, name)}", "ebin"), ebin)
        resource = ebin / f"{name}.app"
        resource.write_text(re.sub(r'\bvsn,\s*"[^"]*"', f'vsn, "{version}"', resource.read_text()))
    # For the erl that makes the boot scripts.
    (root / "bin").mkdir()
    shutil.copy(Path(otp.root, "bin", "no_dot_erlang.boot"), root / "bin")
    return read_otp(str(root))
