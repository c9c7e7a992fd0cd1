# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: in an image, no link leads root to a file of the host that makes it: none on the way to a path, none in its place, none in the system;
the image is none itself. A relative link that stays in the image is as good as a directory. The message names the link, and the path that it has in
the image.
"""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import as_owner
from ansible_collections.erlang.otp.plugins.module_utils._core.image_links import refuse_way_out, refuse_ways_out_of
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import Owner, ensure_directory, ensure_file

NOBODY = Owner(-1, -1)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    for name in ("var", "data/log", "srv/x/lib/a-1/priv", "srv/x/releases"):
        (tmp_path / "image" / name).mkdir(parents=True)
    (tmp_path / "host").mkdir()
    return tmp_path / "image"


# Links by their paths, the path that is asked for, and the link in the message with the path that it stands for; none if it is allowed.
CASES = [
    ({}, "/var/log/x", None),
    ({"var/log": "/data/log"}, "/var/log/x", ("var/log", "/data/log/x")),
    ({"var/log": "/data/log"}, "/var/log", ("var/log", "/data/log")),
    ({"var/log": "../data/log"}, "/var/log/x", None),
    ({"var/log": "../data/./log"}, "/var/log/..", None),
    ({"var/log": "../../host"}, "/var/log/x", ("var/log", "/host/x")),
    ({"var/log": "../data/log/../../../host"}, "/var/log", ("var/log", "/host")),
    ({"var/log": "../data/more", "data/more": "/host"}, "/var/log/x", ("data/more", "/host/x")),
    ({"var/log": "deep/..", "var/deep": ".."}, "/var/log", ("var/deep", "/")),
    ({"var/log": "log"}, "/var/log/x", ("var/log", "/var/log/x")),
    ({"var/log": "../missing"}, "/var/log/x", None),
]


@pytest.mark.parametrize(("links", "path", "refused"), CASES)
def test_a_way_out_of_the_image(image: Path, links: dict[str, str], path: str, refused: tuple[str, str] | None) -> None:
    for name, target in links.items():
        (image / name).symlink_to(target)
    if refused is None:
        refuse_way_out(str(image), path)
        return
    with pytest.raises(OtpError, match=f"^{re.escape(str(image / refused[0]))} is a link to .* which is {re.escape(refused[1])}[.]$"):
        refuse_way_out(str(image), path)


def test_an_image_that_is_a_link(image: Path) -> None:
    link = image.parent / "link"
    link.symlink_to("/")
    for destdir in (str(link), f"{link}/"):
        with pytest.raises(OtpError, match=f"^{link} is a link to '/': give the directory of the image itself.$"):
            as_owner("/srv/x", destdir)


@pytest.mark.parametrize(
    ("name", "target", "is_refused"),
    [
        ("bin", "/usr/bin", True),
        ("lib/b-1", "/usr/lib/b-1", True),
        ("lib/a-1/priv/program", "/bin/true", True),
        ("lib/a-1/priv/program", "../../../../../../host", True),
        ("lib/a-1/priv/again", "../priv", False),
        ("erts-1", "/usr/lib/erlang/erts-1", True),
        # One in the image may have others in it.
        ("log", "../../data", False),
        ("run", "/run/x", False),
        ("of-the-operator", "/data", False),
    ],
)
def test_a_way_out_in_the_system(image: Path, name: str, target: str, is_refused: bool) -> None:
    (image / "srv/x" / name).symlink_to(target)
    if is_refused:
        with pytest.raises(OtpError, match=f"/srv/x/{name} is a link"):
            refuse_ways_out_of(str(image), "/srv/x")
    else:
        refuse_ways_out_of(str(image), "/srv/x")


def test_what_a_link_in_the_image_leads_to_is_looked_at(image: Path) -> None:
    (image / "srv/x/log").symlink_to("../../data")
    (image / "data/out").symlink_to("/host")
    with pytest.raises(OtpError, match="/data/out is a link"):
        with as_owner("/srv/x", str(image)):
            pass


@pytest.mark.parametrize("ensure", ["directory", "file"])
def test_nothing_is_written_behind_a_link(image: Path, ensure: str) -> None:
    def work(path: str, changes: Changes) -> t.Any:
        if ensure == "directory":
            return ensure_directory(path, mode=0o755, owner=NOBODY, changes=changes)
        return ensure_file(path, b"text", mode=0o644, owner=NOBODY, sentence="write", changes=changes)

    host = image.parent / "host"
    (image / "etc").symlink_to(host)
    (image / "var/x").symlink_to(host / "x")
    for path in ("etc/x", "var/x"):
        with as_owner("/srv/x", str(image)), pytest.raises(OtpError, match="is a link to"):
            work(str(image / path), Changes())
    assert list(host.iterdir()) == []
    with as_owner("/srv/x", str(image)):
        work(str(image / "var/y"), Changes())
    assert (image / "var/y").exists()
