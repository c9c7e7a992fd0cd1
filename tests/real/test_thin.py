# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Thin packages: what they have, and nodes that are upgraded by them."""

from __future__ import annotations

import json
import shutil
import tempfile
import typing as t
from pathlib import Path

import pytest
from handler_site import IS_SECOND, OK, Releases, System, files_of
from release_workshop import MINIMAL, Workshop, members
from thin_sizes import COUNT, GOAL, Many, changed_files, gzipped
from truth_site import fleet

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.checksum import sha256
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._handler.request import HandlerError
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom
from ansible_collections.erlang.otp.plugins.plugin_utils._package.facts import thin_of


class Thin:
    """The packages of handler_site's releases, and by the version of a release its thin one, based on FIRST."""

    def __init__(self, releases: Releases, output: Path) -> None:
        self.full = releases.packages
        self.workshop = releases.workshop
        self.output = output
        self.built = self.build("SECOND")
        self.packages = {**self.full, "SECOND": self.built["thin"]["package"]}

    def build(self, release: str, **options: t.Any) -> dict[str, t.Any]:
        home = self.workshop.directory / release
        extra = ((str(home / "relup"), f"releases/{release}/relup"),)
        chosen = {"rel": f"{home}.rel", "sys_config": "[].\n", "extra_files": extra, "output_dir": str(self.output), "base": str(home.with_name("FIRST"))}
        return self.workshop.build(**{**chosen, **options})


@pytest.fixture(scope="module")
def thin(releases: Releases, tmp_path_factory: pytest.TempPathFactory) -> Thin:
    return Thin(releases, tmp_path_factory.mktemp("thin"))


def test_a_thousandth_of_the_bytes(thin: Thin, record_property: t.Callable[[str, object], None]) -> None:
    built = thin.built
    assert built["package"] == str(thin.output / "SECOND.tar.gz") and built["thin"]["package"] == str(thin.output / "SECOND-thin.tar.gz")
    assert built["thin"]["base"]["version"] == "FIRST"
    found = members(built["thin"]["package"])
    assert {name.split("/")[1] for name in found if name.startswith("lib/")} == {"counter-2.0"}
    # The boot script names its release.
    assert [name for name in found if name.startswith(("erts-", "bin/"))] == ["bin/start.boot"]
    assert {name.partition("-")[0] for name in built["thin"]["without"]} == {"erts", "lib/kernel", "lib/sasl", "lib/stdlib"}
    ratio = built["thin"]["size"] / built["size"]
    assert Path(built["thin"]["package"]).stat().st_size == built["thin"]["size"] and ratio <= 0.001
    record_property("figure", f"thin package: {built['thin']['size']} bytes, {ratio:.3%} of the full one")


def test_built_again(thin: Thin, tmp_path: Path) -> None:
    again = thin.build("SECOND")
    assert not again["changed"] and again["thin"] == thin.built["thin"]
    other = {"output_dir": str(tmp_path / "other"), "cache_dir": str(tmp_path / "cache"), "base": thin.full["FIRST"]}
    predicted = thin.build("SECOND", check_mode=True, **other)
    assert not (tmp_path / "other").exists()
    done = thin.build("SECOND", **other)
    assert predicted == done and done["thin"]["sha256"] == thin.built["thin"]["sha256"]
    # Without a base there is no thin package, and none is left over.
    assert thin.build("SECOND", **{**other, "base": None})["actions"] == [f"remove {tmp_path}/other/SECOND-thin.tar.gz"]


def test_stripped(thin: Thin, tmp_path: Path) -> None:
    base = thin.workshop.build(rel=str(thin.workshop.directory / "FIRST.rel"), sys_config="[].\n", strip=True, output_dir=str(tmp_path / "first"))
    built = thin.build("SECOND", strip=True, base=base["package"], output_dir=str(tmp_path / "second"))
    assert built["thin"]["without"] == thin.built["thin"]["without"]
    # Hosts with the base have modules with debug information, and keep them: it is the same code.
    mixed = thin.build("SECOND", strip=True, output_dir=str(tmp_path / "third"))
    assert mixed["thin"]["without"] == thin.built["thin"]["without"] and {found["kind"] for found in mixed["diagnostics"]} == {"same_code"}


def test_hot_upgrade_and_back(thin: Thin) -> None:
    with System(thin) as system:
        system.start()
        pid, count = system.pid, system.count()
        predicted = system.take("SECOND", "permanent", check_mode=True, verify=[IS_SECOND])
        said = system.take("SECOND", "permanent", verify=[IS_SECOND])
        assert said["actions"][:2] == predicted["actions"][:2] and said["after"]["releases"] == {"FIRST": "old", "SECOND": "permanent"}
        assert (system.pid, system.count(), system.call("counter", "version")) == (pid, count + 1, "2.0")
        # It is the same release as that of the full package, and of both together.
        assert not system.take("SECOND", "permanent")["changed"]
        assert not install_release(root=system.root, package=thin.full["SECOND"], changes=Changes())["kept"]
        system.take("FIRST", "permanent", package=False)
        assert system.call("counter", "version") == "1.0"
        system.take("SECOND", "absent")
        assert system.statuses() == {"FIRST": "permanent"}


def test_release_handler_unpacks_it_as_a_full_one(thin: Thin) -> None:
    with System(thin) as system:
        shutil.copy(thin.packages["SECOND"], Path(system.root, "releases/SECOND.tar.gz"))
        system.start()
        assert system.operate("unpack_release", "SECOND") == (OK, "SECOND")
        assert system.operate("install_release", "SECOND")[0] == OK and system.operate("make_permanent", "SECOND") == OK
        assert system.call("counter", "version") == "2.0"
        # What it has unpacked is known to be the package's.
        assert not install_release(root=system.root, package=thin.packages["SECOND"], changes=Changes())["kept"]
        assert system.operate("remove_release", "FIRST") == OK and system.statuses() == {"SECOND": "permanent"}


def test_offline(thin: Thin) -> None:
    with System(thin) as system:
        system.take("SECOND", "permanent", transport="offline")
        assert system.start().call("counter", "version") == "2.0"


def test_refused_before_anything_is_touched(thin: Thin, tmp_path: Path) -> None:
    """On a system whose release lacks an application that the base has; it says which."""
    workshop = Workshop(tmp_path, thin.workshop.otp)
    workshop.application("pea")
    workshop.application("more")
    first = workshop.build(rel=workshop.rel(*MINIMAL, "more-1.0", stem="first"), sys_config="[].\n")["package"]
    rel = workshop.rel(*MINIMAL, "more-1.0", "pea-1.0", stem="second", version="SECOND")
    package = workshop.build(rel=rel, sys_config="[].\n", base=first)["thin"]["package"]
    with System(thin) as system:
        system.start()
        before = files_of(system.root)
        for check_mode in (False, True):
            with pytest.raises(OtpError, match=r"is thin: .* release MYSYSTEM FIRST has, and the system below .* lacks more 1.0. Nothing has been changed"):
                install_release(root=system.root, package=package, changes=Changes(check_mode=check_mode))
        assert files_of(system.root) == before and system.statuses() == {"FIRST": "permanent"}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Thin:
    """Those of an application of many modules, of which one has changed, but for the server itself."""
    return Thin(Many(tmp_path_factory.mktemp("releases")), tmp_path_factory.mktemp("thin"))


def test_changed_files_alone(many: Thin, record_property: t.Callable[[str, object], None]) -> None:
    assert many.built["thin"]["copies"] == {"lib/counter-2.0": "lib/counter-1.0"}
    changed = changed_files(many.full["SECOND"], many.full["FIRST"])
    found = members(many.packages["SECOND"])
    homes = {name for name in found if name.startswith("lib/counter-2.0/") and found[name].isfile()}
    assert homes == {name for name in changed if name.startswith("lib/")} and len(homes) == 4
    ratio = many.built["thin"]["size"] / gzipped(changed)
    record_property("figure", f"thin package: {many.built['thin']['size']} bytes, {ratio:.2f} times the changed files, gzipped; {COUNT} modules are the same")
    assert ratio <= GOAL


def test_a_hot_upgrade_with_copied_files(many: Thin) -> None:
    with System(many) as system:
        system.start()
        pid, count = system.pid, system.count()
        predicted = system.take("SECOND", "permanent", check_mode=True, verify=[IS_SECOND])
        said = system.take("SECOND", "permanent", verify=[IS_SECOND])
        assert said["actions"][:2] == predicted["actions"][:2]
        assert (system.pid, system.count(), system.call("counter", "version")) == (pid, count + 1, "2.0")
        # The full package is the same release, and has each of the files.
        assert not install_release(root=system.root, package=many.full["SECOND"], changes=Changes())["kept"]
        (Path(system.root) / "releases/SECOND/package.json").unlink()
        assert not install_release(root=system.root, package=many.full["SECOND"], changes=Changes())["kept"]
        assert system.take("FIRST", "absent")["changed"] and system.statuses() == {"SECOND": "permanent"}


def test_release_handler_refuses_what_lacks_files(many: Thin) -> None:
    with System(many) as system:
        shutil.copy(many.packages["SECOND"], Path(system.root, "releases/SECOND.tar.gz"))
        system.start()
        assert system.operate("unpack_release", "SECOND")[0] == Atom("error")
        assert not Path(system.root, "lib/counter-2.0").exists() and system.statuses() == {"FIRST": "permanent"}


def test_a_file_of_the_base_that_has_changed(many: Thin) -> None:
    """The node stays as it is; with the full package it is upgraded."""
    with System(many) as system:
        system.start()
        part = Path(system.root, "lib/counter-1.0/ebin/counter_part_7.beam")
        part.write_bytes(part.with_name("counter_part_8.beam").read_bytes())
        before = files_of(system.root)
        message = "has other content in lib/counter-1.0/ebin/counter_part_7.beam. Nothing has been changed. Give the full package"
        for check_mode in (True, False):
            with pytest.raises(HandlerError, match=message):
                system.take("SECOND", "permanent", check_mode=check_mode)
        assert files_of(system.root) == before and system.statuses() == {"FIRST": "permanent"}
        many.packages["SECOND"], thin = many.full["SECOND"], many.packages["SECOND"]
        try:
            system.take("SECOND", "permanent", verify=[IS_SECOND])
        finally:
            many.packages["SECOND"] = thin


class Full(t.NamedTuple):
    """The full packages; a thin one is beside that of SECOND."""

    packages: dict[str, str]


def test_the_full_package_is_sent_where_a_file_of_the_base_has_changed(many: Thin) -> None:
    """By itself, to this host alone. The operator is told of the file."""
    package = many.built["package"]
    assert thin_of(package) == many.packages["SECOND"] and Path(many.packages["SECOND"]).is_file()
    directory = Path(tempfile.mkdtemp(prefix="otp-thin-"))
    with fleet(directory, ("north", "south"), Full({"FIRST": many.full["FIRST"], "SECOND": package})) as site:
        site.write(otp_package=many.full["FIRST"])
        site.play("deploy")
        part = Path(site.root("north"), "lib/counter-1.0/ebin/counter_part_7.beam")
        part.write_bytes(part.with_name("counter_part_8.beam").read_bytes())
        pids = site.pids()
        site.write(**site.of("SECOND"))
        foretold = site.play("upgrade", "--check", otp_serial="100%")
        run = site.play("upgrade", otp_serial="100%")
        assert [foretold.rows[host][-2] for host in ("north", "south")] == ["would change"] * 2, foretold.output
        assert [run.rows[host][-2] for host in ("north", "south")] == ["done"] * 2 and site.pids() == pids
        said = " ".join(run.output.split())
        assert said.count("The full package was sent.") == 1 and f"the system below {site.root('north')} has other content in lib/counter-1.0/ebin" in said
        # The file of the base is as it was, and found as the message says.
        (directory / ".packages").mkdir(exist_ok=True)
        shutil.copy(many.full["FIRST"], directory / ".packages/COUNTER-FIRST.tar.gz")
        sent = {host: json.loads(Path(site.root(host), "releases/SECOND/package.json").read_text())["sha256"] for host in ("north", "south")}
        assert sent == {"north": sha256(package), "south": sha256(many.packages["SECOND"])}
        assert "counter-1.0/ebin/counter_part_7.beam" in site.play("verify", code=2).output
