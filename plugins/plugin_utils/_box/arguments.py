# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks a module's options on the controller, for a module that does not go to the host the way that Ansible sends modules."""

from __future__ import annotations

import importlib

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

MODULES = "ansible_collections.erlang.otp.plugins.modules"


def argument_validator(module: str) -> tuple[ArgumentSpecValidator, list[str]]:
    """What checks the options of the module of this name, and its options that are paths.

    The validator takes a path for text: it is a path of the host, and the controller must not expand ~ in it.
    """
    loaded = importlib.import_module(f"{MODULES}.{module}")
    paths = [option for option, entry in loaded.ARGUMENT_SPEC.items() if entry["type"] == "path"]
    options = {option: {**entry, "type": "str"} if option in paths else entry for option, entry in loaded.ARGUMENT_SPEC.items()}
    return ArgumentSpecValidator(options, **getattr(loaded, "ARGUMENT_RULES", {})), paths
