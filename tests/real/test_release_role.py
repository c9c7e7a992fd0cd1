# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Role release: several builders, as a fleet has that goes to another Erlang/OTP; and what the variables of the role do to the package.

Rules: a package is brought only if all builders agree; each variable reaches the build.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from release_workshop import MINIMAL, Workshop, content, members
from waiting import LIMIT

from ansible_collections.erlang.otp.plugins.module_utils._build.otp import find_otp

TOOLS = Path(sys.executable).parent


@pytest.fixture
def build(tmp_path: Path) -> t.Callable[..., subprocess.CompletedProcess]:
    hosts = {name: {"ansible_connection": "local", "otp_build_dir": str(tmp_path / name)} for name in ("old", "new")}

    def run(everywhere: t.Mapping[str, t.Any] | None = None, limit: str = "all", **variables: t.Any) -> subprocess.CompletedProcess:
        """everywhere: variables of both builders; the others are those of one of them."""
        hosts["new"].update(variables)
        (tmp_path / "inventory.json").write_text(json.dumps({"otp_builders": {"hosts": hosts}}))
        hosts_of_play = "{{ otp_builders | default('otp_builders') }}"
        (tmp_path / "build.yml").write_text(f'[{{hosts: "{hosts_of_play}", gather_facts: false, roles: [{{role: erlang.otp.release}}]}}]')
        given = {
            "otp_release_name": "bare",
            "otp_release_version": "FIRST",
            "otp_release_applications": ["sasl"],
            "otp_packages_dir": str(tmp_path / "packages"),
            **(everywhere or {}),
        }
        return subprocess.run(
            [TOOLS / "ansible-playbook", "-i", tmp_path / "inventory.json", "-e", json.dumps(given), tmp_path / "build.yml", "--limit", limit],
            cwd=tmp_path,
            env={**os.environ, "PATH": f"{TOOLS}:{os.environ['PATH']}", "XDG_CACHE_HOME": str(tmp_path / "cache")},
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )

    return run


def test_builders_that_build_the_same_package_are_as_good_as_one(build: t.Callable[..., subprocess.CompletedProcess], tmp_path: Path) -> None:
    done = build()
    assert done.returncode == 0, done.stdout + done.stderr
    assert [path.name for path in (tmp_path / "packages").iterdir()] == ["bare-FIRST.tar.gz"]


def test_a_package_of_a_version_is_made_once(build: t.Callable[..., subprocess.CompletedProcess], tmp_path: Path) -> None:
    """Before, the package from which a fleet ran was replaced. The build directory is only a cache."""
    package = tmp_path / "packages/bare-FIRST.tar.gz"
    assert build(limit="new").returncode == 0
    before = package.read_bytes()
    refused = build({"otp_release_sys_config": "[{kernel,\n  []}].\n"}, limit="new")
    assert refused.returncode != 0 and package.read_bytes() == before
    said = " ".join(refused.stdout.split())
    assert "bare FIRST has been built before, with other content" in said and "releases/FIRST/sys.config" in said and str(package) in said, refused.stdout
    assert "If no host has the earlier one, remove that file." in said
    package.unlink()
    assert build({"otp_release_sys_config": "[{kernel,\n  []}].\n"}, limit="new").returncode == 0
    assert package.read_bytes() != before


def test_a_version_that_yaml_takes_for_a_number_is_refused(build: t.Callable[..., subprocess.CompletedProcess], tmp_path: Path) -> None:
    """Before, 1.10 was built as release 1.1."""
    refused = build({"otp_release_version": 1.10}, limit="new")
    assert refused.returncode != 0 and not (tmp_path / "packages").exists()
    assert "otp_release_version is 1.1, and not a text" in refused.stdout and "in quotes" in refused.stdout, refused.stdout


def test_builders_that_differ_are_refused_and_no_package_is_brought(build: t.Callable[..., subprocess.CompletedProcess], tmp_path: Path) -> None:
    refused = build(otp_strip=True)
    assert refused.returncode != 0
    assert "bare FIRST is not the same from all builders (old, new): select one of them with -e otp_builders=HOST" in refused.stdout, refused.stdout
    assert not (tmp_path / "packages").exists()
    done = build({"otp_builders": "new"})
    assert done.returncode == 0 and (tmp_path / "packages/bare-FIRST.tar.gz").exists(), done.stdout


def test_what_a_package_is_made_of(build: t.Callable[..., subprocess.CompletedProcess], tmp_path: Path) -> None:
    workshop = Workshop(tmp_path, find_otp(None))
    workshop.application("pea", place="elsewhere/pea-1.0")
    header = workshop.application("bean") / "include" / "bean.hrl"
    header.parent.mkdir()
    header.write_text("%% of the users\n")
    given = {
        "otp_release_applications": ["sasl", "pea", "bean"],
        "otp_code_path": [f"{tmp_path}/lib/*/ebin", f"{tmp_path}/elsewhere/*/ebin"],
        "otp_release_erts": "false",
        "otp_release_include": ["include"],
        "otp_release_sys_config": "[{bean,\n  [{colour, white}]}].\n",
        "otp_release_vm_args": "+P 100000\n-bean white\n",
        "otp_release_vm_args_src": "+P ${PROCESSES}\n-bean white\n",
        "otp_release_variables": {"ELSEWHERE": f"{tmp_path}/elsewhere"},
        "otp_release_var_tar": "ownfile",
        "otp_strip": True,
        "otp_strip_keep": ["Dbgi"],
    }
    done = build(given, limit="new")
    assert done.returncode == 0, done.stdout + done.stderr
    package = str(tmp_path / "packages/bare-FIRST.tar.gz")
    names = set(members(package))
    beam = content(package, "lib/bean-1.0/ebin/bean.beam")
    assert b"Dbgi" in beam and b"Attr" in beam and b"CInf" not in beam
    assert "lib/bean-1.0/include/bean.hrl" in names and not [name for name in names if name.startswith("erts-")]
    assert content(package, "releases/FIRST/sys.config").decode() == given["otp_release_sys_config"]
    assert content(package, "releases/FIRST/vm.args").decode() == given["otp_release_vm_args"]
    assert content(package, "releases/FIRST/vm.args.src").decode() == given["otp_release_vm_args_src"]
    assert "ELSEWHERE.tar.gz" not in names and not [name for name in names if "pea-1.0" in name]
    assert (tmp_path / "new/ELSEWHERE.tar.gz").exists()


def test_an_upgrade_from_a_rel_file(build: t.Callable[..., subprocess.CompletedProcess], tmp_path: Path) -> None:
    workshop = Workshop(tmp_path, find_otp(None))
    workshop.application("pea", "1.0", place="before/pea-1.0")
    now = workshop.application("pea", "2.0", place="now/pea-2.0")
    (now / "ebin/pea.appup").write_text('{"2.0", [{"1.0", [{load_module, pea}]}], []}.\n')
    given = {
        "otp_release_version": "SECOND",
        "otp_release_applications": ["sasl", "pea"],
        "otp_code_path": [str(now / "ebin")],
        "otp_upgrade_from": [workshop.rel(*MINIMAL, "pea-1.0", stem="bare", name="bare")],
    }
    refused = build(given, limit="new")
    assert refused.returncode != 0 and "pea" in refused.stdout, refused.stdout
    done = build({**given, "otp_upgrade_path": [f"{tmp_path}/before/*/ebin"]}, limit="new")
    assert done.returncode == 0, done.stdout + done.stderr
    relup = content(str(tmp_path / "packages/bare-SECOND.tar.gz"), "releases/SECOND/relup").decode()
    assert "load" in relup and '"FIRST"' in relup


def test_a_warning_fails_the_build_where_that_is_asked_for(build: t.Callable[..., subprocess.CompletedProcess], tmp_path: Path) -> None:
    given = {"otp_rel": Workshop(tmp_path, find_otp(None)).rel("kernel", "stdlib"), "otp_release_name": "", "otp_release_applications": []}
    refused = build({**given, "otp_release_version": "", "otp_warnings_as_errors": True}, limit="new")
    assert refused.returncode != 0 and "Missing application sasl" in refused.stdout and not (tmp_path / "packages").exists(), refused.stdout
    done = build({**given, "otp_release_version": ""}, limit="new")
    assert done.returncode == 0 and "Missing application sasl" in done.stdout + done.stderr, done.stdout + done.stderr


def test_another_erlang(build: t.Callable[..., subprocess.CompletedProcess], tmp_path: Path) -> None:
    (tmp_path / "another").symlink_to(find_otp(None).root)
    done = build({"otp_erlang_root": str(tmp_path / "another"), "otp_build_dir": str(tmp_path / "out")}, limit="new")
    assert done.returncode == 0, done.stdout + done.stderr
    refused = build({"otp_erlang_root": str(tmp_path / "nothing")}, limit="new")
    assert refused.returncode != 0 and str(tmp_path / "nothing") in refused.stdout, refused.stdout
