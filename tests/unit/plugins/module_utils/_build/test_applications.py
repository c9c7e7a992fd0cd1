# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Applications on a code path.

Rules: own directories come before OTP's, of which the newest counts; two versions, archives and what is missing are errors; dependencies are
closed over; versions are ordered by their numbers.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._build.applications import (
    CodePath,
    RequestedApplication,
    applications_of,
    close_over,
    requested_application,
    version_key,
)
from ansible_collections.erlang.otp.plugins.module_utils._build.otp import Otp
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import Release, ReleaseApplication


def application(directory: Path, name: str, version: str = "1", **keys: str) -> str:
    ebin = directory / "ebin"
    ebin.mkdir(parents=True)
    listed = "".join(f", {{{key}, {value}}}" for key, value in keys.items())
    (ebin / f"{name}.app").write_text(f'{{application, {name}, [{{description, ""}}, {{vsn, "{version}"}}, {{modules, []}}, {{registered, []}}{listed}]}}.\n')
    return str(ebin)


@pytest.fixture
def otp(tmp_path):
    lib = tmp_path / "otp" / "lib"
    for name, version, needs in (("kernel", "8.5", ""), ("stdlib", "4.2", "kernel"), ("sasl", "4.2", "kernel, stdlib"), ("crypto", "5.1", "kernel, stdlib")):
        application(lib / f"{name}-{version}", name, version, applications=f"[{needs}]")
    return Otp(str(tmp_path / "otp"), "13.1.5", "25.2.3")


@pytest.fixture
def apps(tmp_path):
    return tmp_path / "apps"


def path(apps: Path, otp: Otp) -> CodePath:
    return CodePath([str(apps / "*" / "ebin")], otp)


def test_own_before_otp(otp, apps):
    ebin = application(apps / "crypto", "crypto", "9")
    found = path(apps, otp).find("crypto")
    assert (found.version, found.ebin, found.from_otp, found.directory) == ("9", ebin, False, str(apps / "crypto"))
    found = path(apps, otp).find("crypto", "5.1")
    assert (found.ebin, found.from_otp) == (f"{otp.lib}/crypto-5.1/ebin", True)


def test_the_newest_of_otp(otp, apps):
    application(Path(otp.lib) / "crypto-5.10", "crypto", "5.10")
    assert CodePath([], otp).find("crypto").version == "5.10"


def test_the_same_version_twice_is_the_first(otp, apps):
    first, _second = application(apps / "a", "pea"), application(apps / "b", "pea")
    assert path(apps, otp).find("pea").ebin == first


def test_an_ebin_directory_by_another_name(otp, apps):
    application(apps, "pea")
    (apps / "ebin").rename(apps / "beams")
    assert CodePath([str(apps / "beams")], otp).find("pea").directory == str(apps / "beams")


def test_two_versions(otp, apps):
    one, two = application(apps / "pea-1", "pea", "1"), application(apps / "pea-2", "pea", "2")
    with pytest.raises(OtpError) as caught:
        path(apps, otp).find("pea")
    assert str(caught.value).startswith(f"Application pea is on the code path in two versions: 1 in {one} and 2 in {two}.")
    assert path(apps, otp).find("pea", "2").ebin == two


def test_not_found(otp, apps):
    ebin = application(apps / "pea", "pea", "2")
    with pytest.raises(OtpError) as caught:
        path(apps, otp).find("bean")
    assert str(caught.value) == f"Application bean was not found. Looked in: {ebin}, {otp.lib}/bean-*/ebin."
    with pytest.raises(OtpError) as caught:
        path(apps, otp).find("pea", "1")
    assert str(caught.value) == f"Application pea-1 was not found (version 2 is in {ebin}). Looked in: {ebin}, {otp.lib}/pea-*/ebin."


def test_a_glob_that_matches_nothing(otp, apps):
    with pytest.raises(OtpError, match=r"code_path: .*/apps/\*/ebin matches no directory"):
        path(apps, otp)


@pytest.mark.parametrize("glob", ["pea.ez", "*.ez", "pea.ez/pea/ebin", "*"])
def test_archives_are_refused(otp, apps, glob):
    application(apps / "bean", "bean")
    (apps / "pea.ez").write_bytes(b"PK")
    with pytest.raises(OtpError, match=r"code_path: .*/apps/pea\.ez is an archive\. .*unpack it"):
        CodePath([str(apps / glob)], otp)


def test_release_without_kernel(otp):
    release = Release("R", "1", "13.1.5", (ReleaseApplication("stdlib", "4.2"),))
    with pytest.raises(OtpError, match="Release R 1 lacks application kernel, without which no system starts"):
        applications_of(release, CodePath([], otp))


def names(*wanted: RequestedApplication, code_path: CodePath) -> list[str]:
    return [listed.name for listed in close_over(wanted, code_path)]


CLOSURES = [
    # applications, what is asked for, what comes of it
    ({}, ["sasl"], ["kernel", "stdlib", "sasl"]),
    ({"a": {"applications": "[kernel, stdlib, b]"}, "b": {"applications": "[crypto]"}}, ["a"], ["kernel", "stdlib", "crypto", "b", "a"]),
    ({"a": {"included_applications": "[b]"}, "b": {}}, ["a"], ["kernel", "stdlib", "b", "a"]),
    ({"a": {"applications": "[b, c]", "optional_applications": "[b, c]"}, "b": {}}, ["a"], ["kernel", "stdlib", "b", "a"]),
    ({"a": {"applications": "[b]"}, "b": {"applications": "[a]"}}, ["a"], ["kernel", "stdlib", "b", "a"]),
    ({"a": {}, "b": {}, "c": {}}, ["c", "a"], ["kernel", "stdlib", "c", "a"]),
]


@pytest.mark.parametrize(("applications", "asked", "expected"), CLOSURES)
def test_closure(otp, apps, applications, asked, expected):
    for name, keys in applications.items():
        application(apps / name, name, **keys)
    code_path = path(apps, otp) if applications else CodePath([], otp)
    assert names(*(RequestedApplication(name) for name in asked), code_path=code_path) == expected


def test_closure_of_something_missing(otp, apps):
    application(apps / "a", "a", applications="[b]")
    with pytest.raises(OtpError, match=r"Application b was not found\. .* Application a needs it\."):
        close_over([RequestedApplication("a")], path(apps, otp))


def test_closure_keeps_what_was_said(otp, apps):
    application(apps / "a-1", "a", "1", included_applications="[sasl]")
    application(apps / "a-2", "a", "2")
    closed = close_over([RequestedApplication("a", "1", "temporary", ("sasl",))], path(apps, otp))
    assert closed[-1] == ReleaseApplication("a", "1", "temporary", ("sasl",))
    assert closed[0] == ReleaseApplication("kernel", "8.5", None, None)


def test_versions_are_ordered_by_their_numbers():
    versions = ["9.1", "10.2", "10.2.1", "10.10", "1.0-rc.1", "1.0"]
    assert sorted(versions, key=version_key) == ["1.0", "1.0-rc.1", "9.1", "10.2", "10.2.1", "10.10"]


def test_wanted():
    assert requested_application("pea") == RequestedApplication("pea")
    assert requested_application({"name": "pea", "version": "1.0", "type": "load", "included_applications": ["bean"]}) == RequestedApplication(
        "pea", "1.0", "load", ("bean",)
    )


@pytest.mark.parametrize("item", [1, {}, {"name": "pea", "versoin": "1"}, ["pea"]])
def test_not_wanted(item):
    with pytest.raises(OtpError, match="is neither a name nor a mapping of name, version, type"):
        requested_application(item)


def test_a_version_that_is_a_number():
    with pytest.raises(OtpError, match="applications: the version of pea is 1.1, and not a text.*in quotes"):
        requested_application({"name": "pea", "version": 1.10})


def test_a_type_that_is_none():
    with pytest.raises(OtpError, match="type of pea is 'now'; it can be permanent, transient"):
        requested_application({"name": "pea", "type": "now"})
