# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a package was built from: the document of otp_sbom has what erl, git, sha256sum and the clock say; and what is missing for it is said at once."""

from __future__ import annotations

import datetime
import json
import os
import shutil
import subprocess
import sys
import typing as t
import zipfile
from pathlib import Path

import pytest
from release_workshop import Workshop
from waiting import LIMIT

from ansible_collections.erlang.otp.plugins.module_utils._build.otp import find_otp

TOOLS = Path(sys.executable).parent
ASK = """
    Version = fun(App) -> application:load(App), {ok, Vsn} = application:get_key(App, vsn), Vsn end,
    {ok, Otp} = file:read_file(filename:join([code:root_dir(), "releases", erlang:system_info(otp_release), "OTP_VERSION"])),
    [io:format("~s ~s~n", [Name, Vsn]) || {Name, Vsn} <- [{App, Version(App)} || App <- [kernel, stdlib, sasl]]],
    io:format("erts ~s~nErlang/OTP ~s", [erlang:system_info(version), Otp]), halt().
"""


def said(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=LIMIT).stdout.strip()


# rebar3's own library of Hex unpacks a package as it does with what it has fetched.
UNPACK = """
    Tools = #{<<"build_tools">> => [<<"rebar3">>], <<"requirements">> => #{}},
    Meta = Tools#{<<"name">> => <<"green_bean">>, <<"app">> => <<"bean">>, <<"version">> => <<"1.0.0">>},
    {ok, #{tarball := Tarball}} = r3_hex_tarball:create(Meta, [{"src/bean.app.src", <<"{application, bean, []}.">>}]),
    {ok, _} = r3_hex_tarball:unpack(Tarball, "DIRECTORY"), halt().
"""


def unpack_from_hex(directory: Path, erl: str) -> None:
    rebar3 = shutil.which("rebar3")
    assert rebar3
    with zipfile.ZipFile(rebar3) as archive:
        archive.extractall(directory.with_name("rebar3"))
    paths = [str(path) for path in directory.with_name("rebar3").glob("*/ebin")]
    said(erl, "-noinput", *(word for path in paths for word in ("-pa", path)), "-eval", UNPACK.replace("DIRECTORY", str(directory)))


@pytest.fixture
def site(tmp_path: Path, erl: str) -> Path:
    """A builder, an application in a checkout with a file that is not in it, and one that is unpacked from a package of Hex."""
    unpack_from_hex(Workshop(tmp_path, find_otp(None)).application("bean", place="deps/bean"), erl)
    pea = Workshop(tmp_path, find_otp(None)).application("pea")
    said("git", "init", "-q", tmp_path / "lib")
    said("git", "-C", tmp_path / "lib", "add", ".")
    said("git", "-C", tmp_path / "lib", "-c", "user.name=anna", "-c", "user.email=anna@example.com", "commit", "-q", "-m", "pea")
    (pea / "notes").write_text("mine")
    said("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key")
    variables = {
        "otp_release_name": "bare",
        "otp_release_version": "FIRST",
        "otp_release_applications": ["sasl", "pea", "bean"],
        "otp_code_path": [f"{tmp_path}/lib/*/ebin", f"{tmp_path}/deps/*/ebin"],
        "otp_release_erts": "false",
        "otp_build_dir": f"{tmp_path}/build",
        "otp_packages_dir": f"{tmp_path}/packages",
        "otp_sign_key": f"{tmp_path}/key",
        "otp_sbom": True,
    }
    hosts = {"otp_builders": {"hosts": {"workshop": {"ansible_connection": "local"}}, "vars": variables}}
    (tmp_path / "inventory.json").write_text(json.dumps(hosts))
    (tmp_path / "build.yml").write_text("[{hosts: otp_builders, gather_facts: false, roles: [{role: erlang.otp.release}]}]")
    return tmp_path


def build(site: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [TOOLS / "ansible-playbook", "-i", site / "inventory.json", site / "build.yml", *arguments]
    known = {**os.environ, "PATH": f"{TOOLS}:{os.environ['PATH']}", "XDG_CACHE_HOME": str(site / "cache"), **environment}
    return subprocess.run(command, cwd=site, env=known, capture_output=True, text=True, timeout=LIMIT, check=False)


def properties(item: t.Any) -> dict[str, str]:
    return {each["name"]: each["value"] for each in item["properties"]}


def test_what_the_package_was_built_from(site: Path, erl: str) -> None:
    begin = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    done = build(site)
    assert done.returncode == 0, done.stdout + done.stderr
    package, path = site / "packages/bare-FIRST.tar.gz", site / "packages/bare-FIRST.cdx.json"
    document = json.loads(path.read_text())
    release = document["metadata"]["component"]
    assert [item["content"] for item in release["hashes"]] == [said("sha256sum", package).split()[0]]
    assert begin <= datetime.datetime.fromisoformat(document["metadata"]["timestamp"]) <= datetime.datetime.now(datetime.timezone.utc)
    assert properties(document["metadata"])["erlang.otp:builder"] == "workshop"
    assert properties(document["metadata"])["erlang.otp:builder:machine"] == said("uname", "-m")
    versions = {item["name"]: item["version"] for item in document["components"]}
    assert versions == {"pea": "1.0", "bean": "1.0", **dict(line.split(" ") for line in said(erl, "-noinput", "-eval", ASK).splitlines())}
    purls = {item["name"]: item.get("purl") for item in document["components"]}
    assert purls.pop("bean") == "pkg:hex/green_bean@1.0.0" and purls.pop("Erlang/OTP") is None
    assert purls == {name: f"pkg:otp/{name}@{versions[name]}" for name in ("pea", "kernel", "stdlib", "sasl", "erts")}
    pea = properties(next(item for item in document["components"] if item["name"] == "pea"))
    assert pea["erlang.otp:git:revision"] == said("git", "-C", site / "lib", "rev-parse", "HEAD") and pea["erlang.otp:git:dirty"] == "true"
    assert not [item["name"] for item in document["components"] if "erlang.otp:git:revision" in str(item) and item["name"] != "pea"]
    with path.open() as file:
        checked = ["ssh-keygen", "-Y", "check-novalidate", "-n", "erlang.otp", "-s", f"{path}.sig"]
        subprocess.run(checked, stdin=file, check=True, capture_output=True, timeout=LIMIT)
    before, built = path.read_bytes(), package.stat().st_mtime_ns
    assert "changed=0" in build(site).stdout and (path.read_bytes(), package.stat().st_mtime_ns) == (before, built)


def test_a_library_that_is_too_old_ends_the_run_before_anything_is_built(site: Path) -> None:
    known = site / "python/cyclonedx_python_lib-7.6.2.dist-info"
    known.mkdir(parents=True)
    (known / "METADATA").write_text("Metadata-Version: 2.1\nName: cyclonedx-python-lib\nVersion: 7.6.2\n")
    refused = build(site, PYTHONPATH=str(site / "python"))
    words = " ".join(refused.stdout.split())
    assert refused.returncode != 0 and "has cyclonedx-python-lib 7.6.2, and 11 or newer is needed: install it (" in words, refused.stdout
    assert not (site / "build").exists() and not (site / "packages").exists()
