# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A browser without a window, Debian's chromium-headless-shell, told what to do through two pipes (--remote-debugging-pipe).

It speaks Chromium's own protocol, JSON between zero bytes: https://chromedevtools.github.io/devtools-protocol/. A click is one of the mouse.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import select
import subprocess
import time
import typing as t
from pathlib import Path

from waiting import LIMIT

# The pipes must be 3 and 4.
COMMAND = 'exec chromium-headless-shell --remote-debugging-pipe --user-data-dir="$1" --disable-dev-shm-usage --hide-scrollbars $2 3<&"$3" 4>&"$4"'
DARK, LIGHT = "dark", "light"


@contextlib.contextmanager
def chromium(directory: Path) -> t.Iterator[Browser]:
    """A browser with an empty profile below this directory."""
    (told, tell), (answers, answer) = os.pipe(), os.pipe()
    # Its sandbox refuses root.
    as_root = "--no-sandbox" if os.geteuid() == 0 else ""
    command = ["bash", "-c", COMMAND, "browser", str(directory / "profile"), as_root, str(told), str(answer)]
    with (directory / "browser.log").open("wb") as log, subprocess.Popen(command, pass_fds=(told, answer), stdout=log, stderr=log) as process:
        os.close(told)
        os.close(answer)
        try:
            yield (browser := Browser(tell, answers))
            # So it ends with all its processes, and none of them writes into the profile any more.
            browser.call("Browser.close")
            process.wait(LIMIT)
        finally:
            process.kill()
            os.close(tell)
            os.close(answers)


class Browser:
    """events: what it has reported, beside answers."""

    def __init__(self, tell: int, answers: int) -> None:
        self._tell, self._answers, self._rest = tell, answers, b""
        self._numbers = itertools.count(1)
        self.events: list[dict[str, t.Any]] = []

    def call(self, method: str, session: str | None = None, **parameters: t.Any) -> dict[str, t.Any]:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters, **({"sessionId": session} if session else {})}
        os.write(self._tell, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != number:
            self.events.append(answer)
        assert "error" not in answer, answer
        return t.cast("dict[str, t.Any]", answer["result"])

    def wait_for(self, method: str, session: str) -> None:
        while not any(event["method"] == method and event.get("sessionId") == session for event in self.events):
            self.events.append(self._next())

    def _next(self) -> dict[str, t.Any]:
        end = time.monotonic() + LIMIT
        while b"\0" not in self._rest:
            readable = select.select([self._answers], [], [], max(0.0, end - time.monotonic()))[0]
            block = os.read(self._answers, 1 << 20) if readable else b""
            assert block, "the browser says nothing more: see browser.log"
            self._rest += block
        message, _zero, self._rest = self._rest.partition(b"\0")
        return t.cast("dict[str, t.Any]", json.loads(message))

    def open(self, url: str, *, width: int = 1280, height: int = 900, scheme: str = LIGHT, script: bool = True) -> Page:
        """The page, loaded, in a window of this size. script: whether its scripts may run."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        page = Page(self, self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])
        for domain in ("Page", "Network", "Runtime", "Log"):
            page.call(f"{domain}.enable")
        page.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500)
        page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        page.call("Emulation.setScriptExecutionDisabled", value=not script)
        page.call("Page.navigate", url=url)
        self.wait_for("Page.loadEventFired", page.session)
        return page


class Page:
    """A page of the browser."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser, self.session = browser, session

    def call(self, method: str, **parameters: t.Any) -> dict[str, t.Any]:
        return self._browser.call(method, self.session, **parameters)

    def value(self, expression: str) -> t.Any:
        """Of an expression of JavaScript, as plain data."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def texts(self, selector: str) -> list[str]:
        """What is shown of the elements, those that are not shown left out."""
        return t.cast(
            "list[str]", self.value(f"[...document.querySelectorAll({json.dumps(selector)})].filter((e) => e.checkVisibility()).map((e) => e.innerText.trim())")
        )

    def click(self, selector: str) -> None:
        """The mouse, in the middle of the element."""
        find = f"document.querySelector({json.dumps(selector)})"
        self.value(f"{find}.scrollIntoView({{block: 'center'}})")
        x, y = self.value(f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])({find}.getClientRects()[0])")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def type(self, selector: str, text: str) -> None:
        """In the place of what is there."""
        self.value(f"document.querySelector({json.dumps(selector)}).select()")
        self.call("Input.insertText", text=text)
        if not text:
            for kind in ("keyDown", "keyUp"):
                self.call("Input.dispatchKeyEvent", type=kind, key="Delete", code="Delete", windowsVirtualKeyCode=46)

    def choose(self, selector: str, value: str) -> None:
        """An entry of a list; a list is drawn by the system, and has no element to click."""
        self.value(
            f"((list) => {{ list.value = {json.dumps(value)}; list.dispatchEvent(new Event('change')); }})(document.querySelector({json.dumps(selector)}))"
        )

    def requests(self) -> list[str]:
        """The addresses that the page has asked for."""
        found = [event["params"]["request"]["url"] for event in self._events("Network.requestWillBeSent")]
        return found

    def complaints(self) -> list[str]:
        """Errors of scripts, and what the policy of the page has refused."""
        thrown = [event["params"]["exceptionDetails"]["text"] for event in self._events("Runtime.exceptionThrown")]
        logged = [event["params"]["entry"]["text"] for event in self._events("Log.entryAdded")]
        return thrown + logged

    def _events(self, method: str) -> list[dict[str, t.Any]]:
        # An answer comes after all that was reported before.
        self.value("1")
        return [event for event in self._browser.events if event["method"] == method and event.get("sessionId") == self.session]

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """A PNG file of the window, or of the whole page."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=whole)["data"]))
