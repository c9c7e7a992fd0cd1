# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a package store is laid out, and its records as data. No file is read or written here.

    STORE/exchange-2.0/package.json                               the record: which files the package has, and the sha256 of each
    STORE/exchange-2.0/3f2a9c81d0b4/exchange-2.0.tar.gz           a file, below the first digits of its sha256
    STORE/exchange-2.0/5b0e77aa1c2d/exchange-2.0.tar.gz.sig
    STORE/index.json                                              all records; only on a web server, which cannot be asked what it has

So no file is ever replaced by another one but records, and a record is written when all its files are there.
"""

from __future__ import annotations

import json
import re
import typing as t
import urllib.parse

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.reading import from_json, is_directory_name
from ansible_collections.erlang.otp.plugins.module_utils._package.download import is_url
from ansible_collections.erlang.otp.plugins.module_utils._package.limits import MAX_SIZE
from ansible_collections.erlang.otp.plugins.plugin_utils._package.facts import SUFFIX, THIN

RECORD, INDEX = "package.json", "index.json"
# Of a record, which has some hundred bytes, and of an index.
LARGEST_RECORD, LARGEST_INDEX = 1 << 20, 64 << 20
# What goes along with a package: the thin one, the document of what it was built from, and the signature of each.
ENDINGS = (SUFFIX, THIN, ".cdx.json")
SHA256 = re.compile(r"[0-9a-f]{64}")


class File(t.NamedTuple):
    """A file of a package in the store."""

    sha256: str
    size: int


class Record(t.NamedTuple):
    """A package in the store. files: by name; upgrade_from: what its relup leads from, and whether that restarts; made_from: the releases it is from."""

    name: str
    version: str
    files: dict[str, File]
    upgrade_from: dict[str, str]
    made_from: list[str]

    @property
    def key(self) -> str:
        """The directory of the package in the store."""
        return f"{self.name}-{self.version}"

    @property
    def package(self) -> str:
        """The name of the package."""
        return self.key + SUFFIX

    @property
    def sha256(self) -> str:
        """That of the package."""
        return self.files[self.package].sha256

    def as_data(self) -> dict[str, t.Any]:
        """As JSON has it."""
        return {**self._asdict(), "files": {name: file._asdict() for name, file in self.files.items()}}


def problem_of(store: str) -> str:
    """What is wrong with the place of a store, as the end of a sentence. Empty if nothing is."""
    if is_url(store):
        parts = urllib.parse.urlsplit(store)
        if parts.username is not None or parts.query or parts.fragment or not parts.hostname:
            return "give a URL without user name, password, '?' and '#', and what the server asks for in otp_package_store_options (option url_options)"
    elif not store.startswith("/") and not host_of(store):
        return "give the absolute path of a directory on the controller, ssh://HOST/DIRECTORY with a host of the inventory, or a URL of http or https"
    return ""


def host_of(store: str) -> tuple[str, str] | None:
    """The host of the inventory, and the directory there, of ssh://HOST/DIRECTORY."""
    found = re.fullmatch(r"ssh://([^/\s@]+)(/[^/].*)", store)
    return (found[1], found[2].rstrip("/")) if found else None


def is_package(name: str) -> bool:
    """Whether a full package may have this file name."""
    return name.endswith(SUFFIX) and not name.endswith(THIN) and not name.startswith(".") and is_directory_name(name)


def full_name(name: str) -> str:
    """The file name of the package with which the thin one goes along."""
    return name[: -len(THIN)] + SUFFIX if name.endswith(THIN) else name


def key_of(package: str) -> str:
    """The directory of the package with this file name. Raises OtpError for a name that none has."""
    if not is_package(package):
        raise OtpError(f"{package!r} is not the name of a package: give NAME-VERSION{SUFFIX}.")
    return package[: -len(SUFFIX)]


def names_along(key: str) -> list[str]:
    """The names that files of the package may have, the package first."""
    return [key + ending + signature for ending in ENDINGS for signature in ("", ".sig")]


def place_of(key: str, name: str, file: File) -> str:
    """The path of the file in the store."""
    return f"{key}/{file.sha256[:12]}/{name}"


def write_record(record: Record) -> bytes:
    """The record as text, the same for the same record."""
    return json.dumps(record.as_data(), indent=2, sort_keys=True).encode() + b"\n"


def read_record(content: bytes, key: str, shown: str) -> Record:
    """The record of the package with this key, which anybody may have written. shown: where it is. Raises OtpError."""
    try:
        return _record(from_json(content), key)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise OtpError(
            f"{shown} is not the record of package {key}{SUFFIX}: {error}. Find out what has changed it; then remove {shown}, and put the package there again."
        ) from error


def read_index(content: bytes | None) -> dict[str, t.Any]:
    """The records of an index as data, by key. A damaged one counts as empty: it is made anew."""
    try:
        found = from_json(content or b"")["packages"]
        return found if isinstance(found, dict) else {}
    except (ValueError, KeyError, TypeError):
        return {}


def write_index(records: t.Mapping[str, t.Any]) -> bytes:
    """The index as text."""
    return json.dumps({"packages": records}, indent=1, sort_keys=True).encode() + b"\n"


def _record(data: t.Any, key: str) -> Record:
    files = {name: File(file["sha256"], file["size"]) for name, file in data["files"].items()}
    record = Record(data["name"], data["version"], files, data["upgrade_from"], data["made_from"])
    for name, file in files.items():
        if name not in names_along(key) or not SHA256.fullmatch(file.sha256) or not isinstance(file.size, int) or not 0 <= file.size <= MAX_SIZE:
            raise ValueError(f"its file {name!r}")
    texts = [record.name, record.version, *record.made_from, *record.upgrade_from, *record.upgrade_from.values()]
    if not all(isinstance(text, str) and is_directory_name(text) for text in texts) or record.key != key or record.package not in files:
        raise ValueError("it is of another package")
    return record


def records_of(found: t.Mapping[str, t.Any]) -> list[Record]:
    """The records of an index, or of all that a directory has, by name and version. A damaged record is left out: it is named where its package is taken."""
    records = []
    for key, data in sorted(found.items()):
        try:
            records.append(_record(data, key))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return records
