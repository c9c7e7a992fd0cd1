# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: an encrypted value, and each value of an encrypted file, is in no diff and no message, however the text around it escapes it; what a role works
with stays as it is; without such a value, so does everything. The files are real ones of ansible-vault.
"""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from ansible.errors import AnsibleUndefinedVariable
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret, VaultSecretsContext

from ansible_collections.erlang.otp.plugins.module_utils._terms.printer import format_term
from ansible_collections.erlang.otp.plugins.plugin_utils._secrecy.vaulted import without_vaulted

PLAIN = "plain: not a secret\nencrypted: !vault |\n  {}\n"
FILE = "password: 'it''s \"pri$vate\" 50% ρίζα'\nnumber: 123456\nshort: abc\nflag: true\ndeep: [{key: 'first\n\n    second'}]\n"


@pytest.fixture(scope="module")
def variables(tmp_path_factory) -> dict:
    """As of an inventory: one value that is encrypted, and those of a file that is."""
    directory: Path = tmp_path_factory.mktemp("inventory")
    secret = VaultSecret(b"password of the vault")
    VaultSecretsContext.initialize(VaultSecretsContext(secrets=[("default", secret)]))
    vault = VaultLib([("default", secret)])
    encrypted = vault.encrypt("value-of-vault").decode().replace("\n", "\n  ")
    (directory / "plain.yml").write_text(PLAIN.format(encrypted))
    (directory / "vault.yml").write_bytes(vault.encrypt(FILE))
    loader = DataLoader()
    loader.set_vault_secrets([("default", secret)])
    found = {name: value for file in ("plain.yml", "vault.yml") for name, value in loader.load_from_file(str(directory / file)).items()}
    assert found["number"] == 123456 and str(found["encrypted"]) == "value-of-vault"
    return found


TEXTS = ("value-of-vault", 'it\'s "pri$vate" 50% ρίζα', "123456", "first\nsecond")


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("written", [str, shlex.quote, format_term, lambda text: text.replace("%", "%%"), lambda text: f"postgres://me:{text}@db"])
def test_no_diff_and_no_message_has_a_value_of_vault(variables, text, written):
    shown = written(text)
    entries = [{"before": f"a\n{shown}", "after": ""}, {"before": "old", "after": f"{shown}\n"}, {"before_header": "/x", "before": "x", "after": "y"}]
    result = {"diff": entries, "msg": f"no file {shown}", "warnings": [shown], "invocation": {"module_args": {"sys_config": f"[{shown}]"}}, "release": text}
    found = without_vaulted(result, variables)
    assert found["diff"] == entries[2:]
    assert "private" not in str(found) and found["msg"].startswith("no file ") and "********" in found["msg"]
    assert text not in str({**found, "release": ""}) and found["release"] == text


def test_a_result_without_such_values_stays(variables):
    result = {"diff": [{"before": "abc true plain not a secret", "after": "0"}], "msg": "abc", "changed": True}
    assert without_vaulted(dict(result), variables) == result
    assert without_vaulted(dict(result), {"plain": "not a secret", "other": None}, None) == result


def test_values_of_other_hosts_are_not_looked_for(variables):
    result = {"diff": [{"before": "123456", "after": ""}]}
    assert without_vaulted(dict(result), {"hostvars": {"other": variables}, "vars": variables}) == result
    assert without_vaulted(dict(result), {}, variables) == {"diff": []}


def test_a_template_that_cannot_be_filled_in_has_no_value(variables):
    """As a variable of a host that the task is delegated to, which needs hostvars."""

    class Templates(dict):
        def __getitem__(self, name):
            if name == "broken":
                raise AnsibleUndefinedVariable("'hostvars' is undefined")
            return super().__getitem__(name)

    delegated = {"ansible_delegated_vars": {"north": Templates(broken="", password=variables["encrypted"])}}
    assert without_vaulted({"msg": "has value-of-vault"}, delegated)["msg"] == "has ********"
