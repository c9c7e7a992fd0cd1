# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: a file of otp_files is rendered with the variables of its host; what is no text goes as it is; one of an encrypted file is in no diff; what cannot
be read or rendered names the file; a large one is refused.
"""

from __future__ import annotations

import base64
import typing as t

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import FileVaultSecret, VaultLib
from ansible.template import Templar

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.plugin_utils._target_system import own_files as _own_files
from ansible_collections.erlang.otp.plugins.plugin_utils._target_system.own_files import own_files
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils._transport.tasks import make_action


@pytest.fixture
def action(tmp_path):
    found = make_action()
    found._loader = DataLoader()
    found._templar = Templar(loader=found._loader, variables={"port": 5222})
    found._task.get_search_path = lambda: [str(tmp_path)]
    for directory in ("templates", "files"):
        (tmp_path / directory).mkdir()
    (tmp_path / "templates/a.j2").write_text("{% include 'head.j2' %}\nport: {{ port }}\n")
    (tmp_path / "templates/head.j2").write_text("# head")
    (tmp_path / "files/b").write_bytes(b"\xff\0")
    (tmp_path / "files/c").write_text("c {{ port }}\n")
    return found


def rendered(action, *files: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    return own_files(action, [{"path": "etc/a", **file} for file in files], {"port": 5222})


def test_each_source(action):
    change = {"rpc": {"module": "m", "function": "f"}}
    found = rendered(
        action, {"template": "a.j2", "mode": "0400"}, {"file": "b"}, {"file": "c", "on_change": change}, {"content": "d", "secret": True, "mode": None}
    )
    assert found == [
        {"path": "etc/a", "content": "# headport: 5222\n", "mode": "0400"},
        {"path": "etc/a", "content": base64.b64encode(b"\xff\0").decode(), "encoding": "base64"},
        {"path": "etc/a", "content": "c {{ port }}\n", "on_change": change},
        {"path": "etc/a", "content": "d", "secret": True},
    ]


@pytest.mark.parametrize("file", [{"template": "none.j2"}, {"file": "none"}, {"template": "bad.j2"}, {"template": "undefined.j2"}])
def test_a_source_that_gives_nothing_is_named(action, tmp_path, file):
    (tmp_path / "templates/bad.j2").write_text("{% if %}")
    (tmp_path / "templates/undefined.j2").write_text("{{ nothing_of_this_name }}")
    with pytest.raises(OtpError, match="^otp_files, etc/a: "):
        rendered(action, file)


def test_what_was_encrypted_is_in_no_diff(action, monkeypatch):
    monkeypatch.setattr(_own_files, "is_encrypted", lambda path: path.endswith(("/c", "a.j2")))
    assert [file.get("secret") for file in rendered(action, {"template": "a.j2"}, {"file": "c"}, {"file": "b"}, {"content": "d"})] == [True, True, None, None]


def test_a_large_file_is_refused(action):
    rendered(action, {"content": "x" * (1 << 20)})
    with pytest.raises(OtpError, match="otp_files, etc/a: it has 1048577 bytes, .* put it into the package"):
        rendered(action, {"content": "x" * ((1 << 20) + 1)})


def test_what_was_decrypted_stays_on_no_disk(action, tmp_path):
    password = tmp_path / "password"
    password.write_text("x")
    secret = [("default", FileVaultSecret(filename=str(password), loader=action._loader))]
    secret[0][1].load()
    action._loader.set_vault_secrets(secret)
    (tmp_path / "files/d").write_bytes(VaultLib(secret).encrypt(b"decrypted"))
    (found,) = rendered(action, {"file": "d"})
    assert (found["content"], found["secret"]) == ("decrypted", True)
    assert action._loader._tempfiles == set()
    rendered(action, {"file": "c"})
    assert (tmp_path / "files/c").exists()
