# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a node that is distributed over TLS: the user's guide of ssl, "Using TLS for Erlang Distribution". bin/ssl_dist.conf names them.

ssl reads them again two minutes after they have changed, or when its cache is cleared. So a certificate is replaced while the node runs.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import Owner, ensure_directory, ensure_file
from ansible_collections.erlang.otp.plugins.module_utils._core.remote_host import remote_host
from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _lifecycle
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import connect
from ansible_collections.erlang.otp.plugins.module_utils._node.listening import listening
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

DIRECTORY = "tls"
# Each with its mode. The key comes first: a certificate without its key is of no use.
FILES = {"key": 0o400, "certificate": 0o644, "ca": 0o644}
LATER = "the node {node} reads its new certificate within two minutes, as it cannot be asked to do so now: {error}"
LACKS_SSL = (
    "release {version} has no application ssl, which distribution over TLS needs: add ssl to the release, with otp_release_applications or in its .rel,"
    " or remove otp_dist_tls."
)


def check(tls: t.Mapping[str, str], node: str, tree: Tree) -> None:
    """Raise OtpError if files that are not there yet do not fit together. node: its name, whose host the others look for in the certificate."""
    if not is_new(tls, tree):
        return
    # Lazy, for start-up time: it imports ssl.
    from ansible_collections.erlang.otp.plugins.module_utils._core.certificates import misfit

    problem = misfit(tls["certificate"], tls["key"], tls["ca"], node.partition("@")[2])
    if problem:
        raise OtpError(f"otp_dist_tls: {problem}. Give the certificate of this host, its key, and the CA that signed it, each as PEM.")


def check_release(tree: Tree, version: str, applications: t.Collection[str]) -> None:
    """Raise OtpError if the release lacks what TLS needs. applications: those of a package that is not installed yet."""
    entries = [entry for entry in tree.releases() or () if entry.version == version]
    names = {library.name for entry in entries for library in entry.libraries} or {*applications}
    if names and "ssl" not in names:
        raise OtpError(LACKS_SSL.format(version=version))


def ensure_tls(tls: t.Mapping[str, str], node: _lifecycle.Node, tree: Tree, owner: Owner, changes: Changes) -> list[str]:
    """Ensure the files, and that the node which runs with them reads them. Returns warnings. Raises OtpError."""
    ensure_directory(tree.path(DIRECTORY), mode=0o750, owner=owner, changes=changes)
    with contextlib.ExitStack() as stack:
        # With the old files, which a node whose CA is replaced would accept alone.
        connection, warnings = _connected(node, tree, stack) if is_new(tls, tree) else (None, [])
        for path, (content, mode) in files_of(tls, tree).items():
            ensure_file(path, content, mode=mode, owner=owner, sentence=f"write {path}", changes=changes)
        if connection is not None:
            try:
                changes.do(f"have the node {node.name} read its certificate again", _clear_cache, connection)
            except OtpError as error:
                # The next run finds nothing new.
                warnings.append(LATER.format(node=node.name, error=error))
    return warnings


def files_of(tls: t.Mapping[str, str], tree: Tree) -> dict[str, tuple[bytes, int]]:
    """The content and the mode of each file, by its path."""
    return {tree.path(DIRECTORY, f"{name}.pem"): (tls[name].strip().encode() + b"\n", mode) for name, mode in FILES.items() if tls[name]}


def is_new(tls: t.Mapping[str, str], tree: Tree) -> bool:
    """Whether any of the files is not there as it should be."""
    return any(read_file(path) != content for path, (content, dummy) in files_of(tls, tree).items())


def _connected(node: _lifecycle.Node, tree: Tree, stack: contextlib.ExitStack) -> tuple[t.Any, list[str]]:
    """A connection to the node if it runs with these files, and a warning if there is none."""
    if remote_host() or tree.destdir or listening(node.root).tls_options != os.path.join(node.root, "bin", "ssl_dist.conf"):
        return None, []
    try:
        return stack.enter_context(connect(_lifecycle.address_of(node))), []
    except OtpError as error:
        return None, [LATER.format(node=node.name, error=error)]


def _clear_cache(connection: t.Any) -> None:
    """As ssl:clear_pem_cache/0, which clears the cache of all other connections but those of the distribution."""
    connection.call("gen_server", "call", [Atom("ssl_pem_cache_dist"), (Atom("unconditionally_clear_pem_cache"), [])], timeout=10.0)
