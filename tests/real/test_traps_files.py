# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Traps of the files of a system: first what OTP does to them, then what we do.

=======================================================  ===================================================================
T8: RELEASES is missing                                  test_t08_a_system_without_releases, test_t08_the_first_installation
T9: a package in the release directory                   test_t09_a_package_in_the_release_directory
T10: another content of the same version, files kept     test_t10_files_that_unpack_keeps
T13: processes in old code end with the commit           test_t13_processes_in_old_code
  ... with a soft purge they keep the next one off       test_t13_old_processes_and_a_soft_purge
T14: RELEASES and start_erl.data overwritten in place    test_t14_overwritten_in_place, test_t14_torn
T16: absolute and relative paths in RELEASES             test_t16_absolute_and_relative_paths
a merely current release is removed                      test_a_current_release_is_removed
a release that a client needs is removed                 test_a_client_uses_a_library
=======================================================  ===================================================================

OTP 24 and before took relative paths in RELEASES from the working directory (T16). OTP 25 does not, so that this cannot be shown with it.
"""

from __future__ import annotations

import os
import re
import shutil
import typing as t
from pathlib import Path

import pytest
from handler_site import IS_SECOND, OK, Releases, System, disagreements, files_of, kinds, refused

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import FileOptions
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom
from ansible_collections.erlang.otp.plugins.module_utils._tree.backup import save
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

TRUE, FALSE = Atom("true"), Atom("false")


@pytest.fixture
def system(releases: Releases) -> t.Iterator[System]:
    with System(releases) as system:
        yield system.start()


@pytest.fixture(scope="module")
def shared(releases: Releases) -> t.Iterator[System]:
    """A node that runs FIRST, for traps that leave it so."""
    with System(releases) as system:
        yield system.start()


def names(system: System, *path: str) -> list[str]:
    return sorted(os.listdir(Path(system.root, *path)))


def test_t08_a_system_without_releases(releases: Releases) -> None:
    """release_handler invents an entry without libraries, and then takes everything along with the next release that it removes."""
    with System(releases) as system:
        os.unlink(f"{system.root}/releases/RELEASES")
        system.start()
        assert system.observe().releases[0].libraries == ()
        assert "an entry without libraries" in disagreements(system)[0]
        for check_mode in (True, False):
            error = refused(system, "SECOND", "unpacked", check_mode=check_mode)
            assert [problem["kind"] for problem in error.result["problems"]] == ["incomplete_entry", "made_up"]
        assert not Path(system.root, "releases/RELEASES").exists()
        shutil.copy(releases.packages["SECOND"], Path(system.root, "releases/SECOND.tar.gz"))
        system.operate("unpack_release", "SECOND")
        for check_mode in (True, False):
            error = refused(system, "SECOND", "absent", check_mode=check_mode)
            assert [problem["kind"] for problem in error.result["problems"]] == ["incomplete_entry", "unreadable"]
        assert {"counter-1.0", "counter-2.0"} < set(names(system, "lib"))
        assert system.operate("remove_release", "SECOND") == OK
        assert [name for name in names(system, "lib") if name.startswith("kernel-")] == []


def test_t08_the_first_installation(releases: Releases) -> None:
    """With the RELEASES that an installation makes, libraries that others need stay, when OTP removes a release as well."""
    with System(releases) as system:
        system.start().take("SECOND", "unpacked")
        assert len(system.observe().releases[1].libraries) == 4
        assert system.operate("remove_release", "SECOND") == OK
        assert "counter-2.0" not in names(system, "lib") and system.call("counter", "version") == "1.0"
        assert {"kernel", "stdlib", "sasl", "counter"} == {name.partition("-")[0] for name in names(system, "lib")}


def test_t09_a_package_in_the_release_directory(shared: System) -> None:
    directory = Path(shared.root, "releases/SECOND")
    directory.mkdir()
    shutil.copy(shared.releases.packages["SECOND"], directory / "SECOND.tar.gz")
    assert shared.operate("unpack_release", "SECOND/SECOND") == (OK, "SECOND")
    assert not (directory / "SECOND.rel").exists()
    shared.operate("remove_release", "SECOND")
    shared.take("SECOND", "unpacked")
    assert (directory / "SECOND.rel").exists() and not [name for name in names(shared, "releases") if name.endswith(".tar.gz")]
    shared.take("SECOND", "absent")


def test_t10_files_that_unpack_keeps(shared: System) -> None:
    beam, config = (Path(shared.root, name) for name in ("lib/counter-2.0/ebin/counter.beam", "releases/SECOND/sys.config"))
    package = Path(shared.root, "releases/SECOND.tar.gz")
    for path in (beam, config):
        path.parent.mkdir(parents=True)
        path.write_text("stale")
    shutil.copy(shared.releases.packages["SECOND"], package)
    assert shared.operate("unpack_release", "SECOND") == (OK, "SECOND")
    assert beam.read_text() == config.read_text() == "stale"
    # The node knows it now; what is in it is not the package's, and it is only unpacked.
    for check_mode in (True, False):
        assert f"remove release SECOND from the node {shared.name}" in shared.take("SECOND", "unpacked", check_mode=check_mode)["actions"]
    assert beam.read_bytes() != b"stale" and config.read_text() != "stale" and shared.statuses() == {"FIRST": "permanent", "SECOND": "unpacked"}
    shared.operate("remove_release", "SECOND")
    config.parent.mkdir()
    config.write_text("stale")
    with pytest.raises(OtpError, match="has another releases/SECOND"):
        shared.take("SECOND", "permanent")
    assert beam.parent.parent.name not in names(shared, "lib") and shared.statuses() == {"FIRST": "permanent"}
    shutil.rmtree(config.parent)


def test_t13_processes_in_old_code(system: System) -> None:
    """They outlive the installation, and the commit ends them without a word."""
    process = system.call("erlang", "spawn", Atom("counter"), Atom("linger"), [])
    system.take("SECOND", "unpacked")
    system.operate("install_release", "SECOND")
    assert system.call("erlang", "is_process_alive", process) == TRUE
    assert system.operate("make_permanent", "SECOND") == OK
    assert system.call("erlang", "is_process_alive", process) == FALSE
    process = system.call("erlang", "spawn", Atom("counter"), Atom("linger"), [])
    system.call("erlang", "register", Atom("lingers"), process)
    system.take("FIRST", "current", package=False)
    told = system.take("FIRST", "permanent", package=False, check_mode=True)
    assert told["old_processes"] == {"counter": ["lingers"]} and system.call("erlang", "whereis", Atom("lingers")) == process
    # A gate that holds before the commit, and does not after it.
    still = {"module": "erlang", "function": "check_old_code", "arguments": ["counter"], "expect": "true"}
    error = refused(system, "FIRST", package=False, verify=[still], verify_timeout=2.0)
    assert error.result["old_processes"] == {"counter": ["lingers"]} and "returned false, and true was expected" in str(error)
    assert error.result["after"]["permanent"] == "FIRST" and not error.result["rolled_back"]


def test_t13_old_processes_and_a_soft_purge(system: System) -> None:
    """With a soft purge they keep the next installation off: nothing is installed, and the message says why."""
    system.take("SECOND", "unpacked")
    relup = Path(system.root, "releases/SECOND/relup")
    relup.write_text(relup.read_text().replace("brutal_purge", "soft_purge"))
    process = system.call("erlang", "spawn", Atom("counter"), Atom("linger"), [])
    system.take("SECOND", "current", package=False)
    # As FIRST has no relup of its own, release_handler looks at nothing.
    assert system.operate("check_install_release", "FIRST")[0] == OK
    assert system.operate("install_release", "FIRST") == (Atom("error"), (Atom("old_processes"), Atom("counter")))
    for check_mode in (True, False):
        error = refused(system, "FIRST", "current", package=False, check_mode=check_mode)
        assert kinds(error) == ["old_processes"] and f"{process.text} still run old code of counter" in str(error)
    assert system.statuses() == {"SECOND": "current", "FIRST": "permanent"}
    system.call("erlang", "send", process, Atom("leave"))
    assert system.take("FIRST", "current", package=False)["after"]["running"] == "FIRST"


def test_t14_overwritten_in_place(system: System) -> None:
    paths = [Path(system.root, "releases", name) for name in ("RELEASES", "start_erl.data")]
    system.take("SECOND", "current")
    inodes = [path.stat().st_ino for path in paths]
    assert system.operate("make_permanent", "SECOND") == OK and [path.stat().st_ino for path in paths] == inodes
    # A power cut leaves an empty file; release_handler then knows nothing of what there is.
    paths[0].write_bytes(b"")
    system.cut()
    (known,) = system.start().observe().releases
    assert (known.version, known.libraries) == ("SECOND", ())


def test_t14_torn(releases: Releases) -> None:
    with System(releases) as system:
        system.start().take("SECOND", "permanent")
        system.cut()
        whole = files_of(system.root)
        for torn in (["RELEASES"], ["start_erl.data"], ["RELEASES", "start_erl.data"]):
            save(Tree(system.root), FileOptions())
            for name in torn:
                Path(system.root, "releases", name).write_bytes(whole[f"releases/{name}"][:7])
            assert f"the next run repairs it with the copy {system.root}/releases/RELEASES.saved" in disagreements(system)[0]
            told = system.take("SECOND", "permanent", check_mode=True, transport="offline")
            assert told["changed"] and Path(system.root, "releases", torn[0]).read_bytes() == whole[f"releases/{torn[0]}"][:7]
            said = system.take("SECOND", "permanent", transport="offline")
            assert said["changed"] and said["diff"] == told["diff"] and disagreements(system) == []
            assert said["after"]["releases"] == {"SECOND": "permanent", "FIRST": "old"}
            assert not system.take("SECOND", "permanent", transport="offline")["changed"]
        # And an installation does.
        save(Tree(system.root), FileOptions())
        Path(system.root, "releases/RELEASES").write_bytes(b"")
        install_release(root=system.root, package=system.releases.packages["SECOND"], changes=Changes())
        assert system.start().statuses() == {"SECOND": "permanent", "FIRST": "old"} and len(system.observe().releases[1].libraries) == 4


def test_t16_absolute_and_relative_paths(releases: Releases) -> None:
    with System(releases) as system:
        path = Path(system.root, "releases/RELEASES")
        system.start()
        ours = path.read_text()
        directory, rel = f"{system.root}/releases", f"{system.root}/releases/FIRST/FIRST.rel"
        assert system.operate("create_RELEASES", directory, rel, []) == OK and '"lib/counter-1.0"' in path.read_text()
        assert '"lib/counter-1.0"' in ours and "/lib/" not in ours
        assert system.operate("create_RELEASES", system.root, rel) == OK and f'"{system.root}/lib/counter-1.0"' in path.read_text()
        system.cut()
        # Absolute ones of OTP beside relative ones of ours, and a working directory that is neither's.
        system.start()
        assert system.call("file", "set_cwd", "/") == Atom("ok")
        system.take("SECOND", "permanent")
        assert f'"{system.root}/lib/counter-1.0"' in path.read_text() and '"lib/counter-2.0"' in path.read_text()
        assert system.call("file", "get_cwd")[1] == "/" and system.call("code", "lib_dir", Atom("counter")) == f"{system.root}/lib/counter-2.0"
        assert disagreements(system) == [] and system.take("FIRST", "absent")["after"]["releases"] == {"SECOND": "permanent"}
        assert "counter-1.0" not in names(system, "lib") and {"kernel", "stdlib", "sasl"} < {name.partition("-")[0] for name in names(system, "lib")}
        assert system.take("SECOND", "permanent", verify=[IS_SECOND])["after"]["running"] == "SECOND"


def test_a_current_release_is_removed(system: System) -> None:
    system.take("SECOND", "current")
    for check_mode in (True, False):
        with pytest.raises(OtpError, match="release SECOND is current: it runs, and is not committed yet: take the node .* to another release first"):
            system.take("SECOND", "absent", check_mode=check_mode)
        with pytest.raises(OtpError, match="release FIRST is permanent"):
            system.take("FIRST", "absent", check_mode=check_mode)
    assert "counter-2.0" in names(system, "lib")
    assert system.operate("remove_release", "SECOND") == OK and "counter-2.0" not in names(system, "lib")


def test_a_client_uses_a_library(system: System) -> None:
    """A master's release_handler does not know what its clients use."""
    system.take("SECOND", "unpacked")
    client = Path(system.root, "clients/box/releases")
    client.mkdir(parents=True)
    (client / "RELEASES").write_bytes(Path(system.root, "releases/RELEASES").read_bytes())
    with pytest.raises(OtpError, match=re.escape("is one of client nodes: box (unpacked)")):
        system.take("SECOND", "absent")
    assert "counter-2.0" in names(system, "lib") and "SECOND" in names(system, "releases")
    assert system.operate("remove_release", "SECOND") == OK and "counter-2.0" not in names(system, "lib")
