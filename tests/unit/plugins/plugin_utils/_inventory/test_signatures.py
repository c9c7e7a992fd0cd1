# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: before any host is touched, the package of the inventory and the thin one beside it are verified, and a URL needs no checksum if it is signed; signers
that cannot be read are named, for builders as well, and a key that is not there.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.builder import builder
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.checks import package as package_check
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.checks import problems
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.signatures import signatures
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import release_members, write_package
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils.signers import Signers


@pytest.fixture(scope="module")
def signers(tmp_path_factory: pytest.TempPathFactory) -> Signers:
    return Signers(tmp_path_factory.mktemp("keys"))


def test_the_package_and_the_thin_one(signers: Signers, tmp_path: Path) -> None:
    package = write_package(tmp_path / "x-1.tar.gz", release_members())
    values = {"otp_package": package, **signers.variables}
    (problem,) = signatures(values)
    assert problem.startswith(f"package {package} is not signed")
    assert problem in problems({"otp_root": "/srv/x", "otp_node_name": "", **values})
    signers.sign(package)
    assert [*signatures(values)] == []
    thin = write_package(tmp_path / "x-1-thin.tar.gz", release_members())
    (problem,) = signatures(values)
    assert problem.startswith(f"package {thin} is not signed")
    # As the message says.
    Path(thin).unlink()
    assert [*signatures(values)] == []


def test_without_signers_nothing_is_verified() -> None:
    assert [*signatures({"otp_package": "/nowhere", "otp_allowed_signers": ""})] == []


def test_a_url_needs_a_checksum_or_signers() -> None:
    url = {"otp_package": "http://127.0.0.1:1/x.tar.gz"}
    assert len([*package_check(url)]) == 1 and [*package_check({**url, "otp_allowed_signers": "/x"})] == []


def test_signers_that_are_not_there() -> None:
    (problem,) = signatures({"otp_allowed_signers": "/nowhere/allowed_signers"})
    assert "otp_allowed_signers is '/nowhere/allowed_signers', which does not exist on the controller" in problem
    assert problem in problems({"otp_allowed_signers": "/nowhere/allowed_signers"}, target=False)
    (problem,) = signatures({"otp_revoked_keys": "/dev/null"})
    assert "otp_revoked_keys is set, and otp_allowed_signers not" in problem


@pytest.mark.parametrize("key", ["key", "/nowhere/key"])
def test_a_key_that_is_not_there(key: str, signers: Signers) -> None:
    values = {"otp_rel": "/x.rel", "otp_sign_key": key}
    assert [*builder(values)] == [
        f"otp_sign_key is {key!r}: it must be the absolute path of a key on the controller; of one in an agent or a token, of its public part."
    ]
    assert [*builder({**values, "otp_sign_key": str(signers.directory / "anna.pub")})] == []
