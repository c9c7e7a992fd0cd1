# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cookie and the secrets of a configuration, over the life of a node: others see them nowhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

import pytest
from secrecy import Syslog, Watch, files_with, open_to_others
from upgrade_site import Site, upgrade_site
from waiting import LIMIT, wait_until

HOST = "north"
TOKEN = "tokenthatnobodymaysee"
PASSWORD = "passwordthatnobodymaysee `id` $HOME \"'"
# Not a secret, but not for other users of the host either.
PLAIN = "environmentofthenodealone"
SAYS_ALL = ("-vvvv", "--diff")


@pytest.fixture(scope="module")
def site() -> t.Iterator[Site]:
    """A host without a system. What Ansible writes anywhere, it writes below the site's directory, which others may enter."""
    directory = Path(tempfile.mkdtemp(prefix="otp-secrets-"))
    directory.chmod(0o755)
    places = {"ANSIBLE_HOME": "ansible", "ANSIBLE_CACHE_PLUGIN_CONNECTION": "facts", "ANSIBLE_REMOTE_TMP": "remote", "ANSIBLE_LOCAL_TEMP": "local"}
    with upgrade_site(directory, hosts=[HOST]) as site, pytest.MonkeyPatch.context() as patch:
        site.stop(HOST)
        shutil.rmtree(site.root(HOST))
        shutil.rmtree(directory / "home")
        (directory / "tmp").mkdir(mode=0o1777)
        patch.setenv("TMPDIR", str(directory / "tmp"))
        patch.setenv("ANSIBLE_CACHE_PLUGIN", "jsonfile")
        patch.setenv("ANSIBLE_LOG_PATH", str(directory / "ansible.log"))
        for name, place in places.items():
            patch.setenv(name, str(directory / place))
        config = directory / "exchange-source" / "sys.config.src"
        config.write_text(config.read_text().replace("[{exchange,\n  [", '[{exchange,\n  [{token, "${TOKEN}"},\n   ', 1))
        assert "${TOKEN}" in config.read_text()
        # The same version has other content now.
        shutil.rmtree(directory / ".packages")
        yield site


def write_inventory(site: Site, release: str, *earlier: str) -> None:
    """Files instead of pipelining, as there would be more to see; and an inventory that the operator keeps to himself."""
    environment = {"ERL_EPMD_PORT": site.epmd_port, "PLAIN": PLAIN}
    site.write_inventory(
        release,
        *earlier,
        otp_config_secrets={"TOKEN": TOKEN},
        otp_environment=environment,
        otp_environment_secrets={"PASSWORD": PASSWORD},
        ansible_pipelining=False,
    )
    site.inventory.chmod(0o600)


def call(site: Site, cookie: str) -> str:
    """What otp_rpc says, asked for the node's name with a cookie of the inventory, or a wrong one."""
    arguments = {"node": f"{HOST}@localhost", "cookie": cookie, "epmd_port": site.epmd_port, "module": "erlang", "function": "node"}
    command = [str(site.programs / "ansible"), HOST, "-i", str(site.inventory), "-m", "erlang.otp.otp_rpc", "-a", json.dumps(arguments), *SAYS_ALL]
    return subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False).stdout


def test_a_secret_would_be_seen(tmp_path: Path) -> None:
    with Watch("argument1", "variable1") as watch, Syslog() as syslog:
        for command, secret in ((["sh", "-c", "read _", "argument1"], b"argument1"), (["cat"], b"variable1")):
            with subprocess.Popen(command, stdin=subprocess.PIPE, env={**os.environ, "NAME": "variable1"}) as process:
                wait_until(lambda secret=secret: any(secret in content for content in watch.seen), "the watch has seen it", running=process)
        subprocess.run([sys.executable, "-c", "import syslog; syslog.syslog('message1')"], check=True)
    assert any(b"argument1" in content for content in watch.seen) and any(b"variable1" in content for content in watch.seen)
    assert b"message1" in syslog.heard
    for name, mode in (("open", 0o644), ("closed", 0o640)):
        (tmp_path / name).write_text("word1")
        (tmp_path / name).chmod(mode)
    assert files_with(tmp_path, "word1") == {"open", "closed"} and list(open_to_others(tmp_path)) == [tmp_path / "open"]


def test_others_see_no_secret(site: Site) -> None:
    outputs: dict[str, str] = {}

    def play(playbook: str, *arguments: str, **options: t.Any) -> None:
        outputs[f"{playbook} {len(outputs)}"] = site.play(playbook, *SAYS_ALL, *arguments, **options).output
        for path in open_to_others(site.directory):
            content = path.read_bytes()
            # The controller's own log has the diff.
            hidden = secrets if path.name == "ansible.log" else (*secrets, PLAIN)
            assert not [secret for secret in hidden if secret.encode() in content], path

    secrets = (site.cookie, TOKEN, PASSWORD)
    with Watch(site.cookie, TOKEN, of_environment=[PASSWORD, PLAIN]) as watch, Syslog() as syslog:
        write_inventory(site, "FIRST")
        play("deploy")
        write_inventory(site, "SECOND", "FIRST")
        play("upgrade")
        outputs["call"] = call(site, "{{ otp_cookie }}")
        outputs["call with a wrong cookie"] = call(site, "{{ otp_cookie }}x")
        play("rollback")
        # What fails says more than what does not.
        play("upgrade", code=2, otp_gates=[{"command": "false"}])
    assert f"{HOST}@localhost" in outputs["call"] and "FAILED" in outputs["call with a wrong cookie"]
    for name, output in outputs.items():
        assert not [secret for secret in secrets if secret in output], name
    assert watch.rounds > 10 and not watch.seen
    assert b"Invoked with" in syslog.heard
    assert not [secret for secret in secrets if secret.encode() in syslog.heard]
    assert files_with(site.directory, site.cookie) == {"inventory.yml", "home/.erlang.cookie"}
    configurations = {os.path.relpath(path, site.directory) for path in Path(site.root(HOST)).glob("releases/*/sys.config")}
    assert files_with(site.directory, PASSWORD) == {"inventory.yml", f"{HOST}/bin/environment"}
    assert files_with(site.directory, PLAIN) == {"ansible.log", "inventory.yml", f"{HOST}/bin/environment"}
    assert files_with(site.directory, TOKEN) == {"inventory.yml", *configurations} and len(configurations) == 2
