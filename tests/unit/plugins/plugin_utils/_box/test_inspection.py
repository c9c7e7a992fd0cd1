# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: what a box says of itself is taken apart; nothing of it is believed; memory is bounded, whatever sizes it claims or sends; what is
damaged, or too much, is an error.
"""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
import tarfile
import typing as t
import zlib
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.plugin_utils._box import inspection as _inspection
from ansible_collections.erlang.otp.plugins.plugin_utils._box.inspection import Entry, mode_of, parse_inspection
from ansible_collections.erlang.otp.plugins.plugin_utils._box.limits import MAX_INSPECTION
from ansible_collections.erlang.otp.plugins.plugin_utils._box.shell import EMULATORS

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
drwxr-xr-x    6 100      101           4096 Nov 21 18:00 /srv/exchange/.
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

releases:
-rw-r--r--    1 100      101              4 Nov 21 18:00 RELEASES
=sums
{SHA}  bin/epmd
=heads
"""


def tar_of(files: dict[str, bytes], **fields: t.Any) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), 1700000000
            for field, value in fields.items():
                setattr(member, field, value)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def said(*, head: bytes = b"\x7fELF\n\x00rest", files: bytes | None = None, more: str = "") -> bytes:
    text = (FACTS + TREE.replace("=sums", more + "=sums")).encode("utf-8", "surrogateescape")
    archive = tar_of({"releases/RELEASES": b"[].\n"}) if files is None else files
    return gzip.compress(text + b"%d /proc/7/exe\n%s" % (len(head), head) + archive)


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


@pytest.mark.parametrize(("permissions", "mode"), [("rwxr-xr-x", 0o755), ("r--------", 0o400), ("---------", 0), ("rwsr-sr-t", 0o7755), ("rwSr-Sr-T", 0o7644)])
def test_permissions(permissions: str, mode: int) -> None:
    assert mode_of(permissions) == mode


def test_the_memory_of_an_answer_is_bounded() -> None:
    packed = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packed.compress(bytes(1 << 24)) for dummy in range(16)) + packed.flush()
    assert len(bomb) < 1 << 19, "256 MiB in little"
    code = """
import resource, sys
from ansible_collections.erlang.otp.plugins.plugin_utils._box.inspection import OtpError, parse_inspection
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
answer, before = sys.stdin.buffer.read(), peak()
try: parse_inspection(answer)
except OtpError as error: print(error)
print(peak() - before)
"""
    *words, peak = subprocess.run([sys.executable, "-c", code], input=bomb, capture_output=True, check=True).stdout.decode().splitlines()
    assert "more than 64 MiB: remove from the box" in words[0]
    assert int(peak) < 3 * (MAX_INSPECTION >> 20)


def test_too_many_names_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_inspection, "MAX_NAMES", 4)
    with pytest.raises(OtpError, match="more than 4 files"):
        parse_inspection(said())


@pytest.mark.parametrize("size", ["-1", " 10", "0x10", "9" * 5, "1e3", ""])
def test_the_size_of_a_head_is_a_number(size: str) -> None:
    text = f"{FACTS}=sums\n=heads\n{size} /proc/7/exe\nrest".encode()
    with pytest.raises(OtpError, match="damaged"):
        parse_inspection(gzip.compress(text))


@pytest.mark.parametrize(
    ("name", "kind"), [("releases/RELEASES", b"1"), ("releases/RELEASES", b"2"), ("releases/RELEASES", b"S"), ("lib/device", b"0"), ("bin", b"0"), ("x", b"0")]
)
def test_content_counts_only_for_plain_files_that_are_listed(name: str, kind: bytes) -> None:
    assert parse_inspection(said(files=tar_of({name: b""}, type=kind))).files == {}


def test_what_is_shown_of_a_lock_has_no_control_characters() -> None:
    found = parse_inspection(gzip.compress(b"locked a\x1b[2J\x07b " + b"x" * 5000 + b"\n"))
    assert found.locked.startswith("a[2Jb x") and len(found.locked) == 200


def test_numbers_of_any_length_are_read_in_part() -> None:
    long = "9" * 5000
    assert parse_inspection(gzip.compress(f"free {long}\nemulator {long}\nme {long} {long}\n{FACTS}".encode())).complete


def test_the_child_that_an_emulator_has_forked_is_not_another_one(tmp_path: Path) -> None:
    program = "import os; child = os.fork(); print(child, flush=True) if child else None; os.read(0, 1)"
    search = ["sh", "-c", f"ROOT={tmp_path}; . {EMULATORS.with_name('is_emulator.sh')}; . {EMULATORS}; emulators"]
    with subprocess.Popen([sys.executable, "-c", program, "-root", str(tmp_path), "-x"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout and int(process.stdout.readline()) != process.pid
        assert subprocess.run(search, capture_output=True, text=True, check=True).stdout == f"emulator {process.pid}\n"
