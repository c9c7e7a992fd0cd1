# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What fuzz.py changes: for each target some inputs that are right, and those that once did harm. What has no text is made by the code that writes it."""

from __future__ import annotations

import gzip
import io
import json
import struct
import sys
import tarfile
from pathlib import Path

from ansible_collections.erlang.otp.plugins.module_utils._terms.etf_decoder import encode
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import parse_one
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils._node import distribution_peer as peer
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.beam_files import beam, debug_info
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.elf_files import elf_file

# Inserted anywhere: what opens, ends, counts or escapes something in one of the formats.
WORDS = (
    *(
        word.encode()
        for word in '{ } [ ] ( ) << >> #{ => | , . " \' \\ $ % ~ ~b""" ${ ${A:- } / .. ../../ - + : \n \r\n 0: 16# 1.0e999 fun null NaN 1e5'.split(" ")
    ),
    *(
        b"9" * 5000,
        b"{" * 300,
        b"[" * 300,
        b"[" * 20_000,
        b'{"a":' * 5000,
        b"'" + b"a" * 300 + b"'",
        b"<<0:64000000>>,",
        b"\x1b]0;x\x07",
        b"\xc2\x9b2J",
        b"\xe2\x80\xae",
    ),
    *(
        b"\x83",
        b"l\0\0\xff\xffj",
        b"j" * 2000,
        b"h\1" * 250,
        b"k\xff\xff",
        b"n\xff\0",
        b"o\0\0\1\0\0",
        b"t\0\0\0\1",
        b"w\1a",
        b"m\0\0\0\0",
        b"p\x83",
        b"ustar\x0000",
        bytes(512),
    ),
)


def terms(*texts: str) -> list[bytes]:
    """The terms in the external format."""
    return [encode(parse_one(text)) for text in texts]


def tar(files: dict[str, bytes], style: int = tarfile.USTAR_FORMAT) -> bytes:
    """An archive with these files, a directory and a link."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=style) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name, kind in (("lib", tarfile.DIRTYPE), ("lib/link", tarfile.SYMTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "kernel-8" if kind == tarfile.SYMTYPE else ""
            archive.addfile(member)
    return stream.getvalue()


def opaque(tag: bytes, rest: bytes) -> bytes:
    return b"\x83" + tag + b"w\3n@h" + rest


ANY = '{ok,"text",[1,-2,3.5,a,\'B c\'|t],<<"b">>,<<1:3>>,#{k=>"ä",2=>[]},fun m:f/1,123456789012345678901234567890,[{a,1},{b,2}],<<0,255>>,[256,1]}'
REL = b'{release,{"x","1"},{erts,"13.1"},[{kernel,"8"},{sasl,"4",permanent},{mnesia,"1",load,[kernel]}]}.\n'
RELUP = b'{"2",[{"1",[],[{load_object_code,{a,"2",[m]}},point_of_no_return,{load,{m,soft_purge,soft_purge}},restart_emulator]}],[{"1",[],[a]}]}.\n'
RELEASES = (
    b'%% coding: utf-8\n[{release,"x","1","13.1",[{kernel,"8","lib/kernel-8"},{stdlib,"4","/opt/lib/stdlib-4"}],permanent},{release,"x","2","13.1",[],old}].\n'
)
SYS_CONFIG = b'[{kernel,[{logger_level,info},{a,"x"}]},{sasl,[{masters,[m@h]},{client_directory,"/srv/x"},{start_prg,"/srv/x/bin/start"}]},"other"].\n'
ENTRY = {"time": "2026-01-31T12:00:59Z", "action": "install", "release": "2", "from": "1", "outcome": "ok", "reason": "", "pid_before": 12}
HISTORY = b"".join(json.dumps({**ENTRY, **more}).encode() + b"\n" for more in ({}, {"action": "commit"}, {"outcome": "failed", "release": "3"}, {"from": None}))
RECORD = {"name": "x", "version": "1", "erts_version": "13.1", "sha256": "ab" * 32, "applications": {"kernel": "8"}, "full": "cd" * 32}
ELSEWHERE = {"places": {"kernel": "/srv/two/kernel-8"}, "variables": {"TWO": "/srv/two"}, "archives": {"TWO": "/srv/two"}}
BASE = {"name": "x", "version": "1", "sha256": "ab" * 32, "full": "cd" * 32, "directories": {"lib/kernel-8": "ef" * 32}, "files": ["bin/epmd"]}
COPIES = {"lib/pea-2": {"base": "lib/pea-1", "files": {"ebin/pea.beam": "0123"}, "digest": "ef" * 32, "modes": {"priv/run": 0o755}, "size": 9}}
FILES = {
    "releases/1/base.json": json.dumps(BASE).encode(),
    "releases/x.rel": REL,
    "releases/1/relup": RELUP,
    "releases/start_erl.data": b"13.1 1\n",
    "lib/a/" + "b" * 99: b"x",
}
PACKAGES = [tar(FILES), tar({**FILES, "b" * 120: b"x"}, tarfile.GNU_FORMAT), tar({**FILES, "ä" * 60: b""}, tarfile.PAX_FORMAT)]
STATE = '{"123",none,started,[{"x","1",["kernel-8"],permanent},{"x","2",[],unpacked}],none,"","/srv/x","/srv/x/releases"}'
CHUNK = b"AtU8" + struct.pack(">I", 8) + bytes(8)
ERLANG = """{attribute,1,record,{r,[{record_field,1,{atom,1,a}}]}}.
 {function,2,code_change,3,[{clause,2,[{var,2,'_'},{var,2,'S'},{var,2,'_'}],[],[{tuple,3,[{atom,3,ok},{call,3,{atom,3,f},[{record,3,r,[]}]}]}]}]}."""
ELIXIR = "#{struct => [#{field => a}], definitions => [{{f,1},def,[],[{[],[{x,[],nil}],[],{{'.',[],['Elixir.Supervisor',start_link]},[],[[],[]]}}]}]}."
BEAM = b"FOR1" + struct.pack(">I", 4 + len(CHUNK)) + b"BEAM" + CHUNK
BOX = (
    b"""me 0 0
user 100 101
free 2048
emulator 4711
complete
=list
drwxr-xr-x    6 100      101           4096 Nov 21 18:00 /srv/x
total 4
lrwxrwxrwx    1 0        0               12 Nov 21 18:00 run -> /run/x
bin:
-rwxr-xr-x    1 100      101          64376 Nov 21 18:00 epmd
=sums
"""
    + b"%b  bin/epmd\n=heads\n8 erts-13.1/bin/beam.smp\n\x7fELF\n\0re" % (b"a" * 64)
)

CORPUS: dict[str, list[bytes]] = {
    "etf": [
        *terms(ANY, STATE, "[]"),
        opaque(b"X", bytes(12)),
        opaque(b"Y", bytes(8)),
        opaque(b"x", bytes(12)),
        b"\x83Z\0\3w\3n@h" + bytes(16),
        # A fun whose number has no end.
        b"\x83p"
        + struct.pack(">I", 25 + 4 + 3 + 2 + 2005 + 18)
        + bytes(21)
        + struct.pack(">I", 0)
        + b"w\1ma\1o"
        + struct.pack(">I", 2000)
        + bytes(2001)
        + b"Xw\3n@h"
        + bytes(12),
    ],
    "etf_compressed": [term[1:] for term in terms(ANY, STATE)] + [b"l\0\1\0\0" + b"j" * 65_537, b"l\0\1\0\0" + b"k\0\0" * 65_536 + b"j"],
    "distribution": [
        peer.spawned(1) + peer.ended(1, Atom("return"), Atom("x")),
        peer.ended(1, Atom("throw"), "x"),
        peer.TICK * 3 + peer.message((2, Atom(""), peer.pid()), (peer.reference(1), "x")),
    ],
    "handshake": [peer.HANDSHAKE, peer.WITHOUT_SPAWN, peer.two(b"sok") + peer.old_challenge() + peer.ACKNOWLEDGEMENT, peer.two(b"snok")],
    "epmd": [b"w\0" + struct.pack(">HBBHH", 4370, 77, 0, 6, 5) + b"\0\1x\0\0", b"w\1"],
    "console": [b"Eshell V13.1\r\n(x@h)1> ", b"User switch command\n --> ", b"1> \x1b[2J\x1b[1m"],
    "running": [*terms(STATE, '{return,"x"}', "{error,badarg,[]}", '[{"x","1",[],old}]')],
    "terms": [(ANY + ".\n").encode(), b'"a" "b".\n~s(x). ~b"""\n  x\n  """.\n$\\x{41}. 16#ff. -(1).\n', b"[<<0:64000000>>,<<0:64000000>>].", RELEASES],
    "sys_config": [SYS_CONFIG, b"[]."],
    "substitute": [b'[{kernel,[{a,"${HOME}"},{b,"${X:-default}"},{c,"%ROOT%"}]}].\n', b"${A:-" * 20],
    "client_section": [SYS_CONFIG],
    "releases": [RELEASES, b'[{release,"x","1","1",[{a,"1","/srv/x/lib/../../etc"}],old}].', b"[]."],
    "start_erl_data": [b"13.1 1\n", b" 13.1\t1 \n\n"],
    "relup": [RELUP],
    "appup": [b'{"2",[{"1",[]},{<<"1[.].*">>,[restart_application]}],[{"1",[]}]}.\n'],
    "rel": [REL],
    "app": [b'{application,x,[{vsn,"1"},{description,"x"},{modules,[a,{b,1}]},{applications,[kernel]},{registered,[]},{env,[]}]}.\n'],
    "history": [HISTORY, b'{"a":' * 3000],
    "mark": [b'{"operator":"a@b","run":"1-2-c","release":"2","since":1,"renewed":2,"seconds":60}'],
    "record": [json.dumps(RECORD).encode(), json.dumps({**RECORD, **ELSEWHERE}, indent=1).encode()],
    "base": [json.dumps(BASE).encode(), json.dumps({**BASE, "copies": COPIES}).encode()],
    "tar": PACKAGES,
    "tar_alone": PACKAGES,
    "gzip": [gzip.compress(package, mtime=0) for package in PACKAGES] + PACKAGES,
    "elf": [Path(sys.executable).read_bytes()[:1024], b"\x7fELF\1\2" + bytes(58)],
    "dynamic": [elf_file({"liba.so.1": ["A_1", "A_2"], "libb.so": []}, search="$ORIGIN:/opt", versions=["C_1"], bits=bits) for bits in (32, 64)],
    "beam": [BEAM, gzip.compress(BEAM, mtime=0)],
    "beam_module": [beam("m", exports=["init/1"], calls=["supervisor:start_link/3"], behaviours=["gen_server"]), beam("m", source=ERLANG)],
    "debug_info": [debug_info(ERLANG), debug_info(ELIXIR, elixir=True)],
    "log": [b"===== LOGGING STARTED today\n1> \x1b[1mboom\x1b[0m\r\n", b"=erl_crash_dump:0.5\nWed\nSlogan: out of memory\nSystem\n"],
    "boot_script": [*terms('{script,{"x","1"},[{preLoaded,[a]},{path,["$ROOT/lib/kernel-8/ebin","$SECOND_ROOT/x-1/ebin"]},{progress,started}]}')],
    "box": [BOX, BOX + tar({"releases/RELEASES": RELEASES})],
    "box_packed": [gzip.compress(BOX, mtime=0)],
}
