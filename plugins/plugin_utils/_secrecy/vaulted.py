# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values out of Ansible Vault, an encrypted value or one of an encrypted file: no diff and no message of a result has one, whatever variable has it.

A file with such a value is not in the diff at all: its old content may have the value of another day.
"""

from __future__ import annotations

import contextlib
import functools
import re
import typing as t

from ansible.errors import AnsibleError
from ansible.parsing.vault import EncryptedString

from ansible_collections.erlang.otp.plugins.module_utils._core.values import mapped

# The parts of a result that people read and that nothing works with.
FOR_PEOPLE = ("msg", "warnings", "actions", "exception", "invocation", "module_stdout", "module_stderr")
# Of a host's variables, those that are not the host's, or not from an inventory.
OTHERS = {"hostvars", "groups", "vars", "ansible_facts"}
# A shorter value is not a secret, and is a part of too many texts.
SHORTEST = 4
HEADER = b"$ANSIBLE_VAULT;"
MASK = "********"


def without_vaulted(result: dict[str, t.Any], *sources: t.Mapping[str, t.Any] | None) -> dict[str, t.Any]:
    """The result without values out of vault. sources: the variables and the arguments that may have them."""
    if not any(result.get(name) for name in ("diff", *FOR_PEOPLE)):
        return result
    values = {value for source in sources if source for name, part in source.items() if name not in OTHERS for value in vaulted_texts(part)}
    if not values:
        return result
    pattern = re.compile("|".join(map(pattern_of, sorted(values, key=len, reverse=True))), re.DOTALL)

    def mask(value: t.Any) -> t.Any:
        return pattern.sub(MASK, value) if isinstance(value, str) else value

    found = {name: mapped(part, mask) if name in FOR_PEOPLE else part for name, part in result.items()}
    if isinstance(found.get("diff"), list):
        found["diff"] = [entry for entry in found["diff"] if not any(pattern.search(str(text)) for text in entry.values())]
    return found


def vaulted_texts(value: t.Any) -> t.Iterator[str]:
    """The values out of vault in the data, as text."""
    if isinstance(value, t.Mapping):
        for name in value:
            # Of a host that a task is delegated to, the variables are templates, of which some need what only that host has.
            with contextlib.suppress(AnsibleError):
                yield from vaulted_texts(value[name])
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from vaulted_texts(part)
    elif isinstance(value, (str, int, float, EncryptedString)) and not isinstance(value, bool) and is_vaulted(value):
        # What the run could not decrypt is in no result.
        with contextlib.suppress(Exception):
            text = str(value)
            if len(text) >= SHORTEST:
                yield text


def is_vaulted(value: t.Any) -> bool:
    """Whether the value was encrypted, or is from an encrypted file: Ansible tags values with their origin."""
    if isinstance(value, EncryptedString):
        return True
    try:
        tags = value._ansible_tags_mapping.values()
    except AttributeError:
        return False
    return any(hasattr(tag, "ciphertext") or is_encrypted(str(getattr(tag, "path", None) or "")) for tag in tags)


@functools.cache
def is_encrypted(path: str) -> bool:
    """Whether the file is one of Ansible Vault."""
    try:
        with open(path, "rb") as file:
            return file.read(len(HEADER)) == HEADER
    except OSError:
        return False


def pattern_of(secret: str) -> str:
    """What finds the secret in a text, however the language of the text escapes what is not a letter or a digit."""
    words = re.findall(r"[A-Za-z0-9]+|[^A-Za-z0-9]+", re.sub(r"^[^A-Za-z0-9]+|[^A-Za-z0-9]+$", "", secret))
    return "".join(word if word.isalnum() and word.isascii() else f".{{{len(word)},{12 * len(word)}}}?" for word in words) or re.escape(secret)
