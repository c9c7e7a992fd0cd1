# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: a path of the host is not expanded on the controller; secrets are masked wherever they are in a result, the longer one first."""

from __future__ import annotations

from ansible_collections.erlang.otp.plugins.plugin_utils._box.arguments import argument_validator, masked, secret_values


def test_paths_stay_as_they_are() -> None:
    validator, paths = argument_validator("otp_target_system")
    valid = validator.validate({"root": "~/srv"})
    assert "root" in paths and valid.validated_parameters["root"] == "~/srv" and not valid.error_messages


def test_lists_of_paths_and_paths_within_options_stay_as_they_are() -> None:
    validator, paths = argument_validator("otp_release_build")
    given = {"rel": "~/a.rel", "code_path": ["~/ebin"], "output_dir": "~/b", "extra_files": [{"src": "~/c", "dest": "c"}]}
    valid = validator.validate(given)
    assert {"rel", "code_path", "extra_files.src"} <= set(paths) and not valid.error_messages
    assert {name: valid.validated_parameters[name] for name in given} == given


def test_rules_between_options_are_checked() -> None:
    validator, _paths = argument_validator("otp_rpc")
    assert validator.validate({"module": "erlang", "function": "now"}).error_messages == ["one of the following is required: node, pipe_dir"]


def test_secrets_are_masked() -> None:
    validator, _paths = argument_validator("otp_target_system")
    secrets = secret_values(validator.validate({"root": "/srv", "cookie": "COOKIE", "secrets": {"A": "COOKIE-LONG", "PORT": 7100, "EMPTY": ""}}))
    result = {"msg": "x COOKIE-LONG, COOKIE", "list": [{"port": 7100, "more": 171003.5}], "changed": True, "none": None, "other": 710}
    assert masked(result, secrets) == {
        "msg": "x ********, ********",
        "list": [{"port": "********", "more": "1********3.5"}],
        "changed": True,
        "none": None,
        "other": 710,
    }
