# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: nothing is delivered that the box has; new files are flushed before they are renamed; libraries and ERTS come first, RELEASES and
then start_erl.data last, each after a sync; a file is removed after everything is in place; the cookie goes through the stream with its
mode and its owner, and no other way; a disk that is too small is reported before anything is sent; root gives a file its owner before it is in its
place; a directory of another user is named before anything is sent; only what was in the copy, and no link's target, is read.
"""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tarfile
import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.plugin_utils._box.delivery import Delivery, check_room, content_of, prepare_delivery
from ansible_collections.erlang.otp.plugins.plugin_utils._box.inspection import Entry, Inspection
from ansible_collections.erlang.otp.plugins.plugin_utils._box.mirror import Mirror
from ansible_collections.erlang.otp.plugins.plugin_utils._box.shell import Shell

ROOT = "/srv/exchange"
COOKIE = "/var/lib/erlang/.erlang.cookie"
NEW = ("releases/start_erl.data", "releases/RELEASES", "releases/z1/start.boot", "bin/start", "lib/pea-1.0/ebin/pea.beam", "erts-15.2/bin/beam.smp")


def steps_of(delivery: Delivery | None) -> list[str]:
    assert delivery is not None
    with tarfile.open(fileobj=io.BytesIO(delivery.stream)) as archive:
        steps = archive.extractfile("steps")
        assert steps
        return steps.read().decode().splitlines()


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    """The copy of a box whose system has RELEASES, start_erl.data, an old library, and nothing else."""
    mirror = Mirror(str(tmp_path), ROOT, (COOKIE,))
    directories = {ROOT: Entry("d", 0o755, 100, 100, 0, ""), **{path: Entry("d", 0o755, 100, 100, 0, "") for path in ("releases", "lib", "bin")}}
    files = dict.fromkeys(("releases/RELEASES", "releases/start_erl.data", "lib/old"), (b"old", 7))
    mirror.fill(Inspection(entries={**directories, **{path: Entry("-", 0o644, 100, 100, 3, "") for path in files}}, files=files))
    return mirror


def write(mirror: Mirror, path: str, content: bytes, mode: int = 0o644) -> None:
    place = mirror.place(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    place.chmod(mode)


def test_nothing_is_delivered_twice(mirror: Mirror) -> None:
    assert prepare_delivery(mirror, {}) is None
    write(mirror, "bin/start", b"new")
    assert prepare_delivery(mirror, {})
    mirror.mark_sent()
    assert prepare_delivery(mirror, {}) is None


def test_what_decides_the_release_is_renamed_last_after_a_sync(mirror: Mirror) -> None:
    for path in NEW:
        write(mirror, path, path.encode())
    mirror.place("lib/old").unlink()
    steps = steps_of(prepare_delivery(mirror, {}))
    first_place = next(index for index, step in enumerate(steps) if step.startswith("place"))
    assert steps[first_place - 1] == "sync" and not any(step.startswith(("directory", "move", "copy", "link")) for step in steps[first_place:])
    assert steps[first_place:] == [
        "place lib/pea-1.0",
        "place erts-15.2",
        "place bin/start",
        "place releases/z1",
        "sync",
        "place releases/RELEASES",
        "sync",
        "place releases/start_erl.data",
        "sync",
        "remove lib/old",
    ]


def test_the_cookie_is_in_the_stream_alone_with_its_mode_and_owner(mirror: Mirror) -> None:
    write(mirror, COOKIE, b"secret", 0o400)
    digest = hashlib.sha256(b"secret").hexdigest()
    by_root = prepare_delivery(mirror, {COOKIE: "user"})
    assert by_root and by_root.host_steps == f"host_file 400 user {COOKIE} 6 {digest}" and by_root.stream.startswith(b"secret")
    by_user = prepare_delivery(mirror, {})
    assert f"outside_file 400 {COOKIE} {digest}" in steps_of(by_user)
    assert by_user and "secret" not in by_user.lists + by_user.host_steps + " ".join(steps_of(by_user))


def test_a_directory_of_another_user_is_named(mirror: Mirror) -> None:
    mirror.inspection.entries["lib"] = Entry("d", 0o755, 0, 0, 0, "")
    mirror.inspection.me = (100, 100)
    write(mirror, "bin/start", b"new")
    assert prepare_delivery(mirror, {})
    write(mirror, "lib/pea-1.0/ebin/pea.beam", b"new")
    with pytest.raises(OtpError, match=f"{ROOT}/lib on the box belongs to user 0, .*chown -hR 100 {ROOT}/lib. Nothing was sent"):
        prepare_delivery(mirror, {})


def test_what_a_link_of_the_copy_leads_to_is_not_read(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"of the controller")
    mirror.place("lib/old").unlink()
    mirror.place("lib/old").symlink_to(tmp_path / "secret")
    delivery = prepare_delivery(mirror, {})
    assert delivery and "link lib/old" in " ".join(steps_of(delivery))
    with pytest.raises(OSError, match="Too many levels"):
        content_of(mirror.place("lib/old"))


def test_a_small_disk_is_reported(mirror: Mirror) -> None:
    write(mirror, "lib/big", b"x" * 1000)
    delivery = prepare_delivery(mirror, {})
    assert delivery and delivery.room > 1000
    check_room(delivery, delivery.room, ROOT)
    with pytest.raises(OtpError, match="too small.*Nothing was sent"):
        check_room(delivery, delivery.room - 1, ROOT)


class ThisMachine:
    """The part of an action that Shell uses, for the sh of this machine."""

    def _low_level_execute_command(self, command: str, in_data: bytes) -> dict[str, t.Any]:
        done = subprocess.run(["sh", "-c", command], input=in_data, capture_output=True, timeout=60, check=False)
        return {"rc": done.returncode, "stdout": done.stdout.decode(), "stderr": done.stderr.decode()}


def test_root_gives_a_file_its_owner_before_it_is_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """id, ls, su and chown are replaced: it is root who changes owners, and the tests may run as another user."""
    root, home = tmp_path / "box/system", tmp_path / "box/home"
    cookie = f"{home}/.erlang.cookie"
    programs = {
        "id": f"[ ! -e {tmp_path}/is_user ] && [ $# = 1 ] && echo 0 || echo 100",
        "ls": '/bin/ls "$@" | sed "s/^\\([^ ]*\\) *\\([^ ]*\\) *[^ ]*/\\1 \\2 ${LS_USER:-0}/"',
        "su": f'echo "as $5" >>{tmp_path}/calls; touch {tmp_path}/is_user; LS_USER=100 sh -c "$4"; rm {tmp_path}/is_user',
        "chown": f'echo "$@" >>{tmp_path}/calls; [ ! -e {cookie} ] || echo late >>{tmp_path}/calls',
    }
    for path in (root, home, tmp_path / "programs"):
        path.mkdir(parents=True)
    for name, script in programs.items():
        (tmp_path / "programs" / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "programs" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/programs:{os.environ['PATH']}")
    mirror = Mirror(f"{tmp_path}/copy", str(root), (cookie,))
    write(mirror, "bin/start", b"new")
    write(mirror, cookie, b"secret", 0o400)
    delivery = prepare_delivery(mirror, {cookie: "user"})
    assert delivery
    shell = Shell(ThisMachine(), str(root), "erlang")  # type: ignore[arg-type]
    shell.run("receive", {"LISTS": delivery.lists}, as_root={"HOST_STEPS": delivery.host_steps}, data=delivery.stream)
    assert (tmp_path / "calls").read_text().splitlines() == ["as erlang", f"-h 100:100 {cookie}.new", "as erlang"]
    assert (root / "bin/start").read_bytes() == b"new" and Path(cookie).stat().st_mode & 0o777 == 0o400
