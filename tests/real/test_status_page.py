# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of playbooks/status.yml in a browser, with 500 hosts, some of which say what a hostile one would say.

What the page shows is compared with the document that the same report has for programs. test_status.py opens a page that the playbook has written.
"""

from __future__ import annotations

import collections
import json
import typing as t
from pathlib import Path

import jinja2
import pytest
from browser import DARK, LIGHT, Browser, Page, chromium

from ansible_collections.erlang.otp.plugins.filter.fleet_status import fleet_status
from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.fleet import STATES
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils.fleets import down, failed, said

TEMPLATE = Path(__file__).parents[2] / "playbooks/templates/status.html.j2"
# Each would fetch something, or set a variable, if it were not text.
HOSTILE = (
    "<script>pwned=1</script>",
    "\"><img src='http://127.0.0.1:9/leak' onerror='pwned=1'>",
    "'--></style></script></title><svg onload=pwned=1>",
    '<a href="javascript:pwned=1">x</a>{{ 6 * 7 }}${pwned=1}',
    "w" * 400,
)
HOSTS = "tbody tr[id]"
# The place of a column, and what sorts a host: numbers count as numbers, and not as text.
SORTED: dict[str, tuple[int, t.Callable[[dict[str, t.Any]], t.Any]]] = {
    "Host": (1, lambda host: int(host["host"].removeprefix("host").partition(".")[0])),
    "State": (2, lambda host: list(STATES).index(host["state"])),
    "Release": (3, lambda host: tuple(int(part) for part in (host["release"] or "0").split("."))),
    "Up": (6, lambda host: -1 if host["uptime"] is None else host["uptime"]),
}
# The contrast of the text of an element with what is behind it, as WCAG 2.2 computes it (success criterion 1.4.3), of all that are shown.
CONTRASTS = """(() => {
    const numbers = (color) => color.match(/[0-9.]+/g).map(Number);
    const part = (value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    const light = (color) => { const [r, g, b] = numbers(color).map((value) => part(value / 255)); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const behind = (e) => { const color = getComputedStyle(e).backgroundColor; return numbers(color)[3] === 0 ? behind(e.parentElement) : color; };
    const own = (e) => [...e.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    return [...document.body.querySelectorAll("*")].filter((e) => own(e) && e.checkVisibility()).map((e) => {
        const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((a, b) => b - a);
        return [(a + 0.05) / (b + 0.05), e.innerText.slice(0, 40)];
    });
})()"""


def host_variables() -> dict[str, dict[str, t.Any]]:
    """500 hosts, and what otp_release_info said of each: most are well; every 50th says what a hostile one would."""
    known = {}
    for number in range(1, 501):
        name, kind = f"host{number}.example.com", number % 50
        history = [
            {"time": f"2026-11-{day:02}T03:12:00Z", "action": "commit", "release": f"2.{day}", "from": None, "outcome": "ok", "reason": ""}
            for day in range(1, 6)
        ]
        releases = [{"name": "exchange", "version": f"2.{minor}", "applications": {"ssl": f"10.8.{minor}"}} for minor in (9, 10)]
        groups = ["all", "otp", "canary" if number < 10 else "coast" if number % 2 else "inland"]
        result = said("2.10", node=f"exchange@{name}", history=history, releases=releases, running={"uptime": (number * 7919) % 10**6})
        if kind == 0:
            text = HOSTILE[number // 50 % len(HOSTILE)]
            name = f"{number} {text}"
            entry = dict.fromkeys(history[0], text)
            result = {**said(text, permanent=text, name=text, node=text, history=[entry], disagreements=[text]), "failed_releases": {text: failed(text, text)}}
            groups.append(text)
        elif kind == 1:
            result = {"unreachable": True, "msg": f"ssh: connect to host {name} port 22: No route to host"}
        elif kind == 2:
            result = down("2.9", history=history, releases=releases)
        elif kind == 3:
            result = said("2.9", node=f"exchange@{name}", releases=releases, failed_releases={"2.10": failed()})
        known[name] = {"asked": result, "otp_node_name": f"exchange@{name}", "group_names": groups}
    return known


@pytest.fixture(scope="module")
def report() -> dict[str, t.Any]:
    known = host_variables()
    return fleet_status(known, hosts=list(known), register="asked", time="2026-11-30 12:00:00", application="ssl")


@pytest.fixture(scope="module")
def hosts(report: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    return t.cast("list[dict[str, t.Any]]", report["data"]["hosts"])


@pytest.fixture(scope="module")
def url(report: dict[str, t.Any], tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "fleet.html"
    # As the module template renders it.
    path.write_text(jinja2.Environment(trim_blocks=True).from_string(TEMPLATE.read_text("utf-8")).render(fleet=report["page"]), "utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


def names(page: Page) -> list[str]:
    return page.texts(f"{HOSTS} th")


def link_of(page: Page, name: str) -> str:
    """What finds the link to the history of the host whose name begins so."""
    rows = f"[...document.querySelectorAll('{HOSTS}')]"
    return f"#{page.value(f'{rows}.find((row) => row.textContent.startsWith({json.dumps(name)})).id')} .more"


def test_the_filter_shows_the_hosts_that_have_all_words(browser: Browser, url: str, hosts: t.Any) -> None:
    page = browser.open(url)
    assert names(page) == [host["host"] for host in hosts] and page.texts("output") == [""]
    page.type("input", "Route 1.example")
    assert names(page) == [host["host"] for host in hosts if host["state"] == "unreachable" and "1.example" in host["host"]] and len(names(page)) == 10
    assert page.texts("output") == ["10 of 500 hosts"]
    page.type("input", "canary")
    assert sorted(names(page)) == [f"host{number}.example.com" for number in range(1, 10)]
    page.type("input", "no such host")
    assert names(page) == [] and page.texts("output") == ["0 of 500 hosts"]
    page.type("input", "")
    assert len(names(page)) == 500 and not page.complaints()


@pytest.mark.parametrize("column", SORTED)
def test_a_click_sorts_and_another_one_turns_it_round(browser: Browser, url: str, hosts: t.Any, column: str) -> None:
    number, key = SORTED[column]
    page = browser.open(url)
    # What a hostile host says is somewhere, too.
    keys = {host["host"]: key(host) for host in hosts if host["host"].startswith("host")}
    for direction in ("ascending", "descending"):
        page.click(f"thead th:nth-child({number}) button")
        assert page.value("[...document.querySelectorAll('[aria-sort]')].map((e) => [e.textContent, e.ariaSort])") == [[column, direction]]
        shown = names(page)
        assert len(shown) == 500
        sorted_keys = [keys[name] for name in shown if name in keys]
        assert sorted_keys == sorted(keys.values(), reverse=direction == "descending") and len(set(sorted_keys)) > 1


@pytest.mark.parametrize("group", ["state", "release", "groups"])
def test_groups_count_and_fold(browser: Browser, url: str, hosts: t.Any, group: str) -> None:
    page = browser.open(url)
    page.choose("select", group)
    no_release = "no release is known to run"
    known = {
        "state": [host["state"] for host in hosts],
        "release": [f"{host['name']} {host['release']}" if host["release"] else no_release for host in hosts],
        # All are in otp.
        "groups": [", ".join(name for name in host["groups"] if name != "otp") for host in hosts],
    }[group]
    counted = collections.Counter(known)
    assert page.texts("tbody th[colspan]") == [f"{name} ({number})" for name, number in counted.items()]
    first, number = next(iter(counted.items()))
    page.click("tbody th[colspan] button")
    assert len(names(page)) == 500 - number and page.value("document.activeElement.textContent") == f"{first} ({number})"
    page.click("tbody th[colspan] button")
    assert len(names(page)) == 500
    page.type("input", "host1")
    assert sum(int(text.rpartition("(")[2][:-1]) for text in page.texts("tbody th[colspan]")) == len(names(page)) < 500
    page.choose("select", "")
    assert not page.texts("tbody th[colspan]") and not page.complaints()


def test_the_history_of_a_host_opens_below_it(browser: Browser, url: str, hosts: t.Any) -> None:
    page = browser.open(url)
    (host,) = [host for host in hosts if host["host"] == "host52.example.com"]
    link = link_of(page, "host52.")
    assert page.texts(link) == ["5 entries"] and not page.texts("tbody .past, .stories .past")
    page.click(link)
    shown = page.texts("tbody .past li")
    assert shown == [f"{entry['time'][:10]} 03:12:00 commit {entry['release']}: ok" for entry in reversed(host["history"])]
    assert page.value(f"document.querySelector({json.dumps(link)}).closest('tr').nextElementSibling.innerText").count("commit") == 5
    # It stays with its host.
    page.click("thead th:nth-child(1) button")
    assert page.value(f"document.querySelector({json.dumps(link)}).closest('tr').nextElementSibling.innerText").count("commit") == 5
    page.click(link)
    assert not page.texts("tbody .past li")


def test_a_link_to_a_host_finds_it_whatever_is_hidden(browser: Browser, url: str) -> None:
    page = browser.open(url)
    link = page.value("document.querySelector('.sums a').hash")
    page.choose("select", "state")
    page.click("tbody th[colspan] button")
    page.type("input", "coast")
    assert not page.texts(f"{link} th")
    page.click(".sums a")
    assert page.texts(f"{link} th") == page.texts(".sums a")[:1] == page.texts(":target th")
    page.click("tbody th[colspan] button")
    assert not page.texts(f"{link} th")
    page.click(".sums a")
    assert page.texts(f"{link} th")
    # It is not below the head of the table, which stays in sight.
    top, bottom = page.value(
        "[document.querySelector(':target').getBoundingClientRect().top, document.querySelector('thead th').getBoundingClientRect().bottom]"
    )
    assert 0 < bottom <= top < 900


def test_without_scripts_it_is_a_plain_table(browser: Browser, url: str, hosts: t.Any) -> None:
    page = browser.open(url, script=False)
    assert names(page) == [host["host"] for host in hosts] and not page.texts(".tools *") and not page.texts("button")
    link = link_of(page, "host52.")
    page.click(link)
    assert len(page.texts(":target .past li")) == 5


def test_where_an_application_is(browser: Browser, url: str, report: dict[str, t.Any]) -> None:
    page, found = browser.open(url), report["data"]["application"]
    shown = page.texts("main > .past li")
    places = [f"{place['version']}: in {place['name']} {place['release']}, which {'runs' if place['runs'] else 'is installed'}" for place in found["places"]]
    counts = [len(hosts) for hosts in (*(place["hosts"] for place in found["places"]), found["unknown"])]
    assert [text.partition(" on ")[0] for text in shown] == [*places, "perhaps"] and len(places) == 4
    assert [int(text.partition(" on ")[2].partition(" ")[0]) for text in shown] == counts
    assert page.texts("thead th")[7] == "ssl" and page.texts(f"{HOSTS} td:nth-child(8)")[0] == "not known"


@pytest.mark.parametrize(("width", "script"), [(320, True), (390, True), (390, False), (1100, True), (1280, False)])
def test_nothing_is_wider_than_the_window(browser: Browser, url: str, width: int, script: bool) -> None:
    """What a hostile host says has no end."""
    page = browser.open(url, width=width, height=844, script=script)
    if script:
        page.value("document.querySelectorAll('.more').forEach((link) => link.click())")
        page.choose("select", "groups")
    else:
        page.value("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    assert page.value("[innerWidth, document.documentElement.scrollWidth]") == [width, width]
    wide = f"[...document.body.querySelectorAll('*')].filter((e) => e.checkVisibility() && e.getBoundingClientRect().right > {width})"
    assert page.value(f"{wide}.map((e) => e.outerHTML.slice(0, 80))") == []


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", [LIGHT, DARK])
def test_all_text_can_be_read(browser: Browser, url: str, scheme: str, width: int) -> None:
    page = browser.open(url, width=width, scheme=scheme)
    paper = page.value("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == LIGHT)
    page.choose("select", "state")
    page.click(".more")
    contrasts = page.value(CONTRASTS)
    assert len(contrasts) > 2000 and min(contrasts)[0] >= 4.5, min(contrasts)


def test_what_a_hostile_host_says_is_text_and_nothing_leaves_the_page(browser: Browser, url: str, hosts: t.Any) -> None:
    page = browser.open(url)
    page.value("document.querySelectorAll('.more').forEach((link) => link.click())")
    page.choose("select", "groups")
    shown = page.value("document.body.innerText")
    assert all(text.replace(" ", "") in "".join(shown.split()) for text in HOSTILE)
    assert page.value("typeof pwned") == "undefined" and not page.value("document.querySelectorAll('img, svg, iframe, table script, [onerror]').length")
    assert page.requests() == [url] and not page.complaints()
    # If it were not text, the policy would refuse it, and what it asks for.
    page.value("document.body.append(Object.assign(document.createElement('script'), {textContent: 'pwned = 1'}))")
    page.value("document.body.append(Object.assign(document.createElement('img'), {src: 'http://127.0.0.1:9/leak'}))")
    page.value('document.body.insertAdjacentHTML(\'beforeend\', \'<p onclick="pwned = 1" style="color: red" id="odd">odd</p>\')')
    page.click("#odd")
    assert page.value("typeof pwned") == "undefined" and page.value("getComputedStyle(document.querySelector('#odd')).color") != "rgb(255, 0, 0)"
    refused = page.complaints()
    assert [sum(f"'{kind}" in text or f"{kind} " in text for text in refused) > 0 for kind in ("script-src", "style-src", "Loading the image")] == [True] * 3, (
        refused
    )
