# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with the variables of a builder: the rules between options of otp_release_build, by the names of the variables."""

from __future__ import annotations

import os
import typing as t

OF_A_LIST = ("otp_release_name", "otp_release_version")


def builder(variables: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """Sentences, each with the variable at fault and the way out."""
    if variables.get("otp_sbom"):
        # Lazy, for start-up time: only where a document is written.
        from ansible_collections.erlang.otp.plugins.plugin_utils._package.sbom import missing_library

        yield from filter(None, [missing_library()])
    rel, applications = variables.get("otp_rel"), variables.get("otp_release_applications")
    given = [name for name in (*OF_A_LIST, "otp_release_applications") if variables.get(name)]
    if not rel and not applications:
        yield "otp_release_applications is not set: give the applications of the release, or a .rel file in otp_rel; or set otp_package, and nothing is built."
    elif rel and given:
        yield f"otp_rel and {', '.join(given)} are set: the .rel file has name, version and applications, so leave one of both out."
    elif missing := [name for name in OF_A_LIST if not rel and not variables.get(name)]:
        yield f"otp_release_applications is set, and {' and '.join(missing)} not: set what is missing."
    key = os.path.expanduser(str(variables.get("otp_sign_key") or ""))
    if key and not (os.path.isabs(key) and os.path.isfile(key)):
        yield f"otp_sign_key is {key!r}: it must be the absolute path of a key on the controller; of one in an agent or a token, of its public part."
