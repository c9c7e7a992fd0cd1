# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What compiled code does not show of the way from one build to another: questions for the author of an appup, each with what may be written, and remarks."""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._formats.beam_module import Module
from ansible_collections.erlang.otp.plugins.module_utils._formats.debug_info import Source
from ansible_collections.erlang.otp.plugins.module_utils._terms.printer import format_term
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom

SUPERVISORS = frozenset(["supervisor", "Elixir.Supervisor", "Elixir.DynamicSupervisor"])
# A process of one of these behaviours does not become one of another.
BEHAVIOURS = {name: name for name in ("supervisor", "gen_server", "gen_statem", "gen_event", "gen_fsm")}
BEHAVIOURS.update({"Elixir.Supervisor": "supervisor", "Elixir.GenServer": "gen_server", "Elixir.DynamicSupervisor": "dynamic supervisor"})
CONVERSIONS = frozenset([("code_change", 3), ("code_change", 4), ("system_code_change", 4)])
LOAD_NIF = ("erlang", "load_nif", 2)
# Supervisors of Elixir without a callback module.
START_CHILDREN = ("Elixir.Supervisor", "start_link")

ON_LOAD = (
    "%(module)s runs code when it is loaded (on_load), or loads a library (NIF). If that may happen while processes use it, write"
    " {load_module, %(module)s}; otherwise {restart_application, %(application)s} in the place of all instructions."
)
OTHER_BEHAVIOUR = (
    "%(module)s was %(was)s and is %(now)s now. Processes stay what they were started as: have their supervisor end them before, and start them"
    " afterwards, or write {restart_application, %(application)s}."
)
INIT = "init/1 of the supervisor %(module)s"
INIT_REMEDY = (
    "{update, %(module)s, supervisor} starts no child and ends none. For a new child ID write {apply, {supervisor, restart_child, [%(module)s, ID]}}"
    " after it; for one that is gone {apply, {supervisor, terminate_child, [%(module)s, ID]}} and {apply, {supervisor, delete_child,"
    " [%(module)s, ID]}} before it; for the way back the other one."
)
LIST = "the function of %(module)s that starts a supervisor with a list of children"
LIST_REMEDY = (
    "An upgrade does not run it again. For a new child write {apply, {supervisor, start_child, [SUPERVISOR, SPECIFICATION]}}; for one that is gone"
    " {apply, {supervisor, terminate_child, [SUPERVISOR, ID]}} and {apply, {supervisor, delete_child, [SUPERVISOR, ID]}}; for the way back the other"
    " one."
)
OTHER_FIELDS = (
    "%(what)s had the fields (%(old)s) and has (%(new)s), in %(modules)s. What processes and tables keep, or send to each other meanwhile, has the old"
    " ones. Convert it in code_change of each process that keeps it, and give that {update, MODULE, {advanced, []}}; or write"
    " {restart_application, %(application)s}."
)
SEEN_HOW = "To have it compared, compile both builds with debug information and do not strip them (otp_strip, strip_beams of mix)."


class Pair(t.NamedTuple):
    """A module that has changed, before and after, with the source of each as far as it can be read."""

    old: Module
    new: Module
    old_source: Source | None
    new_source: Source | None

    @property
    def name(self) -> str:
        return self.new.name

    @property
    def sources(self) -> tuple[Source, Source] | None:
        """Both, if both can be read."""
        return (self.old_source, self.new_source) if self.old_source and self.new_source else None

    @property
    def converts(self) -> bool:
        """Whether its processes convert their state: code_change is there, and does not give it back as it was."""
        has = CONVERSIONS & self.new.exports
        return bool(has - self.new_source.trivial if self.new_source else has)


def is_supervisor(module: Module) -> bool:
    """Whether the module is the callback module of a supervisor."""
    if module.behaviours is not None:
        return bool(SUPERVISORS & module.behaviours)
    # A stripped file: what calls supervisor for itself.
    return ("init", 1) in module.exports and any(called in SUPERVISORS and name in ("start_link", "init") for called, name, _arity in module.imports)


def find_questions(pairs: t.Sequence[Pair], application: str) -> list[str]:
    """What the author has to decide."""
    return [question for pair in pairs for question in _about_module(pair, application)] + list(_about_fields(pairs, application))


def _about_module(pair: Pair, application: str) -> t.Iterator[str]:
    facts = {"module": text(pair.name), "application": text(application)}
    either = [source for source in (pair.old_source, pair.new_source) if source]
    if LOAD_NIF in pair.old.imports | pair.new.imports or any(source.on_load for source in either):
        yield ON_LOAD % facts
    was, now = ({BEHAVIOURS[name] for name in module.behaviours or () if name in BEHAVIOURS} for module in (pair.old, pair.new))
    if was and was != now and pair.new.behaviours is not None:
        yield OTHER_BEHAVIOUR % {**facts, "was": " and ".join(sorted(was)), "now": " and ".join(sorted(now)) or "none of OTP's behaviours"}
    elif is_supervisor(pair.old) and is_supervisor(pair.new):
        yield from _about_children(pair, [("init", 1)], INIT % facts, INIT_REMEDY % facts)
    elif any((*START_CHILDREN, 2) in module.imports for module in (pair.old, pair.new)):
        yield from _about_children(pair, [function for source in either for function in source.callers_of(START_CHILDREN)], LIST % facts, LIST_REMEDY)


def _about_children(pair: Pair, functions: t.Sequence[tuple[str, int]], what: str, remedy: str) -> t.Iterator[str]:
    if not pair.sources:
        yield f"Whether {what} has changed cannot be seen in stripped code. {SEEN_HOW} {remedy}"
    elif pair.sources[0].reached_from(functions) != pair.sources[1].reached_from(functions):
        yield f"{what} has changed, or what it calls. {remedy}"


def _about_fields(pairs: t.Sequence[Pair], application: str) -> t.Iterator[str]:
    """Records and structs with other fields: only a process of the one module that uses them can convert them."""
    using: dict[tuple[str, str, str], list[Pair]] = {}
    for pair in pairs:
        for what, old, new in _other_fields(pair):
            using.setdefault((what, ", ".join(old), ", ".join(new)), []).append(pair)
    for (what, before, after), users in sorted(using.items()):
        if len(users) > 1 or not users[0].converts:
            names = ", ".join(text(pair.name) for pair in users)
            yield OTHER_FIELDS % {"what": what, "old": before, "new": after, "modules": names, "application": text(application)}


def _other_fields(pair: Pair) -> t.Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    if pair.sources:
        old, new = pair.sources
        for name in sorted((old.used | new.used) & old.records.keys() & new.records.keys()):
            if old.records[name] != new.records[name]:
                yield f"record {text(name)}", old.records[name], new.records[name]
        if old.struct is not None and old.struct != new.struct:
            yield f"struct {text(pair.name)}", old.struct, new.struct or ()


def find_remarks(pairs: t.Iterable[Pair], touched: t.Iterable[Module]) -> list[str]:
    """What the author should know. touched: modules that have changed, are new, or are gone."""
    remarks = []
    unseen = [text(pair.name) for pair in pairs if not pair.sources]
    if unseen:
        remarks.append(f"Whether records and structs of {', '.join(unseen)} have changed cannot be seen in stripped code. {SEEN_HOW}")
    protocols = [text(module.name) for module in touched if {("__protocol__", 1), ("__impl__", 1)} & module.exports]
    if protocols:
        remarks.append(f"{', '.join(protocols)}: mix consolidates protocols of Elixir beside the applications, and no instruction of an appup loads those.")
    return remarks


def text(name: str) -> str:
    """The atom as it is written in Erlang."""
    return format_term(Atom(name))
