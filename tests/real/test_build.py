# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Release packages built with the Erlang/OTP on PATH: what is in them, and that they start."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from release_workshop import MINIMAL, Workshop, content, erl, members, unpack
from waiting import LIMIT

from ansible_collections.erlang.otp.plugins.module_utils._build.applications import RequestedApplication
from ansible_collections.erlang.otp.plugins.module_utils._build.otp import find_otp
from ansible_collections.erlang.otp.plugins.module_utils._build.systools import ScriptOptions
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path, find_otp(None))


# --- what is in the package


# Why ours has a member that target_system:create/1 has not, or the other way round.
DIFFERENCES = {
    "lib/{}/ebin/*.appup": "a later relup is made from the package, and needs them",
    "releases/FIRST/start_clean.boot": "an upgrade brings bin/start.boot up to date from the release directory",
    "lib/pea-1.0/priv/linked": "a link within priv stays a link",
    "lib/pea-1.0/priv/linked/run": "a link within priv stays a link",
}


def test_the_members_are_those_of_target_system(workshop: Workshop) -> None:
    pea = workshop.application("pea", needs=", sasl")
    (pea / "ebin/pea.appup").write_text('{"1.0", [], []}.\n')
    (pea / "priv/programs").mkdir(parents=True)
    (pea / "priv/programs/run").write_text("#!/bin/sh\n")
    (pea / "priv/programs/run").chmod(0o750)
    (pea / "priv/empty").mkdir()
    (pea / "priv/linked").symlink_to("programs")
    rel = workshop.rel(*MINIMAL, "pea-1.0")
    (workshop.directory / "sys.config").write_text("[].\n")
    paths = ["-pa", str(pea / "ebin"), "-pa", f"{workshop.otp.lib}/sasl-{workshop.version_of('sasl')}/examples/ebin"]
    subprocess.run(
        ["erl", "-noshell", *paths, "-eval", 'target_system:create("mysystem"), halt().'],
        cwd=workshop.directory,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    theirs = members(str(workshop.directory / "mysystem.tar.gz"))
    ours = members(workshop.build(rel=rel, sys_config=str(workshop.directory / "sys.config"))["package"])
    different = {name for name in set(ours) ^ set(theirs) if not name.endswith(".appup")}
    assert different == {name for name in DIFFERENCES if "*" not in name}
    appups = {name for name in set(ours) - set(theirs) if name.endswith(".appup")}
    assert {name.split("/")[1].split("-")[0] for name in appups} == {"kernel", "stdlib", "sasl", "pea"}
    for name in set(ours) & set(theirs):
        assert (ours[name].type, ours[name].size) == (theirs[name].type, theirs[name].size), name
        assert (ours[name].mode & 0o777) == (theirs[name].mode & 0o755), name


def test_the_emulator_reads_the_package(workshop: Workshop) -> None:
    name = "long_" + "x" * 110 + "_ärger"
    pea = workshop.application("pea")
    (pea / "priv").mkdir()
    (pea / "priv" / name).write_text("long\n")
    package = workshop.build(rel=workshop.rel(*MINIMAL, "pea-1.0"))["package"]
    target = workshop.directory / "extracted"
    program = f'ok = erl_tar:extract("{package}", [compressed, {{cwd, "{target}"}}]), halt().'
    subprocess.run(["erl", "+fnu", "-noinput", "-eval", program], check=True, timeout=LIMIT)
    assert (target / "lib/pea-1.0/priv" / name).read_text() == "long\n"
    ebin = Path(workshop.otp.lib) / f"stdlib-{workshop.version_of('stdlib')}" / "ebin"
    beams = {path.name: path.read_bytes() for path in ebin.glob("*.beam")}
    assert "lists.beam" in beams
    assert {path.name: path.read_bytes() for path in (target / "lib" / ebin.parent.name / "ebin").glob("*.beam")} == beams


def test_the_release_directory_and_the_order_of_members(workshop: Workshop) -> None:
    result = workshop.build(
        rel=workshop.rel(*MINIMAL),
        sys_config="[{kernel, []}].\n",
        sys_config_src="[{kernel, [{a, ${B}}]}].\n",
        vm_args="-heart\n",
        vm_args_src="-name ${NAME}\n",
    )
    package = result["package"]
    names = list(members(package))
    heads = list(dict.fromkeys(name.split("/")[0] for name in names))
    assert heads == ["releases", "bin", f"erts-{workshop.otp.erts_version}", "lib", "log"]
    assert names[0] == "releases/mysystem.rel"
    assert content(package, "releases/start_erl.data").decode() == f"{workshop.otp.erts_version} FIRST\n"
    assert content(package, "releases/FIRST/sys.config.src") == b"[{kernel, [{a, ${B}}]}].\n"
    assert content(package, "releases/FIRST/sys.config") == b"[{kernel, []}].\n"
    assert content(package, "releases/FIRST/vm.args") == b"-heart\n"
    assert content(package, "releases/FIRST/vm.args.src") == b"-name ${NAME}\n"
    assert content(package, "releases/FIRST/start_clean.boot") == content(package, "bin/start.boot")
    assert {f"bin/{name}" for name in ("epmd", "run_erl", "to_erl", "start.boot")} <= set(names)
    assert not {f"erts-{workshop.otp.erts_version}/bin/{name}" for name in ("erl", "start", "erlc")} & set(names)
    assert {(member.uid, member.gid, member.uname, member.gname, member.mtime) for member in members(package).values()} == {(0, 0, "", "", 315532800)}
    for name in ("mysystem.rel", "mysystem.boot", "mysystem.script"):
        assert (workshop.output / name).exists()
    assert content(package, "releases/FIRST/start.boot") == (workshop.output / "mysystem.boot").read_bytes()


def test_scripts_are_packed_where_otp_has_templates(workshop: Workshop) -> None:
    """An OTP built from source has erl.src, start.src, start_erl.src; the one of some distributions has not."""
    copy = workshop.directory / "otp"
    (copy / "lib").mkdir(parents=True)
    for application in MINIMAL:
        name = f"{application}-{workshop.version_of(application)}"
        (copy / "lib" / name).symlink_to(Path(workshop.otp.lib) / name)
    erts = copy / f"erts-{workshop.otp.erts_version}"
    shutil.copytree(Path(workshop.otp.erts_bin), erts / "bin")
    shutil.copytree(Path(workshop.otp.root) / "bin", copy / "bin", symlinks=True)
    templates = {"erl.src", "start.src", "start_erl.src"}
    for name in templates:
        (erts / "bin" / name).write_text("#!/bin/sh\nROOTDIR=%FINAL_ROOTDIR%\n")
    packed = {Path(name).name for name in members(workshop.build(rel=workshop.rel(*MINIMAL), otp_root=str(copy))["package"]) if name.startswith("erts-")}
    assert templates <= packed
    assert not {"erl", "start"} & packed


def test_links_modes_and_more_directories(workshop: Workshop) -> None:
    pea = workshop.application("pea", place="build/lib/pea")
    shared = workshop.directory / "shared"
    shared.mkdir()
    (shared / "data").write_text("shared\n")
    (pea / "priv").mkdir()
    (pea / "priv/program").write_text("program\n")
    (pea / "priv/program").chmod(0o775)
    (pea / "priv/key").write_text("key\n")
    (pea / "priv/key").chmod(0o600)
    (pea / "priv/inside").symlink_to("program")
    (pea / "priv/outside").symlink_to(shared)
    (pea / "priv/absolute").symlink_to(pea / "priv/program")
    (pea / "include").mkdir()
    (pea / "include/pea.hrl").write_text("%% pea\n")
    (shared / "notes").write_text("notes\n")
    package = workshop.build(
        rel=workshop.rel(*MINIMAL, "pea-1.0"),
        code_path=(str(workshop.directory / "build/lib/*/ebin"),),
        include=("src", "include", "c_src"),
        extra_files=((str(shared), "etc/shared"), (str(shared / "notes"), "NOTES")),
    )["package"]
    found = members(package)
    priv = "lib/pea-1.0/priv"
    assert found[f"{priv}/program"].mode == 0o755
    assert found[f"{priv}/key"].mode == 0o600
    assert found[f"{priv}/inside"].linkname == "program"
    assert content(package, f"{priv}/outside/data") == b"shared\n"
    assert found[f"{priv}/absolute"].isreg()
    assert {"lib/pea-1.0/src/pea.erl", "lib/pea-1.0/include/pea.hrl", "etc/shared/data", "NOTES"} <= set(found)


def test_without_erts(workshop: Workshop) -> None:
    found = members(workshop.build(rel=workshop.rel(*MINIMAL), erts="false")["package"])
    assert [name for name in found if name.startswith(("bin/", "erts-"))] == ["bin/start.boot"]


def test_erts_and_applications_of_another_tree(workshop: Workshop) -> None:
    """As for another machine type: what is OTP's comes from there."""
    tree = workshop.directory / "arm"
    erts = tree / f"erts-{workshop.otp.erts_version}" / "bin"
    shutil.copytree(workshop.otp.erts_bin, erts)
    (erts / "beam.smp").write_bytes(b"arm")
    sasl = f"sasl-{workshop.version_of('sasl')}"
    shutil.copytree(Path(workshop.otp.lib) / sasl, tree / "lib" / sasl)
    (tree / "lib" / sasl / "priv").mkdir(exist_ok=True)
    (tree / "lib" / sasl / "priv" / "arm.so").write_bytes(b"arm")
    package = workshop.build(rel=workshop.rel(*MINIMAL), erts=str(tree))["package"]
    assert content(package, f"erts-{workshop.otp.erts_version}/bin/beam.smp") == b"arm"
    assert content(package, f"lib/{sasl}/priv/arm.so") == b"arm"
    (tree / f"erts-{workshop.otp.erts_version}").rename(tree / "erts-1.2.3")
    with pytest.raises(OtpError, match=f"has ERTS 1.2.3, but the release is for {workshop.otp.erts_version}"):
        workshop.build(rel=workshop.rel(*MINIMAL), erts=str(tree))


# --- it starts


def test_the_target_system_starts(workshop: Workshop) -> None:
    workshop.application("pea", needs=", sasl")
    root = unpack(workshop.build(rel=workshop.rel(*MINIMAL, "pea-1.0"))["package"], workshop.directory / "root")
    program = 'io:format("~p", [lists:sort([A || {A, _, _} <- application:which_applications()])]), halt().'
    assert erl(root, workshop.otp, "-boot", str(root / "bin/start"), "-eval", program) == "[kernel,stdlib]"
    assert erl(root, workshop.otp, "-boot", str(root / "releases/FIRST/start"), "-eval", program) == "[kernel,pea,sasl,stdlib]"


def test_a_release_handler_unpacks_the_package(workshop: Workshop) -> None:
    root = unpack(workshop.build(rel=workshop.rel(*MINIMAL))["package"], workshop.directory / "root")
    workshop.application("pea", needs=", sasl")
    second = workshop.build(rel=workshop.rel(*MINIMAL, "pea-1.0", stem="second", version="SECOND"))["package"]
    shutil.copy(second, root / "releases")
    create = 'ok = release_handler:create_RELEASES("ROOT", "ROOT/releases", "ROOT/releases/mysystem.rel", []), halt().'
    sasl = str(root / "lib" / f"sasl-{workshop.version_of('sasl')}" / "ebin")
    erl(root, workshop.otp, "-boot", str(root / "bin/start"), "-pa", sasl, "-eval", create.replace("ROOT", str(root)))
    program = """
        Unpacked = release_handler:unpack_release("second"),
        io:format("~0p ~0p", [Unpacked, lists:sort([{Version, State} || {_, Version, _, State} <- release_handler:which_releases()])]),
        halt().
    """
    said = erl(root, workshop.otp, "-boot", str(root / "releases/FIRST/start"), "-eval", program)
    assert said == '{ok,"SECOND"} [{"FIRST",permanent},{"SECOND",unpacked}]'
    assert (root / "lib/pea-1.0/ebin/pea.beam").exists()


def test_stripped(workshop: Workshop) -> None:
    workshop.application("pea", needs=", sasl")
    rel = workshop.rel(*MINIMAL, "pea-1.0")
    full = workshop.build(rel=rel, output_dir=str(workshop.directory / "full"))
    stripped = workshop.build(rel=rel, strip=True)
    assert stripped["size"] < 0.5 * full["size"]
    beam = content(stripped["package"], "lib/pea-1.0/ebin/pea.beam")
    assert beam.startswith(b"FOR1") and b"Dbgi" not in beam
    kept = workshop.build(rel=rel, strip=True, strip_keep=("Dbgi",))
    assert b"Dbgi" in content(kept["package"], "lib/pea-1.0/ebin/pea.beam")
    root = unpack(stripped["package"], workshop.directory / "root")
    program = 'io:format("~s", [pea:version()]), halt().'
    assert erl(root, workshop.otp, "-boot", str(root / "releases/FIRST/start"), "-eval", program) == "1.0"
    # All of it comes from the cache now, whose entries may be broken.
    shutil.rmtree(workshop.output)
    for entry in (workshop.directory / "cache").iterdir():
        entry.write_bytes(entry.read_bytes()[:-1])
    assert workshop.build(rel=rel, strip=True)["sha256"] == stripped["sha256"]


@pytest.mark.parametrize("var_tar", ["include", "ownfile", "omit"])
def test_variables(workshop: Workshop, var_tar: str) -> None:
    second = workshop.directory / "second"
    workshop.application("pea", place="second/apps/pea")
    script = ScriptOptions(variables=(("SECOND_ROOT", str(second)),))
    options = {"code_path": (str(second / "apps/*/ebin"),), "script": script, "var_tar": var_tar}
    result = workshop.build(rel=workshop.rel(*MINIMAL, "pea-1.0"), **options)
    names = members(result["package"])
    assert not [name for name in names if name.startswith("lib/pea")]
    assert ("SECOND_ROOT.tar.gz" in names) == (var_tar == "include")
    archive = workshop.output / "SECOND_ROOT.tar.gz"
    assert archive.exists() == (var_tar == "ownfile")
    assert "$SECOND_ROOT/apps/pea-1.0/ebin" in (workshop.output / "mysystem.script").read_text()
    if var_tar == "omit":
        return
    if var_tar == "include":
        archive.write_bytes(content(result["package"], "SECOND_ROOT.tar.gz"))
    elsewhere = unpack(str(archive), workshop.directory / "elsewhere")
    root = unpack(result["package"], workshop.directory / "root")
    program = 'io:format("~s ~s", [pea:version(), code:lib_dir(pea)]), halt().'
    arguments = ("-boot", str(root / "releases/FIRST/start"), "-boot_var", "SECOND_ROOT", str(elsewhere), "-eval", program)
    assert erl(root, workshop.otp, *arguments) == f"1.0 {elsewhere}/apps/pea-1.0"


def test_unicode(workshop: Workshop) -> None:
    body = "%% λ\n"
    workshop.application("pea", place="αβ/pea-1.0", description="Erbse — горох", body=body)
    rel = workshop.rel(*MINIMAL, "pea-1.0", stem="сервер", name="Ünïcode")
    result = workshop.build(rel=rel, code_path=(str(workshop.directory / "αβ/*/ebin"),), output_dir=str(workshop.directory / "выход"))
    assert result["name"] == "Ünïcode"
    assert "releases/FIRST/сервер.rel" in members(result["package"])
    root = unpack(result["package"], workshop.directory / "корень")
    program = '{ok, D} = application:get_key(pea, description), io:setopts([{encoding, unicode}]), io:format("~ts", [D]), halt().'
    assert erl(root, workshop.otp, "+fnu", "+pc", "unicode", "-boot", str(root / "releases/FIRST/start"), "-eval", program) == "Erbse — горох"


# --- made from applications


def test_dependencies_are_closed_over(workshop: Workshop) -> None:
    workshop.application("top", needs=", middle, absent", keys=", {included_applications, [part]}, {optional_applications, [absent]}")
    workshop.application("middle", needs=", crypto", place="lib/middle")
    workshop.application("part", needs=", sasl")
    workshop.application("unneeded")
    result = workshop.build(name="APPS", version="1", applications=(RequestedApplication("top"),))
    names = [item["name"] for item in result["applications"]]
    assert names == ["kernel", "stdlib", "crypto", "middle", "sasl", "part", "top"]
    assert result["package"].endswith("/apps.tar.gz")
    root = unpack(result["package"], workshop.directory / "root")
    program = 'io:format("~p", [[lists:keymember(A, 1, application:which_applications()) || A <- [top, middle, part]]]), halt().'
    assert erl(root, workshop.otp, "-boot", str(root / "releases/1/start"), "-eval", program) == "[true,true,false]"


def test_types_and_inclusions_reach_the_release(workshop: Workshop) -> None:
    workshop.application("top", keys=", {included_applications, [part]}")
    workshop.application("part")
    wanted = (RequestedApplication("sasl"), RequestedApplication("top", "1.0", "temporary", ("part",)), RequestedApplication("part", None, "load"))
    workshop.build(name="APPS", version="1", applications=wanted, file_name="files")
    text = (workshop.output / "files.rel").read_text()
    assert '{top,"1.0",temporary,[part]}' in "".join(text.split())
    assert '{part,"1.0",load}' in "".join(text.split())
