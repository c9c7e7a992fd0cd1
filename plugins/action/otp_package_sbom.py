# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks the builder when and from what a package was built, and writes that beside the package on the controller."""

from __future__ import annotations

import hashlib
import os
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import write_file
from ansible_collections.erlang.otp.plugins.module_utils._core.terminal import cleaned
from ansible_collections.erlang.otp.plugins.plugin_utils._package.facts import checksum_of
from ansible_collections.erlang.otp.plugins.plugin_utils._package.sbom import document_of, is_about, missing_library, write_document
from ansible_collections.erlang.otp.plugins.plugin_utils._package.signing import is_signed, sign
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.stdin_transport import StdinTransport

TRANSPORT = StdinTransport("otp_package_sbom", for_boxes=False)
OF_A_BUILD = ("package", "applications")


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        text = {"type": "str", "required": True}
        build = {"type": "dict", "required": True}
        # A path, and no secret.
        options = self.validate_argument_spec({"package": text, "build": build, "key": {"type": "str", "no_log": False}})[1]
        result = super().run(tmp, task_vars)
        try:
            result.update(self._ensure(options, task_vars or {}))
        except OtpError as error:
            result.update(failed=True, msg=str(error))
        except OSError as error:
            result.update(failed=True, msg=f"{error.filename}: {error.strerror}.")
        return t.cast("dict[str, t.Any]", cleaned(result))

    def _ensure(self, options: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        build, key = options["build"], os.path.abspath(os.path.expanduser(options["key"])) if options["key"] else ""
        package = os.path.abspath(os.path.expanduser(options["package"]))
        lack = missing_library()
        if lack:
            raise OtpError(lack)
        if checksum_of(package) != build["sha256"]:
            raise OtpError(
                f"package {package}: its sha256 is {checksum_of(package)}, and the build reported {build['sha256']}: bring the package that was built there."
            )
        document = document_of(package)
        # With a key, what others may have written beside the package is not signed.
        if is_about(document, build["sha256"]) and (not key or is_signed(document, key)):
            return {"changed": False, "document": document}
        answer = TRANSPORT.execute(self, {"package": package, "build": {name: build[name] for name in OF_A_BUILD}}, task_vars)
        if answer.get("failed"):
            return answer
        if not self._task.check_mode:
            content = write_document(build, answer["provenance"], str(task_vars["inventory_hostname"]), os.path.basename(package))
            write_file(document, content, mode=0o644)
            if key:
                sign(document, key, f"sha256:{hashlib.sha256(content).hexdigest()}", kind="document")
        return {"changed": True, "document": document, "warnings": [*answer.get("warnings", []), *answer["provenance"]["warnings"]]}
