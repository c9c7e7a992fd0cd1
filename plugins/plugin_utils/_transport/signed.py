# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rule of ``otp_allowed_signers``: which packages a task may bring to its host. The variables count, whatever else the task has for options.

A task that is delegated to a host, such as those of a client on its master, heeds the variables of both.
"""

from __future__ import annotations

import typing as t

from ansible import constants as C
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.plugin_utils._package.facts import checksum_of

if t.TYPE_CHECKING:
    from ansible_collections.erlang.otp.plugins.plugin_utils._package.signature import Policy

VARIABLES = ("otp_allowed_signers", "otp_revoked_keys")


class Rule(t.NamedTuple):
    """policies: each must be met; without any, all packages are allowed."""

    policies: tuple[Policy, ...] = ()

    def checksum_of(self, package: str) -> str:
        """``sha256:`` and the digest of the package on the controller, of the bytes that were verified. Raises OtpError, and OSError without a policy."""
        if not self.policies:
            return f"sha256:{checksum_of(package)}"
        # Lazy, for start-up time: only where packages are signed.
        from ansible_collections.erlang.otp.plugins.plugin_utils._package.signature import verify

        return self._one([verify(package, policy).sha256 for policy in self.policies], package)

    def of_a_mirror(self, arguments: dict[str, t.Any]) -> dict[str, t.Any]:
        """The options of a module for a package from a URL, with the checksum of what was verified. Raises OtpError."""
        if not self.policies:
            return arguments
        from ansible_collections.erlang.otp.plugins.plugin_utils._package.mirror import verify_url

        url, options = arguments["package"], arguments.get("url_options")
        directory = C.DEFAULT_LOCAL_TMP  # type: ignore[attr-defined]
        checksum = self._one([verify_url(url, policy, options, directory).sha256 for policy in self.policies], url)
        given = str(arguments.get("checksum") or checksum).strip().lower()
        if given != checksum:
            raise OtpError(f"package {url}: the checksum of what was verified is {checksum}, and {given} was expected: it is damaged, or another package.")
        return {**arguments, "checksum": checksum}

    def of_a_file(self, arguments: dict[str, t.Any]) -> dict[str, t.Any]:
        """The options of a module for another package. Raises OtpError for one that is on the host: it cannot be verified here."""
        if self.policies and boolean(arguments.get("remote_src", False), strict=False):
            raise OtpError(
                f"package {arguments['package']} is on the host (remote_src), where its signature is not verified, and otp_allowed_signers asks for one:"
                " give a file on the controller, or a URL."
            )
        return arguments

    @staticmethod
    def _one(digests: list[str], package: str) -> str:
        if len(set(digests)) > 1:
            raise OtpError(f"package {package} was changed while it was verified. Find out what has changed it.")
        return f"sha256:{digests[0]}"


ANY = Rule()


def rule_of(action: ActionBase, task_vars: t.Mapping[str, t.Any] | None) -> Rule:
    """The rule for the host of the task, and for the one that it is delegated to. Raises OtpError."""
    variables = [task_vars or {}]
    hostvars, other = variables[0].get("hostvars") or {}, action._task.delegate_to
    if other and other in hostvars:
        variables.append(hostvars[other])
    found = [{name: action._templar.template(each[name]) for name in VARIABLES if each.get(name)} for each in variables]
    if not any(found):
        return ANY
    from ansible_collections.erlang.otp.plugins.plugin_utils._package.signature import policy_of

    return Rule(tuple(dict.fromkeys(policy for policy in map(policy_of, found) if policy)))
