# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An embedded box: a root file system with BusyBox, dropbear and the C library, which boots with BusyBox's init, and no Python.

It has namespaces of its own for processes and mounts; a power cut is the end of its init.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import typing as t
import uuid
from pathlib import Path

import yaml
from error_blocks import check_blocks
from handler_site import Releases
from waiting import LIMIT, free_port, wait_until

BOOT = """\
mount -t proc proc {root}/proc
mount --rbind /dev {root}/dev
mount -t devpts -o newinstance,ptmxmode=666 devpts {root}/dev/pts
mount --bind {root}/dev/pts/ptmx {root}/dev/ptmx
mount --bind {boot_id} {root}/proc/sys/kernel/random/boot_id
exec chroot {root} /sbin/init
"""
INITTAB = """\
::sysinit:/etc/init.d/rcS
::respawn:/usr/sbin/dropbear -F -s -p 127.0.0.1:{port} -P /run/dropbear.pid
::shutdown:/etc/init.d/rcK
"""
RCS = """\
#!/bin/sh
for script in /etc/init.d/S??*; do
    [ ! -x "$script" ] || "$script" start
done
"""
RCK = """\
#!/bin/sh
for script in /etc/init.d/S??*; do
    [ ! -x "$script" ] || "$script" stop
done
"""
PASSWD = "root:x:0:0:root:/root:/bin/sh\nerlang:x:100:100:erlang:/var/lib/erlang:/bin/sh\n"
COOKIE = secrets.token_hex(16)
# Variables of a node that is distributed.
NAMED = {"otp_cookie": COOKIE, "otp_user": "erlang", "otp_node_name": "counter@localhost", "otp_environment": {"ERL_EPMD_PORT": free_port()}}


class Box:
    """One box, and the inventory that has it."""

    name = "mast"

    def __init__(self, directory: Path, *programs: str) -> None:
        self.directory = directory
        self.root = directory / "rootfs"
        self.boot_id = directory / "boot_id"
        self.port = free_port()
        self.process: subprocess.Popen | None = None
        # By the last run with --check.
        self.foretold = ""
        for key in ("host_key", "login_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / key], check=True)
        self.make_root(programs)

    def make_root(self, programs: t.Sequence[str]) -> None:
        """The file system. programs: those of the release, whose C libraries it must have as well."""
        for name in "bin dev etc/init.d etc/dropbear lib64 proc root/.ssh run sbin srv sys tmp usr/bin usr/sbin var/lib".split():
            (self.root / name).mkdir(parents=True)
        (self.root / "tmp").chmod(0o1777)
        dropbear = which("dropbear")
        shutil.copy(which("busybox"), self.root / "bin" / "busybox")
        shutil.copy(dropbear, self.root / "usr" / "sbin" / "dropbear")
        for library in libraries(which("busybox"), dropbear, *programs):
            place = self.root / library.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, place)
        subprocess.run(["chroot", self.root, "/bin/busybox", "--install", "-s"], check=True)
        subprocess.run(
            [which("dropbearconvert"), "openssh", "dropbear", self.directory / "host_key", self.root / "etc/dropbear/dropbear_ed25519_host_key"],
            check=True,
            capture_output=True,
        )
        self.write("etc/passwd", PASSWD)
        self.write("etc/group", "root:x:0:\nerlang:x:100:\n")
        self.write("etc/shells", "/bin/sh\n")
        self.write("etc/hosts", "127.0.0.1 localhost\n")
        self.write("etc/inittab", INITTAB.format(port=self.port))
        self.write("etc/init.d/rcS", RCS, 0o755)
        self.write("etc/init.d/rcK", RCK, 0o755)
        self.write("root/.ssh/authorized_keys", (self.directory / "login_key.pub").read_text(), 0o600)
        for name in ("root", "root/.ssh"):
            (self.root / name).chmod(0o700)

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        place = self.root / path
        place.write_text(text)
        place.chmod(mode)

    def read(self, path: str) -> str:
        """A file of the system."""
        return (self.root / "srv/counter" / path).read_text()

    def permanent(self) -> str:
        """The release that boots."""
        return self.read("releases/start_erl.data").split()[1]

    # Power.

    def on(self) -> None:
        """Boot it, and wait for its sshd."""
        self.boot_id.write_text(f"{uuid.uuid4()}\n")
        command = [
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "--propagation",
            "private",
            "sh",
            "-ec",
            BOOT.format(root=self.root, boot_id=self.boot_id),
        ]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: self.ssh("true").returncode == 0, "the box boots, and its sshd answers", running=self.process)

    def off(self) -> None:
        """Cut its power."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    # From the controller.

    def login(self, command: str, *options: str) -> list[str]:
        """What logs in on the box and runs the command. It shares no connection."""
        login = ["-F", "none", "-i", str(self.directory / "login_key"), "-p", str(self.port), *SSH_OPTIONS, "-o", "ControlPath=none"]
        return ["ssh", *login, *options, "root@127.0.0.1", command]

    def ssh(self, command: str) -> subprocess.CompletedProcess:
        """What a login on the box says."""
        return subprocess.run(self.login(command), text=True, capture_output=True, stdin=subprocess.DEVNULL, check=False)

    def inventory(self, **variables: t.Any) -> Path:
        of_host = {
            "ansible_host": "127.0.0.1",
            "ansible_port": self.port,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(self.directory / "login_key"),
            "ansible_ssh_common_args": f"-F none {' '.join(SSH_OPTIONS)}",
            "otp_box": True,
            "otp_root": "/srv/counter",
            "otp_erl_flags": ["+S", "1:1"],
            "otp_config_variables": {},
            **variables,
        }
        path = self.directory / "inventory.yml"
        path.write_text(yaml.safe_dump({"otp": {"hosts": {self.name: of_host}}}))
        return path

    def command(self, playbook: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
        """What runs the playbook, and its environment."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        environment.update(ANSIBLE_NOCOLOR="1", ANSIBLE_CALLBACK_FORMAT_PRETTY="0", ANSIBLE_HOME=str(self.directory / "ansible"))
        program = str(Path(sys.executable).parent / "ansible-playbook")
        return [program, "-i", str(self.directory / "inventory.yml"), playbook, *arguments], environment

    def play(self, playbook: str, *arguments: str, fails: bool = False) -> Said:
        command, environment = self.command(playbook, "-v", *arguments)
        done = subprocess.run(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False)
        assert (done.returncode != 0) == fails, done.stdout
        check_blocks(done.stdout, done.returncode)
        if "--check" in arguments:
            self.foretold = done.stdout
        return Said(done.stdout)

    def ad_hoc(self, *arguments: str) -> str:
        """What one task says."""
        (_program, *inventory, _playbook), environment = self.command("")
        command = [str(Path(sys.executable).parent / "ansible"), *inventory, self.name, *arguments]
        return subprocess.run(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False).stdout


@contextlib.contextmanager
def a_box(directory: Path, releases: Releases) -> t.Iterator[Box]:
    """A box for the release FIRST, which it has not yet."""
    box = Box(directory, *sorted(map(str, Path(releases.workshop.otp.root).glob("erts-*/bin/*"))))
    box.inventory(otp_package=releases.packages["FIRST"], otp_cookie=COOKIE, otp_user="erlang")
    try:
        box.on()
        yield box
    finally:
        box.off()


class Said:
    """What a run of Ansible has said."""

    def __init__(self, output: str) -> None:
        self.output = output
        found = re.search(r"^mast +: ok=.* changed=(\d+)", output, re.MULTILINE)
        self.changed = int(found[1]) if found else -1

    def results(self, key: str) -> list[dict[str, t.Any]]:
        """Of tasks, those results that have the key."""
        texts = re.findall(r"^(?:ok|changed|fatal): \[mast\](?:: FAILED!)? => (\{.*\})$", self.output, re.MULTILINE)
        return [result for result in map(json.loads, texts) if key in result]


SSH_OPTIONS = ("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "BatchMode=yes")


def which(program: str) -> str:
    path = shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/dropbear")
    assert path, f"these tests need {program}: .ci/setup installs it"
    return path


def libraries(*programs: str) -> list[str]:
    """The files that the programs are loaded with."""
    said = subprocess.run(["ldd", *programs], text=True, capture_output=True, check=False).stdout
    return sorted(set(re.findall(r"(?:=> |^\s)(/\S+) \(0x", said, re.MULTILINE)))
