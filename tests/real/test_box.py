# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A box with BusyBox and dropbear and no Python: from bare to a node that answers, upgraded, back, and booted again.

One box goes through it all, as a box does: the tests come in their order.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import signal
import subprocess
import tarfile
import time
import typing as t
from pathlib import Path

import pytest
from box_site import COOKIE, NAMED, Box, Said, a_box
from handler_site import Releases
from truth_site import agreed
from waiting import wait_until

# What a run may say to a box that has all, and get from it.
LITTLE = 40_000


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory, releases: Releases) -> t.Iterator[Box]:
    with a_box(tmp_path_factory.mktemp("box"), releases) as box:
        yield box


def files(box: Box) -> set[str]:
    root = box.root / "srv/counter"
    return {str(path.relative_to(root)) for path in root.rglob("*")} if root.exists() else set()


def in_the_table(box: Box, said: Said, *, foretold: bool = True) -> list[str]:
    """The releases before and now, and the outcome, as the run with --check before has told them. They, and the process, are what the box has."""
    row = agreed(box.foretold if foretold else said.output, said.output)[box.name]
    if row["STATE"] != "-":
        assert (row["NOW"], row["STATE"]) == (box.permanent(), f"running, pid {box.read('run/emulator.pid').strip()}")
    return [row[column] for column in ("BEFORE", "NOW", "OUTCOME")]


def end_of(process: subprocess.Popen) -> None:
    """The controller goes away at once, with its workers and their connections."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            children.setdefault(int(path.read_text(errors="replace").rpartition(")")[2].split()[1]), []).append(int(path.parent.name))
    waiting = [process.pid]
    while waiting:
        pid = waiting.pop()
        waiting += children.get(pid, [])
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def test_there_is_no_python_and_no_userland_but_busybox(box: Box) -> None:
    assert not [path for path in box.root.rglob("*python*") if not str(path).startswith(f"{box.root}/proc")]
    said = box.ssh("for d in bin sbin usr/bin usr/sbin; do ls -l /$d; done | grep -v busybox | grep -c ^-").stdout.split()
    assert said == ["1"], "dropbear alone"


ARM64 = Path(__file__).parents[2] / "build/machines/arm64/usr/lib"
LOADER, OTHER_LOADER = b"/lib64/ld-linux-x86-64.so.2", b"/lib/ld-musl-x86_64.so.1"


def altered(package: str, path: Path, change: t.Callable[[tarfile.TarInfo, bytes], bytes], more: t.Mapping[str, bytes]) -> str:
    """The package with other contents, and with more files."""
    with tarfile.open(package) as old, tarfile.open(path, "w:gz", compresslevel=1, format=tarfile.GNU_FORMAT) as new:
        for member in old:
            content = change(member, file.read()) if (file := old.extractfile(member)) else b""
            member.size = len(content)
            new.addfile(member, io.BytesIO(content))
        for name, content in more.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            new.addfile(member, io.BytesIO(content))
    return str(path)


def test_native_code_that_does_not_fit_is_refused(box: Box, releases: Releases, tmp_path: Path) -> None:
    """An emulator and a library for another machine type, and an emulator for another C library: the box stays as it is."""
    arm64 = next((ARM64 / "erlang").glob("erts-*/bin/beam.smp")).read_bytes()
    library = (ARM64 / "aarch64-linux-gnu/engines-3/padlock.so").read_bytes()

    def with_emulator(change: t.Callable[[bytes], bytes]) -> t.Callable[[tarfile.TarInfo, bytes], bytes]:
        return lambda member, content: change(content) if member.name.endswith("/bin/beam.smp") else content

    cases = {
        "/bin/beam.smp was made for aarch64, 64 bits, and this host runs x86_64, 64 bits": (with_emulator(lambda _content: arm64), {}),
        "lib/counter-1.0/priv/needy.so was made for aarch64, 64 bits, and the emulator is for x86_64": (
            with_emulator(lambda content: content),
            {"lib/counter-1.0/priv/needy.so": library},
        ),
        f"/bin/beam.smp needs {OTHER_LOADER.decode()}, which this host does not have": (
            with_emulator(lambda content: content.replace(LOADER, OTHER_LOADER.ljust(len(LOADER), b"\0"))),
            {},
        ),
    }
    for number, (message, (change, more)) in enumerate(cases.items()):
        package = altered(releases.packages["FIRST"], tmp_path / f"{number}.tar.gz", change, more)
        box.inventory(otp_package=package, otp_cookie=COOKIE, otp_user="erlang")
        for check in ([], ["--check"]) if number == 0 else ([],):
            said = " ".join(box.play("erlang.otp.provision", *check, fails=True).output.split())
            assert message in said and "Build it for this host's machine type and C library" in said, said
    box.inventory(otp_package=releases.packages["FIRST"], otp_cookie=COOKIE, otp_user="erlang")
    assert files(box) == set() and not list(box.root.glob("srv/*/.incoming"))
    # An empty directory, with the rights of its user.
    shutil.rmtree(box.root / "srv/counter")


def test_check_mode_tells_and_leaves_the_box_as_it_is(box: Box) -> None:
    said = box.play("erlang.otp.provision", "--check")
    assert said.changed == 1
    assert not (box.root / "srv/counter").exists()
    (result,) = said.results("line")
    assert "start the node /srv/counter" in result["actions"]


def test_a_line_that_breaks_leaves_nothing_half_done(box: Box) -> None:
    # A line for each round trip, so that it is one that breaks and not one of several in one connection that ends.
    command, environment = box.command("erlang.otp.provision", "-e", "ansible_ssh_args='-o ControlPath=none'")
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    incoming = box.root / "srv/counter/.incoming"
    wait_until(lambda: len(list(incoming.iterdir())) >= 40, "files arrive", running=process)
    end_of(process)
    assert files(box) & {"bin", "lib", "releases"} == set()
    assert (box.root / "srv/counter/.box.lock").is_symlink()


def test_from_there_to_a_node_that_answers(box: Box, releases: Releases, record_property: t.Callable[[str, object], None]) -> None:
    waiting = len(list((box.root / "srv/counter/.incoming").iterdir()))
    said = box.play("erlang.otp.provision")
    assert said.changed == 1
    assert "an earlier run ended without releasing its lock on the box" in said.output
    assert in_the_table(box, said) == ["-", "FIRST", "changed"]
    *_asked, result = said.results("line")
    assert (result["node"]["status"], result["node"]["release"]) == ("started", "FIRST")
    assert waiting > 30
    size = os.path.getsize(releases.packages["FIRST"])
    assert result["line"]["sent"] < size, "what had arrived is not sent again"
    record_property("figure", f"box: bare to answering in {result['line']['round_trips']} round trips, {result['line']['sent']} of {size} bytes sent")
    assert box.ssh("readlink /proc/$(cat /srv/counter/run/emulator.pid)/cwd").stdout == "/srv/counter\n"
    root = box.root / "srv/counter"
    assert {path.name for path in root.iterdir()} >= {"bin", "lib", "log", "releases", "run"}
    assert not {".box.lock", ".incoming"} & {path.name for path in root.iterdir()}
    assert {path.stat().st_uid for path in root.rglob("*")} == {100}


def test_a_second_run_changes_nothing_and_costs_little_and_no_secret_shows(box: Box) -> None:
    box.play("erlang.otp.provision", "--check")
    said = box.play("erlang.otp.provision", "-vvvv", "--diff")
    assert said.changed == 0 and in_the_table(box, said) == ["FIRST", "FIRST", "unchanged"]
    (result,) = said.results("line")
    assert result["actions"] == []
    assert result["node"]["status"] == "started"
    assert result["line"]["round_trips"] <= 4
    assert result["line"]["sent"] + result["line"]["received"] < LITTLE
    cookie = box.root / "var/lib/erlang/.erlang.cookie"
    status = cookie.stat()
    assert (cookie.read_text(), status.st_mode & 0o777, status.st_uid) == (COOKIE, 0o400, 100)
    assert COOKIE not in said.output
    others = [path for path in (*box.root.glob("srv/**/*"), *box.root.glob("etc/**/*"), *box.root.glob("tmp/*")) if path.is_file()]
    assert not [path for path in others if COOKIE.encode() in path.read_bytes()]


def test_a_hot_upgrade_sends_what_is_new(box: Box, releases: Releases, record_property: t.Callable[[str, object], None]) -> None:
    package = releases.packages["SECOND"]
    box.inventory(otp_package=package, otp_upgrade_to="SECOND", otp_cookie=COOKIE, otp_user="erlang")
    pid = box.read("run/emulator.pid")
    said = box.play("erlang.otp.upgrade")
    assert re.search(r"mast +FIRST +SECOND", said.output)
    assert box.read("run/emulator.pid") == pid, "the emulator is the same"
    assert box.permanent() == "SECOND" and "releases/upgrading.json" not in files(box)
    sent = sum(result["line"]["sent"] for result in said.results("line"))
    assert sent < os.path.getsize(package) / 20, "the libraries that it has are not sent"
    record_property("figure", f"box: hot upgrade with a package of {os.path.getsize(package)} bytes: {sent} bytes sent in all")


def test_a_second_upgrade_changes_nothing(box: Box) -> None:
    assert box.play("erlang.otp.upgrade").changed == 0


def test_it_goes_back(box: Box) -> None:
    said = box.play("erlang.otp.rollback")
    assert re.search(r"mast +SECOND +FIRST", said.output)
    assert box.permanent() == "FIRST"


def test_what_was_changed_by_hand_is_found_and_put_back(box: Box, releases: Releases, tmp_path: Path) -> None:
    """By sha256sum of the box, on which no other program of ours runs for that. A module that a build has only written differently counts as the same."""
    for version in ("FIRST", "SECOND"):
        (tmp_path / f"COUNTER-{version}.tar.gz").symlink_to(releases.packages[version])
    way, root = ("-e", f"otp_packages_dir={tmp_path}"), box.root / "srv/counter"
    first, second = root / "lib/counter-1.0/ebin", root / "lib/counter-2.0/ebin"
    (epmd,), (kernel,) = root.glob("erts-*/bin/epmd"), root.glob("lib/kernel-*/ebin")
    before = {path: (path.read_bytes(), path.lstat().st_mode, path.lstat().st_uid) for path in root.glob("[el][ri][tb]*/**/*") if path.is_file()}
    (second / "counter.beam").write_bytes((first / "counter.beam").read_bytes())
    (second / "counter.app").unlink()
    (second / "backdoor.beam").write_bytes((first / "counter.beam").read_bytes())
    (kernel / "auth.beam").write_bytes(with_a_chunk((kernel / "auth.beam").read_bytes()))
    epmd.chmod(0o4755)
    os.chown(kernel / "kernel.app", 0, 0)
    row, report = verified(box, *way, fails=True)
    assert row == ["FIRST", "5 differ", "the same", "not compared", "drift"], report
    for sentence in (
        "lib/counter-2.0/ebin/counter.beam is not that of the package",
        "lib/counter-2.0/ebin/counter.app is missing",
        "lib/counter-2.0/ebin/backdoor.beam is in no package",
        f"{epmd.relative_to(root)} has the mode 4755, and in the package 0755",
        f"lib/{kernel.parent.name}/ebin/kernel.app belongs to user 0, and the system to 100",
    ):
        assert sentence in report, report
    row, report = verified(box, "-e", "otp_repair=true", *way, fails=True)
    assert row[1] == "1 differs" and "put back /srv/counter/lib/counter-2.0/ebin/counter.app" in report
    (second / "backdoor.beam").unlink()
    now = {path: (path.read_bytes(), path.lstat().st_mode, path.lstat().st_uid) for path in before}
    assert [path for path in before if now[path] != before[path]] == [kernel / "auth.beam"]
    assert verified(box, *way)[0] == ["FIRST", "the same", "the same", "the same", "verified"]
    # Where a package is unpacked, a box compares bytes.
    (kernel / "auth.beam").write_bytes(before[kernel / "auth.beam"][0])


def verified(box: Box, *arguments: str, fails: bool = False) -> tuple[list[str], str]:
    """The cells of the box in the report of erlang.otp.verify, and the report in one line."""
    said = box.play("erlang.otp.verify", *arguments, fails=fails)
    (report,) = [result["msg"] for result in said.results("msg") if isinstance(result["msg"], list)]
    return re.split(r"  +", report[1])[1:], re.sub(r" +", " ", " ".join(report))


def with_a_chunk(module: bytes) -> bytes:
    """The same code, with something beside it that the emulator does not read (beam_lib(3))."""
    chunks = module[12:] + b"More" + (4).to_bytes(4, "big") + b"more"
    return b"FOR1" + (len(chunks) + 4).to_bytes(4, "big") + b"BEAM" + chunks


def test_what_does_not_boot_goes_back_and_the_node_is_stopped_and_started(box: Box, releases: Releases) -> None:
    given = {**NAMED, "otp_package": releases.packages["FIRST"], "otp_restart_on_change": True, "otp_start_timeout": 20}
    box.inventory(**given, otp_vm_args="+no_such_flag\n")
    said = box.play("erlang.otp.provision", fails=True)
    assert re.search(r"mast +FIRST +FIRST .* rolled back +running", said.output)
    root = box.root / "srv/counter"
    assert not (root / ".previous").exists() and not (root / "releases/FIRST/vm.args").exists()
    box.inventory(**given, otp_vm_args="+P 70000\n", otp_box=True)
    box.play("erlang.otp.provision", "--check")
    assert in_the_table(box, box.play("erlang.otp.provision")) == ["FIRST", "FIRST", "restarted"] and not (root / ".previous").exists()
    assert re.search(r"mast +FIRST +- .* done", box.play("erlang.otp.stop", "-e", "otp_hosts=all").output)
    assert re.search(r"mast +- +FIRST .* done", box.play("erlang.otp.start", "-e", "otp_hosts=all").output)


EXTRA = {"etc/words": 1000, "share/large": 5 << 20}


def extra(box: Box) -> dict[str, tuple[int, str]]:
    """The size and the first letter of the extra files."""
    found = [path for top in ("etc", "share") for path in (box.root / "srv/counter" / top).rglob("*") if path.is_file()]
    return {str(path.relative_to(box.root / "srv/counter")): (path.stat().st_size, path.read_text()[:1]) for path in found}


def thin_package(releases: Releases, release: str) -> str:
    """What FIRST lacks of the release, with two extra files: one has more bytes than what a box sends of a file."""
    directory = releases.workshop.directory
    for name, size in EXTRA.items():
        Path(directory, os.path.basename(name)).write_bytes(size * release[:1].encode())
    built = releases.workshop.build(
        rel=f"{directory}/{release}.rel",
        sys_config="[].\n",
        extra_files=((f"{directory}/{release}/relup", f"releases/{release}/relup"), *((f"{directory}/{os.path.basename(name)}", name) for name in EXTRA)),
        output_dir=f"{directory}/thin-{release}",
        base=releases.packages["FIRST"],
    )
    return str(built["thin"]["package"])


def test_a_thin_package_and_a_restart_of_the_emulator(box: Box, releases: Releases) -> None:
    thin = thin_package(releases, "RESTARTS")
    assert os.path.getsize(thin) < 50_000
    box.inventory(otp_package=thin, otp_upgrade_to="RESTARTS", otp_allow_restart=True, **NAMED)
    pid = box.read("run/emulator.pid")
    said = box.play("erlang.otp.upgrade")
    assert re.search(r"mast +FIRST +RESTARTS", said.output)
    assert box.read("run/emulator.pid") != pid
    assert box.permanent() == "RESTARTS" and extra(box) == {name: (size, "R") for name, size in EXTRA.items()}
    (box.root / "srv/counter/etc/words").write_text("by hand")
    Path(box.root, "srv/counter/etc/words.kept").write_text("earlier")


def test_after_a_power_cut_it_boots_and_the_next_run_has_nothing_to_do(box: Box) -> None:
    box.off()
    # Of a run in the middle of which the power was cut, from another controller.
    (box.root / "srv/counter/.box.lock").symlink_to("somebody@elsewhere 1 2026-01-01T00:00:00Z 00 0000-boot")
    box.inventory(otp_package="", **NAMED)
    box.on()
    said = box.play("erlang.otp.provision")
    assert said.changed == 0
    assert "an earlier run ended without releasing its lock" in said.output
    (result,) = said.results("line")
    assert (result["node"]["status"], result["node"]["release"]) == ("started", "RESTARTS")


def test_a_user_that_the_box_has_not_is_refused(box: Box, releases: Releases) -> None:
    box.inventory(otp_package=releases.packages["FIRST"], otp_user="nobody")
    box.play("erlang.otp.provision", "--check", fails=True)
    said = box.play("erlang.otp.provision", fails=True)
    assert "the box has no user 'nobody'" in said.output and in_the_table(box, said) == ["-", "-", "failed"]
    box.inventory(**NAMED, otp_package="")
    assert in_the_table(box, box.play("erlang.otp.provision"), foretold=False)[2] == "unchanged"


def test_somebody_elses_lock_is_respected(box: Box) -> None:
    lock = box.root / "srv/counter/.box.lock"
    lock.symlink_to(f"somebody@elsewhere 1 2026-01-01T00:00:00Z 00 {box.boot_id.read_text().strip()}")
    command = ["-m", "erlang.otp.otp_release_handler", "-a", "root=/srv/counter release=SECOND state=absent lock_timeout=1"]
    said = box.ad_hoc(*command)
    lock.unlink()
    assert "another run works on the box: somebody@elsewhere 1 2026-01-01T00:00:00Z" in said
    assert "remove /srv/counter/.box.lock on the box" in said


def test_somebody_elses_mark_is_respected(box: Box) -> None:
    mark = box.root / "srv/counter/releases/upgrading.json"
    mark.write_text(
        f'{{"operator":"bob@desk","run":"1-2-a","doing":"upgrading the system to release SECOND","since":1,"renewed":{int(time.time())},"seconds":60}}'
    )
    command = ["-m", "erlang.otp.otp_release_handler", "-a", "root=/srv/counter release=SECOND state=absent"]
    assert "bob@desk has been upgrading the system to release SECOND" in box.ad_hoc(*command)
    assert '"changed": true' in box.ad_hoc(*command[:-1], command[-1] + " take_over=bob@desk", "--check")
    mark.unlink()


def test_a_release_is_removed(box: Box) -> None:
    command = ["-m", "erlang.otp.otp_release_handler", "-a", "root=/srv/counter release=SECOND state=absent"]
    assert '"changed": true' in box.ad_hoc(*command)
    assert not files(box) & {"releases/SECOND", "lib/counter-2.0"}


def test_a_hot_upgrade_with_a_thin_package_and_back(box: Box, releases: Releases) -> None:
    box.inventory(**NAMED, otp_allow_restart=True)
    box.play("erlang.otp.rollback")
    kept = {"etc/words.kept": (7, "e"), "etc/words.kept2": (7, "b")}
    assert box.permanent() == "FIRST" and extra(box) == kept, "the large one, which has not changed, is gone"
    pid = box.read("run/emulator.pid")
    box.inventory(otp_package=thin_package(releases, "SECOND"), otp_upgrade_to="SECOND", **NAMED)
    box.play("erlang.otp.upgrade")
    assert box.permanent() == "SECOND" and box.read("run/emulator.pid") == pid
    assert extra(box) == {**kept, **{name: (size, "S") for name, size in EXTRA.items()}}
    box.play("erlang.otp.rollback")
    assert box.permanent() == "FIRST" and box.read("run/emulator.pid") == pid and extra(box) == kept


def test_a_package_on_the_box_is_not_installed(box: Box, releases: Releases) -> None:
    command = ["--check", "-m", "erlang.otp.otp_release_handler", "-a"]
    wanted = "root=/srv/counter release=BARE state=unpacked"
    assert "package must be a file on the controller" in box.ad_hoc(*command, f"{wanted} package=/tmp/package.tar.gz remote_src=true")
    assert '"changed": true' in box.ad_hoc(*command, f"{wanted} package={releases.packages['BARE']}")


def test_it_is_removed_by_hand(box: Box, releases: Releases) -> None:
    """As the message says, and the box is provisioned again."""
    box.inventory(otp_package=releases.packages["FIRST"], **NAMED)
    names = ["-e", "otp_remove=counter"]
    for refused in (
        box.play("erlang.otp.remove", *names, fails=True).output,
        box.ad_hoc("-m", "erlang.otp.otp_target_system", "-a", "root=/srv/counter state=absent"),
    ):
        assert "stop the node, and remove /srv/counter and its init script there" in " ".join(refused.split())
    script = box.root / "etc/init.d/S80counter"
    assert script.exists() and box.read("run/emulator.pid")
    assert box.ssh("/etc/init.d/S80counter stop").returncode == 0
    # On a busy machine nobody has waited for its end yet.
    wait_until(lambda: "beam.smp" not in box.ssh("ps").stdout, "the node has ended")
    assert box.ssh("rm -r /srv/counter /etc/init.d/S80counter").returncode == 0 and not files(box)
    box.play("erlang.otp.provision")
    assert script.exists() and "beam.smp" in box.ssh("ps").stdout
