# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What otp_release_handler is asked for, as a value, and the error when it cannot be done."""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress
from ansible_collections.erlang.otp.plugins.module_utils._node.verify import Check
from ansible_collections.erlang.otp.plugins.module_utils._tree.mark import Claim


class Request(t.NamedTuple):
    """The options of otp_release_handler. release: a version; package: package, checksum and release as of install_release()."""

    root: str
    release: str
    state: str  # unpacked, ready, current, permanent, absent, rebooted_old, given_back
    name: str | None = None
    address: NodeAddress = NodeAddress()
    transport: str = "auto"  # or distribution, pipe, offline
    package: t.Mapping[str, t.Any] = {}
    # As of configure_release(): sys_config, vm_args, host_flags, variables, secrets.
    configuration: t.Mapping[str, t.Any] | None = None
    down: str = "offline"  # or fail, skip
    keep: int = 0
    method: str = "auto"  # or hot, restart
    allow_restart: bool = False
    force: bool = False
    rollback: bool = True
    verify: tuple[Check, ...] = ()
    verify_timeout: float = 30.0
    timeout: float = 60.0
    upgrade_timeout: float = 600.0  # of install_release
    # As of the option: code_change_timeout, suspend_timeout, error_action, update_paths, purge.
    install_options: t.Mapping[str, t.Any] = {}
    keep_env: t.Sequence[str] = []  # applications whose values beside the files a hot upgrade keeps
    restart_timeout: float = 60.0
    log_dir: str | None = None  # of run_erl; None: log in the root directory
    lock_timeout: float = 60.0
    destdir: str = ""  # the directory on the controller with a copy of the files of a box
    # Of a client node: its name, its machine type, and the node of its master here; "" for the first of its masters.
    client: str = ""
    machine_type: str = ""
    master: str = ""
    claim: Claim = Claim()
    # What has failed since it was made permanent, as another module has found: release, reason, and action, if that is not the start.
    failure: t.Mapping[str, str] = {}
    # Of packages of other releases, by version, what the controller knows of them.
    between: t.Mapping[str, t.Mapping[str, t.Any]] = {}
    hold: float | None = None  # for how many seconds the system is then the run's; 0: it is given back, None: as it is

    @property
    def optional_native(self) -> t.Collection[str] | None:
        """As of check_native(). A client's node runs on another host."""
        return None if self.client else self.package.get("optional_native", ())


class HandlerError(OtpError):
    """The release is not in the requested state; ``result`` is what had been found out by then."""

    result: dict[str, t.Any] = {}
