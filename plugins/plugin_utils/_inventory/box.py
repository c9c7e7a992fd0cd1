# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with the variables of a box without Python."""

from __future__ import annotations

import typing as t

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.erlang.otp.plugins.module_utils._package.download import is_url


def box(variables: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """Sentences, each with the variable at fault and the way out."""
    if not boolean(variables.get("otp_box", False), strict=False):
        return
    if variables.get("otp_service_manager") == "systemd":
        yield "otp_service_manager is systemd, which a box without Python (otp_box) is not worked with: use sysv or none."
    if variables.get("otp_console", "run_erl") != "run_erl":
        yield "otp_console has to be run_erl for a box (otp_box), whose node is reached through the pipes of run_erl."
    if is_url(str(variables.get("otp_package") or "")):
        yield "otp_package is a URL, and a box (otp_box) fetches nothing: give a file of the controller."
    if variables.get("otp_boot_variables"):
        yield "otp_boot_variables is not for a box (otp_box): all of its system lies below otp_root."
