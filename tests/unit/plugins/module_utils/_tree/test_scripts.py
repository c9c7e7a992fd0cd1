# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start scripts, run by a real sh: which tree they run, with paths of every kind."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._tree.scripts import is_foreign, make_scripts

ROOTS = ["plain", "with space", "\u03b1\u03b2\u03b3", "quo'te", 'dou"ble', "$HOME `id` $(id)", "back\\slash", "a;b&c|d", "percent %VSN% {x}", "star*[a]?"]


def system(root: Path, templates: dict[str, bytes]) -> None:
    """A tree whose programs say what they are called with."""
    (root / "bin").mkdir(parents=True)
    (root / "erts-13.1.5/bin").mkdir(parents=True)
    (root / "releases/FIRST").mkdir(parents=True)
    (root / "releases/FIRST/sys.config").write_text("[].")
    (root / "releases/start_erl.data").write_text("13.1.5 FIRST")
    say = '#!/bin/sh\nprintf "%s\\n" "${0##*/}" "$ROOTDIR" "$BINDIR" "$EMU" "$PROGNAME" "$@"\n'
    programs = {"erts-13.1.5/bin/erlexec": say, "bin/run_erl": '#!/bin/sh\nprintf "%s\\n" "$1" "$2" "$3"\nexec /bin/sh -c "$4"\n'}
    scripts = make_scripts(root=str(root), erts_version="13.1.5", templates=templates, emulator="beam")
    for name, content in [*scripts.items()]:
        (root / "bin" / name).write_bytes(content)
    for name, text in programs.items():
        (root / name).write_text(text)
    for path in [*(root / "bin").iterdir(), root / "erts-13.1.5/bin/erlexec"]:
        path.chmod(0o755)


def run(*command: str) -> list[str]:
    return subprocess.run(command, check=True, capture_output=True, env={"PATH": "/usr/bin:/bin"}, encoding="utf-8").stdout.splitlines()


@pytest.mark.parametrize("name", ROOTS)
@pytest.mark.parametrize("templates", [{}, {"start": b"#!/bin/sh\necho $%FINAL_ROOTDIR%\n"}], ids=["own", "template"])
def test_any_root(tmp_path: Path, name: str, templates: dict[str, bytes]) -> None:
    root = tmp_path / name
    # A template of OTP serves for plain paths only.
    system(root, {} if name in ("plain", "\u03b1\u03b2\u03b3") else templates)
    erl = [str(root), f"{root}/erts-13.1.5/bin", "beam"]
    assert run(f"{root}/bin/erl", "-eval", "a b") == ["erlexec", *erl, "erl", "-eval", "a b"]
    releases = f"{root}/releases"
    arguments = ["-boot", f"{releases}/FIRST/start", "-config", f"{releases}/FIRST/sys"]
    assert run(f"{root}/bin/start") == ["-daemon", "/tmp/", f"{root}/log", "erlexec", *erl, "start_erl", *arguments]
    assert run(f"{root}/bin/start_erl", str(root), releases, f"{releases}/start_erl.data", "-heart") == ["erlexec", *erl, "start_erl", *arguments, "-heart"]


def test_templates() -> None:
    templates = {"erl": b'ROOTDIR="%FINAL_ROOTDIR%"\n', "start": b"ROOTDIR=%FINAL_ROOTDIR% %VSN%\n", "start_erl": b"EMU=%EMU% 100%\n"}
    assert make_scripts(root="/srv/\u03b1", erts_version="15.2.7", templates=templates, emulator="beam") == {
        "erl": 'ROOTDIR="/srv/\u03b1"\n'.encode(),
        "start": "ROOTDIR=/srv/\u03b1 15.2.7\n".encode(),
        "start_erl": b"EMU=beam 100%\n",
    }


@pytest.mark.parametrize(
    "script, foreign",
    [
        (b"ROOTDIR=/usr/lib/erlang\n", True),
        (b'if x\n    ROOTDIR="/usr/lib/erlang"\nfi\n', True),
        (b"ROOTDIR=/srv/system\n", False),
        (b"ROOTDIR='/srv/system'\n", False),
        (b"ROOTDIR=/usr/lib/erlang\nROOTDIR=/srv/system\n", False),
        (b'ROOTDIR=/usr/lib/erlang\nROOTDIR="$dyn_rootdir"\n', False),
        (b'ROOTDIR="$(dirname "$0")"\n', False),
        (b"", False),
    ],
)
def test_is_foreign(script: bytes, foreign: bool) -> None:
    assert is_foreign(script, "/srv/system") is foreign


def test_own_scripts_are_not_foreign() -> None:
    for root in ("/srv/system", "/srv/with space", "/srv/quo'te"):
        scripts = make_scripts(root=root, erts_version="13.1.5", templates={})
        assert not is_foreign(scripts["erl"], root)
        assert not is_foreign(scripts["start"], root)
