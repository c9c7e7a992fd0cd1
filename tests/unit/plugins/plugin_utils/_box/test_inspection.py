# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a box says of itself, taken apart; and its copy, which stays in its directory whatever the box says."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.plugin_utils._box.delivery import prepare_delivery
from ansible_collections.erlang.otp.plugins.plugin_utils._box.inspection import Entry, Inspection, mode_of, parse_inspection
from ansible_collections.erlang.otp.plugins.plugin_utils._box.mirror import MARK, Mirror
from ansible_collections.erlang.otp.plugins.plugin_utils._box.shell import PROGRAMS

SHA = 64 * "a"
FACTS = """\
missing tail
me 0 0
user 100 101
free 2048
loader /lib/ld-linux-armhf.so.3
emulator 4711
complete
=list
drwxr-xr-x    6 100      101           4096 Nov 21 18:00 /srv/exchange
-r--------    1 100      101             12 Jan  1  1970 /var/lib/exchange/.erlang.cookie
"""
TREE = f"""\
{SHA}  /var/lib/exchange/.erlang.cookie
total 4
drwxr-xr-x    2 100      101           4096 Nov 21 18:00 bin
lrwxrwxrwx    1 root     0               12 Nov 21 18:00 ignored by its owner
lrwxrwxrwx    1 0        0               12 Nov 21 18:00 run -> /run/exchange
bin:
total 136
-rwxr-xr-x    1 100      101          64376 Nov 21 18:00 epmd
-rwsr-x--T    1 100      101             20 Nov 21 18:00 a name with blanks

lib:
total 0
crw-rw-rw-    1 0        0           5,   2 Nov 21 18:00 device
=sums
{SHA}  bin/epmd
=heads
"""


def said(*, head: bytes = b"\x7fELF\n\x00rest", files: dict[str, bytes] | None = None) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in (files or {"releases/RELEASES": b"[].\n"}).items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), 1700000000
            archive.addfile(member, io.BytesIO(content))
    text = (FACTS + TREE).encode()
    return gzip.compress(text + b"%d /proc/7/exe\n%s" % (len(head), head) + stream.getvalue())


def test_a_look_is_taken_apart() -> None:
    found = parse_inspection(said())
    assert (found.complete, found.missing, found.me, found.user) == (True, ["tail"], (0, 0), (100, 101))
    assert (found.free, found.loaders, found.emulators) == (2 << 20, {"/lib/ld-linux-armhf.so.3"}, [4711])
    assert found.entries["/var/lib/exchange/.erlang.cookie"] == Entry("-", 0o400, 100, 101, 12, "")
    assert found.entries["bin/epmd"] == Entry("-", 0o755, 100, 101, 64376, "")
    assert found.entries["run"] == Entry("l", 0o777, 0, 0, 12, "/run/exchange")
    assert found.entries["bin/a name with blanks"].mode & 0o770 == 0o750
    assert found.entries["lib/device"].kind == "c"
    assert "ignored by its owner" not in found.entries
    assert found.sums == {"bin/epmd": SHA, "/var/lib/exchange/.erlang.cookie": SHA}
    assert found.heads == {"/proc/7/exe": b"\x7fELF\n\x00rest"}
    assert found.files == {"releases/RELEASES": (b"[].\n", 1700000000)}


def test_a_box_that_is_bare_says_little() -> None:
    found = parse_inspection(gzip.compress(FACTS.encode()))
    assert found.complete
    assert set(found.entries) == {"/srv/exchange", "/var/lib/exchange/.erlang.cookie"}


@pytest.mark.parametrize("damaged", [b"", b"no gzip", said()[:-100]])
def test_what_is_damaged_is_an_error(damaged: bytes) -> None:
    with pytest.raises(OtpError, match="damaged"):
        parse_inspection(damaged)


@pytest.mark.parametrize(("permissions", "mode"), [("rwxr-xr-x", 0o755), ("r--------", 0o400), ("---------", 0)])
def test_permissions(permissions: str, mode: int) -> None:
    assert mode_of(permissions) == mode


FILE = Entry("-", 0o644, 0, 0, 3, "")


@pytest.mark.parametrize("path", ["../evil", "bin/../../evil", "/etc/passwd"])
def test_a_path_that_nobody_asked_for_is_refused(tmp_path: Path, path: str) -> None:
    mirror = Mirror(str(tmp_path / "copy"), "/srv/exchange")
    with pytest.raises(OtpError, match="which was not requested"):
        mirror.fill(Inspection(entries={path: FILE}))
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    mirror = Mirror(str(tmp_path / "copy"), "/srv/exchange")
    mirror.fill(Inspection(entries={"run": Entry("l", 0o777, 0, 0, 3, str(tmp_path / "outside")), "run/emulator.pid": FILE}))
    assert mirror.place("run").is_symlink()
    assert list((tmp_path / "outside").iterdir()) == []


def test_what_only_the_box_has_is_marked_by_its_sum_or_its_path(tmp_path: Path) -> None:
    mirror = Mirror(str(tmp_path), "/srv/exchange")
    mirror.fill(
        Inspection(entries={"bin/epmd": FILE, "lib/a": FILE, "releases/RELEASES": FILE}, sums={"bin/epmd": SHA}, files={"releases/RELEASES": (b"[].", 7)})
    )
    assert mirror.place("bin/epmd").read_bytes() == MARK + SHA.encode()
    assert mirror.place("lib/a").read_bytes() == MARK + b"lib/a"
    assert (mirror.place("releases/RELEASES").read_bytes(), mirror.place("releases/RELEASES").stat().st_mtime) == (b"[].", 7)
    assert prepare_delivery(mirror, "0:0", {}) is None
    # The same content elsewhere is copied on the box.
    mirror.place("lib/a").write_bytes(mirror.place("bin/epmd").read_bytes())
    delivery = prepare_delivery(mirror, "0:0", {})
    assert delivery is not None
    assert "copy 644 lib/a /srv/exchange/bin/epmd" in steps_of(delivery.stream)


def steps_of(stream: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(stream)) as archive:
        steps = archive.extractfile("steps")
        return steps.read().decode().splitlines() if steps else []


def test_the_child_that_an_emulator_has_forked_is_not_another_one(tmp_path: Path) -> None:
    program = "import os; child = os.fork(); print(child, flush=True) if child else None; os.read(0, 1)"
    search = ["sh", "-c", f"ROOT={tmp_path}; . {PROGRAMS}/common.sh; emulators"]
    with subprocess.Popen([sys.executable, "-c", program, "-root", str(tmp_path), "-x"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout and int(process.stdout.readline()) != process.pid
        assert subprocess.run(search, capture_output=True, text=True, check=True).stdout == f"emulator {process.pid}\n"
