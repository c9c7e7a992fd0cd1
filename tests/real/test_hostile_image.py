# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The directory of an image with links that lead out of it (docs/docsite/rst/guide_security.rst).

No process runs in an image, but what it is made of has links that mean its own files, such as /var/log -> /data/log. Each test asserts first that the
link leads to what belongs to root on this host. Rules: that stays as it is, the message names the link; a link that stays in the image is followed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from handler_site import Releases
from intruder import state_of
from waiting import LIMIT

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives the files of an image their owners")

ROOT = "/srv/counter"
PASSWD, GROUP = "root:x:0:0::/:/bin/sh\ndaemon:x:1:1::/:/bin/false\n", "root:x:0:\ndaemon:x:1:\n"
VARIABLES = {
    "otp_root": ROOT,
    "otp_user": "daemon",
    "otp_group": "daemon",
    "otp_home": "/var/lib/counter",
    "otp_log_dir": "/var/log/counter",
    "otp_run_dir": "/run/counter",
    "otp_node_name": "counter@localhost",
    "otp_cookie": "a-cookie",
    "otp_service_manager": "systemd",
    "ansible_connection": "local",
    "ansible_python_interpreter": sys.executable,
}


class Image(t.NamedTuple):
    """The directory of an image, and a directory of this host beside it."""

    directory: Path
    victim: Path
    releases: Releases

    def ansible(self, program: str, *arguments: str) -> str:
        variables = {**VARIABLES, "otp_destdir": str(self.directory), "otp_image": f"{self.directory}.tar", "otp_package": self.releases.packages["FIRST"]}
        inventory = self.victim.parent / "images.yml"
        inventory.write_text(yaml.safe_dump({"otp": {"hosts": {"image": variables}}}))
        command = [str(Path(sys.executable).parent / program), "-i", str(inventory), *arguments]
        environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_PIPELINING": "1"}
        done = subprocess.run(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False)
        assert "Traceback" not in done.stdout, done.stdout
        return " ".join(done.stdout.split())

    def make(self) -> str:
        return self.ansible("ansible-playbook", "erlang.otp.image")

    def module(self, name: str, **options: t.Any) -> str:
        return self.ansible("ansible", "image", "-m", f"erlang.otp.{name}", "-a", json.dumps({"root": ROOT, "destdir": str(self.directory), **options}))


@pytest.fixture
def image(tmp_path: Path, releases: Releases) -> Image:
    (tmp_path / "image/etc").mkdir(parents=True)
    (tmp_path / "image/etc/passwd").write_text(PASSWD)
    (tmp_path / "image/etc/group").write_text(GROUP)
    victim = tmp_path / "victim"
    (victim / "counter").mkdir(parents=True)
    (victim / "secret").write_text("the-secret-of-root")
    return Image(tmp_path / "image", victim, releases)


# Of a new image, and of one with a system.
FRESH = ["etc/systemd/system", "etc/systemd", "srv", "srv/counter", "var/lib", "var/lib/counter", "var/log", "var/log/counter", "run", "run/counter"]
MADE = ["bin", "lib", "log", "releases", "releases/FIRST", "erts-*", "erts-*/bin", ".staging"]
FILES = ["bin/epmd", "bin/start", "erts-*/bin/epmd", "releases/RELEASES", "releases/start_erl.data", "releases/FIRST/package.json", "releases/FIRST/sys.config"]


def staged(image: Image, place: Path, target: str) -> Path:
    """The place is a link with this target, which leads to the victim, or to something in it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(place):
        place.rename(f"{place}.was")
    place.symlink_to(target)
    assert place.is_symlink() and str(place.resolve()).startswith(str(image.victim)), place
    return place


def refused(image: Image, place: Path, act: t.Callable[[], str]) -> None:
    before = state_of(image.victim)
    said = act()
    assert state_of(image.victim) == before, said
    assert f"{place} is a link to" in said and "the-secret-of-root" not in said, said


@pytest.mark.parametrize("kind", ["absolute", "relative"])
@pytest.mark.parametrize("name", FRESH)
def test_a_directory_of_a_new_image(image: Image, name: str, kind: str) -> None:
    place = image.directory / name
    target = str(image.victim) if kind == "absolute" else os.path.relpath(image.victim, place.parent)
    refused(image, staged(image, place, target), image.make)


@pytest.mark.parametrize("name", ["passwd", "group"])
def test_the_accounts_of_this_host(image: Image, name: str) -> None:
    refused(image, staged(image, image.directory / "etc" / name, str(image.victim / "secret")), image.make)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, releases: Releases) -> Path:
    directory = tmp_path_factory.mktemp("made")
    (directory / "image/etc").mkdir(parents=True)
    (directory / "image/etc/passwd").write_text(PASSWD)
    (directory / "image/etc/group").write_text(GROUP)
    (directory / "victim").mkdir()
    said = Image(directory / "image", directory / "victim", releases).make()
    assert "failed=0" in said and (directory / "image" / ROOT[1:] / "releases/RELEASES").is_file(), said
    return directory / "image"


@pytest.mark.parametrize("name", [*MADE, *FILES])
def test_a_part_of_the_system(image: Image, made: Path, name: str) -> None:
    subprocess.run(["cp", "-a", f"{made}/.", image.directory], check=True)
    root = image.directory / ROOT[1:]
    place = next(iter(sorted(root.glob(name))), root / name)
    staged(image, place, str(image.victim if name in MADE else image.victim / "secret"))
    refused(image, place, image.make)
    package = image.releases.packages["SECOND"]
    refused(image, place, lambda: image.module("otp_release_install", package=package))
    refused(image, place, lambda: image.module("otp_release_info"))


def test_a_link_that_stays_in_the_image_is_followed(image: Image) -> None:
    """As /var/log of Buildroot is."""
    (image.directory / "var").mkdir()
    (image.directory / "data/log").mkdir(parents=True)
    (image.directory / "var/log").symlink_to("../data/log")
    said = image.make()
    assert "failed=0" in said and (image.directory / "data/log/counter").stat().st_uid == 1, said
    assert "changed=0" in image.make()
