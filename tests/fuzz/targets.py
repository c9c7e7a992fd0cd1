# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parsers of what a node, its user, a box or a package writes, each as a function of bytes, with what is done to the value afterwards."""

from __future__ import annotations

import gzip
import io
import os
import tempfile
import typing as t
import zlib

from ansible_collections.erlang.otp.plugins.module_utils._build.appup_rules import compare
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats import (
    appup,
    beam,
    beam_module,
    dynamic,
    elf,
    releases_file,
    relup,
    resource,
    substitute,
    sys_config,
    tar_reader,
)
from ansible_collections.erlang.otp.plugins.module_utils._formats.gzip_reader import Inflated
from ansible_collections.erlang.otp.plugins.module_utils._install.variable_libraries import find_places
from ansible_collections.erlang.otp.plugins.module_utils._node import call_errors, epmd, log_tail, release_handler, run_erl_console
from ansible_collections.erlang.otp.plugins.module_utils._package import extract, read, thin_base
from ansible_collections.erlang.otp.plugins.module_utils._terms import etf_decoder, parser, plain_data, printer
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import identity
from ansible_collections.erlang.otp.plugins.module_utils._tree import client_tree, history, mark, record
from ansible_collections.erlang.otp.plugins.plugin_utils._box.inspection import parse_inspection
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils._node import distribution_peer as peer

NAME = "RELEASES"


def used(term: t.Any) -> None:
    """What is done to any term: it is shown, printed, compared, and made data."""
    assert len(printer.shortened(term, 300)) <= 300
    identity(term)
    for change in (plain_data.from_term, parser.format_term, parser.as_text):
        try:
            change(term)
        except OtpError:
            # A term that is no text, or too large to be printed.
            pass


def etf(data: bytes) -> None:
    used(etf_decoder.decode(data))


def etf_compressed(data: bytes) -> None:
    used(etf_decoder.decode(b"\x83P" + len(data).to_bytes(4, "big") + zlib.compress(data, 1)))


def distribution(data: bytes) -> None:
    protocol = peer.protocol()
    protocol.receive(peer.HANDSHAKE)
    protocol.call("m", "f", [])
    for event in protocol.receive(data):
        call_errors.value_of(event.outcome, "m:f/0")  # type: ignore[union-attr]


def handshake(data: bytes) -> None:
    peer.protocol().receive(data)


def epmd_answer(data: bytes) -> None:
    try:
        epmd.parse_answer(data)
    except ValueError as error:
        # What look_up() makes an error of.
        assert len(str(error)) <= 60


def console(data: bytes) -> None:
    shown = data[-run_erl_console.MAX_SHOWN :]
    for pattern in (run_erl_console.JOB_CONTROL, run_erl_console.PROMPT):
        pattern.search(shown)


def running(data: bytes) -> None:
    """The answer to release_handler.QUESTION, and to others that have a type."""
    answer = etf_decoder.decode(data)
    for read_answer in (lambda answer: release_handler._running("n@h", *answer), lambda answer: [release_handler._known(*one) for one in answer]):
        try:
            release_handler.understood(answer, read_answer, "asked")
        except release_handler.BadAnswer:
            pass
    call_errors.value_of(answer, "m:f/0")


def terms(data: bytes) -> None:
    for term in parser.consult_bytes(data, filename=NAME):
        used(term)


def substituted(data: bytes) -> None:
    substitute.substitute_percent(data, {"ROOT": "/srv/x"})
    text, replacements = substitute.substitute(data.decode("latin-1"), {"HOME": "a\nb"}, filename=NAME)
    sys_config.parse_sys_config(text.encode(), source=NAME, replacements=replacements)


def read_mark(data: bytes) -> None:
    found = mark.parse(data)
    if found is not None:
        assert len(str(found)) < 2000 and found.described()


def read_history(data: bytes) -> None:
    entries = history.parse(data)
    for release in {entry["release"] for entry in entries[-20:]} | {"1"}:
        history.failure_of(entries, release)
        history.came_through(entries, release)
        history.previous(entries, release, ["1", "2"])
        history.missing_commit(entries, release, ["1"])
        history.has_removal(entries, release)
    history.uncommitted(entries)


def read_record(data: bytes) -> None:
    found = record.parse_record(data)
    if found is not None:
        record._is_whole("/nowhere", found, "/nowhere")


def tar(data: bytes) -> None:
    """With checksums that are right, as an attacker makes them."""
    content = bytearray(data)
    for start in range(0, min(len(content), 1 << 16) - 511, 512):
        if content[start + 257 : start + 262] == b"ustar":
            content[start + 148 : start + 156] = b" " * 8
            content[start + 148 : start + 156] = b"%06o\0 " % sum(content[start : start + 512])
    _package(gzip.compress(bytes(content), 1))
    thin_base.find_base(bytes(content), package=NAME)


def _package(data: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        with Inflated(file.name) as stream:
            for dummy, member, pieces in extract.checked_members(stream, max_size=1 << 24):
                for dummy_piece in pieces:
                    pass
                assert member.size >= 0
        read.read_upgrade_paths(file.name)
        thin_base.read_base(file.name)


def tar_alone(data: bytes) -> None:
    stream = thin_base._Head(data)
    for member in tar_reader.members(stream):
        assert member.size >= 0


def program(data: bytes) -> None:
    found = elf.parse_program(io.BytesIO(data), NAME)
    assert found.kind


def needs(data: bytes) -> None:
    found = dynamic.read_dynamic(io.BytesIO(data))
    assert found is None or sum(map(len, found.needs.values())) <= dynamic._ENTRIES


def code(data: bytes) -> None:
    beam.code_of(data)
    list(beam.chunks(data))


def module(data: bytes) -> None:
    parsed = beam_module.parse_module(data, filename=NAME)
    compare("pea", "1.0", {parsed.name: parsed._replace(digest="")}, {parsed.name: parsed})


def debug(data: bytes) -> None:
    parsed = beam_module.Module("m", frozenset(), frozenset([("Elixir.Supervisor", "start_link", 2)]), None, data, "1")
    compare("pea", "1.0", {"m": parsed}, {"m": parsed._replace(digest="2")})


def log(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        for name in ("erlang.log.1", "erl_crash.dump"):
            with open(os.path.join(directory, name), "wb") as file:
                file.write(data)
        words = log_tail.last_words(directory)
    assert not set(words) & set("\x1b\x9b\x07\u202e") and len(words) < 20_000


def boot_script(data: bytes) -> None:
    find_places(b"$SECOND_ROOT/" + data, resource.Release("x", "1", "1", ()), filename=NAME)
    find_places(data, resource.Release("x", "1", "1", ()), filename=NAME)


TARGETS: dict[str, t.Callable[[bytes], t.Any]] = {
    "etf": etf,
    "etf_compressed": etf_compressed,
    "distribution": distribution,
    "handshake": handshake,
    "epmd": epmd_answer,
    "console": console,
    "running": running,
    "terms": terms,
    "sys_config": lambda data: sys_config.parse_sys_config(data, source=NAME),
    "substitute": substituted,
    "client_section": lambda data: client_tree.read_section(data, source=NAME),
    "releases": lambda data: releases_file.describe(releases_file.parse_releases(data, filename=NAME)),
    "start_erl_data": lambda data: releases_file.parse_start_erl_data(data, filename=NAME),
    "relup": lambda data: relup.parse_relup(data, filename=NAME).upgrade_from,
    "appup": lambda data: appup.parse_appup(data, filename=NAME),
    "rel": lambda data: resource.parse_rel(data, filename=NAME),
    "app": lambda data: resource.parse_app(data, filename=NAME),
    "history": read_history,
    "mark": read_mark,
    "record": read_record,
    "base": lambda data: thin_base.parse_base(data, filename=NAME),
    "tar": tar,
    "tar_alone": tar_alone,
    "gzip": _package,
    "elf": program,
    "dynamic": needs,
    "beam": code,
    "beam_module": module,
    "debug_info": debug,
    "log": log,
    "boot_script": boot_script,
    "box": lambda data: parse_inspection(gzip.compress(data, 1)),
    "box_packed": parse_inspection,
}
