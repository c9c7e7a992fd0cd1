# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What config providers are run with before a hot upgrade. tests/real/test_packages.py runs real ones.

Rules: the environment is that of the next boot; what they say when they fail has no value of the environment; their result is in a file of the user, for
the time of the installation; whatever they do, sys.config is that of the package afterwards.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._handler import protocols, providers
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

SYS_CONFIG = "[{elixir,[{config_provider_init,1}]}].\n"
RESULT = "[{shop,[{secret,1}]}].\n"
REL = '{release,{"shop","2"},{erts,"13"},[{elixir,"%s"}]}.\n'


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """A system with an emulator that writes RESULT. tmp_path/says: what it says instead, if it is there."""
    for directory in ("bin", "run", "releases/1", "releases/2", "erts-13/bin"):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / "releases/1/env.sh").write_text("export OLD=env.sh\n")
    (tmp_path / "releases/2/env.sh").write_text("export ADDED=env.sh GIVEN=env.sh\n")
    (tmp_path / "releases/2/sys.config").write_text(SYS_CONFIG)
    (tmp_path / "releases/2/start_clean.boot").write_text("")
    (tmp_path / "releases/2/shop.rel").write_text(REL % "1.14.0")
    (tmp_path / "bin/environment").write_text("GIVEN=new=value\nSECRET=a secret\nLONGER=a secret value\n")
    erlexec = tmp_path / "erts-13/bin/erlexec"
    erlexec.write_text(f"""#!/bin/sh
cat /proc/$$/environ >"{tmp_path}/environ"
printf "%s" "$*" >"{tmp_path}/arguments"
[ ! -f "{tmp_path}/says" ] || {{ cat "{tmp_path}/says"; exit 1; }}
[ -f "{tmp_path}/hangs" ] && exec sleep 20
printf "%s" '{RESULT}' >"$RELEASE_SYS_CONFIG.config"
""")
    erlexec.chmod(0o755)
    environ = {"RELEASE_ROOT": str(tmp_path), "RELEASE_VSN": "1", "BINDIR": f"{tmp_path}/erts-13/bin", "GIVEN": "old", "OLD": "env.sh", "OF_THE_UNIT": "kept"}
    environ.update(ERL_AFLAGS="-sname shop", HEART_COMMAND="start", RELEASE_COOKIE="crimson")
    monkeypatch.setattr(providers, "environment_of", lambda pid: environ if pid == 1 else {})
    return Tree(str(tmp_path))


def test_with_the_environment_of_the_next_boot(tree: Tree) -> None:
    Path(tree.path(".previous/bin")).mkdir(parents=True)
    Path(tree.path(".previous/bin/environment")).write_text("OF_THE_UNIT=removed meanwhile\n")
    with providers.resolved(tree, "2", pid=1, timeout=10):
        found = providers.parse_environment(Path(tree.path("environ")).read_bytes(), b"\0")
    assert (found["GIVEN"], found["SECRET"], found["ADDED"], found["RELEASE_COOKIE"]) == ("new=value", "a secret", "env.sh", "crimson")
    assert found["RELEASE_VSN"] == "2" and found["RELEASE_VM_ARGS"] == f"{tree.root}/releases/2/vm.args" and found["PWD"] == tree.root
    assert found["ROOTDIR"] == f"{tree.root}/."
    assert not {"OLD", "OF_THE_UNIT", "ERL_AFLAGS", "HEART_COMMAND"} & found.keys()
    arguments = Path(tree.path("arguments")).read_text()
    assert arguments.startswith(f"-boot {tree.root}/releases/2/start_clean -boot_var RELEASE_LIB {tree.root}/lib -noinput") and "a secret" not in arguments


def test_the_result_is_in_place_for_the_time_of_an_installation(tree: Tree) -> None:
    with providers.resolved(tree, "2", pid=1, timeout=10):
        assert Path(tree.path("releases/2/sys.config")).read_text() == RESULT and providers.has_providers(tree, "2")
        (result,) = Path(tree.path("run")).iterdir()
        assert result.stat().st_mode & 0o777 == 0o600
    assert Path(tree.path("releases/2/sys.config")).read_text() == SYS_CONFIG and tree.names("run") == []
    with pytest.raises(ZeroDivisionError), providers.resolved(tree, "2", pid=1, timeout=10):
        raise ZeroDivisionError
    assert Path(tree.path("releases/2/sys.config")).read_text() == SYS_CONFIG and tree.names("run") == []


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        (f"noise\n{providers.FAILED}** (Error) a secret value is bad\n  for new=value\n", "release 2 fail: [*][*] [(]Error[)] [*]{8} is bad for [*]{8}[.]"),
        (f"ERROR! Config provider X failed with:\n{providers.FAILED}** (Error) no\n", "fail: [*][*] [(]Error[)] no[.]$"),
        (f"ERROR! the application has other values:\nSECRETS\n{providers.FAILED}aborting boot\n", "fail: the application has other values[.]$"),
        ("", "fail: they do not say why[.]$"),
    ],
)
def test_failed(tree: Tree, says: str, expected: str) -> None:
    Path(tree.path("says")).write_text(says)
    with pytest.raises(providers.NotResolved, match=expected), providers.resolved(tree, "2", pid=1, timeout=10):
        raise AssertionError
    assert tree.names("run") == [] and "sys.config.built" not in tree.names("releases/2")


def test_no_end(tree: Tree) -> None:
    Path(tree.path("hangs")).touch()
    with pytest.raises(providers.NotResolved, match="not ended within 0.5 s"), providers.resolved(tree, "2", pid=1, timeout=0.5):
        raise AssertionError


def test_what_is_no_configuration(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "PROGRAM", 'echo "[<0.1.0>]." >"$RELEASE_SYS_CONFIG.config"')
    with pytest.raises(providers.NotResolved, match="not a configuration"), providers.resolved(tree, "2", pid=1, timeout=10):
        raise AssertionError


def test_a_release_without_providers(tree: Tree) -> None:
    Path(tree.path("releases/2/sys.config")).write_text("[].\n")
    with providers.resolved(tree, "2", pid=1, timeout=10):
        assert not tree.has("environ") and not os.path.islink(tree.path("releases/2/sys.config"))


def test_where_they_cannot_run(tree: Tree) -> None:
    def why_not(pid: int = 1, *, is_client: bool = False, restarts: tuple[str, ...] = ()) -> str:
        return providers.why_not_resolved(tree, "2", pid, is_client=is_client, restarts=restarts)

    assert why_not() == ""
    assert "not for clients" in why_not(is_client=True) and "(restart_emulator)" in why_not(restarts=("restart_emulator",))
    assert "variables of a release of mix" in why_not(2)
    Path(tree.path("releases/2/start_clean.boot")).unlink()
    assert "start_clean.boot" in why_not()
    Path(tree.path("releases/2/shop.rel")).write_text(REL % "1.10.4")
    assert why_not() == "it has Elixir 1.10.4, older than 1.11"


def test_protocols_that_differ(tree: Tree) -> None:
    assert not protocols.has_protocols(tree, "1", "2")
    for version, files in (("1", {"A.beam": "1", "B.beam": "1", "C.beam": "1"}), ("2", {"A.beam": "1", "B.beam": "2", "D.beam": "2", "notes": "2"})):
        Path(tree.path("releases", version, "consolidated")).mkdir()
        for name, content in files.items():
            Path(tree.path("releases", version, "consolidated", name)).write_text(content)
    assert protocols.has_protocols(tree, "0", "2") and protocols.changed_protocols(tree, "1", "2") == ["B.beam", "C.beam", "D.beam"]
