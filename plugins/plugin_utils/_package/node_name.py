# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The name that a package gives its node: relx in ``vm.args``, mix by the name of the release and in ``env.sh`` (Mix.Tasks.Release)."""

from __future__ import annotations

import functools
import os
import re
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import parse_rel
from ansible_collections.erlang.otp.plugins.module_utils._formats.substitute import substitute
from ansible_collections.erlang.otp.plugins.module_utils._formats.vm_args import find_name

FILES = ("/vm.args", "/vm.args.src", "/env.sh")
# In env.sh, an assignment that is not a comment.
ASSIGNMENT = r"(?m)^[^#\n]*?\b{}=(.*)$"
LITERAL = re.compile(r"""(["']?)([A-Za-z0-9_.@:-]+)\1\s*(?:;.*|#.*)?""")


class NodeName(t.NamedTuple):
    """name: NAME, or NAME@HOST; empty for a node that is not distributed, and where only the host knows. long: as of the flag -name."""

    name: str = ""
    long: bool = False


def node_name_of(package: str, variables: t.Mapping[str, str]) -> NodeName:
    """The name in the package at the path, with these values for the variables of its vm.args.src; read once in a process. Raises OtpError, OSError."""
    status = os.stat(package)
    return find_node_name(_read(os.path.realpath(package), status.st_ino, status.st_mtime_ns, status.st_size), variables, package=package)


@functools.lru_cache
def _read(package: str, *dummy_version: int) -> dict[str, bytes]:
    """The files of the package that say the name, by path."""
    # Lazy, for start-up time: each process of Ansible imports the filters that import this file.
    from ansible_collections.erlang.otp.plugins.module_utils._formats.gzip_reader import Inflated
    from ansible_collections.erlang.otp.plugins.module_utils._package.extract import checked_members
    from ansible_collections.erlang.otp.plugins.module_utils._package.read import find_release, is_text, read_text

    texts: dict[str, bytes] = {}
    with Inflated(package) as stream:
        for path, member, pieces in checked_members(stream):
            if member.kind == "file" and path.startswith("releases/") and (is_text(path) or (path.count("/") == 2 and path.endswith(FILES))):
                texts[path] = read_text(member, pieces, texts, package=package)
    directory = f"releases/{find_release(texts, package=package).version}/"
    return {path[len(directory) :]: content for path, content in texts.items() if path.startswith(directory)}


def find_node_name(files: t.Mapping[str, bytes], variables: t.Mapping[str, str], *, package: str) -> NodeName:
    """The name in the files of a release directory, by their names. Raises OtpError if env.sh computes it."""
    text = files.get("vm.args", b"").decode("utf-8", "replace")
    if "vm.args.src" in files:
        try:
            text = substitute(files["vm.args.src"].decode("utf-8", "replace"), dict(variables), filename="vm.args.src")[0]
        except OtpError:
            # The host reports it.
            return NodeName()
    flag, name = find_name(text.encode("utf-8")) or ("", "")
    if flag or "env.sh" not in files:
        return NodeName(name, flag == "-name")
    script = files["env.sh"].decode("utf-8", "replace")
    rel = next(name for name in files if name.endswith(".rel"))
    distribution = _assigned(script, "RELEASE_DISTRIBUTION", package) or "sname"
    name = _assigned(script, "RELEASE_NODE", package) or parse_rel(files[rel], filename=rel).name
    return NodeName() if distribution == "none" else NodeName(name, distribution == "name")


def _assigned(script: str, variable: str, package: str) -> str:
    """The value that env.sh gives the variable; empty if it gives none. Raises OtpError for one that is not just there."""
    values = [LITERAL.fullmatch(value) for value in re.findall(ASSIGNMENT.format(variable), script)]
    if None in values or len(values) > 1:
        raise OtpError(
            f"package {package}: the name of the node is not known before it starts, because env.sh computes {variable}: set otp_node_name to NAME@HOST."
        )
    return values[0][2] if values and values[0] else ""
