# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The image of a box, made by playbooks/image.yml: the same each time, and one from which the box boots read-only."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import typing as t
from pathlib import Path

import pytest
import yaml
from box_site import RCS, Box
from handler_site import Releases
from truth_site import agreed
from waiting import LIMIT

ROOT = "/srv/counter"
# Empty at boot: what is written while the box runs.
VOLATILE = "".join(f"mount -t tmpfs tmpfs {path}\n" for path in ("/run", "/tmp", "/var/log", "/root"))
# On a disk of its own: what an upgrade writes.
OVERLAY = f"mount -t overlay -o lowerdir={ROOT},upperdir=/data/new,workdir=/data/work overlay {ROOT}\n"
VARIABLES = {
    "otp_root": ROOT,
    "otp_run_dir": "/run/counter",
    "otp_log_dir": "/var/log/counter",
    "otp_service_manager": "sysv",
    "otp_init_script": "/etc/init.d/S80counter",
    "otp_erl_flags": ["+S", "1:1"],
}


def make_image(box: Box, directory: Path, image: Path, releases: Releases, *arguments: str, **more: t.Any) -> str:
    """What the playbook says, for a host that is not there."""
    builder = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    variables = {**builder, "otp_destdir": str(directory), "otp_image": str(image), "otp_package": releases.packages["FIRST"], **VARIABLES, **more}
    (box.directory / "images.yml").write_text(yaml.safe_dump({"otp": {"hosts": {box.name: variables}}}))
    (_program, _option, _inventory, *_rest), environment = box.command("")
    command = [_program, "-i", str(box.directory / "images.yml"), "erlang.otp.image", *arguments]
    done = subprocess.run(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


def in_the_table(foretold: str, said: str) -> list[str]:
    """The releases before and now, and the outcome, as --check has told them."""
    ((_host, row),) = agreed(foretold, said).items()
    return [row[column] for column in ("BEFORE", "NOW", "OUTCOME")]


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory, releases: Releases) -> Box:
    """A box whose file system is not made yet."""
    if os.geteuid() != 0:
        pytest.fail("this test makes and mounts file systems: run it as root")
    programs = sorted(map(str, Path(releases.workshop.otp.root).glob("erts-*/bin/*")))
    box = Box(tmp_path_factory.mktemp("image"), *programs)
    (box.root / "data").mkdir()
    (box.root / "var/log").mkdir()
    box.write("etc/init.d/rcS", RCS.replace("#!/bin/sh\n", f"#!/bin/sh\n{VOLATILE}{OVERLAY}"), 0o755)
    # The login's key, under what is empty at boot.
    shutil.copytree(box.root / "root/.ssh", box.root / "etc/ssh-of-root")
    box.write("etc/init.d/S10keys", "#!/bin/sh\ncp -a /etc/ssh-of-root /root/.ssh\nchmod 700 /root\n", 0o755)
    return box


@pytest.fixture(scope="module")
def image(box: Box, releases: Releases) -> Path:
    path = box.directory / "box.squashfs"
    foretold = make_image(box, box.root, path, releases, "--check")
    said = make_image(box, box.root, path, releases)
    assert "changed=2" in said and in_the_table(foretold, said) == ["-", "FIRST", "changed"], said
    return path


@pytest.fixture
def booted(box: Box, image: Path) -> t.Iterator[Box]:
    """The box, with the image as its read-only root file system, and a disk for what an upgrade writes."""
    made, box.root = box.root, box.directory / "mounted"
    box.root.mkdir()
    with contextlib.ExitStack() as stack:
        for arguments in (["-o", "loop,ro", image, box.root], ["-t", "tmpfs", "tmpfs", box.root / "data"]):
            subprocess.run(["mount", *arguments], check=True)
            stack.callback(subprocess.run, ["umount", arguments[-1]], check=True)
        for name in ("new", "work"):
            (box.root / "data" / name).mkdir()
        os.chown(box.root / "data/new", 100, 100)
        stack.callback(box.off)
        box.inventory(**VARIABLES)
        box.on()
        yield box
    box.root = made


def test_again_changes_nothing(box: Box, image: Path, releases: Releases) -> None:
    before = hashlib.sha256(image.read_bytes()).hexdigest()
    foretold = make_image(box, box.root, image, releases, "--check")
    said = make_image(box, box.root, image, releases)
    assert "changed=0" in said and not list(box.directory.glob(".*.new")) and in_the_table(foretold, said) == ["FIRST", "FIRST", "unchanged"], said
    assert hashlib.sha256(image.read_bytes()).hexdigest() == before


def test_the_same_wherever_it_is_made(box: Box, releases: Releases) -> None:
    digests = set()
    for name in ("here", "there"):
        directory = box.directory / name
        (directory / "etc").mkdir(parents=True)
        for file in ("passwd", "group"):
            shutil.copy(box.root / "etc" / file, directory / "etc")
        # Times and the order of names in directories differ.
        subprocess.run(["touch", "-d", "2001-01-01" if name == "here" else "2002-02-02", directory / "etc/passwd"], check=True)
        path = box.directory / f"{name}-out" / "box.tar.gz"
        make_image(box, directory, path, releases)
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    with tarfile.open(path) as archive:
        members = {member.name: member for member in archive}
    assert {f".{ROOT}/bin/start", f".{ROOT}/releases/RELEASES", "./etc/init.d/S80counter", f".{ROOT}/run"} <= set(members)
    assert {member.uid for name, member in members.items() if name.startswith(f".{ROOT}/")} == {100}
    assert len(digests) == 1
    said = [make_image(box, directory, path, releases, *arguments, otp_package=releases.packages["SECOND"]) for arguments in (["--check"], [])]
    assert in_the_table(*said) == ["FIRST", "SECOND", "changed"]
    assert (directory / ROOT.lstrip("/") / "releases/start_erl.data").read_text().split()[1] == "SECOND"


@pytest.mark.one_of(3, first=1)
@pytest.mark.parametrize("ending", ["tar", "squashfs", "ext4"])
def test_check_mode_predicts_and_a_second_run_changes_nothing(box: Box, image: Path, releases: Releases, ending: str) -> None:
    assert image.exists()
    path = box.directory / f"predicted.{ending}"
    motd = box.root / "etc/motd"
    for content in ("first", "second"):
        motd.write_text(content)
        before = path.read_bytes() if path.exists() else None
        predicted = make_image(box, box.root, path, releases, "--check", otp_image_size="96M")
        assert "changed=1" in predicted and (path.read_bytes() if path.exists() else None) == before, predicted
        made = make_image(box, box.root, path, releases, otp_image_size="96M")
        assert "changed=1" in made, made
        # The files were read: where the file system keeps it, their atime is another one.
        before = path.read_bytes()
        for arguments in (["--check"], []):
            again = make_image(box, box.root, path, releases, *arguments, otp_image_size="96M")
            assert "changed=0" in again and path.read_bytes() == before, again
    motd.unlink()
    assert not list(box.directory.glob(".*.new"))


def test_of_a_part_and_of_a_time(box: Box, image: Path, releases: Releases) -> None:
    assert image.exists()
    chosen = {"otp_image_directory": str(box.root / "srv"), "otp_image_time": 1_000_000_000}
    make_image(box, box.root, box.directory / "part.tar", releases, **chosen)
    with tarfile.open(box.directory / "part.tar") as archive:
        assert "./counter/bin/start" in archive.getnames() and {member.mtime for member in archive} == {1_000_000_000}
    path = box.directory / "part.ext4"
    make_image(box, box.root, path, releases, otp_image_size="96M", **chosen)
    described = subprocess.run(["debugfs", "-R", "stat /counter/bin/start", path], capture_output=True, text=True, check=True).stdout
    times = re.findall(r"^ *[acm]time: (\w+)", described, re.MULTILINE)
    assert times == ["0x3b9aca00"] * 3, described
    assert subprocess.run(["e2fsck", "-fn", path], capture_output=True, check=False).returncode == 0


def test_a_link_is_no_directory_of_an_image(box: Box, image: Path, releases: Releases) -> None:
    """mksquashfs would make an image of the link, the others one of what it leads to."""
    link = box.directory / "link"
    link.symlink_to(box.root)
    for arguments in (["--check"], []):
        with pytest.raises(AssertionError, match="set otp_destdir to that directory"):
            make_image(box, box.root, box.root / "inside.tar", releases, *arguments)
    with pytest.raises(AssertionError, match=f"{link} is a link: set otp_image_directory"):
        make_image(box, box.root, box.directory / "link.squashfs", releases, otp_image_directory=str(link))
    assert image.exists() and not (box.directory / "link.squashfs").exists()


def test_one_that_can_be_written_to(box: Box, image: Path, releases: Releases) -> None:
    assert image.exists()
    path = box.directory / "box.ext4"
    make_image(box, box.root, path, releases, otp_image_size="96M")
    said = subprocess.run(["debugfs", "-R", f"cat {ROOT}/releases/start_erl.data", path], capture_output=True, text=True, check=True).stdout
    assert said.split()[1] == "FIRST" and path.stat().st_size == 96 << 20


def test_nothing_in_it_knows_where_it_was_made(box: Box, image: Path) -> None:
    for path in (box.root / ROOT.lstrip("/")).rglob("*"):
        if path.is_file() and not path.is_symlink() and not path.name.endswith(".beam"):
            assert str(box.directory).encode() not in path.read_bytes(), path


def permanent_and_running(box: Box) -> tuple[str, str]:
    (result,) = box.play("erlang.otp.status").results("permanent")
    assert result["disagreements"] == [], result
    return result["permanent"]["release"], result["running"]["release"]


def test_the_box_boots_from_it_and_is_upgraded(booted: Box, releases: Releases) -> None:
    assert booted.ssh("touch /etc/x").returncode != 0
    assert permanent_and_running(booted) == ("FIRST", "FIRST")
    assert booted.ssh(f"readlink {ROOT}/run; ls /run/counter /var/log/counter").stdout.split()[0] == "/run/counter"
    booted.inventory(**VARIABLES, otp_package=releases.packages["SECOND"], otp_upgrade_to="SECOND")
    booted.play("erlang.otp.upgrade")
    booted.off()
    booted.on()
    assert permanent_and_running(booted) == ("SECOND", "SECOND")
