# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which groups of members a package has, in their order, before anything is compressed: target_system:create/1 of the OTP documentation."""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._build.boot_scripts import BootScripts
from ansible_collections.erlang.otp.plugins.module_utils._build.inputs import Options, Sources
from ansible_collections.erlang.otp.plugins.module_utils._build.package_members import (
    Group,
    application_group,
    bin_group,
    check_machines,
    check_names,
    erts_group,
    extra_group,
    log_group,
    place,
    release_group,
)


class Plan(t.NamedTuple):
    """Groups of members in the order of the package, and those of each variable's own archive."""

    groups: list[Group]
    variables: dict[str, list[Group]]

    def all_groups(self) -> list[Group]:
        return [*self.groups, *(group for groups in self.variables.values() for group in groups)]


def make_plan(options: Options, sources: Sources) -> Plan:
    """What is in the package but for what needs the boot scripts."""
    groups: list[Group] = [erts_group(sources.erts)] if sources.erts is not None else []
    variables: dict[str, list[Group]] = {name: [] for name, _directory in options.script.variables}
    for found in sources.found:
        archive, directory = place(found, options.script.variables)
        (variables[archive] if archive else groups).append(application_group(found, directory, options.include))
    check_machines([*groups, *(group for members in variables.values() for group in members)], sources.erts)
    groups += [log_group(), extra_group(options.extra_files)]
    scripts = BootScripts(b"", b"", b"", b"relup" if sources.upgrades.releases else b"", [])
    check_names([*scripted_groups(sources, scripts), *groups])
    return Plan(groups, {name: members for name, members in variables.items() if members and options.var_tar != "omit"})


def scripted_groups(sources: Sources, scripts: BootScripts) -> list[Group]:
    """What systools made. The plain boot script is in the release directory, too: an upgrade has to bring bin/ up to date from there."""
    release, rel_name = sources.release, sources.stem + ".rel"
    files = {**sources.files, rel_name: sources.rel, "start.boot": scripts.boot, "start_clean.boot": scripts.plain_boot}
    if scripts.relup:
        files["relup"] = scripts.relup
    return [release_group(release.version, release.erts_version, files, rel_name), bin_group(scripts.plain_boot)]
