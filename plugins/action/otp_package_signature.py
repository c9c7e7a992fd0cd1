# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action otp_package_signature, which has no module on the host: package, key and signers are on the controller."""

from __future__ import annotations

import os
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.terminal import cleaned
from ansible_collections.erlang.otp.plugins.plugin_utils._package.facts import checksum_of
from ansible_collections.erlang.otp.plugins.plugin_utils._package.signature import SUFFIX, policy_of, verify
from ansible_collections.erlang.otp.plugins.plugin_utils._package.signing import check_digest, is_signed, sign

ARGUMENT_SPEC = {
    "package": {"type": "str", "required": True},
    "checksum": {"type": "str"},
    # A path, and no secret.
    "key": {"type": "str", "no_log": False},
    "allowed_signers": {"type": "str"},
    "revoked_keys": {"type": "str"},
}


class ActionModule(ActionBase):
    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        options = self.validate_argument_spec(ARGUMENT_SPEC, required_one_of=[("key", "allowed_signers")])[1]
        result = super().run(tmp, task_vars)
        try:
            result.update(self.ensure(options))
        except OtpError as error:
            raise AnsibleActionFail(str(error)) from error
        except OSError as error:
            raise AnsibleActionFail(f"{error.filename}: {error.strerror}.") from error
        return t.cast("dict[str, t.Any]", cleaned(result))

    def ensure(self, options: dict[str, t.Any]) -> dict[str, t.Any]:
        package, key = (os.path.abspath(os.path.expanduser(path)) if path else "" for path in (options["package"], options["key"]))
        check_digest(package, options["checksum"])
        changed = bool(key) and not is_signed(package, key)
        if changed and not self._task.check_mode:
            sign(package, key, options["checksum"])
        result = {"changed": changed, "package": package, "signature": package + SUFFIX, "sha256": checksum_of(package), "signer": "", "key": ""}
        policy = policy_of({f"otp_{name}": options[name] for name in ("allowed_signers", "revoked_keys")})
        if policy and not (changed and self._task.check_mode):
            result.update(verify(package, policy)._asdict())
            check_digest(package, f"sha256:{result['sha256']}")
        return result
