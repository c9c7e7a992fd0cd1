# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rule: of an extra file of a box the checksum is enough: one that has not changed is not kept beside, and the box copies from its own files."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
import types
from pathlib import Path

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import FileOptions
from ansible_collections.erlang.otp.plugins.module_utils._core.remote_host import working_on
from ansible_collections.erlang.otp.plugins.module_utils._tree.extra_files import Kept, follow_extra
from ansible_collections.erlang.otp.plugins.module_utils._tree.own_files import Entry as Listed
from ansible_collections.erlang.otp.plugins.module_utils._tree.own_files import format_list
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree
from ansible_collections.erlang.otp.plugins.plugin_utils._box import host as _host
from ansible_collections.erlang.otp.plugins.plugin_utils._box.delivery import prepare_delivery
from ansible_collections.erlang.otp.plugins.plugin_utils._box.host import BoxHost
from ansible_collections.erlang.otp.plugins.plugin_utils._box.inspection import Entry, Inspection
from ansible_collections.erlang.otp.plugins.plugin_utils._box.mirror import Mirror

DIRECTORY = Entry("d", 0o755, 0, 0, 0, "")
LARGE = Entry("-", 0o644, 0, 0, 5 << 20, "")
OLD, NEW, BY_HAND = (letter * 64 for letter in "abc")


def follow(directory: Path, found: str) -> tuple[list[Kept], list[str]]:
    """What is kept, and the steps of the delivery, if the box has a file of this checksum in the place of that of the old release."""
    lists = {"releases/extra_files": {"etc/a": OLD}, "releases/2/extra_files": {"etc/a": NEW}}
    files = {path: (format_list({name: Listed(digest) for name, digest in each.items()}), 1) for path, each in lists.items()}
    entries = dict.fromkeys(("releases", "releases/2", "releases/2/extra", "releases/2/extra/etc", "etc"), DIRECTORY)
    entries.update({path: Entry("-", 0o644, 0, 0, len(content), "") for path, (content, _time) in files.items()})
    entries.update({"etc/a": LARGE, "releases/2/extra/etc/a": LARGE})
    mirror = Mirror(str(directory), "/srv/x")
    mirror.fill(Inspection(entries=entries, files=files, sums={"etc/a": found}))
    host = BoxHost(types.SimpleNamespace(inspection=mirror.inspection))  # type: ignore[arg-type]
    with working_on(host):
        kept = follow_extra(Tree("/srv/x", str(directory)), "2", Changes(), FileOptions())
    delivery = prepare_delivery(mirror, {})
    assert delivery is not None
    with tarfile.open(fileobj=io.BytesIO(delivery.stream)) as archive:
        steps = archive.extractfile("steps")
        assert steps is not None
        return kept, steps.read().decode().splitlines()


def test_a_file_that_has_not_changed_is_replaced(tmp_path: Path) -> None:
    kept, steps = follow(tmp_path, OLD)
    assert kept == [] and "copy 644 etc/a /srv/x/releases/2/extra/etc/a" in steps


def test_a_file_that_has_changed_is_kept_beside(tmp_path: Path) -> None:
    kept, steps = follow(tmp_path, BY_HAND)
    assert [each.name for each in kept] == [f"{tmp_path}/srv/x/etc/a.kept"]
    assert {"copy 644 etc/a /srv/x/releases/2/extra/etc/a", "copy 644 etc/a.kept /srv/x/etc/a"} < {*steps}


def test_the_box_sends_the_checksum_and_waits_for_nothing(tmp_path: Path) -> None:
    root = tmp_path / "x"
    (root / "releases/1").mkdir(parents=True)
    (root / "etc").mkdir()
    (root / "etc/a").write_text("a")
    (root / "etc/a.kept").write_text("earlier")
    (root / "etc/own").write_text("o")
    (root / "releases/extra_files").write_bytes(format_list({"etc/a": Listed(OLD)}))
    (root / "releases/own_files").write_bytes(format_list({"etc/own": Listed(OLD)}))
    subprocess.run(["mkfifo", str(root / "releases/1/extra_files")], check=True)
    script = (Path(_host.__file__).parent / "programs/inspect.sh").read_text()
    names = {"ROOT": root, "TAKE": "", "BREAK": "", "NODE_USER": "", "SUMS": "", "LIMIT": 100, "FILES": "", "OWN": "", "ME": 0}
    variables = "".join(f"{name}='{value}'\n" for name, value in names.items())
    done = subprocess.run(
        ["sh"], input=f"{variables}emulators() {{ :; }}\n{script}".encode(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20, check=False
    )
    listing, _sums, rest = done.stdout.partition(b"=sums\n")
    sums, _heads, rest = rest.partition(b"=heads\n")
    assert f"{hashlib.sha256(b'a').hexdigest()}  etc/a\n".encode() in sums and b"etc/own" not in sums
    assert b" etc/a.kept\n" in listing and b" etc/own\n" in listing
    archive = rest[rest.index(b"releases/") :]
    assert b"etc/own" in archive and b"etc/a\0" not in archive
