# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: with otp_allowed_signers a package that is not signed does not reach a host, and the host is not even asked: a file, a thin one beside it, one from a
mirror, one on the host, one for another host that a task is delegated to; what is exchanged after it was verified is refused by the host; what is
signed is installed, and the host gets the digest that was verified.
"""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
import typing as t
from pathlib import Path

import pytest
from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.template import trust_as_template

from ansible_collections.erlang.otp.plugins.module_utils._package.thin_base import Base, format_base
from ansible_collections.erlang.otp.plugins.plugin_utils._package import mirror, signature
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.packages import _smallest, run_module
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.signed import Rule, rule_of
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.stdin_transport import StdinTransport
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import checksum, release_members, write_package
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils._transport.tasks import Action, interpreter, make_action
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils.signers import Signers

HANDLER = StdinTransport("otp_release_handler")


class Counting(Action):
    """Counts what is asked of the host."""

    def __init__(self, *arguments: t.Any) -> None:
        super().__init__(*arguments)
        self.asked: list[t.Any] = []

    def _find_needle(self, dummy_directory: str, needle: str) -> str:
        return needle

    def _low_level_execute_command(self, *arguments: t.Any, **options: t.Any) -> dict[str, t.Any]:
        self.asked.append(arguments)
        return t.cast("dict[str, t.Any]", super()._low_level_execute_command(*arguments, **options))

    def _execute_module(self, *arguments: t.Any, **options: t.Any) -> dict[str, t.Any]:
        self.asked.append(options["module_args"])
        return super()._execute_module(*arguments, **options)


@pytest.fixture(scope="module")
def signers(tmp_path_factory: pytest.TempPathFactory) -> Signers:
    return Signers(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def package(tmp_path: Path) -> str:
    return write_package(tmp_path / "system-SECOND.tar.gz", release_members("SECOND", app_version="2.0"))


@pytest.fixture
def run(tmp_path: Path, signers: Signers) -> t.Callable[..., tuple[dict[str, t.Any], list[t.Any]]]:
    def run(package: str, *, variables: dict[str, t.Any] | None = None, check_mode: bool = False, **more: t.Any) -> tuple[dict[str, t.Any], list[t.Any]]:
        """The result, or its error, and what the host was asked."""
        action = t.cast("Counting", make_action(kind=Counting, check_mode=check_mode))
        arguments = {"root": f"{tmp_path}/srv", "release": "SECOND", "state": "unpacked", "transport": "offline", "package": package, **more}
        try:
            return run_module(action, HANDLER, arguments, {**interpreter(tmp_path), **(signers.variables if variables is None else variables)}), action.asked
        except AnsibleError as error:
            return {"failed": True, "msg": str(error)}, action.asked

    return run


@pytest.mark.parametrize("more", [{}, {"force": True}, {"state": "ready"}, {"check_mode": True}, {"remote_src": True}])
def test_an_unsigned_package(run: t.Callable[..., t.Any], package: str, more: dict[str, t.Any]) -> None:
    for pinned in ({}, {"checksum": checksum(package)}):
        result, asked = run(package, **more, **pinned)
        assert result["failed"] and f"package {package} is " in result["msg"] and "otp_allowed_signers" in result["msg"]
        assert asked == []


def test_a_package_on_the_host_is_not_verified(run: t.Callable[..., t.Any], signers: Signers, package: str) -> None:
    signers.sign(package)
    result, asked = run(package, remote_src=True)
    assert "is on the host (remote_src), where its signature is not verified" in result["msg"] and asked == []
    # As the message says: a file on the controller.
    assert not run(package)[0].get("failed")


def test_a_signed_package_is_installed(run: t.Callable[..., t.Any], signers: Signers, package: str, tmp_path: Path) -> None:
    signers.sign(package)
    result, _asked = run(package)
    assert result["transferred"] and not result.get("failed") and (tmp_path / "srv/releases/SECOND").is_dir()


def test_a_template_is_filled_in(run: t.Callable[..., t.Any], signers: Signers, package: str) -> None:
    result, asked = run(package, variables={"otp_allowed_signers": trust_as_template("{{ undefined_name }}/x")})
    assert result["failed"] and asked == []
    result, asked = run(package, variables={"otp_allowed_signers": trust_as_template("{{ '' }}")})
    assert not result.get("failed") and asked


def test_what_is_exchanged_after_it_was_verified_is_refused_by_the_host(
    run: t.Callable[..., t.Any], signers: Signers, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signers.sign(package)
    evil = write_package(tmp_path / "evil.tar.gz", {**release_members("SECOND", app_version="2.0"), "lib/pea-2.0/priv/evil": b"evil"})
    good, real = checksum(package), signature.verify

    def exchanging(*arguments: t.Any, **options: t.Any) -> t.Any:
        found = real(*arguments, **options)
        shutil.copy(evil, package)
        return found

    monkeypatch.setattr(signature, "verify", exchanging)
    result, _asked = run(package)
    assert result["failed"] and good[len("sha256:") :] in result["msg"], result
    assert not (tmp_path / "srv/releases/SECOND").exists() and not list(tmp_path.glob("srv/lib/*"))


def test_a_thin_package_is_signed_itself(signers: Signers, tmp_path: Path) -> None:
    """What claims to be the thin one of a package that is verified is sent in its place."""
    base = Base("SYSTEM", "FIRST", "a" * 64, "b" * 64, {}, [])
    full, thin = str(tmp_path / "x-SECOND.tar.gz"), write_package(tmp_path / "x-SECOND-thin.tar.gz", {"releases/SECOND/base.json": format_base(base)})
    policy = signature.policy_of(signers.variables)
    assert policy
    arguments = (full, {"checksum": f"sha256:{base.full}"}, {"known_packages": [base.sha256]}, None, Rule((policy,)))
    for how, name in ((None, ""), ("other", "other"), ("gone", "gone")):
        if how:
            signers.sign(thin, name)
        with pytest.raises(signature.OtpError, match="x-SECOND-thin.tar.gz (is not|was) signed"):
            _smallest(*arguments)
    signers.sign(thin)
    assert _smallest(*arguments) == (thin, {"checksum": checksum(thin)})


def test_the_host_that_a_task_is_delegated_to(signers: Signers, tmp_path: Path) -> None:
    other = Signers(tmp_path / "others")
    action = make_action(kind=Counting)
    action._task.delegate_to = "master"
    hostvars = {"master": signers.variables, "else": other.variables}
    assert rule_of(action, {"hostvars": hostvars}).policies == (signature.policy_of(signers.variables),)
    assert len(rule_of(action, {"hostvars": hostvars, **other.variables}).policies) == 2
    assert len(rule_of(action, {"hostvars": hostvars, **signers.variables}).policies) == 1
    action._task.delegate_to = None
    assert rule_of(action, {"hostvars": hostvars}).policies == ()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[tuple[str, list[str]]]:
    """The URL of a mirror, and what it was asked for."""
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *dummy: t.Any) -> None:
            asked.append(self.path)

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(C, "DEFAULT_LOCAL_TMP", str(tmp_path / "run"))
    (tmp_path / "run").mkdir()
    mirror._fetched.cache_clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(tmp_path))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


def test_a_mirror(run: t.Callable[..., t.Any], signers: Signers, package: str, site: tuple[str, list[str]]) -> None:
    signers.sign(package)
    url, asked_of_mirror = f"{site[0]}/system-SECOND.tar.gz", site[1]
    for _host in range(2):
        _result, asked = run(url)
        # The last one is Ansible's own way, which brings what is needed to fetch it.
        assert (asked[-1]["package"], asked[-1]["checksum"]) == (url, checksum(package))
    assert asked_of_mirror == ["/system-SECOND.tar.gz.sig", "/system-SECOND.tar.gz"]
    result, asked = run(url, checksum="sha256:" + 64 * "0")
    assert "the checksum of what was verified is" in result["msg"] and asked == []


@pytest.mark.parametrize("name", ["", "other", "gone"])
def test_a_mirror_with_a_package_that_is_not_signed(
    run: t.Callable[..., t.Any], signers: Signers, package: str, site: tuple[str, list[str]], name: str
) -> None:
    if name:
        signers.sign(package, name)
    for _host in range(2):
        result, asked = run(f"{site[0]}/system-SECOND.tar.gz?token=secret", checksum=checksum(package))
        assert f"package {site[0]}/system-SECOND.tar.gz " in result["msg"] and "secret" not in result["msg"] and asked == []
    assert len(site[1]) == (3 if not name else 2)


def test_the_options_of_a_mirror_are_checked(run: t.Callable[..., t.Any], site: tuple[str, list[str]]) -> None:
    result, asked = run(f"{site[0]}/system-SECOND.tar.gz", url_options={"url_user": "x"})
    assert "otp_package_url_options (option url_options): " in result["msg"] and "url_user" in result["msg"] and asked == []
