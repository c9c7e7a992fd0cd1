# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of otp_release_build.

Rule: each option reaches the build, with its default.
"""

from __future__ import annotations

import os

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._build.applications import RequestedApplication
from ansible_collections.erlang.otp.plugins.module_utils._build.systools import ScriptOptions
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.modules.otp_release_build import ARGUMENT_SPEC, options_of


def parameters(**given):
    return {**{name: spec.get("default") for name, spec in ARGUMENT_SPEC.items()}, "output_dir": "out", **given}


def test_defaults():
    options = options_of(parameters(rel="a.rel"))
    assert (options.rel, options.erts, options.var_tar, options.script, options.applications) == ("a.rel", "true", "include", ScriptOptions(), ())
    assert options.output_dir.startswith("/") and options.output_dir.endswith("/out")


GIVEN = [
    ({"applications": ["pea", {"name": "bean", "version": "1"}]}, "applications", (RequestedApplication("pea"), RequestedApplication("bean", "1"))),
    ({"code_path": ["a", "b"]}, "code_path", ("a", "b")),
    ({"include": ["src"]}, "include", ("src",)),
    ({"strip_keep": ["Docs"]}, "strip_keep", ("Docs",)),
    ({"extra_files": [{"src": "/a", "dest": "b"}]}, "extra_files", (("/a", "b"),)),
    ({"variables": {"A": "/a/"}, "exref": True}, "script", ScriptOptions(exref=True, variables=(("A", "/a"),))),
    ({"exref": ["pea"]}, "script", ScriptOptions(exref=("pea",))),
    ({"exref": "yes"}, "script", ScriptOptions(exref=True)),
    ({"exref": "False"}, "script", ScriptOptions()),
    ({"erts": "False"}, "erts", "false"),
    ({"erts": "/otp"}, "erts", "/otp"),
    ({"strip": True}, "strip", True),
    ({"vm_args": "~/vm.args"}, "vm_args", os.path.expanduser("~/vm.args")),
    ({"sys_config": "%% ~\n[].\n"}, "sys_config", "%% ~\n[].\n"),
    ({"cache_dir": "/cache"}, "cache_dir", "/cache"),
    ({"upgrade_from": ["a.rel", "b"]}, "upgrade_from", ("a.rel", "b")),
    ({"downgrade_to": ["a.rel"]}, "downgrade_to", ("a.rel",)),
    ({"upgrade_path": ["old/*/ebin"]}, "upgrade_path", ("old/*/ebin",)),
    ({"restart_emulator": True}, "restart_emulator", True),
]


@pytest.mark.parametrize("value", ["pea", {"pea": True}, 7])
def test_exref_is_yes_or_no_or_a_list(value):
    with pytest.raises(OtpError, match="is neither true or false nor a list of applications"):
        options_of(parameters(exref=value))


@pytest.mark.parametrize(("given", "name", "expected"), GIVEN)
def test_options(given, name, expected):
    assert getattr(options_of(parameters(**given)), name) == expected
