# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nodes that are distributed over TLS: with files of the inventory, which the collection uses as well, and with files of their own, through the pipes."""

from __future__ import annotations

import json
import re
import shutil
import socket
import ssl
import stat
import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest
from authority import Authority
from release_workshop import MINIMAL, Workshop
from terminal import Terminal
from test_without_epmd import HOSTS_FILE
from upgrade_site import Run, Site, bring_exchange
from waiting import LIMIT, free_port

from ansible_collections.erlang.otp.plugins.module_utils._build.otp import find_otp
from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _node
from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import Unreachable
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import connect
from ansible_collections.erlang.otp.plugins.module_utils._node.distribution import Connection
from ansible_collections.erlang.otp.plugins.module_utils._node.run_erl_console import Console
from ansible_collections.erlang.otp.plugins.module_utils._node.tls import TlsFiles, context_of
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom
from ansible_collections.erlang.otp.tests.real.other_otp import version_of

# Checked by both sides, and without EPMD; encrypted alone, over IPv6; with files that only the node knows.
# No node of another test has these names, by which it is looked for among all processes.
HOSTS = ("bern", "rome", "cork")
NEEDED = ("asn1", "crypto", "public_key", "ssl")


class Secure(Site):
    """Hosts, and the files of each."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, HOSTS)
        self.port, self.other_port = free_port(), free_port()
        (directory / "inetrc").write_text(HOSTS_FILE)
        self.files = {host: Authority().issue("localhost") for host in HOSTS}
        for name, text in self.files["cork"].items():
            (directory / f"{name}.pem").write_text(text)

    def write(self, release: str, *earlier: str) -> None:
        vm_args = f"-proto_dist inet_tls\n-ssl_dist_opt server_certfile {self.directory}/certificate.pem server_keyfile {self.directory}/key.pem\n"
        without_ca = {name: text for name, text in self.files["rome"].items() if name != "ca"}
        of_hosts = {
            "bern": {"otp_dist_tls": self.files["bern"], "otp_epmd": False, "otp_dist_ports": self.port},
            "rome": {
                "otp_dist_tls": without_ca,
                "otp_erl_flags": ["-proto_dist", "inet6_tls"],
                "otp_environment": {"ERL_EPMD_PORT": self.epmd_port, "ERL_INETRC": f"{self.directory}/inetrc"},
                "otp_epmd": False,
                "otp_dist_ports": self.other_port,
            },
            "cork": {"otp_vm_args": vm_args + "-ssl_dist_opt client_verify verify_none\n"},
        }
        self.write_inventory(release, *earlier, of_hosts=of_hosts)

    def node(self, host: str) -> _node.Node:
        return super().node(host)._replace(pipe_directory=f"{self.root(host)}/run/pipe")

    def add_ssl(self) -> None:
        """To each release."""
        otp = find_otp(None)
        more = "".join(f',{{{name}, "{version_of(otp, name)}"}}' for name in NEEDED)
        for path in (self.directory / "exchange-source").glob("*.rel"):
            path.write_text(re.sub(r'(\{sasl,\s*"[^"]*"\})', rf"\1{more}", path.read_text()))

    def logs(self, host: str) -> str:
        return "".join(path.read_text("utf-8", "replace") for path in Path(self.root(host), "log").glob("erlang.log.*"))

    def certificate_of_bern(self, files: TlsFiles) -> bytes:
        """What the node presents to a client with these files."""
        with socket.create_connection(("127.0.0.1", self.port), LIMIT) as connection, context_of(files).wrap_socket(connection) as secured:
            return t.cast("bytes", secured.getpeercert(True))

    def run(self, host: str, *words: str) -> str:
        """What bin/exchange writes."""
        command = [f"{self.root(host)}/bin/exchange", *words]
        said = subprocess.run(command, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False)
        assert said.returncode == 0, said.stdout
        return said.stdout.strip()


@pytest.fixture(scope="module")
def site(erl: str) -> t.Iterator[Secure]:
    site = Secure(Path(tempfile.mkdtemp(prefix="otp-tls-")))
    bring_exchange(site.directory / "exchange-source")
    site.add_ssl()
    with site.at_work():
        site.write("FIRST")
        yield site


@pytest.fixture(scope="module")
def deployed(site: Secure) -> Run:
    return site.play("deploy", "--diff", "-vvv")


def test_deployed(site: Secure, deployed: Run) -> None:
    assert site.play("deploy").changed == dict.fromkeys(("builder", *HOSTS), 0)
    rows = site.play("status").rows
    assert {rows[host][0] for host in HOSTS} == {"running"}
    kinds = {}
    for host in HOSTS:
        with connect(_node.address_of(site.node(host)), timeout=LIMIT) as connection:
            kinds[host] = type(connection)
            assert connection.call("erlang", "node", []) == Atom(f"{host}@localhost")
    assert kinds == {"bern": Connection, "rome": Connection, "cork": Console}


def test_the_key_is_the_node_s_alone(site: Secure, deployed: Run) -> None:
    key = Path(site.root("bern"), "tls/key.pem")
    assert stat.S_IMODE(key.stat().st_mode) == 0o400 and stat.S_IMODE(key.parent.stat().st_mode) == 0o750
    for host in ("bern", "rome"):
        for line in site.files[host]["key"].splitlines()[1:-1]:
            assert line not in deployed.output and line not in site.logs(host)


@pytest.mark.parametrize("host", HOSTS)
def test_commands(site: Secure, deployed: Run, host: str) -> None:
    assert site.run(host, "ping") == "pong"
    assert site.run(host, "rpc", "erlang", "node") == f"{host}@localhost"


def test_a_shell_in_the_node(site: Secure, deployed: Run) -> None:
    with Terminal(f"{site.root('bern')}/bin/exchange", "remote") as terminal:
        terminal.expect("(bern@localhost)1>")
        terminal.type("1000 + 234.\r")
        terminal.expect("1234")


def test_upgraded_while_they_run_and_back(site: Secure, deployed: Run) -> None:
    pids = site.pids()
    site.write("SECOND", "FIRST")
    run = site.play("upgrade", otp_serial="100%")
    assert {run.rows[host][-2] for host in HOSTS} == {"done"} and {site.ask(host, "version") for host in HOSTS} == {"version 2.0"}
    site.play("rollback", otp_serial="100%")
    assert {site.ask(host, "version") for host in HOSTS} == {"version 1.0"} and site.pids() == pids


def test_the_log_has_nothing_of_our_calls(site: Secure, deployed: Run) -> None:
    for host in HOSTS:
        assert "TLS" not in site.logs(host) and "handshake" not in site.logs(host)


def of_first(site: Secure) -> dict[str, str]:
    return {"otp_package": f"{site.directory}/.packages/exchange-FIRST.tar.gz"}


def test_another_certificate_without_a_restart(site: Secure, deployed: Run) -> None:
    """And another CA."""
    pids, earlier = site.pids(), site.files["bern"]
    site.files["bern"] = Authority().issue("localhost")
    site.write("FIRST")
    assert site.play("deploy", "--limit", "bern", "--check", **of_first(site)).changed["bern"] == 1
    run = site.play("deploy", "--limit", "bern", "-v", **of_first(site))
    assert "have the node bern@localhost read its certificate again" in run.output and site.pids() == pids
    tls = Path(site.root("bern"), "tls")
    files = TlsFiles(*(str(tls / f"{name}.pem") for name in ("certificate", "key", "ca")))
    assert site.certificate_of_bern(files) == ssl.PEM_cert_to_DER_cert(site.files["bern"]["certificate"])
    assert site.play("deploy", "--limit", "bern", **of_first(site)).changed["bern"] == 0
    # Who has the earlier ones is not let in: the other side of a mutual check.
    for name, text in earlier.items():
        (site.directory / f"earlier-{name}.pem").write_text(text)
    old = TlsFiles(*(str(site.directory / f"earlier-{name}.pem") for name in ("certificate", "key")), files.ca)
    for other, words in ((old, None), (files._replace(ca=str(site.directory / "earlier-ca.pem")), "does not agree on TLS .*certificate")):
        with pytest.raises(Unreachable, match=words):
            Connection(node="bern@localhost", cookie=site.cookie, port=site.port, tls=other, timeout=LIMIT)


def test_a_certificate_that_has_expired_is_replaced(site: Secure, deployed: Run) -> None:
    """Through the pipes: the node is not restarted, and over TLS nobody could ask it any more."""
    pids, node = site.pids(), site.node("bern")
    for name, text in Authority().issue("localhost", hours=-1).items():
        Path(site.root("bern"), "tls", f"{name}.pem").write_text(text)
    assert node.pipe_directory
    with Console(directory=node.pipe_directory) as console:
        console.call("gen_server", "call", [Atom("ssl_pem_cache_dist"), (Atom("unconditionally_clear_pem_cache"), [])])
    with pytest.raises(Unreachable, match="does not agree on TLS .*expired"):
        connect(_node.address_of(node)._replace(transport="distribution"), timeout=LIMIT)
    run = site.play("deploy", "--limit", "bern", "-v", **of_first(site))
    assert "have the node bern@localhost read its certificate again" in run.output and site.pids() == pids
    with connect(_node.address_of(node), timeout=LIMIT) as connection:
        assert isinstance(connection, Connection)


def test_a_key_that_does_not_fit_is_refused_before_anything_is_touched(site: Secure, deployed: Run) -> None:
    before = {path: path.lstat().st_mtime_ns for path in Path(site.root("bern")).rglob("*")}
    other = Authority().issue("elsewhere")
    good = site.files["bern"]
    for files, words in (
        ({**good, "key": other["key"]}, "the key is not that of the certificate"),
        ({**good, "ca": other["ca"]}, "the certificate is not accepted"),
        (other, "Hostname mismatch"),
    ):
        said = site.play("deploy", "--limit", "bern", code=2, otp_dist_tls=files, **of_first(site)).output
        assert words in " ".join(said.split()) and files["key"].splitlines()[2] not in said
    assert {path: path.lstat().st_mtime_ns for path in Path(site.root("bern")).rglob("*")} == before
    assert site.play("deploy", "--limit", "bern", **of_first(site)).changed["bern"] == 0


def test_a_release_without_ssl(site: Secure) -> None:
    workshop = Workshop(site.directory / "workshop", find_otp(None))
    workshop.directory.mkdir()
    package = site.directory / "plain-0.1.0.tar.gz"
    shutil.move(workshop.build(rel=workshop.rel(*MINIMAL, name="plain", version="0.1.0"), sys_config="[].\n")["package"], package)
    plain = {"otp_package": str(package), "otp_root": f"{site.directory}/plain", "otp_state": "stopped"}
    said = site.play("deploy", "--limit", "rome", code=2, **plain).output
    assert "release 0.1.0 has no application ssl" in " ".join(said.split())
    assert site.play("deploy", "--limit", "rome", otp_dist_tls={}, **plain).changed["rome"] == 1


def test_a_call_without_any_way(site: Secure, deployed: Run) -> None:
    """By its name alone, the node's pipes are not known."""
    call = {"node": "cork@localhost", "cookie": site.cookie, "epmd_port": site.epmd_port, "module": "erlang", "function": "node"}
    for more, code, words in (({}, 2, "set otp_dist_tls"), ({"pipe_dir": f"{site.root('cork')}/run/pipe"}, 0, "cork@localhost")):
        command = [str(site.programs / "ansible"), "cork", "-i", str(site.inventory), "-m", "erlang.otp.otp_rpc", "-a", json.dumps({**call, **more})]
        said = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False)
        assert said.returncode == code and words in said.stdout, said.stdout
