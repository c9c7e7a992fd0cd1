# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How messages name options: an operator has variables of the roles, and the author of a task has options of a module."""

from __future__ import annotations

# The variable of a role that is each option of a module that a message names. otp_root is that of otp_release_build.
VARIABLES = {
    "allow_restart": "otp_allow_restart",
    "applications": "otp_release_applications",
    "appup": "otp_appup",
    "checksum": "otp_package_checksum",
    "code_path": "otp_code_path",
    "down": "otp_down",
    "erts": "otp_release_erts",
    "extra_files": "otp_release_extra_files",
    "force": "otp_force",
    "install_options": "otp_install_options",
    "keep_env": "otp_keep_env",
    "method": "otp_upgrade_method",
    "node": "otp_node_name",
    "optional_native": "otp_optional_native",
    "otp_root": "otp_erlang_root",
    "package": "otp_package",
    "pipe_dir": "otp_pipe_dir",
    "release": "otp_upgrade_to",
    "strip": "otp_strip",
    "strip_keep": "otp_strip_keep",
    "take_over": "otp_take_over",
    "upgrade_from": "otp_upgrade_from",
    "upgrade_path": "otp_upgrade_path",
    "var_tar": "otp_release_var_tar",
}


def named(option: str) -> str:
    """The option as messages name it, such as ``otp_force (option force)``."""
    return f"{VARIABLES[option]} (option {option})"
