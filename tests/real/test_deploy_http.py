# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""playbooks/deploy.yml with a package from a web server: each host fetches it, once, and none without its checksum.

One host gets its modules through standard input, the other as files. No node is started: what counts is the way of the package.
"""

from __future__ import annotations

import functools
import getpass
import grp
import http.server
import json
import os
import re
import subprocess
import sys
import threading
import typing as t
from pathlib import Path

import pytest
import yaml
from waiting import LIMIT

from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import checksum, release_members, write_package

BIN = Path(sys.executable).parent
HOSTS = {"stdin": True, "files": False}


class Site:
    """An inventory of two hosts of this machine, and a server that has the packages."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "web").mkdir()
        self.first = write_package(directory / "web/first.tar.gz", release_members())
        self.second = write_package(directory / "web/second.tar.gz", release_members("SECOND", app_version="2.0"))
        # What the server was asked for.
        self.asked: list[str] = []
        common = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "otp_user": getpass.getuser(),
            "otp_service_manager": "none",
            "otp_group": grp.getgrgid(os.getegid()).gr_name,
            "otp_root": f"{directory}/{{{{ inventory_hostname }}}}/srv",
            "otp_home": f"{directory}/{{{{ inventory_hostname }}}}/home",
            "otp_state": "present",
        }
        hosts = {name: {"ansible_pipelining": pipelining} for name, pipelining in HOSTS.items()}
        (directory / "inventory.yml").write_text(yaml.safe_dump({"otp": {"hosts": hosts, "vars": common}}))

    def ansible(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "0", "no_proxy": "127.0.0.1"}
        command = [str(BIN / program), "-i", str(self.directory / "inventory.yml"), *arguments]
        return subprocess.run(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False)

    def deploy(self, *arguments: str, code: int = 0, **variables: t.Any) -> tuple[str, dict[str, int]]:
        """What was said, and how many tasks changed each host."""
        said = self.ansible("ansible-playbook", "erlang.otp.deploy", "-e", json.dumps(variables), *arguments)
        assert said.returncode == code, said.stdout
        return said.stdout, {host: int(count) for host, count in re.findall(r"^(\w+) +: ok=.* changed=(\d+)", said.stdout, re.MULTILINE)}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def url(site: Site) -> t.Iterator[str]:
    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *dummy: t.Any) -> None:
            site.asked.append(self.path)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(site.directory / "web"))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_each_host_fetches_the_package_once(site: Site, url: str) -> None:
    package = {"otp_package": f"{url}/first.tar.gz", "otp_package_checksum": checksum(site.first)}
    _said, changed = site.deploy("--check", **package)
    assert changed == {"stdin": 1, "files": 1} and not (site.directory / "stdin").exists() and not (site.directory / "files").exists()
    site.asked.clear()
    assert site.deploy(**package)[1] == {"stdin": 1, "files": 1}
    assert site.asked == ["/first.tar.gz", "/first.tar.gz"]
    assert site.deploy(**package)[1] == {"stdin": 0, "files": 0}
    assert len(site.asked) == 2
    # The next release, as the role upgrade has it brought to a node that is down.
    arguments = {"package": f"{url}/second.tar.gz", "checksum": checksum(site.second), "release": "SECOND", "state": "unpacked", "transport": "offline"}
    task = ["-m", "erlang.otp.otp_release_handler", "-a", json.dumps({**arguments, "root": "{{ otp_root }}"})]
    assert site.ansible("ansible", "otp", *task).stdout.count("| CHANGED =>") == 2
    assert site.asked[2:] == ["/second.tar.gz", "/second.tar.gz"]
    for host in HOSTS:
        assert (site.directory / host / "srv/releases/SECOND/package.json").exists()


def test_without_its_checksum_no_package_is_fetched(site: Site, url: str) -> None:
    said, _changed = site.deploy(code=2, otp_package=f"{url}/first.tar.gz")
    assert f"otp_package is {url}/first.tar.gz, from where each host fetches it: set otp_package_checksum" in " ".join(said.split())
    assert site.asked == []


def test_another_package_is_not_installed(site: Site, url: str) -> None:
    said, _changed = site.deploy(code=2, otp_package=f"{url}/first.tar.gz", otp_package_checksum=checksum(site.second))
    digests = [checksum(package)[len("sha256:") :] for package in (site.first, site.second)]
    message = f"package {url}/first.tar.gz: its sha256 is {digests[0]}, and {digests[1]} was expected"
    assert len({line.partition("]")[0] for line in said.splitlines() if line.startswith("fatal: ") and message in line}) == 2
    assert not list(site.directory.glob("*/srv/releases"))
