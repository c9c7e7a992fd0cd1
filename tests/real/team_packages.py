# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What teams make of the templates of rebar3 and mix: several applications, overlays, hooks of relx, configuration with variables, an umbrella."""

from __future__ import annotations

import os
import shutil
import tarfile

from template_packages import Templates

RELX = """\
{erl_opts, [debug_info]}.
{relx, [
    {release, {duo, "0.1.0"}, [duo, pair, sasl]},
    {sys_config_src, "config/sys.config.src"},
    {vm_args_src, "config/vm.args.src"},
    {extended_start_script, true},
    {extended_start_script_hooks, [{pre_start, [{custom, "hooks/pre_start"}]}]},
    {overlay, [
        {mkdir, "data/empty"},
        {copy, "config/motd", "etc/motd"},
        {copy, "config/tool", "bin/tool"},
        {copy, "config/tool", "bin/hooks/pre_start"},
        {link, "/etc/hostname", "etc/host"}
    ]}
]}.
{profiles, [{prod, [{relx, [{mode, prod}]}]}]}.
"""
FILES = {
    "rebar.config": RELX,
    "config/sys.config.src": '[{duo, [{greeting, "${DUO_GREETING}"}]}].\n',
    "config/vm.args.src": "-name ${DUO_NODE:-duo@127.0.0.1}\n-setcookie ${DUO_COOKIE}\n-proto_dist inet_tcp\n-env DUO_SIZE ${DUO_SIZE}\n",
    "config/motd": "hello\n",
    "config/tool": "#!/bin/sh\necho tool\n",
}
UMBRELLA = """\
  releases: [
    market: [applications: [stall: :permanent, till: :permanent], reboot_system_after_config: true, steps: [:assemble, :tar]]
  ],
  deps: deps()
"""
RUNTIME = 'import Config\nconfig :stall, price: System.fetch_env!("STALL_PRICE")\n'
ENV_SH = "export STALL_SIGN=open\nexport RELEASE_DISTRIBUTION=name\nexport RELEASE_NODE=market@127.0.0.1\n"
MIGRATE = """\
#!/bin/sh
set -eu
cd -P -- "$(dirname -- "$0")"
exec ./market eval 'IO.puts("migrated")'
"""


class Teams(Templates):
    """Makes duo by rebar3, and market by mix; and each without ERTS in the directory thin."""

    def duo(self) -> None:
        """Two applications of one's own."""
        self.run("rebar3", "new", "release", "duo")
        self.run("rebar3", "new", "app", "pair", at="duo/apps")
        for name, text in FILES.items():
            (self.directory / "duo" / name).write_text(text)
        os.chmod(self.directory / "duo/config/tool", 0o755)
        for name in ("sys.config", "vm.args"):
            (self.directory / "duo/config" / name).unlink()
        self.run("rebar3", "as", "prod", "tar", at="duo")
        self.take("duo/_build/prod/rel/duo/duo-0.1.0.tar.gz")

    def market(self) -> None:
        """An umbrella of two applications, with runtime.exs and an env.sh of its own."""
        self.run("mix", "new", "market", "--umbrella")
        for name in ("stall", "till"):
            self.run("mix", "new", name, "--sup", at="market/apps")
        (self.directory / "market/config/runtime.exs").write_text(RUNTIME)
        (self.directory / "market/rel/overlays/bin").mkdir(parents=True)
        # For nodes without EPMD, as the documentation of mix has it. This one has EPMD.
        (self.directory / "market/rel/remote.vm.args.eex").write_text("## Not -start_epmd true\n-start_epmd false -erl_epmd_port 1\n-dist_listen false\n")
        # As of mix phx.gen.release.
        (self.directory / "market/rel/overlays/bin/migrate").write_text(MIGRATE)
        (self.directory / "market/rel/overlays/bin/migrate").chmod(0o755)
        (self.directory / "market/rel/env.sh.eex").write_text(ENV_SH)
        self.edit("market/mix.exs", (r"deps: deps\(\)\n", UMBRELLA))
        self.run("mix", "release", at="market")
        self.take("market/_build/prod/market-0.1.0.tar.gz")

    def take(self, package: str) -> None:
        """The package, and one as of include_erts: false in the directory thin."""
        shutil.move(self.directory / package, self.directory)
        name = package.rpartition("/")[2]
        (self.directory / "thin").mkdir(exist_ok=True)
        with tarfile.open(self.directory / name) as full, tarfile.open(self.directory / "thin" / name, "w:gz", compresslevel=1) as thin:
            for member in full:
                if not member.name.startswith("erts-"):
                    thin.addfile(member, full.extractfile(member))
