# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Native code that does not fit the host is refused before anything is touched, by --check and by the run; what the message says is done, and then it goes.

What our reader finds in ELF files is what readelf finds, and what is refused is what the loader of this machine refuses.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

import pytest
from handler_site import Releases
from native_libraries import compile_c, nif, stub, with_nif
from truth_site import Fleet, fleet

from ansible_collections.erlang.otp.plugins.module_utils._build.otp import find_otp
from ansible_collections.erlang.otp.plugins.module_utils._formats.dynamic import Dynamic, read_dynamic
from ansible_collections.erlang.otp.plugins.module_utils._formats.elf import Program
from ansible_collections.erlang.otp.plugins.module_utils._install.host_libraries import HostLibraries

MACHINES = Path(__file__).parents[2] / "build/machines"
ENVIRONMENT = {**os.environ, "LC_ALL": "C"}


def readelf(path: Path) -> Dynamic | None:
    """What binutils say of the file."""
    output = subprocess.run(["readelf", "-dVW", str(path)], stdout=subprocess.PIPE, env=ENVIRONMENT, check=True, timeout=60).stdout.decode("utf-8", "replace")
    if "There is no dynamic section" in output:
        return None
    needs: dict[str, list[str]] = {name: [] for name in re.findall(r"\(NEEDED\) +Shared library: \[(.*)\]", output)}
    needed = output.partition("Version needs section")[2]
    for file in re.split(r"File: ", needed)[1:]:
        needs[file.split()[0]] += re.findall(r"Name: (\S+) +Flags: (?!.*WEAK)", file)
    search = re.findall(r"\((RUNPATH|RPATH)\) +Library \w+: \[(.*)\]", output)
    paths = dict(search).get("RUNPATH", dict(search).get("RPATH", ""))
    defined = output.partition("Version definition section")[2].partition("Version needs section")[0]
    versions = re.findall(r"Rev: 1 +Flags: (?!BASE)\S+ .*Name: (\S+)", defined)
    return Dynamic(needs, [path for path in paths.split(":") if path], versions)


def test_what_is_read_is_what_readelf_reads(tmp_path: Path) -> None:
    library = stub(tmp_path / "stub", "STUB_1", "STUB_2")
    plain = '#include <stdio.h>\nint main(void) { return puts(""); }\n'
    made = [
        library,
        compile_c(tmp_path / "pie", plain, "-pie"),
        compile_c(tmp_path / "static", plain, "-static"),
        compile_c(tmp_path / "none.so", "int x;\n", "-nostdlib"),
        compile_c(tmp_path / "rpath.so", "int x;\n", "-Wl,-rpath,/a:$ORIGIN/b,--disable-new-dtags", "-lm", "-Wl,--no-as-needed", "-lpthread"),
        compile_c(tmp_path / "runpath.so", "int x;\n", "-Wl,-rpath,/a:$ORIGIN/b,--enable-new-dtags"),
        compile_c(tmp_path / "old-hash.so", plain, "-Wl,--hash-style=sysv", "-Wl,-z,now", "-Wl,--gc-sections"),
    ]
    nif(tmp_path / "needs.so", library, "STUB_2", "$ORIGIN")
    stripped = tmp_path / "stripped.so"
    subprocess.run(["strip", "-o", str(stripped), str(tmp_path / "needs.so")], check=True, timeout=60)
    made += [tmp_path / "needs.so", stripped]
    otp = [path for root in (Path(find_otp(None).root), *MACHINES.glob("arm*/usr/lib")) for path in sorted(root.rglob("*")) if path.is_file()]
    system = [path.resolve() for name in ("libc.so.6", "libcrypto.so.3", "libstdc++.so.6", "libtinfo.so.6") for path in Path("/usr/lib").glob(f"*/{name}")]
    count = 0
    for path in [*made, *otp, *system]:
        with path.open("rb") as file:
            if file.read(4) != b"\x7fELF" or path.suffix == ".o":
                continue
            assert read_dynamic(file) == readelf(path), path
            count += 1
    assert count > 60, "the machine's Erlang/OTP was looked at"


def loads(path: Path) -> bool:
    """Whether the loader of this machine loads the library, in a new process."""
    program = "import ctypes, sys; ctypes.CDLL(sys.argv[1])"
    return subprocess.run([sys.executable, "-c", program, str(path)], stderr=subprocess.DEVNULL, check=False, timeout=60).returncode == 0


def test_what_is_missing_is_what_the_loader_misses(tmp_path: Path) -> None:
    there, new = tmp_path / "there", stub(tmp_path / "new", "STUB_1", "STUB_2")
    program = Program(64 if sys.maxsize > 1 << 32 else 32, "<" if sys.byteorder == "little" else ">", _machine(), "/lib64/ld-linux-x86-64.so.2")
    nif(tmp_path / "needs.so", new, "STUB_2", there)

    def fits() -> bool:
        host = HostLibraries("", program.interpreter)
        with (tmp_path / "needs.so").open("rb") as file:
            found = read_dynamic(file)
        assert found and found.search == [str(there)]
        places = {name: host.find(name, program, found.search) for name in found.needs}
        return all(place and not host.lacks(place, found.needs[name]) for name, place in places.items())

    assert fits() is loads(tmp_path / "needs.so") is False
    stub(there, "STUB_1")
    assert fits() is loads(tmp_path / "needs.so") is False
    stub(there, "STUB_1", "STUB_2")
    assert fits() is loads(tmp_path / "needs.so") is True


def _machine() -> int:
    with open(sys.executable, "rb") as file:
        return int.from_bytes(file.read(20)[18:], sys.byteorder)


@pytest.fixture(scope="module")
def site(releases: Releases) -> t.Iterator[Fleet]:
    with fleet(Path(tempfile.mkdtemp(prefix="otp-native-")), ("ada", "bob", "cyd"), releases) as site:
        yield site


def test_deploy(site: Fleet) -> None:
    """ada and cyd lack the library, bob has an older one. Then ada gets it, bob a package from an older system, and cyd is to do without."""
    old = site.directory / "old"
    stub(old, "STUB_1")
    missing = with_nif(site.packages["FIRST"], site.directory / "missing", "STUB_1", site.directory / "ada-lib")
    newer = with_nif(site.packages["FIRST"], site.directory / "newer", "STUB_2", old)
    site.write({"ada": {"otp_package": missing}, "bob": {"otp_package": newer}, "cyd": {"otp_package": missing}})
    assert site.drive("deploy", code=2) == dict.fromkeys(site.hosts, "failed")
    needy = "lib/counter-1.0/priv/needy.so"
    assert f"this host lacks what native code of the release needs: libotpstub.so.1, which {needy} needs. Install the libraries there" in site.notes["ada"]
    assert f"STUB_2 in {old}/libotpstub.so.1, which {needy} needs. Build the package on a system whose libraries are as old" in site.notes["bob"]
    assert not any(Path(site.root(host)).exists() for host in site.hosts)
    older = with_nif(site.packages["FIRST"], site.directory / "older", "STUB_1", old)
    site.write({"ada": {"otp_package": missing}, "bob": {"otp_package": older}, "cyd": {"otp_package": missing, "otp_optional_native": ["counter"]}})
    stub(site.directory / "ada-lib", "STUB_1")
    assert site.drive("deploy") == dict.fromkeys(site.hosts, "changed")
    assert all(loads(Path(site.root(host)) / needy) for host in ("ada", "bob"))


def test_upgrade(site: Fleet) -> None:
    """Its node goes on, and the tree has nothing of the release."""
    place, stays = site.directory / "later", {"otp_package": "", "otp_upgrade_to": "FIRST"}
    package = {"otp_package": with_nif(site.packages["SECOND"], site.directory / "later", "STUB_1", place), "otp_upgrade_to": "SECOND"}
    site.write({"ada": package, "bob": {**package, "otp_optional_native": ["counter"]}, "cyd": stays})
    before = site.facts()
    assert site.drive("upgrade", code=2, otp_serial="100%", otp_max_fail_percentage=100) == {"ada": "refused", "bob": "done", "cyd": "unchanged"}
    assert "libotpstub.so.1, which lib/counter-2.0/priv/needy.so needs. Install the libraries there" in site.notes["ada"]
    assert site.facts()["ada"] == before["ada"]
    assert not (Path(site.root("ada")) / "lib/counter-2.0").exists() and not (Path(site.root("ada")) / "releases/SECOND").exists()
    stub(place, "STUB_1")
    site.write({"ada": package, "bob": package, "cyd": stays})
    assert site.drive("upgrade", otp_serial="100%")["ada"] == "done"
    assert site.facts()["ada"].runs == "SECOND" and site.facts()["ada"].pid == before["ada"].pid


def test_upgrade_to_what_is_unpacked(site: Fleet) -> None:
    """A library has been removed since the release came: the preflight finds that, and nothing is installed."""
    site.write({host: {"otp_package": "", "otp_upgrade_to": "FIRST"} for host in site.hosts})
    (site.directory / "ada-lib/libotpstub.so.1").unlink()
    before = site.facts()
    outcomes = site.drive("upgrade", code=2, otp_serial="100%", otp_max_fail_percentage=100)
    assert outcomes == {"ada": "refused", "bob": "done", "cyd": "unchanged"}
    assert "libotpstub.so.1, which lib/counter-1.0/priv/needy.so needs" in site.notes["ada"]
    assert site.facts()["ada"] == before["ada"]
