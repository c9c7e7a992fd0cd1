# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What config providers of Elixir (runtime.exs) would read at the next boot of a release, found before a hot upgrade to it.

Another emulator with the code of that release runs them, as the service user and without distribution, by Config.Provider.boot itself, which writes
its result where RELEASE_SYS_CONFIG says. The node is not disturbed, and a changed environment of the system counts.
"""

from __future__ import annotations

import contextlib
import os
import re
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._config.configure import PROVIDERS
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file, write_file
from ansible_collections.erlang.otp.plugins.module_utils._core.remote_host import remote_host
from ansible_collections.erlang.otp.plugins.module_utils._core.run import DidNotEnd, run
from ansible_collections.erlang.otp.plugins.module_utils._formats.sys_config import parse_sys_config
from ansible_collections.erlang.otp.plugins.module_utils._tree.register import read_release
from ansible_collections.erlang.otp.plugins.module_utils._tree.resolved_config import built_config, put_back, put_in_place
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

# The first one whose Config.Provider.boot/1 may boot without a restart.
OLDEST_ELIXIR = (1, 11)
# As mix.j2: env.sh adds variables, and changes nothing that the host has. With another name for the root directory, nothing takes the emulator for the node.
PROGRAM = """
cd "$ROOTDIR" || exit 1
HOST_ENVIRONMENT=$(export -p)
. "$RELDIR/$RELEASE_VSN/env.sh" || exit 1
eval "$HOST_ENVIRONMENT"
LIB=$ROOTDIR/lib ROOTDIR=$ROOTDIR/.
exec "$BINDIR/erlexec" -boot "$RELDIR/$RELEASE_VSN/start_clean" -boot_var RELEASE_LIB "$LIB" -noinput -eval "$OTP_EXPRESSIONS"
"""
FAILED = "config providers failed: "
# Both halves of a boot. The first boot/1 runs the providers, and writes their result instead of a restart. The second one compares the environment, which
# has this result, with that of the compilation. Without reboot_system_after_config a boot refuses changes of kernel and stdlib, and so does this.
EXPRESSIONS = """
try
    Path = os:getenv("RELEASE_SYS_CONFIG") ++ ".config",
    Read = fun() -> {ok, [Config]} = file:consult(Path), Config end,
    Set = fun(Config) -> ok = application:set_env(Config, [{persistent, true}]) end,
    Built = Read(),
    Set(Built),
    {ok, _} = application:ensure_all_started(elixir),
    {ok, #{reboot_system_after_config := Reboots} = Provider} = application:get_env(elixir, config_provider_init),
    application:set_env(elixir, config_provider_init, Provider#{reboot_system_after_config := true}),
    'Elixir.Config.Provider':boot(fun() -> ok end),
    Written = Read(),
    Result = case Reboots of
        true -> Written;
        false ->
            [erlang:error({cannot_configure, App}) || App <- [kernel, stdlib], proplists:get_value(App, Written) =/= proplists:get_value(App, Built)],
            [case Section of {elixir, Env} -> {elixir, proplists:delete(config_provider_booted, Env)}; _ -> Section end || Section <- Written]
    end,
    Set(Result),
    application:set_env(elixir, config_provider_booted, {booted, nil}),
    'Elixir.Config.Provider':boot(),
    ok = file:write_file(Path, unicode:characters_to_binary(io_lib:format("%% coding: utf-8~n~tw.~n", [Result]))),
    erlang:halt(0)
catch Class:Reason:Stack ->
    io:format("~nFAILED~ts~n", ['Elixir.Exception':format_banner(Class, Reason, Stack)]),
    erlang:halt(1)
end.
""".replace("FAILED", FAILED)
# Of the emulator that runs: its release, its heart, its supervisor, and what would give another emulator the same name.
OF_THE_NODE = re.compile(r"RELEASE_(VSN|SYS_CONFIG|(REMOTE_)?VM_ARGS)|HEART_.*|NOTIFY_SOCKET|ERL_[AZ]?FLAGS|ELIXIR_ERL_OPTIONS|ELIXIR_CONFIG_PROVIDER_BOOTED")
LONGEST_REASON = 600


class NotResolved(OtpError):
    """There is no configuration with which the release could be installed. Nothing has been done to the node."""


def path_of_resolved(tree: Tree, version: str) -> str:
    """Where the configuration is that release_handler reads for the time of a hot upgrade. bin/start_erl removes all files *.runtime.config there."""
    return tree.path("run", f"{version}.hot.runtime.config")


def has_providers(tree: Tree, version: str) -> bool:
    """Whether the release runs config providers: mix puts them into sys.config."""
    return PROVIDERS in (built_config(tree, version) or b"")


def why_not_resolved(tree: Tree, version: str, pid: int, *, is_client: bool, restarts: t.Collection[str]) -> str:
    """Why the config providers of the release cannot run before a hot upgrade; empty if they can. pid: of the emulator; restarts: of the relup."""
    if is_client or remote_host():
        return "they run on hosts with Python only, and not for clients"
    if restarts:
        return f"its relup restarts the emulator ({' and '.join(restarts)})"
    release = read_release(tree, version)
    elixir = next((item.version for item in release.applications if item.name == "elixir"), "") if release else ""
    number = re.match(r"(\d+)\.(\d+)", elixir)
    if number is None or (int(number[1]), int(number[2])) < OLDEST_ELIXIR:
        return f"it has Elixir {elixir}, older than {'.'.join(map(str, OLDEST_ELIXIR))}"
    if not tree.has("releases", version, "start_clean.boot"):
        return "it has no start_clean.boot, with which they would run beside the node"
    if not environment_of(pid).get("RELEASE_ROOT"):
        return "the node has not the variables of a release of mix"
    return ""


def environment_of(pid: int) -> dict[str, str]:
    """The environment that the process was started with; empty if it has ended, or is another user's."""
    try:
        return parse_environment(read_file(f"/proc/{pid}/environ") or b"", b"\0")
    except OSError:
        return {}


def parse_environment(content: bytes, end: bytes) -> dict[str, str]:
    """The variables in a text of NAME=VALUE, each with this character after it."""
    pairs = (os.fsdecode(item).partition("=") for item in content.split(end))
    return {name: value for name, equals, value in pairs if equals}


def environment_of_boot(tree: Tree, version: str, running: t.Mapping[str, str], given: t.Mapping[str, str], stale: t.Collection[str]) -> dict[str, str]:
    """The environment of the next boot of the release. running: that of the emulator; given: that of the system; stale: names that are not given any more."""
    directory = f"{tree.root}/releases/{version}"
    present = {**{name: value for name, value in running.items() if name not in stale}, **given}
    own = {
        "ROOTDIR": tree.root,
        "RELDIR": f"{tree.root}/releases",
        "RELEASE_VSN": version,
        "RELEASE_VM_ARGS": f"{directory}/vm.args",
        "RELEASE_REMOTE_VM_ARGS": f"{directory}/remote.vm.args",
        "RELEASE_SYS_CONFIG": path_of_resolved(tree, version)[: -len(".config")],
        # A dump of the memory would have secrets.
        "ERL_CRASH_DUMP_SECONDS": "0",
    }
    return {**{name: value for name, value in present.items() if not OF_THE_NODE.fullmatch(name)}, **own}


def names_in_script(script: bytes) -> set[str]:
    """The variables that a shell script sets."""
    return {os.fsdecode(name) for name in re.findall(rb"(?:^|[\s;])([A-Za-z_][A-Za-z0-9_]*)=", script)}


def reason_in(output: str, secrets: t.Iterable[str]) -> str:
    """Why the providers failed, by the output of their emulator, without these values. Of Elixir's own refusals the first line has no value."""
    found, reason = output.rpartition(FAILED)[1:]
    refusals = [line[len("ERROR! ") :] for line in output.splitlines() if line.startswith("ERROR! ") and not line.endswith("failed with:")]
    text = refusals[0] if refusals else " ".join(line.strip() for line in (reason if found else output).strip().splitlines()[:3])
    for value in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(value, "********")
    return text[:LONGEST_REASON].rstrip(".: ") or "they do not say why"


@contextlib.contextmanager
def resolved(tree: Tree, version: str, *, pid: int, timeout: float) -> t.Iterator[None]:
    """Have release_handler read what the config providers of the release say now, if it has any. pid: of the emulator.

    Raises NotResolved, before anything else is done, if they fail.
    """
    if not has_providers(tree, version):
        yield
        return
    given = parse_environment(read_file(tree.path("bin", "environment")) or b"", b"\n")
    earlier = parse_environment(read_file(tree.path(".previous", "bin", "environment")) or b"", b"\n")
    # The emulator may have booted any of the releases.
    scripts = [read_file(tree.path("releases", known, "env.sh")) or b"" for known in tree.release_directories()]
    stale = {*earlier, *names_in_script(b"\n".join(scripts))}
    environment = environment_of_boot(tree, version, environment_of(pid), given, stale)
    path = environment["RELEASE_SYS_CONFIG"] + ".config"
    try:
        _resolve(tree, version, path, environment, given.values(), timeout)
        put_in_place(tree, version, path)
        yield
    finally:
        put_back(tree, version)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _resolve(tree: Tree, version: str, path: str, environment: dict[str, str], secrets: t.Iterable[str], timeout: float) -> None:
    """Have the config providers write the configuration to the path. Raises NotResolved."""
    write_file(path, built_config(tree, version) or b"", mode=0o600, flush=False)
    try:
        code, output = run(["/bin/sh", "-c", PROGRAM], timeout=timeout, environment={**environment, "OTP_EXPRESSIONS": EXPRESSIONS})
    except DidNotEnd:
        raise NotResolved(f"the config providers of release {version} have not ended within {timeout:g} s.") from None
    except OtpError as error:
        raise NotResolved(f"the config providers of release {version} cannot run: {error}") from None
    if code:
        raise NotResolved(f"the config providers of release {version} fail: {reason_in(output, secrets)}.")
    try:
        parse_sys_config(read_file(path) or b"", source="it")
    except OtpError as error:
        raise NotResolved(f"what the config providers of release {version} give is not a configuration: {error}") from None
