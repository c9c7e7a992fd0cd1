# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""make.py DIRECTORY: the packages of rebar3 and mix, the cookie of mix's, and in the directory bare the packages without relup and appup."""

import shutil
import sys
import tarfile
from pathlib import Path

from template_packages import Templates

directory = Path(sys.argv[1])
# molecule leaves some of an earlier run.
shutil.rmtree(directory, ignore_errors=True)
(directory / "bare").mkdir(parents=True)
templates = Templates(directory)
templates.tele()
templates.shop()
for package in directory.glob("*.tar.gz"):
    with tarfile.open(package) as full, tarfile.open(directory / "bare" / package.name, "w:gz", compresslevel=1) as bare:
        for member in full:
            if member.name == "releases/COOKIE":
                (directory / "COOKIE").write_bytes(full.extractfile(member).read())
            if not member.name.endswith((".appup", "/relup")):
                bare.addfile(member, full.extractfile(member))
