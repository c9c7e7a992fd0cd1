# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The view of a run as lines of text: one for each host, the reason below one that failed, and a bar for the batch. Pure."""

from __future__ import annotations

import collections
import typing as t
import unicodedata

from ansible_collections.erlang.otp.plugins.plugin_utils._live.view import Host, View

# Adds the colour of a kind (good, bad, active, dim) to a text.
Paint = t.Callable[[str, str], str]


class Signs(t.NamedTuple):
    """What the terminal's encoding has."""

    spinner: str
    good: str
    bad: str
    arrow: str
    full: str
    empty: str
    more: str


UNICODE = Signs("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "✓", "✗", "→", "█", "░", "…")
ASCII = Signs("|/-\\", "+", "x", "->", "#", ".", "~")
# Characters: the bar, and the least that is left for a step.
BAR = 20
LEAST = 20
# Outcomes of hosts at which nothing was done.
WAITS = ("not reached", "held back", "not restarted")


def signs_for(encoding: str | None) -> Signs:
    """Those that a terminal of this encoding shows."""
    try:
        "".join(UNICODE).encode(encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return ASCII
    return UNICODE


def frame(view: View, *, width: int, height: int, now: float, tick: int, signs: Signs = UNICODE, paint: Paint = lambda text, kind: text) -> list[str]:
    """The lines, at most so many, none of them wider. now: of time.monotonic(); tick: turns the spinner."""
    hosts = list(view.hosts.values())
    if not hosts or width < 2 or height < 1:
        return []
    shown, left = chosen(hosts, height - 1)
    names = min(max(columns(host.name) for host in shown) if shown else 0, max(8, width // 4))
    releases = [f"{host.before or '?'} {signs.arrow} {host.after}" if host.after and host.after != host.before else host.before for host in shown]
    between = max(map(columns, releases), default=0)
    # On a narrow terminal the step counts more.
    between = between if width - names - between - 16 >= LEAST else 0
    lines = []
    for host, release in zip(shown, releases):
        kind = kind_of(host)
        mark = {"active": signs.spinner[tick % len(signs.spinner)], "good": signs.good, "bad": signs.bad, "dim": " "}[kind]
        what = host.step if host.is_active else host.outcome or ("failed" if host.is_bad else host.step)
        seconds = now - host.began if host.began is not None else host.seconds
        cells = [mark, padded(host.name, names, signs), *([padded(release, between, signs)] if between else [])]
        lines.append(line_of("  ".join(cells), what, f"{seconds:.0f} s" if seconds is not None else "", width, signs, kind, paint))
        if reason_of(host):
            lines.append(paint(cut(f"     {reason_of(host)}", width - 1, signs), "bad"))
    if left and len(lines) < height - 1:
        lines.append(paint(cut(f"   {signs.more} {counted(left)}", width - 1, signs), "dim"))
    return [*lines[: height - 1], cut(bar_of(view, signs), width - 1, signs)]


def reason_of(host: Host) -> str:
    return host.reason if host.is_bad and not host.is_active else ""


def kind_of(host: Host) -> str:
    return "active" if host.is_active else "bad" if host.is_bad else "good" if host.outcome and host.outcome not in WAITS else "dim"


def chosen(hosts: list[Host], lines: int) -> tuple[list[Host], list[Host]]:
    """Those to show in so many lines, and the others: first what failed and what is worked on, in the order of the inventory."""

    def taken(host: Host) -> int:
        return 2 if reason_of(host) else 1

    if sum(map(taken, hosts)) <= lines:
        return hosts, []
    free, names = lines - 1, set()
    # Of the failed ones no more than half, so that what goes on is seen as well.
    order = {"bad": 0, "active": 1, "dim": 2, "good": 3}
    ranked = sorted(hosts, key=lambda host: order[kind_of(host)])
    bad = [host for host in ranked if kind_of(host) == "bad"]
    active = sum(kind_of(host) == "active" for host in hosts)
    allowed = max(free - active, free // 2)
    for host in ranked:
        room = min(free, allowed) if host in bad else free
        if taken(host) > room:
            continue
        names.add(host.name)
        free -= taken(host)
        allowed -= taken(host) if host in bad else 0
    return [host for host in hosts if host.name in names], [host for host in hosts if host.name not in names]


def counted(hosts: list[Host]) -> str:
    """How many there are, by their steps and outcomes."""
    words = collections.Counter("active" if host.is_active else host.outcome or ("failed" if host.is_bad else host.step or "idle") for host in hosts)
    return f"{len(hosts)} more: {', '.join(f'{count} {word}' for word, count in words.most_common())}"


def bar_of(view: View, signs: Signs) -> str:
    """How many hosts of the batch have come to their end; in a play that brings no release, to that of the task."""
    batch = [view.hosts[name] for name in view.batch if name in view.hosts]
    brings = any(host.before or host.outcome for host in batch)
    ended = sum(not host.is_active and bool(host.outcome or host.is_bad or not brings and host.has_ended_task) for host in batch)
    of = "of the batch" if brings else "of the task"
    full = BAR * ended // len(batch) if batch else 0
    failed = sum(host.is_bad for host in view.hosts.values())
    more = f", {failed} failed" if failed else ""
    return f"[{signs.full * full}{signs.empty * (BAR - full)}] {ended}/{len(batch)} {of}{more}  {view.play if brings else view.task}"


def line_of(begin: str, what: str, end: str, width: int, signs: Signs, kind: str, paint: Paint) -> str:
    """One line: its end is at the right, and the middle is cut. The last column stays free, where terminals wrap."""
    room = width - 1 - columns(begin) - 4 - max(6, len(end))
    if room < 1:
        return paint(cut(f"{begin}  {what}", width - 1, signs), kind)
    return paint(f"{begin}  {padded(what, room, signs)}  {end:>6}", kind)


def padded(text: str, width: int, signs: Signs) -> str:
    text = cut(text, width, signs)
    return text + " " * (width - columns(text))


def cut(text: str, width: int, signs: Signs) -> str:
    """The beginning of the text in so many columns."""
    if columns(text) <= width:
        return text
    while text and columns(text) > width - columns(signs.more):
        text = text[:-1]
    return (text + signs.more) if width >= columns(signs.more) else ""


def columns(text: str) -> int:
    """How many columns a terminal takes for the text."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(sign) or unicodedata.category(sign) in ("Cf", "Me") else 1 + (unicodedata.east_asian_width(sign) in "WF") for sign in text
    )
