# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installed systems, run: basic, simple and embedded, read by a real release_handler, compared with target_system:install/2."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import typing as t
from pathlib import Path

import pytest
from release_workshop import MINIMAL, Workshop
from waiting import LIMIT, wait_until

from ansible_collections.erlang.otp.plugins.module_utils._build.otp import find_otp
from ansible_collections.erlang.otp.plugins.module_utils._build.systools import ScriptOptions
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._formats.releases_file import parse_releases
from ansible_collections.erlang.otp.plugins.module_utils._info.target import describe_target, read_target
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
from ansible_collections.erlang.otp.plugins.module_utils._install.remove import remove_release
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree, emulators


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    workshop = Workshop(tmp_path_factory.mktemp("workshop"), find_otp(None))
    workshop.application("pea", "1.0")
    workshop.application("pea", "2.0")
    return workshop


def build(workshop: Workshop, version: str, pea: str) -> str:
    """A package of kernel, stdlib, sasl and pea by our own builder."""
    rel = Path(workshop.rel(*MINIMAL, f"pea-{pea}", stem=f"mysystem-{version}"))
    rel.write_text(rel.read_text().replace('"FIRST"', f'"{version}"'))
    return workshop.build(rel=str(rel), sys_config="[].\n", output_dir=str(workshop.directory / version))["package"]


@pytest.fixture(scope="module")
def first(workshop: Workshop) -> str:
    return build(workshop, "FIRST", "1.0")


@pytest.fixture(scope="module")
def second(workshop: Workshop) -> str:
    return build(workshop, "SECOND", "2.0")


@pytest.fixture(scope="module")
def created(workshop: Workshop) -> str:
    """A package by target_system:create/1, with templates as an OTP from its own source has them."""
    workshop.rel(*MINIMAL, "pea-1.0")
    (workshop.directory / "sys.config").write_text("[].\n")
    erl(workshop, 'target_system:create("mysystem")')
    package = workshop.directory / "mysystem.tar.gz"
    erts = f"erts-{workshop.otp.erts_version}/bin"
    with tarfile.open(package) as archive:
        members = [(member, archive.extractfile(member)) for member in archive]
        with tarfile.open(workshop.directory / "templates.tar.gz", "w:gz") as with_templates:
            for member, file in members:
                with_templates.addfile(member, file)
            for name in ("erl", "start", "start_erl"):
                script = (Path(workshop.otp.root) / erts / name).read_text().replace(workshop.otp.root, "%FINAL_ROOTDIR%")
                template = workshop.directory / f"{name}.src"
                template.write_text(script)
                with_templates.add(template, f"{erts}/{name}.src")
    return str(workshop.directory / "templates.tar.gz")


def erl(workshop: Workshop, expression: str) -> None:
    """Evaluated by the OTP on PATH, with sasl's examples at hand."""
    paths = ["-pa", "lib/pea-1.0/ebin", "-pa", f"{workshop.otp.lib}/sasl-{workshop.version_of('sasl')}/examples/ebin"]
    command = ["erl", "-noshell", *paths, "-eval", f"{expression}, halt()."]
    subprocess.run(command, cwd=workshop.directory, stdout=subprocess.DEVNULL, check=True)


def install(root: Path, package: str, **keywords: t.Any) -> dict[str, t.Any]:
    return install_release(root=str(root), package=package, changes=Changes(), **keywords)


def run(root: Path, expression: str, *flags: str) -> str:
    """What the installed system says, started by its bin/erl; no OTP is on its path."""
    command = [
        str(root / "bin/erl"),
        "+pc",
        "unicode",
        "-noinput",
        *flags,
        "-eval",
        f'io:setopts([{{encoding, unicode}}]), io:format("~tp", [{expression}]), halt().',
    ]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(root), "LC_ALL": "C.UTF-8"}
    result = subprocess.run(command, env=environment, capture_output=True, timeout=LIMIT, check=False, encoding="utf-8")
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


WHICH = "[{N, V, lists:sort(L), S} || {N, V, L, S} <- release_handler:which_releases()]"


def which_releases(root: Path, version: str) -> str:
    return re.sub(r"\s", "", run(root, WHICH, "-boot", f"{root}/releases/{version}/start", "-config", f"{root}/releases/{version}/sys"))


def as_which_releases(root: Path) -> str:
    """The same from what otp_release_info returns."""
    described = describe_target(read_target(str(root)))
    assert described["disagreements"] == []
    texts = []
    for release in described["releases"]:
        libraries = ",".join(f'"{name}-{version}"' for name, version in sorted(release["applications"].items()))
        texts.append(f'{{"{release["name"]}","{release["version"]}",[{libraries}],{release["status"]}}}')
    return "[" + ",".join(texts) + "]"


@pytest.mark.parametrize("name", ["root", "with space", "\u03b1\u03b2\u03b3", "quo'te $x"])
def test_basic_and_simple_system(tmp_path: Path, first: str, name: str) -> None:
    root = tmp_path / name
    install(root, first)
    assert run(root, "code:root_dir()") == f'"{root}"'
    assert run(root, "[N || {N, _, _} <- lists:sort(application:which_applications())]") == "[kernel,stdlib]"
    assert which_releases(root, "FIRST") == as_which_releases(root)
    assert run(root, "pea:version()", "-boot", f"{root}/releases/FIRST/start") == '"1.0"'


def test_release_of_target_system(tmp_path: Path, created: str) -> None:
    install(tmp_path / "root", created)
    assert run(tmp_path / "root", "code:root_dir()") == f'"{tmp_path}/root"'
    assert which_releases(tmp_path / "root", "FIRST") == as_which_releases(tmp_path / "root")


# What our tree has and that of target_system:install/2 has not, or has otherwise, and why.
DIFFERENCES = {
    ".lock": "one run at a time",
    "releases/FIRST/package.json": "says from which package the release is",
    "releases/FIRST/start_clean.boot": "an upgrade brings bin/start.boot up to date from the release directory",
    "releases/start_erl.data": "ends in a newline",
    "bin/start": "%VSN% is replaced as well",
    "releases/FIRST/extra_files": "only ours: the extra files of the release",
}


def test_same_tree_as_target_system(tmp_path: Path, workshop: Workshop, created: str) -> None:
    root = tmp_path / "root"
    shutil.copy(created, workshop.directory / "mysystem.tar.gz")
    erl(workshop, f'target_system:install("mysystem", "{root}")')
    theirs = files(root)
    shutil.rmtree(root)
    install(root, created)
    ours = files(root)
    releases = [parse_releases(found.pop("releases/RELEASES"), filename="RELEASES") for found in (theirs, ours)]
    # OTP 25's target_system writes absolute paths, which release_handler reads as well.
    assert [[entry._replace(libraries=[library[:2] for library in entry.libraries]) for entry in entries] for entries in releases[:1]] == [
        [entry._replace(libraries=[library[:2] for library in entry.libraries]) for entry in entries] for entries in releases[1:]
    ]
    assert {path for path in set(ours) | set(theirs) if ours.get(path) != theirs.get(path)} - set(DIFFERENCES) == set()
    executable = {path for path in theirs if os.access(root / path, os.X_OK)}
    assert {"bin/erl", "bin/start", "bin/start_erl", "bin/run_erl"} <= executable


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["root", "with space"])
def test_embedded_system(tmp_path: Path, first: str, name: str) -> None:
    root = tmp_path / name
    install(root, first)
    subprocess.run([str(root / "bin/start")], env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}, check=True)
    # For a moment there is a second process of this command line: the emulator has forked what becomes erl_child_setup.
    wait_until(lambda: len(emulators(Tree(str(root)))) == 1, "there is one emulator")
    (emulator,) = emulators(Tree(str(root)))
    try:
        arguments = Path(f"/proc/{emulator}/cmdline").read_text().split("\0")
        assert arguments[arguments.index("-boot") + 1] == f"{root}/releases/FIRST/start"
        wait_until(lambda: "Eshell" in (root / "log/erlang.log.1").read_text(), "the shell has come up")
        assert describe_target(read_target(str(root)))["disagreements"] == []
    finally:
        os.kill(emulator, signal.SIGTERM)
        wait_until(lambda: not emulators(Tree(str(root))), "the emulator has ended")


def test_next_release(tmp_path: Path, first: str, second: str) -> None:
    """Unpacked beside the first one, made permanent while the system stands still, and the first one removed."""
    root = tmp_path / "root"
    install(root, first)
    install(root, second)
    assert '"SECOND"' in which_releases(root, "FIRST") and "unpacked" in which_releases(root, "FIRST")
    assert which_releases(root, "FIRST") == as_which_releases(root)
    install(root, second, state="permanent")
    assert which_releases(root, "SECOND") == as_which_releases(root)
    assert run(root, "pea:version()", "-boot", f"{root}/releases/SECOND/start") == '"2.0"'
    remove_release(root=str(root), version="FIRST", changes=Changes())
    assert not (root / "lib/pea-1.0").exists()
    assert which_releases(root, "SECOND") == as_which_releases(root)
    assert run(root, "code:root_dir()") == f'"{root}"'


def test_release_handler_removes_what_we_installed(tmp_path: Path, first: str, second: str) -> None:
    """Our entries are complete: what the other release uses stays."""
    root = tmp_path / "root"
    install(root, first)
    install(root, second)
    assert run(root, 'release_handler:remove_release("SECOND")', "-boot", f"{root}/releases/FIRST/start") == "ok"
    assert not (root / "lib/pea-2.0").exists() and not (root / "releases/SECOND").exists()
    assert which_releases(root, "FIRST") == as_which_releases(root)
    # It is gone, so it may come again.
    assert install(root, second)["status"] == "unpacked"


def test_a_tree_may_be_moved(tmp_path: Path, first: str) -> None:
    """RELEASES has relative paths; bin/erl takes the new root from the environment."""
    install(tmp_path / "root", first)
    moved = (tmp_path / "root").rename(tmp_path / "moved")
    command = [str(moved / "bin/erl"), "-noinput", "-boot", f"{moved}/releases/FIRST/start", "-eval", f'io:format("~p", [{WHICH}]), halt().']
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(moved), "ERL_ROOTDIR": str(moved)}
    said = subprocess.run(command, env=environment, capture_output=True, timeout=LIMIT, check=True, encoding="utf-8").stdout
    assert re.sub(r"\s", "", said).startswith('[{"MYSYSTEM","FIRST",["kernel-')


def test_libraries_below_a_variable(tmp_path: Path, workshop: Workshop) -> None:
    """Built with variables, started with -boot_var: release_handler finds the library where RELEASES says."""
    root, shared = tmp_path / "root", tmp_path / "second"
    rel = workshop.rel(*MINIMAL, "pea-1.0", stem="elsewhere")
    output = workshop.directory / "elsewhere"
    variables = (("SECOND_ROOT", str(workshop.directory / "lib")),)
    package = workshop.build(rel=rel, sys_config="[].\n", output_dir=str(output), script=ScriptOptions(variables=variables))["package"]
    install(root, package, variables={"SECOND_ROOT": str(shared)})
    assert not (root / "lib/pea-1.0").exists()
    flags = ["-boot", f"{root}/releases/FIRST/start", "-boot_var", "SECOND_ROOT", str(shared)]
    assert run(root, "code:lib_dir(pea)", *flags) == f'"{shared}/pea-1.0"'
    assert run(root, "pea:version()", *flags) == '"1.0"'
    assert re.sub(r"\s", "", run(root, WHICH, *flags)) == as_which_releases(root)


PEAK = """
import sys
sys.path.insert(0, sys.argv[1])
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
install_release(root=sys.argv[2], package=sys.argv[3], changes=Changes())
# Of this program alone; getrusage() counts what the process was before it became this program.
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def test_memory_does_not_grow_with_the_package(tmp_path: Path, first: str) -> None:
    """Content that deflates 1000 to 1, and content that does not."""
    with tarfile.open(tmp_path / "large.tar.gz", "w:gz", compresslevel=1) as large, tarfile.open(first) as archive:
        for member in archive:
            large.addfile(member, archive.extractfile(member))
        for name, content in (("zeros", bytes(1 << 20)), ("noise", os.urandom(1 << 20))):
            for number in range(64):
                path = tmp_path / name
                path.write_bytes(content)
                large.add(path, f"lib/pea-1.0/priv/{name}{number}")
    collections = Path(sys.modules[Changes.__module__].__file__ or "").parents[6]
    command = [sys.executable, "-I", "-S", "-c", PEAK, str(collections), str(tmp_path / "root"), str(tmp_path / "large.tar.gz")]
    peak = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert peak < 32 * 1024, f"{peak} KiB"
