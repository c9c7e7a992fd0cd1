# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What systools says of a release, and input that can't be built."""

from __future__ import annotations

import os
import subprocess
import typing as t
from pathlib import Path

import pytest
from release_workshop import MINIMAL, Workshop, files_of

from ansible_collections.erlang.otp.plugins.module_utils._build.applications import RequestedApplication
from ansible_collections.erlang.otp.plugins.module_utils._build.boot_scripts import SystoolsError
from ansible_collections.erlang.otp.plugins.module_utils._build.otp import find_otp
from ansible_collections.erlang.otp.plugins.module_utils._build.systools import ScriptOptions
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path, find_otp(None))


# --- what systools says


def test_without_sasl_there_is_a_warning(workshop: Workshop) -> None:
    rel = workshop.rel("kernel", "stdlib")
    for _run in range(2):
        diagnostics = workshop.build(rel=rel)["diagnostics"]
        assert [(item["kind"], item["sentence"]) for item in diagnostics] == [("missing_sasl", "Missing application sasl. Can not upgrade with this release")]
    assert workshop.build(rel=rel, script=ScriptOptions(no_warn_sasl=True))["diagnostics"] == []
    with pytest.raises(SystoolsError, match="Missing application sasl") as caught:
        workshop.build(rel=rel, script=ScriptOptions(warnings_as_errors=True))
    assert caught.value.diagnostics[0].kind == "warnings_treated_as_errors"


def test_exref_and_src_tests(workshop: Workshop) -> None:
    pea = workshop.application("pea", body="-export([call/0]).\ncall() -> nowhere:function().\n")
    rel = workshop.rel(*MINIMAL, "pea-1.0")
    said = workshop.build(rel=rel, script=ScriptOptions(exref=True))["diagnostics"]
    assert any("nowhere" in item["term"] for item in said)
    os.utime(pea / "src/pea.erl", (2**31, 2**31))
    said = workshop.build(rel=rel, script=ScriptOptions(src_tests=True))["diagnostics"]
    assert any(item["kind"] == "obj_out_of_date" and "pea" in item["term"] for item in said)


def test_systools_refusals_are_data_too(workshop: Workshop) -> None:
    workshop.application("pea", needs=", sasl")
    with pytest.raises(SystoolsError, match=r"systools refuses the release\. Undefined applications: \[sasl\]") as caught:
        workshop.build(rel=workshop.rel("kernel", "stdlib", "pea-1.0"), check_mode=True)
    assert caught.value.diagnostics[0].kind == "undefined_applications"


# --- bad input


def test_syntax_error(workshop: Workshop) -> None:
    path = workshop.directory / "bad.rel"
    path.write_text('{release, {"MYSYSTEM", "FIRST"},\n {erts "13"}, []}.\n')
    with pytest.raises(OtpError, match=r"bad\.rel, line 2, column 8: expected , or }"):
        workshop.build(rel=str(path))


def test_application_not_found(workshop: Workshop) -> None:
    workshop.application("pea", "2.0")
    with pytest.raises(OtpError) as caught:
        workshop.build(rel=workshop.rel(*MINIMAL, "pea-1.0"))
    lib = workshop.directory / "lib"
    assert str(caught.value) == (
        f"Application pea-1.0 was not found (version 2.0 is in {lib}/pea-2.0/ebin). Looked in: {lib}/pea-2.0/ebin, {workshop.otp.lib}/pea-*/ebin."
    )
    workshop.application("top", needs=", nowhere")
    with pytest.raises(OtpError, match="Application nowhere was not found.*Application top needs it"):
        workshop.build(name="A", version="1", applications=(RequestedApplication("top"),))


def test_two_versions(workshop: Workshop) -> None:
    one, two = workshop.application("pea", "1.0"), workshop.application("pea", "2.0")
    with pytest.raises(OtpError, match=f"in two versions: 1.0 in {one}/ebin and 2.0 in {two}/ebin"):
        workshop.build(name="A", version="1", applications=(RequestedApplication("pea"),))
    result = workshop.build(name="A", version="1", applications=(RequestedApplication("sasl"), RequestedApplication("pea", "2.0")))
    assert result["applications"][-1] == {"name": "pea", "version": "2.0", "directory": str(two)}


@pytest.mark.parametrize("missing", ["kernel", "stdlib"])
def test_kernel_or_stdlib_missing(workshop: Workshop, missing: str) -> None:
    with pytest.raises(OtpError, match=f"MYSYSTEM FIRST lacks application {missing}"):
        workshop.build(rel=workshop.rel(*(name for name in MINIMAL if name != missing)))


def test_other_erts(workshop: Workshop) -> None:
    with pytest.raises(OtpError, match=f"is for ERTS 1.2.3, but .* has ERTS {workshop.otp.erts_version}"):
        workshop.build(rel=workshop.rel(*MINIMAL, erts="1.2.3"))
    assert workshop.build(rel=workshop.rel(*MINIMAL))["package"]


def test_a_module_that_was_not_compiled(workshop: Workshop) -> None:
    pea = workshop.application("pea")
    (pea / "ebin/pea.beam").unlink()
    with pytest.raises(OtpError, match=r"pea-1\.0/ebin lacks pea\.beam, listed in pea\.app\. Compile"):
        workshop.build(rel=workshop.rel(*MINIMAL, "pea-1.0"))


def test_sys_config_that_is_no_terms(workshop: Workshop) -> None:
    with pytest.raises(OtpError, match="sys_config.*2.*1"):
        workshop.build(rel=workshop.rel(*MINIMAL), sys_config="[{kernel, []}\n.\n")


def test_output_directory_that_can_not_be_written(workshop: Workshop) -> None:
    workshop.output.write_text("a file")
    with pytest.raises(OtpError, match=f"{workshop.output}.*: (Not a directory|File exists)"):
        workshop.build(rel=workshop.rel(*MINIMAL))


@pytest.fixture
def small_disk(tmp_path: Path) -> t.Iterator[Path]:
    """A file system of its own."""
    if os.geteuid() != 0:
        pytest.fail("this test mounts a small file system: run it as root")
    directory = tmp_path / "small"
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", directory], check=True)
    yield directory
    subprocess.run(["umount", directory], check=True)


def test_disk_full_leaves_the_old_package(workshop: Workshop, small_disk: Path) -> None:
    rel = workshop.rel(*MINIMAL)
    workshop.build(rel=rel, output_dir=str(small_disk))
    before = files_of(small_disk)
    # How large a package is depends on the OTP: no room for a second one.
    size = sum(path.stat().st_size for path in small_disk.rglob("*") if path.is_file())
    subprocess.run(["mount", "-o", f"remount,size={size + (1 << 20)}", small_disk], check=True)
    workshop.application("pea")
    with pytest.raises(OtpError, match="No space left on device. The package in .* is as it was"):
        workshop.build(rel=workshop.rel(*MINIMAL, "pea-1.0"), output_dir=str(small_disk))
    assert files_of(small_disk) == before
