# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Appups made from compiled code of Erlang and of Elixir: a node with processes whose state changes its shape is upgraded by them, and back.

test_relup.py has systools make a relup of such an appup for releases, and test_packages.py has rebar3 and mix do so.
"""

from __future__ import annotations

import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
from waiting import LIMIT

from ansible_collections.erlang.otp.plugins.module_utils._build.appup_files import Options, make_appup_files
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes

# Of both versions, but for what is between the marks. Version 2 has another state, calls a module that is new, and no longer one that is gone.
ERLANG = {
    "pod_sup": """
        -behaviour(supervisor). -behaviour(application). -export([start/2, stop/1, init/1]).
        start(_, _) -> supervisor:start_link({local, ?MODULE}, ?MODULE, []).
        stop(_) -> <<V>>.
        init([]) -> {ok, {#{}, [#{id => M, start => {M, start_link, []}} || M <- [pod_server, pod_machine]]}}.""",
    "pod_server": """
        -behaviour(gen_server). -export([start_link/0, init/1, handle_call/3, handle_cast/2, code_change/3]).
        -record(state, {count = 0<< , calls = []>>}).
        start_link() -> gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).
        init([]) -> {ok, #state{}}.
        handle_call(add, _, #state{count = N} = S) -> {reply, {<<V>>, N + 1, << pod_old:f() | pod_new:f()>>}, S#state{count = N + 1}}.
        handle_cast(_, S) -> {noreply, S}.
        code_change({down, _}, {state, N, _}, _) -> {ok, {state, N}};
        code_change(_, {state, N}, _) -> {ok, {state, N, []}}.""",
    "pod_machine": """
        -behaviour(gen_statem). -export([start_link/0, init/1, callback_mode/0, idle/3, code_change/4]).
        start_link() -> gen_statem:start_link({local, ?MODULE}, ?MODULE, [], []).
        callback_mode() -> state_functions.
        init([]) -> {ok, idle, << 7 | {7, new}>>}.
        idle({call, From}, get, Data) -> {keep_state_and_data, [{reply, From, {<<V>>, Data}}]}.
        code_change({down, _}, State, {N, new}, _) -> {ok, State, N};
        code_change(_, State, N, _) -> {ok, State, {N, new}}.""",
    "pod_old": "-export([f/0]). f() -> old.",
    "pod_new": "-export([f/0]). f() -> new.",
}
MODULES = {"1.0": ("pod_sup", "pod_server", "pod_machine", "pod_old"), "2.0": ("pod_sup", "pod_server", "pod_machine", "pod_new")}
ELIXIR = """
defmodule Can.Top do
  use Supervisor
  def start(_, _), do: Supervisor.start_link(__MODULE__, [], name: __MODULE__)
  def init(_), do: Supervisor.init([Can.Server], strategy: :one_for_one)
  def version, do: <<V>>
end
defmodule Can.Server do
  use GenServer
  defstruct [count: 0<< , last: nil>>]
  def start_link(_), do: GenServer.start_link(__MODULE__, [], name: __MODULE__)
  def init(_), do: {:ok, %__MODULE__{}}
  def handle_call(:add, _, s), do: {:reply, {<<V>>, s.count + 1, map_size(s)}, %{s | count: s.count + 1}}
  def code_change({:down, _}, s, _), do: {:ok, Map.delete(s, :last)}
  def code_change(_, s, _), do: {:ok, Map.put(s, :last, nil)}
end
"""
# release_handler does for one application what it does for each of a release.
PROGRAM = """
Say = fun(What) -> io:format("~ts: ~0p ~0p ~0p, ~0p ~0p~n", [What, gen_server:call(pod_server, add), gen_statem:call(pod_machine, get),
    gen_server:call('Elixir.Can.Server', add), code:is_loaded(pod_old) =/= false, code:is_loaded(pod_new) =/= false]) end,
[{ok, _} = application:ensure_all_started(A) || A <- [sasl, pod, can]],
Say("1.0"),
[{ok, _} = release_handler:upgrade_app(A, "DIRECTORY/2/" ++ atom_to_list(A) ++ "-2.0") || A <- [pod, can]],
Say("2.0"),
[{ok, _} = release_handler:downgrade_app(A, "1.0", "DIRECTORY/1/" ++ atom_to_list(A) ++ "-1.0") || A <- [pod, can]],
Say("1.0"),
halt().
"""


def of_version(text: str, version: str) -> str:
    """The text, with what is for this version: ``<<one | two>>``, or ``<<two>>``."""
    number = int(version[0])
    pieces = text.split("<<")
    for index, piece in enumerate(pieces[1:], 1):
        inside, _end, rest = piece.partition(">>")
        choices = [str(number)] * 2 if inside == "V" else inside.split("|") if "|" in inside else ["", inside]
        pieces[index] = choices[number - 1] + rest
    return "".join(pieces)


def make_application(directory: Path, name: str, version: str, modules: t.Iterable[str], top: str) -> Path:
    """The ebin directory, where the modules are compiled to."""
    ebin = directory / version[0] / f"{name}-{version}" / "ebin"
    ebin.mkdir(parents=True)
    listed = f"{{modules, [{', '.join(modules)}]}}, {{applications, [kernel, stdlib]}}, {{registered, []}}, {{mod, {{{top}, []}}}}"
    (ebin / f"{name}.app").write_text(f'{{application, {name}, [{{description, ""}}, {{vsn, "{version}"}}, {listed}]}}.\n')
    return ebin


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directories 1 and 2 with the applications pod and can."""
    directory = tmp_path_factory.mktemp("builds")
    for version, modules in MODULES.items():
        ebin = make_application(directory, "pod", version, modules, "pod_sup")
        for module in modules:
            (ebin / f"{module}.erl").write_text(f"-module({module}).\n{of_version(ERLANG[module], version)}\n")
        subprocess.run(["erlc", "+debug_info", *(f"{module}.erl" for module in modules)], cwd=ebin, check=True, timeout=LIMIT)
        ebin = make_application(directory, "can", version, ["'Elixir.Can.Top'", "'Elixir.Can.Server'"], "'Elixir.Can.Top'")
        (ebin / "can.ex").write_text(of_version(ELIXIR, version))
        subprocess.run(["elixirc", "can.ex"], cwd=ebin, check=True, timeout=LIMIT)
    return directory


def test_a_node_goes_up_and_down_by_them(builds: Path) -> None:
    made = make_appup_files(Options(old=(str(builds / "1"),), new=str(builds / "2"), output_dir=str(builds / "appups")), Changes())
    assert (made["problem"], [appup["application"] for appup in made["appups"]]) == ("", ["can", "pod"])
    for name in ("can", "pod"):
        shutil.copy(builds / f"appups/{name}.appup", builds / f"2/{name}-2.0/ebin")
    elixir = Path(t.cast(str, shutil.which("elixir"))).resolve().parents[1] / "lib/elixir/ebin"
    paths = ["-pa", str(elixir), str(builds / "1/pod-1.0/ebin"), str(builds / "1/can-1.0/ebin")]
    program = PROGRAM.replace("DIRECTORY", str(builds))
    command = ["erl", "-noinput", *paths, "-kernel", "logger_level", "critical", "-eval", program]
    result = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert result.stdout.splitlines() == [
        "1.0: {1,1,old} {1,7} {1,1,2}, true false",
        "2.0: {2,2,new} {2,{7,new}} {2,2,3}, false true",
        "1.0: {1,3,old} {1,7} {1,3,2}, true false",
    ], result.stdout + result.stderr
