# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages of rebar3 and mix from the projects that their own templates make, without any network.

The second version differs in one function. Its relup is made by rebar3, and by a step of mix's release, from an appup that otp_release_appup made.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

from waiting import LIMIT

from ansible_collections.erlang.otp.plugins.module_utils._build.appup_files import Options, make_appup_files
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes

# In mix.exs of a project NAME.
RELUP_STEP = """
  defp relup(release) do
    if release.version == "0.2.0" do
      name = to_string(release.name)
      File.cp!("#{name}.appup", Path.join([release.path, "lib", "#{name}-0.2.0", "ebin", "#{name}.appup"]))
      rel = fn version -> String.to_charlist(Path.join([release.path, "releases", version, name])) end
      paths = [String.to_charlist(Path.join([release.path, "lib", "*", "ebin"]))]
      options = [:silent, path: paths, outdir: String.to_charlist(release.version_path)]
      {:ok, _, _, _} = :systools.make_relup(rel.("0.2.0"), [rel.("0.1.0")], [rel.("0.1.0")], options)
    end
    release
  end
end
"""
RUNTIME = 'import Config\nconfig :conf, secret: System.fetch_env!("CONF_SECRET"), level: System.get_env("CONF_LEVEL", "low")\n'
# What runtime.exs has read and config_change/3 has been told, by a protocol of its own. 0.2.0 has one more implementation.
CONF = """
defprotocol Conf.Show do
  @fallback_to_any true
  def show(value)
end

defimpl Conf.Show, for: Any do
  def show(_), do: :any
end

defimpl Conf.Show, for: Map do
  def show(map), do: map_size(map)
end

defmodule Conf do
  use Application

  def start(_, _), do: Supervisor.start_link([], strategy: :one_for_one)

  def config_change(changed, new, removed), do: :persistent_term.put(Conf, {changed, new, removed})

  def told, do: :persistent_term.get(Conf, :nothing)

  def settings, do: Enum.sort(Application.get_all_env(:conf))

  # What a caller sees. At each hot upgrade OTP removes the settings for some microseconds, before it adds the new ones.
  def answer do
    secret = Application.get_env(:conf, :secret)
    2 = Conf.Show.show(%{a: 1, b: 2})
    if secret, do: Conf.Show.show({:b, byte_size(secret)}), else: :unset
  end
end
"""
SHOWN_TUPLES = """
defimpl Conf.Show, for: Tuple do
  def show(tuple), do: tuple_size(tuple)
end
"""
CONF_APPUP = """
{"0.2.0",[{"0.1.0",[{add_module,'Elixir.Conf.Show.Tuple'},{load_module,'Elixir.Conf'}]}],
 [{"0.1.0",[{load_module,'Elixir.Conf'},{delete_module,'Elixir.Conf.Show.Tuple'}]}]}.
"""


class Templates:
    """Makes NAME-VERSION.tar.gz in the directory: of tele by rebar3; of shop, and of conf with config providers, by mix."""

    def __init__(self, directory: Path, enter: tuple[str, ...] = ()) -> None:
        """enter: a command that runs others, with the tools of another system."""
        self.directory = directory
        self.enter = enter

    def run(self, *command: str, at: str = "") -> None:
        """Run a tool as a newcomer does."""
        home = {"HOME": str(self.directory), "LC_ALL": "C.UTF-8", "MIX_ENV": "prod", "REBAR_OFFLINE": "1", "HEX_OFFLINE": "1"}
        entered = [*self.enter, *command]
        said = subprocess.run(entered, cwd=self.directory / at, env={**os.environ, **home}, text=True, capture_output=True, timeout=LIMIT, check=False)
        assert said.returncode == 0, said.stdout + said.stderr

    def edit(self, path: str, *pairs: tuple[str, str]) -> None:
        """Replace each first text, which must be there, by the second one."""
        text = (self.directory / path).read_text()
        for old, new in pairs:
            assert re.search(old, text), (path, old)
            text = re.sub(old, new, text)
        (self.directory / path).write_text(text)
        # rebar3 compares whole seconds, and compiles what is younger than the code.
        later = time.time() + 2
        os.utime(self.directory / path, (later, later))

    def appup(self, old: str, new: str, output: str) -> None:
        """Make the appup of what has been compiled."""
        paths = [str(self.directory / path) for path in (old, new, output)]
        made = make_appup_files(Options(old=(paths[0],), new=paths[1], output_dir=paths[2]), Changes())
        assert (made["problem"], made["changed"]) == ("", True)

    def tele(self) -> None:
        """By rebar3; 0.1.0 is untouched."""
        self.run("rebar3", "new", "release", "tele")
        self.run("rebar3", "as", "prod", "tar", at="tele")
        self.edit("tele/rebar.config", ('"0.1.0"', '"0.2.0"'))
        self.edit("tele/apps/tele/src/tele.app.src", ('"0.1.0"', '"0.2.0"'))
        self.edit("tele/apps/tele/src/tele_app.erl", (r"stop/1\]", "stop/1, hello/0]"), (r"\Z", "hello() -> moon.\n"))
        self.run("rebar3", "as", "prod", "compile", at="tele")
        self.appup("tele/_build/prod/rel/tele/lib/tele-0.1.0", "tele/_build/prod/lib/tele", "tele/_build/prod/lib/tele/ebin")
        self.run("rebar3", "as", "prod", "do", "release,", "relup", "--relname", "tele", "--relvsn", "0.2.0", "--upfrom", "0.1.0,", "tar", at="tele")
        self._take("tele/_build/prod/rel/tele")

    def shop(self) -> None:
        """By mix; in 0.1.0, mix.exs has the step that makes the tar file, and one for the relup of 0.2.0."""
        self.run("mix", "new", "shop", "--sup")
        self.edit("shop/mix.exs", (r"deps: deps\(\)\n", "deps: deps(),\n releases: [shop: [steps: [:assemble, &relup/1, :tar]]]\n"), (r"end\n\Z", RELUP_STEP))
        self.run("mix", "release", at="shop")
        self.edit("shop/mix.exs", ('version: "0.1.0"', 'version: "0.2.0"'))
        self.edit("shop/lib/shop.ex", (":world", ":moon"))
        self.run("mix", "compile", at="shop")
        self.appup("shop/_build/prod/rel/shop/lib/shop-0.1.0", "shop/_build/prod/lib/shop", "shop")
        self.run("mix", "release", at="shop")
        self._take("shop/_build/prod")

    def conf(self) -> None:
        """By mix, with runtime.exs; 0.2.0 restarts the emulator's applications with what that has read, and has one more setting and implementation."""
        self.run("mix", "new", "conf")
        (self.directory / "conf/config").mkdir()
        (self.directory / "conf/config/config.exs").write_text("import Config\nconfig :conf, built: true\n")
        (self.directory / "conf/config/runtime.exs").write_text(RUNTIME)
        (self.directory / "conf/lib/conf.ex").write_text(CONF)
        (self.directory / "conf/conf.appup").write_text(CONF_APPUP)
        options = "steps: [:assemble, &relup/1, :tar], reboot_system_after_config: false"
        self.edit("conf/mix.exs", (r"deps: deps\(\)\n", f"deps: deps(),\n releases: [conf: [{options}]]\n"), (r"end\n\Z", RELUP_STEP))
        self.edit("conf/mix.exs", (r"extra_applications: \[:logger\]", "extra_applications: [:logger], mod: {Conf, []}"))
        self.run("mix", "release", at="conf")
        self.edit("conf/mix.exs", ('version: "0.1.0"', 'version: "0.2.0"'), ("config: false", "config: true"))
        self.edit("conf/config/runtime.exs", (r"\Z", 'config :conf, added: System.get_env("CONF_ADDED", "new")\n'))
        self.edit("conf/lib/conf.ex", (r"\Z", SHOWN_TUPLES))
        self.run("mix", "release", at="conf")
        self._take("conf/_build/prod")

    def _take(self, place: str) -> None:
        for package in sorted((self.directory / place).glob("*-0.?.0.tar.gz")):
            shutil.move(package, self.directory)
