# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with the certificate, the key and the CA of a host: found before any host is touched, as the host would find it."""

from __future__ import annotations

import typing as t


def tls(variables: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """Sentences, each with the variable at fault and the way out. None of them has the key."""
    given = variables.get("otp_dist_tls")
    if not given:
        return
    if not (given.get("certificate") and given.get("key")):
        yield "otp_dist_tls needs certificate and key: give both, or remove it."
        return
    # Lazy, for start-up time: few inventories have it.
    from ansible_collections.erlang.otp.plugins.module_utils._core.certificates import misfit

    certificate, key, ca = (str(given.get(name) or "") for name in ("certificate", "key", "ca"))
    problem = misfit(certificate, key, ca, str(variables.get("otp_node_name") or "").partition("@")[2])
    if problem:
        yield f"otp_dist_tls: {problem}. Give the certificate of this host, its key, and the CA that signed it, each as PEM."
    if not variables.get("otp_node_name", True):
        yield "otp_dist_tls is set, and otp_node_name is empty: the node is not distributed. Set otp_node_name, or remove otp_dist_tls."
    flags = [str(word) for word in variables.get("otp_erl_flags") or []]
    if any(flag == "-proto_dist" and not protocol.endswith("_tls") for flag, protocol in zip(flags, [*flags[1:], ""])):
        yield "otp_dist_tls is set, and -proto_dist in otp_erl_flags is one without TLS: give inet_tls or inet6_tls there, or leave it out."
    for flag in ("-ssl_dist_optfile", "-ssl_dist_opt"):
        if flag in flags:
            yield f"otp_erl_flags has {flag}, and otp_dist_tls sets -ssl_dist_optfile: leave one of them out."
    if variables.get("otp_box"):
        yield (
            "otp_dist_tls is not supported for a box without Python (otp_box): give it in otp_files the certificate, the key and a file for -ssl_dist_optfile,"
            " and the flags in otp_erl_flags."
        )
