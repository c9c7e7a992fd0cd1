# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: a package goes to a host only after it asked for it, and never in check mode; a damaged one does not go at all; a small one through
standard input, a large one, or one in Ansible's own way, as a file that is removed afterwards; failures name the file on the controller; what
an interrupted upload has left is removed by the next one, unless somebody may need it; what does not fit is not sent.
"""

from __future__ import annotations

import os
import re
import shutil
import time
import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.erlang.otp.plugins.module_utils._package.thin_base import Base, format_base
from ansible_collections.erlang.otp.plugins.plugin_utils._transport import packages
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.packages import UPLOADED, _check_room, _smallest, run_module
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.stdin_transport import StdinTransport
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import checksum, release_members, write_package
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils._transport.tasks import Action, interpreter, make_action

HANDLER = StdinTransport("otp_release_handler")
BASE = Base("SYSTEM", "FIRST", "a" * 64, "b" * 64, {}, [])
FULL = f"sha256:{BASE.full}"


@pytest.mark.parametrize(
    ("base", "known", "wanted", "is_thin"),
    [
        (format_base(BASE), [BASE.sha256], FULL, True),
        (format_base(BASE), ["c" * 64], FULL, False),
        (format_base(BASE), [], FULL, False),
        # Of another build.
        (format_base(BASE), [BASE.sha256], "sha256:" + "d" * 64, False),
        (b"damaged", [BASE.sha256], FULL, False),
        (None, [BASE.sha256], FULL, False),
    ],
)
def test_which_package_is_sent(tmp_path: Path, base: bytes | None, known: list[str], wanted: str, is_thin: bool) -> None:
    full, thin = str(tmp_path / "x-SECOND.tar.gz"), tmp_path / "x-SECOND-thin.tar.gz"
    if base is not None:
        write_package(thin, {"releases/SECOND/base.json": base})
    expected = (str(thin), {"checksum": checksum(str(thin))}) if is_thin else (full, {"checksum": wanted})
    assert _smallest(full, {"checksum": wanted}, {"known_packages": known}, None) == expected


def test_a_thin_package_has_its_checksum(tmp_path: Path) -> None:
    full = str(tmp_path / "x-SECOND.tar.gz")
    thin = write_package(tmp_path / "x-SECOND-thin.tar.gz", {"releases/SECOND/base.json": format_base(BASE)})
    known = {"known_packages": [BASE.sha256]}
    assert _smallest(full, {"checksum": FULL}, known, checksum(thin).upper().replace("SHA", "sha"))[0] == thin
    assert _smallest(full, {"checksum": FULL}, known, "sha256:" + 64 * "0") == (full, {"checksum": FULL})


def test_a_package_with_a_checksum_is_replaced_by_no_neighbour(tmp_path: Path, full: str) -> None:
    """Whoever can write beside it can make a package that claims to be the thin one of it."""
    first = write_package(tmp_path / "first.tar.gz", release_members())
    run_module(make_action(kind=Uploading), HANDLER, arguments(tmp_path, first, release="FIRST"), interpreter(tmp_path))
    base = Base("SYSTEM", "FIRST", checksum(first)[7:], checksum(full)[7:], {"lib/kernel-8.5.3": "c" * 64}, [])
    evil = {name: content for name, content in release_members("SECOND", app_version="2.0").items() if not name.startswith("lib/kernel-8.5.3")}
    thin = write_package(tmp_path / "x-SECOND-thin.tar.gz", {"releases/SECOND/base.json": format_base(base), **evil, "lib/pea-2.0/priv/evil": b"evil"})
    installed = tmp_path / "srv/lib/pea-2.0/priv/evil"
    result = run_module(make_action(kind=Uploading), HANDLER, arguments(tmp_path, full, checksum=checksum(full)), interpreter(tmp_path))
    assert result["transferred"] and not result.get("failed") and not installed.exists() and (tmp_path / "srv/releases/SECOND").is_dir()
    shutil.rmtree(tmp_path / "srv")
    # The same with its own checksum, and where no checksum is given.
    for more in ({"checksum": checksum(full), "thin_checksum": checksum(thin)}, {}):
        run_module(make_action(kind=Uploading), HANDLER, arguments(tmp_path, first, release="FIRST"), interpreter(tmp_path))
        assert not run_module(make_action(kind=Uploading), HANDLER, arguments(tmp_path, full, **more), interpreter(tmp_path)).get("failed")
        assert installed.exists()
        shutil.rmtree(tmp_path / "srv")


class Uploading(Action):
    """Notes which files go to the host, and when the directory for them is removed; a module in Ansible's own way asks for the package once."""

    def __init__(self, *arguments: t.Any) -> None:
        super().__init__(*arguments)
        self.steps: list[str] = []

    def _find_needle(self, dummy_directory: str, needle: str) -> str:
        return needle

    def _transfer_file(self, local_path: str, remote_path: str) -> str:
        self.steps.append("upload")
        return str(super()._transfer_file(local_path, remote_path))

    def _remove_tmp_path(self, tmp_path: str | None, force: bool = False) -> None:
        self.steps.append("remove")
        super()._remove_tmp_path(tmp_path, force=force)
        assert tmp_path and not Path(tmp_path).exists()

    def _execute_module(self, *arguments: t.Any, **options: t.Any) -> dict[str, t.Any]:
        super()._execute_module(*arguments, **options)
        package = options["module_args"]["package"]
        self.steps.append("module with package" if package else "module")
        return {"failed": True, "msg": f"{package}: damaged", "exception": "Traceback"} if package else {"needs_package": True}


@pytest.fixture
def full(tmp_path: Path) -> str:
    return write_package(tmp_path / "x-SECOND.tar.gz", release_members("SECOND", app_version="2.0"))


def arguments(tmp_path: Path, package: str, **more: t.Any) -> dict[str, t.Any]:
    """Options of otp_release_handler for a release that the host lacks."""
    return {"root": f"{tmp_path}/srv", "release": "SECOND", "state": "unpacked", "transport": "offline", "package": package, **more}


def test_a_small_package_goes_through_standard_input(tmp_path: Path, full: str) -> None:
    action = make_action(kind=Uploading)
    result = run_module(action, HANDLER, arguments(tmp_path, full), interpreter(tmp_path))
    assert result["transferred"] and not result.get("failed") and (tmp_path / "srv/releases/SECOND").is_dir()
    assert not action.steps


def test_a_large_package_is_uploaded_and_removed(tmp_path: Path, full: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "STDIN_LIMIT", 10)
    Path(full).write_bytes(b"not a package")
    action = make_action(kind=Uploading)
    result = run_module(action, HANDLER, arguments(tmp_path, full), interpreter(tmp_path))
    assert result["transferred"] and result["failed"] and full in result["msg"] and "ansible" not in result["msg"]
    assert action.steps == ["upload", "remove"]


@pytest.mark.parametrize("transport", [HANDLER, None])
def test_a_package_in_ansibles_way_is_uploaded_and_removed(tmp_path: Path, full: str, transport: StdinTransport | None) -> None:
    action = make_action(kind=Uploading, pipelining=False)
    result = run_module(action, transport, arguments(tmp_path, full), interpreter(tmp_path))
    assert result == {"failed": True, "msg": f"{full}: damaged", "transferred": True}
    assert action.steps == ["module", "upload", "module with package", "remove"]


def test_nothing_is_sent_in_check_mode(tmp_path: Path, full: str) -> None:
    action = make_action(kind=Uploading, check_mode=True)
    action._execute_module = lambda **options: {"needs_package": True, "release": options["module_args"]["_package_release"]["version"]}
    result = run_module(action, None, arguments(tmp_path, full), {})
    assert result == {"needs_package": True, "release": "SECOND", "transferred": False} and not action.steps


def test_with_check_the_host_is_asked_before_the_package_is_read(tmp_path: Path, full: str) -> None:
    """What it then gets is a report; a package that is damaged is found."""
    action = make_action(kind=Uploading, check_mode=True)
    asked = []
    action._execute_module = lambda **options: asked.append(options["module_args"].get("_package_release")) or {"needs_package": True}
    run_module(action, None, arguments(tmp_path, full), {"ansible_check_mode": True})
    assert asked[0] is None and {"digests", "native", "sizes", "sources"} <= asked[1].keys() and len(asked) == 2
    content = bytearray(Path(full).read_bytes())
    content[-12] ^= 1
    Path(full).write_bytes(content)
    with pytest.raises(AnsibleActionFail, match=re.escape(full)):
        run_module(action, None, arguments(tmp_path, full), {"ansible_check_mode": True})


def test_check_mode_says_what_becomes_of_the_same_version_with_other_content(tmp_path: Path, full: str) -> None:
    other = write_package(tmp_path / "other.tar.gz", {**release_members("SECOND", app_version="2.0"), "lib/pea-2.0/ebin/pea.beam": b"other"})
    other_first = write_package(tmp_path / "other_first.tar.gz", {**release_members(), "lib/pea-1.0/ebin/pea.beam": b"other"})
    for package, more in ((write_package(tmp_path / "first.tar.gz", release_members()), {"release": "FIRST"}), (full, {})):
        run_module(make_action(kind=Uploading), HANDLER, arguments(tmp_path, package, **more), interpreter(tmp_path))
    check = make_action(kind=Uploading, check_mode=True)
    predicted = run_module(check, HANDLER, arguments(tmp_path, other), interpreter(tmp_path))
    assert any("remove release SECOND" in action for action in predicted["actions"]) and not predicted["transferred"]
    predicted = run_module(check, HANDLER, arguments(tmp_path, other_first, release="FIRST"), interpreter(tmp_path))
    assert predicted["failed"] and "has another lib/pea-1.0 than" in predicted["msg"] and "so it is not replaced" in predicted["msg"]


def test_a_package_with_another_checksum_is_not_sent(tmp_path: Path, full: str) -> None:
    action = make_action(kind=Uploading)
    with pytest.raises(AnsibleActionFail, match="is damaged, or another package: its checksum is sha256:.*, and sha256:00 was expected"):
        run_module(action, HANDLER, arguments(tmp_path, full, checksum="sha256:00"), interpreter(tmp_path))
    assert not action.steps


def test_the_directory_is_removed_when_the_upload_fails(tmp_path: Path, full: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*dummy: t.Any) -> t.NoReturn:
        raise AnsibleActionFail("disk full")

    monkeypatch.setattr(Uploading, "_transfer_file", fail)
    action = make_action(kind=Uploading)
    with pytest.raises(AnsibleActionFail, match="disk full"):
        run_module(action, None, arguments(tmp_path, full), {})
    assert action.steps == ["module", "remove"]


def test_what_interrupted_uploads_have_left_is_removed(tmp_path: Path, full: str) -> None:
    above = tmp_path / "of the user"
    kept = ["ansible-tmp-fresh", "ansible-tmp-other", *(["ansible-tmp-foreign"] if os.geteuid() == 0 else [])]
    for name in [*kept, "ansible-tmp-old"]:
        file = above / name / ("module.py" if name == "ansible-tmp-other" else UPLOADED)
        file.parent.mkdir(parents=True)
        file.touch()
        if name != "ansible-tmp-fresh":
            os.utime(file, (0, time.time() - 400))
        if name == "ansible-tmp-foreign":
            os.chown(file.parent, 65534, 65534)
    action = make_action(kind=Uploading)
    action._connection._shell.set_option("remote_tmp", str(above))
    run_module(action, None, arguments(tmp_path, full), {})
    assert action.steps[-1] == "remove" and sorted(os.listdir(above)) == sorted(kept)


@pytest.mark.parametrize(
    "report", ["", "sh: df: not found", "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/x 9 8 1 90% /tmp dir\n", "a b c - e"]
)
def test_a_package_that_fits_or_may_fit(tmp_path: Path, report: str) -> None:
    package = tmp_path / "x.tar.gz"
    package.write_bytes(bytes(1024))
    _check_room(report, str(package), "/tmp dir")


def test_a_package_that_does_not_fit(tmp_path: Path) -> None:
    package = tmp_path / "x.tar.gz"
    package.write_bytes(bytes(1 << 20))
    report = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/x 2000 977 1023 49% /tmp\n"
    with pytest.raises(AnsibleActionFail, match=r"x.tar.gz cannot be uploaded to /tmp on the host: 1\.0 MiB is free there, and it needs 1\.0 MiB\. Make room"):
        _check_room(report, str(package), "/tmp")
