# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A box that attacks the controller, and a service user that attacks the root of its box. Each attack is staged on a box with BusyBox and
dropbear, as the one who would do it; that it is staged as described is asserted first.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
from box_site import Box
from waiting import LIMIT

from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import release_members, write_package

ROOT = "srv/counter"
USER = 100
# MiB of one process of ansible-playbook that talks to a box which sends little.
USUAL = 600


class HostileBox(Box):
    """A box with a system of files without an emulator, as it is for each test."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.packages = [
            write_package(directory / "first.tar.gz", release_members("FIRST")),
            # Large, so that a check of what arrived takes a moment.
            write_package(directory / "second.tar.gz", {**release_members("SECOND", app_version="2.0"), "lib/pea-2.0/priv/large": os.urandom(40 << 20)}),
        ]
        self.saved = directory / "saved"
        self.on()
        self.want()
        self.play("erlang.otp.provision")
        shutil.copytree(self.root, self.saved, symlinks=True, ignore=lambda path, names: names if path.endswith(("/proc", "/dev")) else [])

    @property
    def system(self) -> Path:
        return self.root / ROOT

    @property
    def home(self) -> Path:
        return self.root / "var/lib/erlang"

    def want(self, **variables: t.Any) -> None:
        self.inventory(**{"otp_package": self.packages[0], "otp_user": "erlang", "otp_cookie": "c" * 20, "otp_state": "present", **variables})

    def reset(self) -> None:
        """As it was after the first installation."""
        for place in (ROOT, "var/lib/erlang", "etc/init.d", "bin", "sbin", "usr/bin", "usr/sbin"):
            subprocess.run(["rsync", "-aHc", "--delete", f"{self.saved}/{place}/", f"{self.root}/{place}/"], check=True)
        for path in (self.system, *self.system.rglob("*"), self.home, *self.home.rglob("*")):
            os.chown(path, USER, USER, follow_symlinks=False)
        self.want()

    def as_user(self, command: str) -> None:
        """The service user does this."""
        done = self.ssh(f"start-stop-daemon -S -q -c erlang -p /proc/none -x /bin/sh -- -c '{command}'")
        assert done.returncode == 0, done.stderr

    def has(self, release: str) -> bool:
        """Whether the release is installed, and the first one is still permanent."""
        return self.permanent() == "FIRST" and (self.system / "releases" / release / "package.json").is_file()

    def run(self, playbook: str, *arguments: str) -> str:
        """What it says, whether it fails or not."""
        command, environment = self.command(playbook, "-v", *arguments)
        done = subprocess.run(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False)
        assert "Traceback" not in done.stdout
        return done.stdout

    def measured(self, playbook: str) -> tuple[str, int]:
        """What it says, and the MiB of its largest process."""
        command, environment = self.command(playbook, "-v")
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert process.stdout
        said = process.stdout.read().decode()
        _pid, process.returncode, usage = os.wait4(process.pid, 0)
        return said, usage.ru_maxrss >> 10


@pytest.fixture(scope="module")
def one_box(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[HostileBox]:
    directory = tmp_path_factory.mktemp("box")
    site = None
    try:
        site = HostileBox(directory)
        yield site
    finally:
        if site:
            site.off()


@pytest.fixture
def box(one_box: HostileBox) -> HostileBox:
    one_box.reset()
    return one_box


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A directory of the controller, with a secret; the box has none of that name."""
    directory = tmp_path / "victim"
    directory.mkdir()
    (directory / "secret").write_text("SECRET-OF-THE-CONTROLLER")
    return directory


def contents(directory: Path) -> dict[str, tuple[int, int, int, bytes]]:
    """What is below it: mode, owner, time of change, content."""
    found = {}
    for path in directory.rglob("*"):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found[str(path.relative_to(directory))] = (status.st_mode, status.st_uid, status.st_mtime_ns, content)
    return found


# The controller.


@pytest.mark.one_of(2)
@pytest.mark.parametrize("name", ["sys.config", "vm.args", "package.json", "system.rel"])
def test_a_link_in_a_release_directory_brings_nothing_of_the_controller(box: HostileBox, victim: Path, name: str) -> None:
    place = f"/{ROOT}/releases/FIRST/{name}"
    box.as_user(f"rm -f {place}; ln -s {victim}/secret {place}")
    assert os.readlink(f"{box.root}{place}") == f"{victim}/secret" and (victim / "secret").exists()
    assert "SECRET" not in box.run("erlang.otp.provision", "--diff") + box.run("erlang.otp.status")
    assert not [path for path, (*dummy, content) in contents(box.root / "srv").items() if b"SECRET" in content]


@pytest.mark.one_of(2)
@pytest.mark.parametrize("name", ["bin", "log", "releases", "lib", "releases/FIRST"])
def test_a_link_in_the_place_of_a_directory_has_nothing_written_where_it_leads(box: HostileBox, victim: Path, name: str) -> None:
    (box.root / victim.relative_to("/")).mkdir(parents=True, exist_ok=True)
    box.as_user(f"mv /{ROOT}/{name} /{ROOT}/was; ln -s {victim} /{ROOT}/{name}")
    assert os.readlink(box.system / name) == str(victim) and victim.is_dir()
    box.want(otp_package=box.packages[1])
    said = box.play("erlang.otp.provision", fails=True)
    assert f"/{ROOT}/{name}" in said.output
    assert [path.name for path in victim.iterdir()] == ["secret"], "on the controller"
    assert not list((box.root / victim.relative_to("/")).iterdir()), "on the box"


@pytest.mark.one_of(2)
@pytest.mark.parametrize("place", ["releases/FIRST/large", "releases/RELEASES", "bin/large", "run/emulator.pid", "releases/start_erl.data"])
def test_a_sparse_file_fills_no_memory(box: HostileBox, place: str) -> None:
    box.as_user(f"mkdir -p /{ROOT}/run; rm -f /{ROOT}/{place}; dd if=/dev/zero of=/{ROOT}/{place} bs=1 count=1 seek=2147483647 2>/dev/null")
    assert (box.system / place).stat().st_size == 2 << 30
    said, memory = box.measured("erlang.otp.status")
    assert "mast" in said and "Traceback" not in said
    assert memory < USUAL


def test_many_files_are_too_many(box: HostileBox) -> None:
    (box.system / "lib/many").mkdir()
    for number in range(100_001):
        (box.system / f"lib/many/{number}").touch()
    said, memory = box.measured("erlang.otp.status")
    shutil.rmtree(box.system / "lib/many")
    assert "the box lists more than 100000 files" in said
    assert memory < USUAL


@pytest.mark.one_of(3)
@pytest.mark.parametrize(
    "name",
    ["\"$(printf 'a\\nb')\"", "\"$(printf 'a\\033[2J')\"", "'a b'", "A a", "'a -> b'", "-rf", "$(printf %0250d 1)", "'*'", "'a:'", "\"$(printf '\\377')\""],
)
def test_names_are_names(box: HostileBox, name: str) -> None:
    before = set(os.listdir("/"))
    done = box.ssh(f"cd /{ROOT}/releases && touch -- {name} && cd FIRST && touch -- {name} && mkdir -p ../../lib/{name.replace('A a', 'A')}")
    assert done.returncode == 0, done.stderr
    said = box.run("erlang.otp.status")
    assert "FIRST" in said and "\033[2J" not in said
    assert set(os.listdir("/")) == before


@pytest.mark.one_of(6)
@pytest.mark.parametrize("make", ["mkfifo {}", "mknod {} c 1 5", "mknod {} b 7 0", "mkdir {}", "ln /etc/passwd {}"])
@pytest.mark.parametrize("place", ["releases/FIRST/sys.config", "releases/RELEASES", "bin/start", "releases/FIRST/package.json"])
def test_what_is_not_a_file_is_waited_for_by_nobody(box: HostileBox, make: str, place: str) -> None:
    done = box.ssh(f"rm -f /{ROOT}/{place}; {make.format(f'/{ROOT}/{place}')}")
    assert done.returncode == 0, done.stderr
    before = box.ssh("cat /etc/passwd").stdout
    assert "has not ended" not in box.run("erlang.otp.provision") + box.run("erlang.otp.status")
    assert box.ssh("cat /etc/passwd").stdout == before and box.ssh("ls -ln /etc/passwd").stdout.split()[2] == "0"


def test_a_box_that_sends_without_end_is_cut_off(box: HostileBox) -> None:
    (box.root / "bin/gzip").unlink()
    box.write("bin/gzip", "#!/bin/sh\nexec cat /dev/urandom\n", 0o755)
    said, memory = box.measured("erlang.otp.status")
    assert "the box sent more than 8 MiB, so the connection was closed" in said
    assert memory < 2 * USUAL


# The box.

TAMPER = """
while :; do
    for p in /proc/[0-9]*/cmdline; do
        read -r line <$p
        case $line in sha256sum-cnames*) break 2 ;; esac
    done
done 2>/dev/null
cd /{root}/.incoming && echo "id -u >/tmp/proof" >other && mv -f other steps && touch /tmp/exchanged
"""


def test_an_incoming_directory_that_was_made_beforehand_gives_nothing(box: HostileBox) -> None:
    """The service user exchanges the steps after their checksum was compared."""
    box.write("tmp/tamper", TAMPER.format(root=ROOT), 0o755)
    box.as_user(f"mkdir -m 777 /{ROOT}/.incoming; sh /tmp/tamper </dev/null >/dev/null 2>&1 &")
    assert (box.system / ".incoming").stat().st_uid == USER
    assert "/tmp/tamper" in box.ssh("ps").stdout
    box.want(otp_package=box.packages[1])
    box.play("erlang.otp.provision")
    assert not box.ssh("ps | grep -v grep | grep /tmp/tamper").stdout, "it has done its work"
    assert (box.root / "tmp/exchanged").stat().st_uid == USER
    assert not (box.root / "tmp/proof").exists()
    assert box.has("SECOND")


@pytest.mark.one_of(2)
@pytest.mark.parametrize("make", ["ln -s /etc {0}", "mkdir -m 777 {0}; touch {0}/x", "touch {0}", "mkfifo {0}"])
def test_what_is_in_the_place_of_the_incoming_directory_is_not_used(box: HostileBox, make: str) -> None:
    before = contents(box.root / "etc")
    box.as_user(make.format(f"/{ROOT}/.incoming"))
    assert os.path.lexists(box.system / ".incoming")
    box.want(otp_package=box.packages[1])
    box.play("erlang.otp.provision")
    assert box.has("SECOND") and contents(box.root / "etc") == before


def test_an_incoming_directory_of_root_is_named(box: HostileBox) -> None:
    """A run of an earlier version of the collection was interrupted."""
    (box.system / ".incoming").mkdir(mode=0o700)
    (box.system / ".incoming/x").touch()
    box.want(otp_package=box.packages[1])
    said = box.play("erlang.otp.provision", fails=True)
    assert f"/{ROOT}/.incoming on the box is not a directory of user 100 alone: remove it" in said.output


def test_root_uses_no_name_below_the_root_directory(box: HostileBox) -> None:
    """Each program of BusyBox that works on files notes who calls it, where, and with which names."""
    programs = "cat chmod chown cp dd ln ls mkdir mv readlink rm sha256sum tail tar touch".split()
    for program in programs:
        (box.root / "bin" / program).unlink(missing_ok=True)
        (box.root / "usr/bin" / program).unlink(missing_ok=True)
        script = f'#!/bin/sh\necho "$(id -u) $PWD {program} $*" >>/tmp/calls\nexec busybox {program} "$@"\n'
        box.write(f"bin/{program}", script, 0o755)
    box.write("tmp/calls", "", 0o666)
    box.want(otp_package=box.packages[1])
    box.play("erlang.otp.provision")
    calls = (box.root / "tmp/calls").read_text().splitlines()
    inside = [call for call in calls if f"/{ROOT}" in call]
    assert {call.split()[0] for call in inside} == {"0", str(USER)}
    assert len(inside) > 30
    # Root asks who has the directories above it and itself.
    assert {call.replace(f"/{ROOT}/.", f"/{ROOT}") for call in inside if call.startswith("0 ")} == {f"0 / ls -lnd /{ROOT}"}


@pytest.mark.one_of(2)
@pytest.mark.parametrize("variable", ["otp_log_dir", "otp_run_dir", "otp_pipe_dir", "otp_home"])
def test_root_makes_no_directory_behind_a_link_of_the_user(box: HostileBox, variable: str) -> None:
    before = contents(box.root / "etc")
    box.as_user(f"rm -rf /{ROOT}/run; ln -s /etc /var/lib/erlang/here")
    assert os.readlink(box.home / "here") == "/etc"
    box.want(**{variable: "/var/lib/erlang/here/new"})
    said = box.play("erlang.otp.provision", fails=True)
    assert "Permission denied" in said.output, said.output
    assert contents(box.root / "etc") == before and (box.root / "etc").stat().st_uid == 0


@pytest.mark.one_of(2)
@pytest.mark.parametrize("root", ["/var/lib/erlang/system", "/var/lib/erlang/here/system", "/srv/way/system"])
def test_a_root_directory_that_another_user_can_exchange_is_refused_by_name(box: HostileBox, root: str) -> None:
    box.as_user("mkdir -p /var/lib/erlang/to; ln -sfn /var/lib/erlang/to /var/lib/erlang/here")
    (box.root / "srv/way").unlink(missing_ok=True)
    # Root's own link, which leads through a directory of the user.
    (box.root / "srv/way").symlink_to("/var/lib/erlang/here")
    box.want(otp_root=root)
    for playbook in ("erlang.otp.provision", "erlang.otp.status"):
        assert "another user than root can change /var/lib/erlang on the box" in box.play(playbook, fails=True).output
    assert not (box.home / "to/system").exists() and not (box.home / "system").exists()
    (box.root / "srv/way").unlink()


def test_a_root_directory_behind_links_of_root_is_used(box: HostileBox) -> None:
    (box.root / "mnt/data").mkdir(parents=True, exist_ok=True)
    (box.root / "srv/way").symlink_to("../mnt/./data/../data")
    box.want(otp_root="/srv/way/system", otp_init_script="/etc/init.d/S81other")
    box.play("erlang.otp.provision")
    (box.root / "srv/way").unlink()
    assert (box.root / "mnt/data/system/releases/RELEASES").stat().st_uid == USER
    shutil.rmtree(box.root / "mnt")


def test_the_directory_of_another_user_is_not_taken_over(box: HostileBox) -> None:
    os.chown(box.system, 33, 33)
    said = box.play("erlang.otp.provision", fails=True)
    assert f"/{ROOT} on the box belongs to user 33, and the user of the node is erlang (100)" in said.output
    box.want(otp_user="root")
    os.chown(box.system, USER, USER)
    said = box.play("erlang.otp.provision", fails=True)
    assert f"/{ROOT} on the box belongs to user 100, and the user of the node is root (0)" in said.output


def test_a_system_of_root_is_given_to_the_user_of_the_node(box: HostileBox) -> None:
    for path in (box.system, *box.system.rglob("*")):
        os.chown(path, 0, 0, follow_symlinks=False)
    box.play("erlang.otp.provision")
    assert {path.lstat().st_uid for path in (box.system, *box.system.rglob("*"))} == {USER}


def test_what_the_user_has_in_a_directory_of_root_is_not_followed(box: HostileBox) -> None:
    """Not all of it is root's: then what is in it stays as it is, and what cannot be changed is named."""
    box.as_user(f"ln /etc/passwd /{ROOT}/lib/passwd || cp /etc/passwd /{ROOT}/lib/passwd")
    os.chown(box.system, 0, 0)
    os.chown(box.system / "releases", 0, 0)
    box.want(otp_package=box.packages[1])
    said = box.play("erlang.otp.provision", fails=True)
    assert f"/{ROOT}/releases on the box belongs to user 0, so the user of the node (100) cannot change it" in said.output
    assert (box.root / "etc/passwd").stat().st_uid == 0


@pytest.mark.parametrize("script", ["/var/lib/erlang/S80counter", "/etc/user.d/S80counter"])
def test_an_init_script_that_another_user_can_exchange_is_refused(box: HostileBox, script: str) -> None:
    directory = box.root / "etc/user.d"
    directory.mkdir(exist_ok=True)
    directory.chmod(0o777)
    box.want(otp_init_script=script)
    said = box.play("erlang.otp.provision", fails=True)
    shutil.rmtree(directory)
    assert f"another user than root can change {os.path.dirname(script)} on the box" in said.output
    assert not (box.root / script.lstrip("/")).exists()


def test_root_does_not_run_an_init_script_of_the_user(box: HostileBox) -> None:
    script = box.root / "etc/init.d/S80counter"
    os.chown(script, USER, USER)
    box.write("tmp/start", "#!/bin/sh\ntouch /started\n", 0o755)
    text = script.read_bytes()
    box.want(otp_state="started")
    # The same content, so nothing is written.
    said = box.play("erlang.otp.provision", "-e", "otp_start_timeout=1", fails=True)
    assert script.read_bytes() == text
    assert "/etc/init.d/S80counter on the box is not a file that only root can write" in said.output or script.stat().st_uid == 0


def test_status_writes_nothing(box: HostileBox) -> None:
    (box.system / "releases/start_erl.data").write_bytes(b"")
    before = contents(box.root / "srv"), contents(box.root / "var"), contents(box.root / "etc"), contents(box.root / "tmp")
    box.run("erlang.otp.status")
    box.run("erlang.otp.provision", "--check")
    assert (contents(box.root / "srv"), contents(box.root / "var"), contents(box.root / "etc"), contents(box.root / "tmp")) == before


# Programs that give up root's rights.


@pytest.mark.one_of(2)
@pytest.mark.parametrize("program", ["su", "setuidgid"])
def test_another_program_gives_up_the_rights_of_root(box: HostileBox, program: str) -> None:
    (box.root / "sbin/start-stop-daemon").unlink()
    place = {"su": "usr/bin/su", "setuidgid": "usr/bin/setuidgid"}[program]
    shutil.copy(Path("build/box-tools") / {"su": "bin/busybox", "setuidgid": "usr/bin/setuidgid"}[program], box.root / place)
    box.want(otp_package=box.packages[1])
    box.play("erlang.otp.provision")
    (box.root / place).unlink()
    assert box.has("SECOND")
    assert {path.lstat().st_uid for path in (box.system, *box.system.rglob("*"))} == {USER}


def test_a_box_without_such_a_program_is_refused(box: HostileBox) -> None:
    (box.root / "sbin/start-stop-daemon").unlink()
    said = box.play("erlang.otp.provision", fails=True)
    assert "the box has no su, start-stop-daemon or setuidgid, so root cannot work as erlang" in said.output


def test_a_box_whose_only_user_is_root_needs_none(box: HostileBox) -> None:
    for path in (box.root / "sbin/start-stop-daemon", *reversed(list(box.system.rglob("*"))), box.system):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    box.want(otp_user="root", otp_home="/root")
    box.play("erlang.otp.provision")
    assert {path.lstat().st_uid for path in (box.system, *box.system.rglob("*"))} == {0}
