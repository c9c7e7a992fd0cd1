# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the package of a host is signed as its variables ask: found before any host is touched. The tasks that bring it verify it in any case."""

from __future__ import annotations

import os
import typing as t

from ansible import constants as C

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._package.download import is_url
from ansible_collections.erlang.otp.plugins.plugin_utils._package.facts import thin_of


def signatures(variables: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """A sentence for what is wrong with the signers, with the package, or with the thin one beside it."""
    if not variables.get("otp_allowed_signers") and not variables.get("otp_revoked_keys"):
        return
    # Lazy, for start-up time: only where packages are signed.
    from ansible_collections.erlang.otp.plugins.plugin_utils._package.mirror import verify_url
    from ansible_collections.erlang.otp.plugins.plugin_utils._package.signature import policy_of, verify

    package = os.path.expanduser(str(variables.get("otp_package") or ""))
    try:
        policy = policy_of(variables)
        if policy and is_url(package):
            verify_url(package, policy, variables.get("otp_package_url_options"), C.DEFAULT_LOCAL_TMP)  # type: ignore[attr-defined]
        elif policy:
            for path in filter(os.path.isfile, (package, thin_of(package))):
                verify(path, policy)
    except OtpError as error:
        yield str(error)
