# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with the variables of a box without Python."""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._package.download import is_url


def box(variables: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """Sentences, each with the variable at fault and the way out."""
    if not variables.get("otp_box"):
        return
    if variables.get("otp_service_manager") == "systemd":
        yield "otp_service_manager is systemd, which is not supported for a box without Python (otp_box): use sysv or none."
    if variables.get("otp_console", "run_erl") != "run_erl":
        yield "otp_console must be run_erl for a box (otp_box), because its node is reached through the pipes of run_erl."
    if is_url(str(variables.get("otp_package") or "")):
        yield "otp_package is a URL, but a box (otp_box) fetches nothing: give a file on the controller."
    if variables.get("otp_boot_variables"):
        yield "otp_boot_variables is not supported for a box (otp_box): its whole system is below otp_root."
