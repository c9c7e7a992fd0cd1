# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A web server that takes PUT and GET of files below a directory, with a credential, as a package store."""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import threading
import typing as t
import urllib.parse
from pathlib import Path


class Handler(http.server.SimpleHTTPRequestHandler):
    """Requests without the header Authorization are refused. If-None-Match is heeded."""

    def __init__(self, *arguments: t.Any, server: Server, **more: t.Any) -> None:
        self.of = server
        super().__init__(*arguments, **more)

    def log_message(self, *dummy: object) -> None:
        self.of.asked.append((self.command, urllib.parse.unquote(self.path), self.headers.get("Authorization")))

    def is_let_in(self) -> bool:
        if self.headers.get("Authorization") == self.of.credential:
            return True
        self.send_error(401)
        return False

    def do_GET(self) -> None:
        if self.is_let_in():
            super().do_GET()

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if not self.is_let_in():
            return
        path = Path(self.translate_path(self.path))
        if path.exists() and self.headers.get("If-None-Match") == "*":
            self.send_error(412)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f"{path.name}.new")
        new.write_bytes(content)
        os.replace(new, path)
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()


class Server:
    """asked: method, path and credential of each request."""

    def __init__(self, directory: Path, credential: str) -> None:
        self.directory, self.credential = directory, credential
        self.asked: list[tuple[str, str, str | None]] = []
        self.url = ""

    @contextlib.contextmanager
    def at_work(self) -> t.Iterator[None]:
        """It serves on this machine alone."""
        self.directory.mkdir(exist_ok=True)
        handler = functools.partial(Handler, server=self, directory=str(self.directory))
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            self.url = f"http://127.0.0.1:{server.server_address[1]}"
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield
            finally:
                server.shutdown()
                thread.join()
