# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of an installed package, ``$ROOT/releases/VSN/package.json``, and what a second run finds out from it.

A second run on an installed host, the most frequent one, ends here: few small files are read, and no module is imported that
is slow to start with (the parsers among them).
"""

from __future__ import annotations

import json
import os

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.reading import from_json, is_directory_name, read_file

RECORD = "package.json"
STAGING = ".staging"
# It has a line for each library.
MAX_RECORD = 1 << 20
# What starts a system.
SCRIPTS = ("erl", "start", "start_erl")
PROGRAMS = ("epmd", "run_erl", "to_erl")


def format_record(record: dict) -> bytes:
    """The record as JSON."""
    return json.dumps(record, indent=1).encode() + b"\n"


def parse_record(content: bytes) -> dict | None:
    """What format_record() was given; None for anything else.

    name, version, erts_version, sha256; applications: versions by name. full: of a thin package, the sha256 of the full one. Where
    libraries are outside of ``$ROOT/lib``: places (directories by application), variables (their directories by name), archives (those of
    the variables' that the package contained).
    """
    try:
        record = from_json(content)
    except ValueError:
        return None
    return record if _is_record(record) else None


def _is_record(record) -> bool:
    """Whether no part of it names anything else than a release of this tree, and libraries in the directories of its variables."""
    if not isinstance(record, dict) or not isinstance(record.get("applications"), dict):
        return False
    parts = [record.get("version"), record.get("erts_version"), *record["applications"], *record["applications"].values()]
    return (
        all(isinstance(record.get(key, ""), str) for key in ("name", "sha256", "full"))
        and {"name", "sha256"} <= record.keys()
        and all(isinstance(part, str) and is_directory_name(part) for part in parts)
        and all(isinstance(record.get(key, {}), dict) for key in ("places", "variables", "archives"))
        and all(map(_is_plain, record.get("variables", {}).values()))
        and all(record.get("variables", {}).get(name) == directory for name, directory in record.get("archives", {}).items())
        and all(_is_place(record, *place) for place in record.get("places", {}).items())
    )


def _is_plain(path) -> bool:
    """Whether it is an absolute path, other than /, that leads nowhere else."""
    return isinstance(path, str) and path.startswith("/") and path != "/" and os.path.normpath(path) == path and "\0" not in path


def _is_place(record: dict, name: str, place) -> bool:
    """Whether the place is a directory for this application in that of a variable."""
    library = f"{name}-{record['applications'].get(name)}"
    return _is_plain(place) and os.path.basename(place) == library and any(place.startswith(f"{path}/") for path in record["variables"].values())


def _records(directory: str):
    """The records of the tree in the directory that are in their release directories."""
    try:
        versions = os.listdir(directory + "/releases")
    except (FileNotFoundError, NotADirectoryError):
        return
    for version in versions:
        try:
            record = parse_record(read_file(f"{directory}/releases/{version}/{RECORD}", limit=MAX_RECORD) or b"")
        except (NotADirectoryError, OtpError):
            # What is not a file is not a record.
            continue
        if record is not None and record["version"] == version:
            yield record


def find_record(directory: str, digest: str, destdir: str = "", variables: dict[str, str] | None = None) -> dict | None:
    """The record of the package with this sha256 in the tree, if no part of its release is missing, or None.

    variables: where its libraries must be; those of other variables stay where the record has them.
    """
    for record in _records(directory):
        if digest in (record["sha256"], record.get("full")):
            before = record.get("variables", {})
            if any((variables or {}).get(name, path) != path for name, path in before.items()):
                return None
            return record if _is_whole(directory, record, destdir) else None
    return None


def known_packages(directory: str, destdir: str = "") -> list[str]:
    """The sha256 of the packages whose releases are complete in the tree; of a thin package also that of the full one."""
    known = [record[key] for record in _records(directory) if _is_whole(directory, record, destdir) for key in ("sha256", "full") if key in record]
    return known if all(os.path.exists(f"{directory}/bin/{name}") for name in PROGRAMS) else []


def _is_whole(directory: str, record: dict, destdir: str) -> bool:
    places = {name: destdir + place for name, place in record.get("places", {}).items()}
    return missing_part(directory, record["version"], record["erts_version"], record["applications"].items(), places) is None


def missing_part(directory: str, version: str, erts_version: str, applications, places: dict[str, str] | None = None) -> str | None:
    """The first part that a release needs and the tree lacks, as a path below the root, or None. places: directories of applications elsewhere, by name."""
    parts = [(places or {}).get(name, f"lib/{name}-{vsn}") + "/ebin" for name, vsn in applications]
    parts += [f"erts-{erts_version}/bin/erlexec", f"releases/{version}/start.boot"]
    return next((part for part in parts if not os.path.exists(os.path.join(directory, part))), None)


def status_at_rest(directory: str, record: dict) -> str | None:
    """The status of the recorded release when the tree is complete and RELEASES lists it; None if only the parser can decide.

    This reads RELEASES by its text, in the layout of release_handler and of ours alone: the parsers cost as much again as half a start of Python.
    """
    # What an interrupted run leaves.
    if any(os.path.lexists(f"{directory}/{name}") for name in (STAGING, "releases/RELEASES.saved")):
        return None
    if not all(os.path.exists(f"{directory}/bin/{name}") for name in SCRIPTS + PROGRAMS):
        return None
    try:
        releases = read_file(directory + "/releases/RELEASES") or b""
        start = (read_file(directory + "/releases/start_erl.data") or b"").decode().split()
    except (OtpError, ValueError):
        return None
    head = '{{release,"{name}","{version}","{erts_version}",'.format(**record).encode()
    before, found, entry = releases.partition(head)
    entry = entry.partition(b"{release,")[0].rstrip(b"]., \n")
    if not found or not entry.lstrip().startswith(b"[{"):
        return None
    status = entry.rpartition(b",")[2].strip(b" \n}").decode("ascii", "replace")
    boots = start == [record["erts_version"], record["version"]]
    return status if status in ("unpacked", "old") or (status == "permanent" and boots) else None
