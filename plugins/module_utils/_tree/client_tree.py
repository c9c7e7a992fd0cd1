# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Client nodes by their files on a master: ``$ROOT/clients/NODE``, or ``$ROOT/clients/TYPE/NODE`` with another root directory.

OTP system documentation, "Releases", Disk-Less and/or Read-Only Clients. Where that and release_handler's code differ, the code
counts: a client boots from its directory releases, not from bin.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file
from ansible_collections.erlang.otp.plugins.module_utils._formats.releases_file import InstalledRelease, StartErlData, permanent_release
from ansible_collections.erlang.otp.plugins.module_utils._formats.sys_config import parse_sys_config
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom, format_terms
from ansible_collections.erlang.otp.plugins.module_utils._tree.names import is_machine_type, is_node_name
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree, absolute_library

CLIENTS = "clients"


class ClientTree(Tree):
    """The files of a client as its release_handler sees them: libraries and ERTS of the root directory, and its own releases.

    ``root`` is the root directory of the client's system, that of its machine type if it has one; ``shared`` is that tree;
    ``client_directory`` contains its own files, under the same path on client and masters.
    """

    def __init__(self, root: str, client: str, machine_type: str = "") -> None:
        check_node(client, "client")
        self.client = client
        self.machine_type = machine_type
        self.shared = tree_of_type(root, machine_type)
        super().__init__(self.shared.root)
        self.client_directory = os.path.join(self.root, *([] if machine_type else [CLIENTS]), client)

    def path(self, *names: str) -> str:
        first = names[0].partition("/")[0] if names else "lib"
        return os.path.join(self.directory if first == "lib" or first.startswith("erts-") else self.client_directory, *names)

    @property
    def is_static(self) -> bool:
        """Whether its emulator always stays the same. It then boots ``releases/start.boot``, whichever release that belongs to."""
        return self.has("releases", "start.boot")

    def start_erl_data(self) -> StartErlData | None:
        """Which release boots. For a static client, only RELEASES shows it, if it can be read."""
        if not self.is_static:
            return super().start_erl_data()
        try:
            return permanent_release(self.releases() or [])
        except OtpError:
            return None

    def places(self, version: str) -> dict[str, str]:
        return self.shared.places(version)


def tree_of_type(root: str, machine_type: str) -> Tree:
    """The tree whose libraries the clients of the machine type use; "" for those of the master itself. Raises OtpError for an invalid name."""
    if not machine_type:
        return Tree(root)
    if not is_machine_type(machine_type):
        raise OtpError(f"type {machine_type!r} is not a machine type: letters, digits and _ . + -, and a letter, a digit or _ first")
    return Tree(os.path.join(Tree(root).root or "/", CLIENTS, machine_type))


def is_of_machine_type(tree: Tree) -> bool:
    """Whether the tree is the one of a machine type, below the root directory of a master: it is for hosts of another kind than this one."""
    above, name = os.path.split(os.path.dirname(tree.directory))
    return name == CLIENTS and os.path.isdir(f"{above}/releases")


def check_node(name: str, option: str) -> None:
    """Raise OtpError unless this is the full name of a node."""
    if not is_node_name(name):
        raise OtpError(f"{option} {name!r} is not the name of a node: NAME@HOST, such as c1@box7.example.com")


def find_clients(root: str) -> list[ClientTree]:
    """The clients that have directories below the root directory of a master, those of machine types last. Other directories are ignored."""
    known = [found for found in _client_directories(Tree(root)) if is_node_name(found[1]) and (not found[0] or is_machine_type(found[0]))]
    clients = [(ClientTree(root, name, machine_type), directory) for machine_type, name, directory in known]
    return [tree for tree, directory in clients if tree.client_directory == directory]


class Use(t.NamedTuple):
    """The releases of a client. shares_erts: whether its ERTS is in the tree."""

    client: str
    entries: tuple[InstalledRelease, ...]
    libraries: frozenset[str]
    shares_erts: bool


def uses(tree: Tree) -> list[Use]:
    """The releases of all clients below a root directory, or that of a machine type: a master does not know its clients.

    Names of directories do not matter here. Raises OtpError for a RELEASES that cannot be read.
    """
    found = []
    for machine_type, name, directory in _client_directories(tree):
        own = Tree(directory[len(tree.destdir) :], tree.destdir)
        entries = tuple(own.releases() or [])
        # Masters take relative names for names below their own root directory, also for a type.
        bases = [tree, Tree(os.path.dirname(own.root), tree.destdir)] if machine_type else [tree]
        libraries = frozenset(absolute_library(base, library.directory) for base in bases for entry in entries for library in entry.libraries)
        found.append(Use(name, entries, libraries, shares_erts=not machine_type))
    return found


def _client_directories(tree: Tree) -> list[tuple[str, str, str]]:
    """Machine type, name and directory of each client that has a RELEASES."""
    # The clients of a machine type, if the tree is that type's.
    found = [("", name, tree.path(name)) for name in tree.names() if _is_client(tree.path(name))]
    inside: list[tuple[str, str, str]] = []
    for name in tree.names(CLIENTS):
        directory = tree.path(CLIENTS, name)
        if _is_client(directory):
            found.append(("", name, directory))
        else:
            inside += [(name, other, f"{directory}/{other}") for other in tree.names(CLIENTS, name) if _is_client(f"{directory}/{other}")]
    return found + inside


def _is_client(directory: str) -> bool:
    """Whether the directory is a client's, and not a root directory with libraries."""
    return os.path.isfile(f"{directory}/releases/RELEASES") and not os.path.isdir(f"{directory}/lib")


class Section(t.NamedTuple):
    """What makes a node a client, as parameters of sasl in its sys.config."""

    masters: tuple[str, ...]
    client_directory: str
    start_prg: str
    static_emulator: bool

    def terms(self) -> dict[str, t.Any]:
        """The parameters by name."""
        masters = [Atom(name) for name in self.masters]
        terms: dict[str, t.Any] = {"masters": masters, "client_directory": self.client_directory, "start_prg": self.start_prg}
        if self.static_emulator:
            terms["static_emulator"] = Atom("true")
        return terms


def section_of(tree: ClientTree, masters: t.Sequence[str], *, static_emulator: bool) -> Section:
    """The section of a client with these masters. Raises OtpError for an invalid name of a node."""
    if not masters:
        raise OtpError(f"masters is empty: set it to the nodes that write the releases of {tree.client}")
    for name in masters:
        check_node(name, "masters:")
    return Section(tuple(masters), tree.client_directory, tree.path("bin", "start"), static_emulator)


def read_section(content: bytes, *, source: str) -> dict[str, t.Any]:
    """Those of the section's parameters that a sys.config has, as terms. Raises OtpError for an invalid sys.config."""
    for element in parse_sys_config(content, source=source):
        if isinstance(element, tuple) and element[0] == Atom("sasl"):
            return {parameter[0].name: parameter[1] for parameter in element[1] if parameter[0].name in Section._fields}
    return {}


def with_section(content: bytes, section: Section, *, source: str, strict: bool = False) -> bytes:
    """The sys.config with the section's parameters of sasl; the same bytes if it has them. Raises OtpError for an invalid sys.config.

    strict: raise OtpError for a parameter with another value.
    """
    expected = section.terms()
    found = read_section(content, source=source)
    if {name: value for name, value in found.items() if not _is_default(name, value)} == expected:
        return content
    for name, value in found.items():
        if strict and value != expected.get(name) and not _is_default(name, value):
            raise OtpError(f"{source}: the parameter {name} of sasl is not what client {section.client_directory} needs: leave it out, it is put there")
    kept: list = []
    own = [(Atom(name), value) for name, value in expected.items()]
    for element in parse_sys_config(content, source=source):
        if isinstance(element, tuple) and element[0] == Atom("sasl"):
            own = [parameter for parameter in element[1] if parameter[0].name not in Section._fields] + own
        else:
            kept.append(element)
    return format_terms([[(Atom("sasl"), own), *kept]])


def _is_default(name: str, value) -> bool:
    return name == "static_emulator" and value == Atom("false")


def read_config(tree: ClientTree, version: str) -> bytes | None:
    """The client's sys.config of the release."""
    return read_file(tree.path("releases", version, "sys.config"))
