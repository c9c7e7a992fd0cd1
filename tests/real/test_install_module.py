# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""otp_release_install as a task: a package of the controller that is sent only when it is lacked, and one that is fetched."""

from __future__ import annotations

import functools
import http.server
import json
import os
import subprocess
import sys
import threading
import typing as t
from pathlib import Path

import pytest
from waiting import LIMIT

from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import checksum, release_members, tree, write_package


class Task:
    """The task on this host, with a root directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.root = directory / "root"
        self.package = write_package(directory / "first.tar.gz", release_members())
        self.checksum = checksum(self.package)

    def run(self, *flags: str, **options: t.Any) -> dict[str, t.Any]:
        """What the task returns, and whether it failed."""
        arguments = json.dumps({"root": str(self.root), "flush": False, **options})
        command = [str(Path(sys.executable).with_name("ansible")), "localhost", "-m", "erlang.otp.otp_release_install", "-a", arguments, *flags]
        temporary = {"ANSIBLE_LOCAL_TEMP": str(self.directory / "local"), "ANSIBLE_REMOTE_TEMP": str(self.directory / "remote")}
        environment = {**os.environ, **temporary, "no_proxy": "127.0.0.1"}
        said = subprocess.run(command, cwd=self.directory, env=environment, capture_output=True, text=True, timeout=LIMIT, check=False)
        assert "=> {" in said.stdout, said.stdout + said.stderr
        return {**json.loads(said.stdout[said.stdout.index("=> {") + 3 :]), "failed": "| FAILED! =>" in said.stdout}

    def fails(self, **options: t.Any) -> str:
        """The message of a task that fails and leaves nothing."""
        result = self.run(**options)
        assert result["failed"] and not result["changed"]
        assert tree(self.root) == {}
        assert [path for path in (self.directory / "remote").rglob("*") if path.is_file()] == []
        return result["msg"]


@pytest.fixture
def task(tmp_path: Path) -> Task:
    return Task(tmp_path)


@pytest.fixture
def asked() -> list[str]:
    """The paths that the server was asked for."""
    return []


@pytest.fixture
def url(task: Task, asked: list[str]) -> t.Iterator[str]:
    """Of a server of the packages."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments: t.Any) -> None:
            asked.append(self.path)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(task.directory))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_package_of_the_controller_is_sent_when_it_is_lacked(task: Task) -> None:
    predicted = task.run("--check", package=task.package)
    assert (predicted["changed"], predicted["transferred"], task.root.exists()) == (True, False, False)
    done = task.run(package=task.package, checksum=task.checksum)
    assert (done["changed"], done["transferred"], done["status"]) == (True, True, "permanent")
    again = task.run(package=task.package)
    assert (again["changed"], again["transferred"], again["actions"]) == (False, False, [])
    for name in ("name", "release", "erts_version", "status", "applications", "sha256", "directory"):
        assert predicted[name] == done[name] == again[name]
    assert [path for path in (task.directory / "remote").rglob("*") if path.is_file()] == []


def test_package_of_the_controller_is_refused_before_anything_is_sent(task: Task) -> None:
    assert "Could not find or access 'nowhere.tar.gz'" in task.fails(package="nowhere.tar.gz")
    message = f"The package {task.package} is damaged, or another package: its checksum is {task.checksum}, and sha256:{'0' * 64} was expected."
    assert task.fails(package=task.package, checksum=f"sha256:{'0' * 64}") == message


def test_package_of_the_host(task: Task) -> None:
    nowhere = f"{task.directory}/nowhere.tar.gz"
    assert f"{nowhere}: No such file or directory" in task.fails(package=nowhere, remote_src=True)
    assert task.run(package=task.package, remote_src=True)["status"] == "permanent"


def test_package_that_is_fetched(task: Task, url: str, asked: list[str]) -> None:
    package = f"{url}/first.tar.gz"
    assert task.run(package=package, checksum=task.checksum)["status"] == "permanent"
    assert not task.run(package=package, checksum=task.checksum)["changed"]
    assert asked == ["/first.tar.gz"]


def test_package_that_cannot_be_fetched(task: Task, url: str, asked: list[str]) -> None:
    package = f"{url}/first.tar.gz"
    assert task.fails(package=package) == f"package {package}: a package from a URL needs a checksum: set otp_package_checksum (option checksum)"
    assert asked == []
    assert f"cannot get the package from {url}/nowhere.tar.gz: HTTP Error 404" in task.fails(package=f"{url}/nowhere.tar.gz", checksum=task.checksum)
    digest = task.checksum[len("sha256:") :]
    message = f"package {package}: its sha256 is {digest}, and {'0' * 64} was expected: it is damaged, or another package"
    assert task.fails(package=package, checksum=f"sha256:{'0' * 64}") == message
    assert task.run(package=package, checksum=task.checksum)["status"] == "permanent"
