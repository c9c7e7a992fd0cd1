# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection of thousand.py: a real host, whose answers are recorded, and emulated ones, which give these answers with their own names.

An answer belongs to what was asked: the module, its options with the name of the host taken out, check mode, and whether a package came along.
What the real host was never asked, an emulated one does not answer: it fails, and the benchmark with it.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import time
import typing as t

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = r"""
name: emulated
short_description: A real host of this machine, and others that answer as it does
description: For tests/benchmark/thousand.py. Its settings are in the environment, because they are those of a run.
author: the erlang.otp authors
options:
  host:
    description: The name of the host.
    default: inventory_hostname
    vars: [{name: inventory_hostname}]
  pipelining:
    description: The module comes through standard input.
    type: bool
    default: true
"""

REAL = "host0000"
# Real as well, because a run does other things for one host than for several. What it answers is not recorded.
TWIN = "twin0000"
SIZE = re.compile(r"stdin\.buffer\.read\((\d+)\)")
# What is another in each run, and changes no answer.
OF_THE_RUN = ("_run", "operator")


class Connection(ConnectionBase):  # type: ignore[misc]
    """settings: EMULATED_ANSWERS, the file of a run's answers; EMULATED_LATENCY, seconds of a round trip; EMULATED_LOSS, one host in so many is lost."""

    transport = "emulated"
    has_pipelining = True

    def _connect(self) -> Connection:
        host, loss = self.get_option("host"), int(os.environ["EMULATED_LOSS"])
        if host not in (REAL, TWIN) and int(host[4:]) % loss == loss // 2:
            raise AnsibleConnectionFailure(f"Failed to connect to the host via ssh: ssh: connect to host {host} port 22: No route to host")
        self._connected = True
        return self

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        self._connect()
        host, found = self.get_option("host"), SIZE.search(cmd)
        if not found or in_data is None:
            raise AnsibleError(f"nothing but a module of the collection was to come here: {cmd}")
        start = int(found[1])
        request = json.loads(in_data[start : in_data.index(b"\n", start)])
        mark, key = request["mark"], question(request, host)
        if host in (REAL, TWIN):
            done = subprocess.run(["/bin/sh", "-c", cmd], input=in_data, capture_output=True, check=False)
            if done.returncode:
                raise AnsibleError(f"the real host failed: {done.stderr.decode()}")
            if host == REAL:
                record(key, done.stdout.decode().replace(mark, "MARK"))
            return 0, done.stdout, done.stderr
        # A round trip takes half as long at times, and half as long again at others.
        time.sleep(float(os.environ["EMULATED_LATENCY"]) * random.uniform(0.5, 1.5))
        answer = recorded().get(key)
        if answer is None:
            raise AnsibleError(f"the real host was not asked this: {key}")
        return 0, answer.replace(REAL, host).replace("MARK", mark).encode(), b""

    def put_file(self, in_path: str, out_path: str) -> None:
        raise AnsibleError(f"no file was to come here: {in_path}")

    def fetch_file(self, in_path: str, out_path: str) -> None:
        raise AnsibleError(f"no file was to be taken from here: {in_path}")

    def close(self) -> None:
        self._connected = False


def question(request: dict[str, t.Any], host: str) -> str:
    """What is asked, the same for all hosts."""
    options = {name: value for name, value in request["params"].items() if name not in OF_THE_RUN}
    module, package = request["module"].rpartition(".")[2], request["package"] is not None
    return json.dumps([module, options, request["check_mode"], package], sort_keys=True).replace(host, REAL)


def recorded() -> dict[str, str]:
    """The answers of the real host, by question."""
    try:
        with open(os.environ["EMULATED_ANSWERS"], encoding="utf-8") as file:
            return dict(map(json.loads, file))
    except FileNotFoundError:
        return {}


def record(key: str, answer: str) -> None:
    """Raises AnsibleError if the same question had another answer: then an emulated host could not know which one is due."""
    if recorded().get(key, answer) != answer:
        raise AnsibleError(f"two answers to one question: {key}")
    with open(os.environ["EMULATED_ANSWERS"], "a", encoding="utf-8") as file:
        file.write(json.dumps([key, answer]) + "\n")
