# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificate, key and CA of a host. Rules: what two nodes would refuse is refused here, and the key is in no message."""

from __future__ import annotations

import pytest

from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.tls import tls
from ansible_collections.erlang.otp.tests.real.authority import Authority, text_of

AUTHORITY, OTHER = Authority(), Authority()
GOOD, FOREIGN = AUTHORITY.issue("north"), OTHER.issue("north")


@pytest.mark.parametrize(
    "given",
    [
        GOOD,
        {**GOOD, "ca": ""},
        {**GOOD, "ca": f"Zertifikat für Köln\n{GOOD['ca']}"},
        {**GOOD, "certificate": GOOD["certificate"] + OTHER.issue("x")["certificate"]},
        {},
    ],
)
def test_nothing_to_say(given):
    assert [*tls({"otp_dist_tls": given, "otp_node_name": "exchange@north"})] == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"key": FOREIGN["key"]}, "the key is not that of the certificate"),
        ({"ca": FOREIGN["ca"]}, "is not accepted"),
        ({"ca": "no"}, "the CA is not PEM"),
        ({"certificate": "no"}, "is not PEM"),
        ({"key": ""}, "needs certificate and key"),
        (AUTHORITY.issue("south"), "Hostname mismatch"),
        (AUTHORITY.issue("north", hours=-1), "has expired"),
    ],
)
def test_what_does_not_fit(given, words):
    files = {**GOOD, **given}
    (sentence,) = tls({"otp_dist_tls": files, "otp_node_name": "exchange@north"})
    assert words in sentence and sentence.startswith("otp_dist_tls") and not any(line in sentence for line in files["key"].splitlines())


@pytest.mark.parametrize("host", ["a..b", "x" * 300, ".north"])
def test_a_host_that_no_certificate_can_be_for(host):
    (sentence,) = tls({"otp_dist_tls": GOOD, "otp_node_name": f"exchange@{host}"})
    assert "no certificate can be for the host" in sentence


def test_without_files_in_memory_the_node_finds_out(monkeypatch):
    def refused(name):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.memfd_create", refused)
    assert [*tls({"otp_dist_tls": {**GOOD, "ca": OTHER.issue("x")["ca"]}, "otp_node_name": "exchange@north"})] == []


def test_a_key_with_a_password():
    from cryptography.hazmat.primitives import serialization

    key = AUTHORITY.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")).decode()
    (sentence,) = tls({"otp_dist_tls": {**GOOD, "key": key}})
    assert "the key has a password" in sentence and text_of(AUTHORITY.key) != key


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["-proto_dist", "inet6_tcp"], "is one without TLS"),
        (["+K", "true", "-proto_dist"], "is one without TLS"),
        (["-proto_dist", "inet6_tls", "-ssl_dist_optfile", "/etc/other.conf"], "otp_erl_flags has -ssl_dist_optfile"),
        (["-ssl_dist_opt", "server_secure_renegotiate", "true"], "otp_erl_flags has -ssl_dist_opt,"),
    ],
)
def test_flags_that_take_tls_away(flags, words):
    (sentence,) = tls({"otp_dist_tls": GOOD, "otp_node_name": "exchange@north", "otp_erl_flags": flags})
    assert words in sentence
    # Without the variable they are the operator's.
    assert [*tls({"otp_erl_flags": flags})] == []


def test_flags_of_tls():
    flags = ["-proto_dist", "inet6_tls", "-name", "-proto"]
    assert [*tls({"otp_dist_tls": GOOD, "otp_node_name": "exchange@north", "otp_erl_flags": flags})] == []


def test_a_box():
    (sentence,) = tls({"otp_dist_tls": GOOD, "otp_node_name": "exchange@north", "otp_box": True})
    assert "not supported for a box" in sentence and "otp_files" in sentence
    assert [*tls({"otp_box": True})] == []


def test_a_node_without_a_name():
    (sentence,) = tls({"otp_dist_tls": GOOD, "otp_node_name": ""})
    assert "the node is not distributed. Set otp_node_name" in sentence
