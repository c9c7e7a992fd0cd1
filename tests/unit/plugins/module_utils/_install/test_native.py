# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Native code of a package and what it needs of the host.

Rules: what is missing is refused, with the file of the package that needs it and the way out, and nothing is changed; --check finds the same; libraries of the
release itself are found; the host of an image is the image. tests/real/test_native.py has the same with files of a compiler.
"""

from __future__ import annotations

import re
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats import gzip_reader as _inflate
from ansible_collections.erlang.otp.plugins.module_utils._formats.elf import read_program
from ansible_collections.erlang.otp.plugins.module_utils._handler.preflight import check_release
from ansible_collections.erlang.otp.plugins.module_utils._handler.request import Request
from ansible_collections.erlang.otp.plugins.module_utils._install import native as _native
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress
from ansible_collections.erlang.otp.plugins.module_utils._tree.register import read_release
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree
from ansible_collections.erlang.otp.plugins.plugin_utils._package.facts import contents_of
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.elf_files import elf_file
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.install_host import Host, second
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import checksum

BEAM = "erts-13.1.5/bin/beam.smp"
NIF = "lib/pea-1.0/priv/pea.so"
PROGRAM = read_program(sys.executable)
HERE: dict[str, t.Any] = {"bits": PROGRAM.bits, "order": PROGRAM.order, "machine": PROGRAM.machine}
LIBC = "libc.so.6"


def here(needs: t.Mapping[str, t.Sequence[str]] | None = None, **more: t.Any) -> bytes:
    return elf_file(needs, **{**HERE, **more})


EMULATOR = here({LIBC: ["GLIBC_2.4"]}, interpreter=PROGRAM.interpreter)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def package(host: Host, more: t.Mapping[str, t.Any], **keywords: t.Any) -> str:
    return host.package(more={BEAM: EMULATOR, **more}, **keywords)


@pytest.mark.parametrize("check", [False, True])
def test_a_library_that_is_missing(host: Host, check: bool) -> None:
    made = package(host, {NIF: here({"libnone.so.3": [], LIBC: []}), "lib/pea-1.0/priv/bin/port": here({"libnone.so.3": []})})
    sentence = (
        f"package {made}: this host lacks what native code of the release needs: libnone.so.3, which lib/pea-1.0/priv/bin/port and 1 more need."
        " Install the libraries there, and run ldconfig if their directory is one of /etc/ld.so.conf."
        " Or name in otp_optional_native (option optional_native) the applications whose native code is not used there."
    )
    host.refuses(made, sentence, check=check)
    assert host.run(made, check=check, optional_native=["pea"])["release"] == "FIRST"


@pytest.mark.parametrize("check", [False, True])
def test_a_symbol_version_that_is_too_new(host: Host, check: bool) -> None:
    made = host.package(more={BEAM: here({LIBC: ["GLIBC_2.4", "GLIBC_9.2", "GLIBC_9.1"]}, interpreter=PROGRAM.interpreter), NIF: here({LIBC: ["GLIBC_9.1"]})})
    assert host.run(made, check=True, optional_native=["pea", "erts"])["release"] == "FIRST"
    with pytest.raises(OtpError) as error:
        host.run(made, check=check)
    assert re.search(rf"needs: GLIBC_9.1, GLIBC_9.2 in /\S+/{LIBC}, which {BEAM} and 1 more need. Build the package on a system whose", str(error.value))
    assert not host.root.exists()


def test_check_mode_without_the_package(host: Host) -> None:
    """By what the controller reports, in the words of the run."""
    made = package(host, {NIF: here({"libnone.so.3": []}), "lib/pea-1.0/priv/other.so": here({"libours.so.1": []}), "lib/pea-1.0/priv/libours.so.1": here()})
    words = []
    for given, contents, check in ((None, contents_of(made), True), (made, None, False)):
        with pytest.raises(OtpError) as error:
            host.run(given, check=check, checksum=checksum(made), release=contents)
        words.append(str(error.value))
    assert words[0] == words[1] and "libnone.so.3, which" in words[0] and "libours" not in words[0]
    assert host.run(None, check=True, checksum=checksum(made), release=contents_of(made), optional_native=["pea"])["release"] == "FIRST"


def test_libraries_of_the_release(host: Host) -> None:
    """Wherever they are in the package, or where $ORIGIN leads in the tree."""
    host.run(package(host, {NIF: here({"libours.so.1": []}, search="$ORIGIN/lib"), "lib/pea-1.0/priv/lib/libours.so.1": here()}))
    other = "lib/pea-2.0/priv/pea.so"
    for search in ("$ORIGIN/../../pea-1.0/priv/lib", "/nowhere:${ORIGIN}/../../pea-1.0/priv/lib"):
        made = second(host, without=["lib/pea-2.0/priv/x"], more={"erts-15.2.7/bin/beam.smp": EMULATOR, other: here({"libours.so.1": []}, search=search)})
        assert host.run(made, check=True)["release"] == "SECOND"
    made = second(host, more={"erts-15.2.7/bin/beam.smp": EMULATOR, other: here({"libours.so.1": []}, search="$ORIGIN")})
    host.refuses(made, f"libours.so.1, which {other} needs")


def test_what_the_loader_has_nothing_to_do_with(host: Host) -> None:
    """Data, firmware of other machines, a program of another C library that is not called as one."""
    needs = {"libnone.so.3": []}
    files = {"data": here(needs), "firmware.elf": elf_file(needs, machine=4711), "other": here(needs, interpreter="/lib/ld-other.so.1"), "x.so": b"text"}
    assert host.run(package(host, {f"lib/pea-1.0/priv/{name}": content for name, content in files.items()}))["status"] == "permanent"
    port = {"lib/pea-1.0/priv/x86/port": here(needs, interpreter=PROGRAM.interpreter)}
    host.refuses(second(host, more={"erts-15.2.7/bin/beam.smp": EMULATOR, "lib/pea-2.0/priv/x86/port": next(iter(port.values()))}), "libnone.so.3, which")


def test_damaged_files_are_not_judged(host: Host) -> None:
    assert host.run(package(host, {NIF: here({"libnone.so.3": []})[:200]}))["status"] == "permanent"


def test_a_program_that_is_larger_than_a_little(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in a file meanwhile, and comes to the tree as it was."""
    monkeypatch.setattr(_inflate, "_PIECE", 40)
    monkeypatch.setattr(_native, "_IN_MEMORY", 1 << 14)
    large = here({LIBC: []}) + bytes(range(256)) * 128
    made = package(host, {NIF: large, "lib/pea-1.0/priv/more.so": here({"libnone.so.3": []}) + bytes(3 << 14)})
    host.refuses(made, "libnone.so.3, which lib/pea-1.0/priv/more.so needs")
    assert contents_of(made)["native"]["needs"][NIF] == [{LIBC: []}, [], []]
    host.run(package(host, {NIF: large}))
    assert host.read(NIF) == large


def test_all_names_are_bounded(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_native, "_MAX_NAMES", 40)
    made = package(host, {NIF: here({"lib" + "n" * 40: []})})
    host.refuses(made, f"package {made}: {NIF} is one too many: the names of what native code needs are longer than 40 bytes together")


def test_a_long_list_is_cut(host: Host) -> None:
    host.refuses(package(host, {NIF: here({f"libnone.so.{number}": [] for number in range(20)})}), "; and 12 more. Install")


def test_the_host_of_an_image_is_the_image(host: Host, tmp_path: Path) -> None:
    image, made = tmp_path / "image", package(host, {NIF: here({"libours.so.3": []})})
    # One without a loader has no system yet.
    assert host.run(made, destdir=str(image), check=True)["release"] == "FIRST"
    for path in (PROGRAM.interpreter, "/usr/lib/" + LIBC):
        Path(f"{image}{path}").parent.mkdir(parents=True, exist_ok=True)
        Path(f"{image}{path}").write_bytes(here())
    with pytest.raises(OtpError, match=f"the image {image} lacks what native code of the release needs: libours.so.3, which"):
        host.run(made, destdir=str(image))
    Path(f"{image}/usr/lib/libours.so.3").write_bytes(here())
    assert host.run(made, destdir=str(image))["status"] == "permanent"


def test_clients_of_a_machine_type_are_other_hosts(host: Host) -> None:
    host.run(package(host, {}))
    made = package(host, {NIF: here({"libnone.so.3": []})})
    from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes

    assert install_release(root=f"{host.root}/clients/other", package=made, changes=Changes(), flush=False)["status"] == "permanent"


def test_a_client_runs_on_another_host(host: Host) -> None:
    made = package(host, {NIF: here({"libnone.so.3": []})})
    requests = [Request(root=str(host.root), release="FIRST", state="ready", address=NodeAddress(node="north"), client=client) for client in ("", "one")]
    host.refuses(made, "this host lacks what native code of the release needs", optional_native=requests[0].optional_native)
    assert host.run(made, optional_native=requests[1].optional_native)["release"] == "FIRST"


def test_before_an_upgrade_to_what_is_unpacked(host: Host) -> None:
    """A library that has gone since, or one of a release that was unpacked into an image."""
    host.run(package(host, {NIF: here({"libnone.so.3": []})}), optional_native=["pea"])
    for name in ("erlexec", "erl_child_setup", "heart", "beam.smp"):
        file = host.root / "erts-13.1.5/bin" / name
        file.touch()
        file.chmod(0o755)
    tree = Tree(str(host.root))
    release = read_release(tree, "FIRST")
    assert release

    def found(optional: list[str] | None) -> list[str]:
        return [str(problem) for problem in check_release(tree, release, like=sys.executable, optional_native=optional) if problem.kind == "libraries"]

    (problem,) = found([])
    assert "this host lacks what native code of the release needs: libnone.so.3, which lib/pea-1.0/priv/pea.so needs. Install the libraries there" in problem
    assert problem.endswith("whose native code is not used there.")
    # None: of a client, whose host is another one.
    assert found(["pea"]) == found(None) == []
