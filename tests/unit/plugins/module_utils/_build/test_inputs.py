# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the options of a build name.

Rules: a release comes from a .rel file or from applications; configuration is read and checked; a version and a file name lead nowhere else; the
ERTS is that of the tree.
"""

from __future__ import annotations

import os

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._build.applications import RequestedApplication
from ansible_collections.erlang.otp.plugins.module_utils._build.inputs import Options, read_sources
from ansible_collections.erlang.otp.plugins.module_utils._build.otp import Otp
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import parse_rel


@pytest.fixture
def otp(tmp_path):
    for name in ("kernel", "stdlib", "sasl"):
        ebin = tmp_path / "otp" / "lib" / f"{name}-1" / "ebin"
        ebin.mkdir(parents=True)
        (ebin / f"{name}.app").write_text(f'{{application, {name}, [{{description, ""}}, {{vsn, "1"}}, {{modules, []}}]}}.\n')
    return Otp(str(tmp_path / "otp"), "13", "25")


MINIMAL = (("kernel", "1"), ("stdlib", "1"), ("sasl", "1"))


def rel(tmp_path, name="my.rel", version="V", erts="13", applications=MINIMAL) -> str:
    listed = ", ".join(f'{{{app}, "{vsn}"}}' for app, vsn in applications)
    (tmp_path / name).write_text(f'{{release, {{"R", "{version}"}}, {{erts, "{erts}"}}, [{listed}]}}.\n')
    return str(tmp_path / name)


def options(**given) -> Options:
    return Options(output_dir="/out", **given)


def test_from_a_rel_file(tmp_path, otp):
    path = rel(tmp_path)
    sources = read_sources(options(rel=path), otp)
    assert (sources.stem, sources.rel, sources.erts, sources.files) == ("my", (tmp_path / "my.rel").read_bytes(), otp, {})
    assert [found.name for found in sources.found] == ["kernel", "stdlib", "sasl"]
    plain = parse_rel(sources.plain_rel, filename="plain.rel")
    assert plain == sources.release._replace(applications=sources.release.applications[:2])


def test_from_applications(otp):
    sources = read_sources(options(name="My_System", version="2", applications=(RequestedApplication("sasl"),), erts="false"), otp)
    assert (sources.stem, sources.erts) == ("my_system", None)
    assert parse_rel(sources.rel, filename="made") == sources.release
    assert [listed.name for listed in sources.release.applications] == ["kernel", "stdlib", "sasl"]


@pytest.mark.parametrize("place", ["lib/shop/consolidated", "consolidated"], ids=["project", "umbrella"])
def test_what_mix_has_compiled_is_refused(tmp_path, otp, place):
    ebin = tmp_path / "_build/prod/lib/shop/ebin"
    ebin.mkdir(parents=True)
    (ebin / "shop.app").write_text('{application, shop, [{description, ""}, {vsn, "1"}, {modules, []}, {applications, [kernel, stdlib]}]}.\n')
    asked = options(name="shop", version="1", applications=(RequestedApplication("sasl"), RequestedApplication("shop")), code_path=(str(ebin),))
    assert [found.name for found in read_sources(asked, otp).found] == ["kernel", "stdlib", "sasl", "shop"]
    (tmp_path / "_build/prod" / place).mkdir()
    with pytest.raises(OtpError, match=f"{tmp_path}/_build/prod/lib/shop is what mix has compiled, and its protocols are in {tmp_path}/_build/prod/{place},"):
        read_sources(asked, otp)


def test_a_name_for_the_files(tmp_path, otp):
    assert read_sources(options(rel=rel(tmp_path), file_name="other"), otp).stem == "other"


def test_files_by_path_and_by_content(tmp_path, otp):
    (tmp_path / "vm.args").write_text("-heart")
    given = {"vm_args": str(tmp_path / "vm.args"), "sys_config": '[{kernel, []}, "other"].\n', "sys_config_src": "${X}\n", "vm_args_src": "-name ü\n"}
    assert read_sources(options(rel=rel(tmp_path), **given), otp).files == {
        "vm.args": b"-heart",
        "sys.config": b'[{kernel, []}, "other"].\n',
        "sys.config.src": b"${X}\n",
        "vm.args.src": "-name ü\n".encode(),
    }


BAD_CONFIGS = [
    ("[{kernel, [}].\n", "sys_config, line 1, column 12"),
    ("\n", "sys.config must be one list"),
    ("[].\n[].\n", "sys.config must be one list"),
    ("{kernel, []}.\n", "sys.config must be one list"),
    ("[kernel].\n", "is neither {Application,[{Parameter,Value}, ...]} nor the name of another configuration file"),
]


@pytest.mark.parametrize(("content", "message"), BAD_CONFIGS)
def test_bad_configuration(tmp_path, otp, content, message):
    with pytest.raises(OtpError) as caught:
        read_sources(options(rel=rel(tmp_path), sys_config=content), otp)
    assert message in str(caught.value)


def test_files_that_are_missing(tmp_path, otp):
    with pytest.raises(OtpError, match="rel: .*gone.rel can't be read: No such file"):
        read_sources(options(rel=str(tmp_path / "gone.rel")), otp)
    with pytest.raises(OtpError, match="vm_args: gone can't be read: No such file"):
        read_sources(options(rel=rel(tmp_path), vm_args="gone"), otp)


@pytest.mark.parametrize("version", ["", "..", "a/b"])
def test_a_version_that_is_no_directory_name(tmp_path, otp, version):
    with pytest.raises(OtpError, match="version of the release"):
        read_sources(options(rel=rel(tmp_path, version=version)), otp)
    with pytest.raises(OtpError, match="is not a version that a system can boot"):
        read_sources(options(name="R", version=version, applications=(RequestedApplication("sasl"),)), otp)


def test_a_file_name_that_is_none(tmp_path, otp):
    with pytest.raises(OtpError, match="Release file_name '../x' can't be the name of a file. Give one without '/'"):
        read_sources(options(rel=rel(tmp_path), file_name="../x"), otp)


def test_another_erts(tmp_path, otp):
    with pytest.raises(OtpError, match=r"my\.rel is for ERTS 12, but .*/otp has ERTS 13\. Boot scripts must be made by the OTP"):
        read_sources(options(rel=rel(tmp_path, erts="12")), otp)


def test_erts_of_another_tree(tmp_path, otp):
    other = tmp_path / "arm"
    (other / "erts-13" / "bin").mkdir(parents=True)
    (other / "erts-13" / "bin" / "erlexec").write_text("")
    (other / "lib" / "sasl-1" / "ebin").mkdir(parents=True)
    sources = read_sources(options(rel=rel(tmp_path), erts=str(other)), otp)
    assert sources.erts.root == str(other)
    assert [os.path.relpath(found.ebin, str(tmp_path)) for found in sources.found] == [
        "otp/lib/kernel-1/ebin",
        "otp/lib/stdlib-1/ebin",
        "arm/lib/sasl-1/ebin",
    ]
    (other / "erts-13").rename(other / "erts-14")
    with pytest.raises(OtpError, match="erts: .*/arm has ERTS 14, but the release is for 13"):
        read_sources(options(rel=rel(tmp_path), erts=str(other)), otp)


@pytest.mark.parametrize("name", ["", "Doc", "Docs1", "D/cs", "Docs\n"])
def test_chunks_to_keep(tmp_path, otp, name):
    options = Options(output_dir="", rel=rel(tmp_path), strip=True, strip_keep=("Docs", name))
    with pytest.raises(OtpError, match="otp_strip_keep .option strip_keep.: .* is not a chunk"):
        read_sources(options, otp)
    assert read_sources(options._replace(strip_keep=("Docs", "AtU8")), otp).release.version == "V"
