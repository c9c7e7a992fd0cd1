# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""XMPP clients that keep their sessions, and count what is lost on the way from one to the other: RFC 6120, without TLS, and logged in as anonymous."""

from __future__ import annotations

import collections
import itertools
import socket
import threading
import typing as t
import xml.etree.ElementTree as ET

from waiting import LIMIT, wait_until

HEADER = "<stream:stream to='localhost' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
AUTH = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>"
BIND = "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
VERSION = "<query xmlns='jabber:iq:version'/>"


class Session(threading.Thread):
    """A session of a new user on localhost. What comes is kept in stanzas; is_ended: the server has ended it."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.stanzas: list[ET.Element] = []
        self.is_ended = False
        self.numbers = itertools.count()
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=LIMIT)
        self.open_stream()
        assert self.exchange(AUTH).tag.endswith("}success")
        self.open_stream()
        self.address = self.exchange(BIND).findtext(".//{*}jid", "")
        assert self.address
        self.start()

    def open_stream(self) -> None:
        self.parser = ET.XMLPullParser(["start", "end"])
        self.events: collections.deque[tuple[str, ET.Element]] = collections.deque()
        self.depth = 0
        assert self.exchange(HEADER).tag.endswith("}features")

    def exchange(self, text: str) -> ET.Element:
        """The first answer, while nothing else reads."""
        self.send(text)
        return self.read()

    def send(self, text: str) -> None:
        self.socket.sendall(text.encode())

    def read(self) -> ET.Element:
        """The next stanza. Raises OSError if the session has ended."""
        while True:
            while self.events:
                event, element = self.events.popleft()
                self.depth += 1 if event == "start" else -1
                if event == "end" and self.depth == 1:
                    return element
            data = self.socket.recv(1 << 16)
            if not data:
                raise ConnectionError("the stream has ended")
            self.parser.feed(data)
            self.events.extend(t.cast("t.Iterator[tuple[str, ET.Element]]", self.parser.read_events()))

    def run(self) -> None:
        try:
            while True:
                self.stanzas.append(self.read())
        except OSError:
            self.is_ended = True

    def ask(self, query: str) -> ET.Element:
        """The server's answer to a query."""
        number = f"q{next(self.numbers)}"
        self.send(f"<iq type='get' id='{number}' to='localhost'>{query}</iq>")
        return wait_until(lambda: [stanza for stanza in self.stanzas if stanza.get("id") == number], "the server answers")[0]

    def notices(self) -> list[str]:
        """The texts of messages from nobody but the server, in their order."""
        return [stanza.findtext("{*}body", "") for stanza in self.stanzas if stanza.tag.endswith("}message") and not stanza.get("id")]

    def close(self) -> None:
        self.socket.close()


class Talk(threading.Thread):
    """One session sends messages to another one, until the block ends or the server ends a session; what has not come by then is lost.

    pace: seconds from one message to the next.
    """

    def __init__(self, port: int, pace: float = 0.02) -> None:
        super().__init__(daemon=True)
        self.pace = pace
        self.sender, self.receiver = Session(port), Session(port)
        self.sent: list[str] = []
        self.ending = threading.Event()

    def run(self) -> None:
        while not self.ending.wait(self.pace):
            number = f"m{len(self.sent)}"
            try:
                self.sender.send(f"<message type='chat' id='{number}' to='{self.receiver.address}'><body>{number}</body></message>")
            except OSError:
                return
            self.sent.append(number)

    def received(self) -> list[str]:
        return [stanza.get("id", "") for stanza in list(self.receiver.stanzas) if stanza.get("id")]

    def is_alive_on_both_sides(self) -> bool:
        return self.is_alive() and not self.sender.is_ended and not self.receiver.is_ended

    def is_cut(self) -> bool:
        return self.sender.is_ended and self.receiver.is_ended

    def another(self) -> None:
        """Wait until a message that is sent from now on has come."""
        # The one before may be on its way already, and not be counted yet.
        number = f"m{len(self.sent) + 1}"
        wait_until(lambda: number in self.received() or not self.is_alive_on_both_sides(), "another message comes")

    def lost(self) -> list[str]:
        """What was sent and has not come, after the last one has come or can't come any more; the order is the server's promise (RFC 6120, 10.1)."""
        self.ending.set()
        self.join()
        last = self.sent[-1]
        wait_until(lambda: last in self.received() or self.receiver.is_ended, "the last message comes")
        return [number for number in self.sent if number not in set(self.received())]

    def __enter__(self) -> Talk:
        self.start()
        self.another()
        return self

    def __exit__(self, *_error: object) -> None:
        self.ending.set()
        self.join()
        self.sender.close()
        self.receiver.close()
