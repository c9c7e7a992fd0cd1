# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages with native code that has debug symbols: they are left out with strip, and what is left is loaded and runs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from release_workshop import MINIMAL, Workshop, content, erl, unpack

from ansible_collections.erlang.otp.plugins.module_utils._build import native_code as _native_code
from ansible_collections.erlang.otp.plugins.module_utils._build.otp import find_otp, read_otp

NIF = """\
#include <erl_nif.h>
static ERL_NIF_TERM seven(ErlNifEnv* env, int argc, const ERL_NIF_TERM argv[]) { return enif_make_int(env, 7); }
static ErlNifFunc functions[] = {{"seven", 0, seven}};
ERL_NIF_INIT(pea, functions, NULL, NULL, NULL, NULL)
"""
LOADS = """\
-export([seven/0]).
-on_load(load/0).
load() -> erlang:load_nif(filename:join(code:priv_dir(pea), "pea"), 0).
seven() -> 0.
"""
PROGRAM = "int main(void) { return 0; }\n"
ASKED = 'io:format("~b", [pea:seven()]), halt().'
LIBRARY, EXTRA = "lib/pea-1.0/priv/pea.so", "extra/pea.so"


def compile_c(path: Path, text: str, *flags: str) -> None:
    subprocess.run(["cc", "-g", "-xc", "-", "-o", path, *flags], input=text, text=True, check=True)


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """One with an application that has a NIF with debug symbols, and an Erlang/OTP of which a program has them."""
    system = find_otp(None)
    root = tmp_path / "otp"
    # As an installation from source: links to the files of the system's, but for the program.
    shutil.copytree(system.root, root, copy_function=lambda source, target: Path(target).symlink_to(Path(source).resolve()), symlinks=False)
    helper = root / f"erts-{system.erts_version}/bin/inet_gethost"
    helper.unlink()
    compile_c(helper, PROGRAM)
    workshop = Workshop(tmp_path, read_otp(str(root)))
    directory = workshop.application("pea", needs=", sasl", body=LOADS)
    (directory / "priv").mkdir()
    compile_c(directory / "priv/pea.so", NIF, "-shared", "-fPIC", f"-I{system.root}/usr/include")
    return workshop


def test_debug_symbols_are_left_out_and_the_rest_is_loaded(workshop: Workshop) -> None:
    source = workshop.directory / LIBRARY
    original, helper = source.read_bytes(), f"erts-{workshop.otp.erts_version}/bin/inet_gethost"
    given = {"rel": workshop.rel(*MINIMAL, "pea-1.0"), "otp_root": workshop.otp.root, "extra_files": ((str(source), EXTRA),)}
    full = workshop.build(**given, output_dir=str(workshop.directory / "full"))
    stripped = workshop.build(**given, strip=True)
    assert content(full["package"], LIBRARY) == original and stripped["diagnostics"] == []
    for name in (LIBRARY, helper):
        assert b".debug_" in content(full["package"], name) and b".debug_" not in content(stripped["package"], name)
    # What the user packs as it is, and the files from which the package was made.
    assert content(stripped["package"], EXTRA) == original == source.read_bytes()
    root = unpack(stripped["package"], workshop.directory / "root")
    assert erl(root, workshop.otp, "-boot", str(root / "releases/FIRST/start"), "-eval", ASKED) == "7"
    # The same bytes each time, also from the cache.
    for cache in ("cache", "another"):
        again = workshop.build(**given, strip=True, output_dir=str(workshop.directory / f"out-{cache}"), cache_dir=str(workshop.directory / cache))
        assert again["sha256"] == stripped["sha256"]


def test_without_the_program_it_stays_as_it_is_and_a_warning_names_it(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_native_code, "_found", lambda name: "")
    result = workshop.build(rel=workshop.rel(*MINIMAL, "pea-1.0"), otp_root=workshop.otp.root, strip=True)
    assert content(result["package"], LIBRARY) == (workshop.directory / LIBRARY).read_bytes()
    warning = next(item for item in result["diagnostics"] if item["term"].endswith("pea.so"))
    assert warning["kind"] == "strip" and "strip" in warning["sentence"] and "keeps its debug symbols" in warning["sentence"]
