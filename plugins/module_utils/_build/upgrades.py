# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The earlier releases that a relup leads from and to, checked and laid out for systools: appup(4), relup(4) and systools:make_relup/4."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._build.applications import Found
from ansible_collections.erlang.otp.plugins.module_utils._build.earlier_release import Earlier, Search, find_ebins, read_earlier, versions_of
from ansible_collections.erlang.otp.plugins.module_utils._build.made_appup import MadeAppup
from ansible_collections.erlang.otp.plugins.module_utils._build.missing_appups import can_be_made, make_missing_appups
from ansible_collections.erlang.otp.plugins.module_utils._build.systools import AppupUse, Diagnostic
from ansible_collections.erlang.otp.plugins.module_utils._core.checksum import sha256
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file, write_file
from ansible_collections.erlang.otp.plugins.module_utils._core.options import named
from ansible_collections.erlang.otp.plugins.module_utils._formats.appup import parse_appup
from ansible_collections.erlang.otp.plugins.module_utils._formats.relup import parse_relup
from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import Release, format_rel
from ansible_collections.erlang.otp.plugins.module_utils._formats.significant import is_same_file, significant
from ansible_collections.erlang.otp.plugins.module_utils._package.contents import read_digests
from ansible_collections.erlang.otp.plugins.module_utils._package.thin_base import read_base
from ansible_collections.erlang.otp.plugins.module_utils._tree.made_from import MadeFrom

# OTP's own appups of these have a new emulator started (appup(4), restart_new_emulator); of ERTS, which has none, systools itself does.
CORE = ("erts", "kernel", "stdlib", "sasl")
# For an appup that leads from other versions.
THROUGH = (
    " If an earlier release has a version from which the appup leads, nodes can go through that release: have its relup lead from what they run, by the"
    " playbook erlang.otp.upgrade for that release, with --tags build; or upgrade them to it first."
)


class Upgrades(t.NamedTuple):
    """The earlier releases, the appup files by application that lead from and to them, and warnings about them. made: appups that were missing.

    relup: the one that was written by hand, for which no appups are needed.
    """

    up: tuple[Earlier, ...] = ()
    down: tuple[Earlier, ...] = ()
    appups: dict[str, bytes] = {}
    notes: tuple[Diagnostic, ...] = ()
    made: dict[str, MadeAppup] = {}
    relup: bytes = b""

    @property
    def identity(self) -> t.Any:
        """What a relup depends on, beside the release that it is for."""
        return [earlier.identity for earlier in self.up], [earlier.identity for earlier in self.down], sorted(self.appups.items()), self.relup

    @property
    def releases(self) -> list[Earlier]:
        """All earlier releases, each once."""
        return list({earlier.path: earlier for earlier in (*self.up, *self.down)}.values())


def read_upgrades(
    upgrade_from: t.Sequence[str],
    downgrade_to: t.Sequence[str],
    search: Search,
    release: Release,
    found: t.Sequence[Found],
    *,
    generate: bool = False,
    between: t.Mapping[str, t.Sequence[str]] | None = None,
    given: GivenRelup | None = None,
) -> Upgrades:
    """Read and check the earlier releases of the release, whose applications were found. generate: make appups that do not exist. Raises OtpError.

    between: other releases, by the path of an earlier one; the first of them from which there are appups takes its place if it has none.
    given: a relup that leads from and to all of them, so that neither appups nor others in between are needed.
    """
    read: dict[str, Earlier] = {}
    sides = []

    def is_direct(path: str) -> bool:
        earlier = read[path] = read.get(path) or read_earlier(path, "upgrade_from", search)
        try:
            made = make_missing_appups(found, [earlier]) if generate else {}
            _read_appups([earlier], [earlier] if downgrade_to else [], release, found, made)
        except OtpError:
            return False
        return True

    nearest = {} if given else {path: next(filter(is_direct, (path, *others)), path) for path, others in (between or {}).items()}
    for option, paths in (("upgrade_from", upgrade_from), ("downgrade_to", downgrade_to)):
        side: dict[str, Earlier] = {}
        for path in dict.fromkeys(nearest.get(path, path) for path in paths):
            earlier = read[path] = read.get(path) or read_earlier(path, option, search)
            if earlier.release.version == release.version:
                raise OtpError(
                    f"{option}: {earlier.path} is version {release.version}, as the release to be built is."
                    " Name another release, or give the new one another version."
                )
            other = side.setdefault(earlier.release.version, earlier)
            if other.path != earlier.path:
                raise OtpError(f"{option}: {other.path} and {earlier.path} are both version {earlier.release.version}. Leave one of them out.")
        sides.append(tuple(side.values()))
    up, down = sides
    notes = [
        Diagnostic("other_name", earlier.release.name, f"{earlier.path} is release {earlier.release.name}, but the release that is built is {release.name}.")
        for earlier in {earlier.path: earlier for earlier in (*up, *down)}.values()
        if earlier.release.name != release.name
    ]
    if given:
        given.check(up, down, release)
        return Upgrades(up, down, notes=tuple(notes), relup=given.content)
    made = make_missing_appups(found, list({earlier.path: earlier for earlier in (*up, *down)}.values())) if generate else {}
    appups, more_notes = _read_appups(up, down, release, found, made)
    return Upgrades(up, down, appups, (*notes, *more_notes), made)


class GivenRelup(t.NamedTuple):
    """A relup that was written by hand, and the file or the option that it is from."""

    content: bytes
    source: str

    def check(self, up: t.Sequence[Earlier], down: t.Sequence[Earlier], release: Release) -> None:
        """Raise OtpError if it is not for this release, or does not lead from and to each of the others (relup(4))."""
        relup = parse_relup(self.content, filename=self.source)
        if relup.version != release.version:
            raise OtpError(
                f"{self.source} is a relup to release {relup.version}, but the package is release {release.version}. Give the relup to that release."
            )
        if not up and not down:
            raise OtpError(f"{self.source}: set {named('upgrade_from')} to the releases from which this relup leads.")
        for direction, side, words in (("up", up, "up from"), ("down", down, "down to")):
            has = ", ".join(script.version for script in getattr(relup, direction)) or "none"
            for earlier in side:
                if relup.script(direction, earlier.release.version) is None:
                    raise OtpError(f"{self.source} has no instructions {words} release {earlier.release.version} (it has: {has}): see relup(4).")


def _read_appups(
    up: t.Sequence[Earlier], down: t.Sequence[Earlier], release: Release, found: t.Iterable[Found], made: t.Mapping[str, MadeAppup]
) -> tuple[dict[str, bytes], list[Diagnostic]]:
    """The appup of each application of which an earlier release has another version, and notes. Raises OtpError with all that is missing."""
    appups: dict[str, bytes] = {}
    ways_out = {}
    notes: list[Diagnostic] = []
    missing: list[str] = []
    for application in found:
        steps = [
            AppupStep(direction, application, earlier.versions[application.name], earlier.release.version)
            for direction, side in (("up", up), ("down", down))
            for earlier in side
            if earlier.versions.get(application.name, application.version) != application.version
        ]
        if not steps:
            continue
        path = os.path.join(application.ebin, application.name + ".appup")
        content = made[application.name].content if application.name in made else read_file(path)
        if content is None:
            if can_be_made(application):
                ways_out["make"] = f" Appups that do not exist can be made from compiled code: set {named('appup')} to generate."
            missing += [step.sentence(f"{path} does not exist") for step in steps]
            continue
        appup = parse_appup(content, filename=path)
        appups[application.name] = content
        for step in steps:
            if not appup.has(step.direction, step.version):
                has = appup.versions(step.direction)
                from_or_to = "up from" if step.direction == "up" else "down to"
                lack = f"{path} has no instructions {from_or_to} {step.version} (it has: {has if len(has) <= 200 else has[:197] + '...'})"
                missing.append(step.sentence(lack))
                if step.direction == "up" and has != "none":
                    ways_out["through"] = THROUGH
        if appup.version != application.version:
            notes.append(Diagnostic("bad_vsn", appup.version, f"{path} is for version {appup.version}, but the application has {application.version}."))
    if missing:
        raise OtpError(f"A relup for release {release.name} {release.version} can't be made. {' '.join(missing)}{''.join(ways_out.values())}")
    return appups, notes


class AppupStep(t.NamedTuple):
    """A step that an .appup must have: "up" from this version of the application, which an earlier release has, or "down" to it."""

    direction: str
    application: Found
    version: str
    release: str

    def sentence(self, lack: str) -> str:
        if self.direction == "up":
            goal, start, end = f"upgraded from release {self.release}", self.version, self.application.version
        else:
            goal, start, end = f"downgraded to release {self.release}", self.application.version, self.version
        return f"To be {goal}, application {self.application.name} goes from {start} to {end}, but {lack}: see appup(4)."


class Layout(t.NamedTuple):
    """What systools finds in its work directory: names of .rel files, ebin directories, and what was seen on the way.

    made: directories with appups, to come first. uses: of appups.
    """

    up: list[str]
    down: list[str]
    ebins: list[str]
    notes: list[Diagnostic]
    made: list[str] = []
    uses: list[AppupUse] = []


def lay_out(upgrades: Upgrades, found: t.Sequence[Found], directory: str) -> Layout:
    """Put the earlier releases into the work directory. Raises OtpError."""
    names, ebins, notes, made = {}, {}, [], []
    for application in found:
        if application.made_appup is not None:
            # systools takes the appup beside the first .app file that it finds.
            made.append(os.path.join(directory, "made", application.name))
            os.makedirs(made[-1])
            for suffix, content in ((".app", application.app_file), (".appup", application.made_appup)):
                write_file(os.path.join(made[-1], application.name + suffix), content, flush=False)
    for number, earlier in enumerate(upgrades.releases):
        names[earlier.path] = name = f"earlier{number}"
        with open(os.path.join(directory, name + ".rel"), "wb") as file:
            file.write(format_rel(earlier.release))
        same = [application for application in found if earlier.versions.get(application.name) == application.version]
        where = find_ebins(earlier, os.path.join(directory, name), [application.name for application in same])
        notes += [note for application in same for note in _compare(application, where[application.name], earlier)]
        ebins.update(dict.fromkeys(where.values()))
    uses = [
        AppupUse(direction, names[earlier.path], item.name, item.ebin + f"/{item.name}.appup", earlier.versions[item.name])
        for direction, side in (("up", upgrades.up), ("dn", upgrades.down))
        for earlier in side
        for item in found
        # One that was made is never wrong in itself.
        if item.made_appup is None and earlier.versions.get(item.name, item.version) != item.version
    ]
    up, down = ([names[earlier.path] for earlier in side] for side in (upgrades.up, upgrades.down))
    return Layout(up, down, list(ebins), notes, made, uses)


def _compare(application: Found, ebin: str, earlier: Earlier) -> t.Iterator[Diagnostic]:
    """A note if application NAME-VERSION has other content than before: release_handler keeps the copy that it has."""
    if ebin == application.ebin:
        return
    name = application.name + ".app"
    before = read_file(os.path.join(ebin, name)) or b""
    changed = [name] if before != application.app_file and [*significant(name, before)] != [*significant(name, application.app_file)] else []
    for module in application.application.modules:
        paths = [os.path.join(place, module + ".beam") for place in (ebin, application.ebin)]
        if not all(map(os.path.exists, paths)) or not is_same_file(*paths):
            changed.append(module + ".beam")
    if changed:
        listed = ", ".join(changed[:5]) + (f" and {len(changed) - 5} more" if len(changed) > 5 else "")
        sentence = f"{application.name}-{application.version} of release {earlier.release.version} ({earlier.path}) has other content: {listed}."
        yield Diagnostic("same_version", f"{application.name}-{application.version}", f"{sentence} An upgrade would not install it: change its version.")


def made_from(upgrades: Upgrades) -> MadeFrom:
    """From which packages the relup is made, by the version of the earlier release. Raises OtpError."""
    found = {}
    for earlier in upgrades.releases:
        base = earlier.package and read_base(earlier.package)
        digests = read_digests(earlier.package) if earlier.package else {}
        found[earlier.release.version] = {
            "sha256": "" if not earlier.package else base.full if base else sha256(earlier.package),
            "applications": {item.name: item.version for item in earlier.release.applications},
            "libraries": {path: digest for path, digest in digests.items() if path.startswith(("lib/", "erts-"))},
        }
    return found


def describe_upgrade_paths(upgrades: Upgrades, release: Release, relup: bytes) -> list[dict[str, t.Any]]:
    """The upgrades and downgrades in the relup, a mapping for each, as the module returns them."""
    parsed = parse_relup(relup, filename="relup")
    here = versions_of(release)
    paths = []
    for direction, side in (("up", upgrades.up), ("down", upgrades.down)):
        for earlier in side:
            script = parsed.script(direction, earlier.release.version)
            if script is None:  # Of one that was given, this has been checked.
                raise OtpError(f"systools made a relup without release {earlier.release.version}.")
            there = earlier.release.version, earlier.versions
            (start, before), (end, after) = (there, (release.version, here)) if direction == "up" else ((release.version, here), there)
            paths.append(
                {
                    "direction": direction,
                    "from": start,
                    "to": end,
                    "restarts": script.restart,
                    "instructions": len(script.instructions),
                    "core_changes": [f"{name} {before.get(name)} -> {after.get(name)}" for name in CORE if before.get(name) != after.get(name)],
                }
            )
    return paths
