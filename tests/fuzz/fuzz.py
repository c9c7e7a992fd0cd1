#!/usr/bin/env python
# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gives changed inputs to the parsers of all that is not trusted. Each ends in a value or an OtpError, within seconds and bounded memory.

tests/fuzz/targets.py has the parsers, tests/fuzz/corpus.py what is changed. Each target has a process of its own, with a limit of memory. An input
that does anything else is written to build/fuzz; once the fault is mended, it goes into the corpus. The numbers of a run repeat it.
"""

from __future__ import annotations

import argparse
import hashlib
import mmap
import os
import random
import resource
import signal
import sys
import time
import traceback
import typing as t
from pathlib import Path

from corpus import CORPUS, WORDS
from targets import TARGETS

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError

FOUND = Path(__file__).resolve().parents[2] / "build" / "fuzz"
# For one input: seconds of the processor, and bytes beside those of the process at its start.
SECONDS = 10.0
MEMORY = 1 << 30
LARGEST = 1 << 20
NUMBERS = (b"\0", b"\1", b"\x7f", b"\x80", b"\xff", b"\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\x80\0\0\0", bytes(8))


class TooLong(BaseException):
    """An input has taken longer than SECONDS. No exception handler in a parser catches it."""


def changed(data: bytes, others: t.Sequence[bytes], choose: random.Random) -> bytes:
    """The data with some changes."""
    result = bytearray(data)
    for dummy in range(choose.choice((1, 1, 2, 4, 8))):
        place = choose.randrange(len(result) + 1)
        end = min(len(result), place + choose.choice((1, 2, 4, 16, 256)))
        kind = choose.randrange(8)
        if kind == 0 and result:
            result[min(place, len(result) - 1)] ^= 1 << choose.randrange(8)
        elif kind == 1:
            result[place:end] = choose.choice(NUMBERS)
        elif kind == 2:
            result[place:place] = choose.choice(WORDS)
        elif kind == 3:
            result[place:end] = choose.choice(WORDS)
        elif kind == 4:
            del result[place:end]
        elif kind == 5:
            # Deep, or many.
            result[place:place] = bytes(result[place:end]) * choose.choice((2, 10, 300, 5000))
        elif kind == 6:
            other = choose.choice(others)
            begin = choose.randrange(len(other) + 1)
            result[place:place] = other[begin : begin + choose.choice((1, 8, 64, 4096))]
        elif choose.randrange(4) == 0:
            del result[place:]
        del result[LARGEST:]
    return bytes(result)


def inputs(name: str, choose: random.Random) -> t.Iterator[bytes]:
    """The corpus of a target, then changes of it, and of these, without end."""
    pool = [*CORPUS[name]]
    yield from pool
    while True:
        data = changed(choose.choice(pool), pool, choose)
        yield data
        if choose.randrange(50) == 0 and len(data) < 1 << 16:
            pool.append(data)
            if len(pool) > 4 * len(CORPUS[name]) + 50:
                del pool[choose.randrange(len(CORPUS[name]), len(pool))]


def outcome(parse: t.Callable[[bytes], t.Any], data: bytes) -> str:
    """What is wrong with what the parser makes of the input, or an empty text."""
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        parse(data)
    except OtpError as error:
        return "a message without end" if len(str(error)) > 10_000 else ""
    except TooLong:
        return f"longer than {SECONDS:g} s"
    except Exception as error:  # pylint: disable=broad-except
        # Without the text of the error: each place is reported once.
        place = " < ".join(f"{os.path.basename(frame.filename)}:{frame.lineno}" for frame in reversed(traceback.extract_tb(error.__traceback__)[-3:]))
        return f"{type(error).__name__} at {place}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return ""


def give(name: str, seconds: float, seed: str, current: mmap.mmap, output: t.TextIO) -> int:
    """Give inputs to the target for so long; the number of faults."""

    def too_long(*dummy: t.Any) -> None:
        raise TooLong

    signal.signal(signal.SIGPROF, too_long)
    used = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    until, faults, count = time.monotonic() + seconds, set(), 0
    for data in inputs(name, random.Random(seed)):
        if count >= len(CORPUS[name]) and time.monotonic() > until:
            break
        current[: len(data) + 8] = len(data).to_bytes(8, "big") + data
        count += 1
        fault = outcome(TARGETS[name], data)
        if fault and fault not in faults:
            faults.add(fault)
            print(f"{name}: {written(name, data)}: {fault}", file=output, flush=True)
    print(f"{name}: {count} inputs, {len(faults)} faults", file=output, flush=True)
    return len(faults)


def written(name: str, data: bytes) -> Path:
    """The file with the input."""
    FOUND.mkdir(parents=True, exist_ok=True)
    path = FOUND / f"{name}-{hashlib.sha256(data).hexdigest()[:16]}"
    path.write_bytes(data)
    return path


def run(name: str, seconds: float, seed: str) -> bool:
    """Give inputs to the target in a process of its own. Whether all is well."""
    current = mmap.mmap(-1, LARGEST + 16)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = min(1, give(name, seconds, seed, current, sys.stdout))
        except BaseException:  # pylint: disable=broad-except
            traceback.print_exc()
        finally:
            os._exit(status)
    until = time.monotonic() + seconds + 3 * SECONDS + 60
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        if time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.02)
    if os.WIFSIGNALED(status):
        size = int.from_bytes(current[:8], "big")
        print(f"{name}: {written(name, current[8 : 8 + size])}: ended by signal {os.WTERMSIG(status)}, which may be a hang in C", flush=True)
    return status == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=300, help="for all targets together")
    parser.add_argument("--seed", default=str(random.randrange(10**9)), help="the number of a run, to repeat it")
    parser.add_argument("--input", type=Path, help="a file to give to the target, instead of changes of the corpus")
    parser.add_argument("targets", nargs="*", choices=[[], *TARGETS], help="all by default")
    options = parser.parse_args()
    names = options.targets or list(TARGETS)
    if options.input:
        TARGETS[names[0]](options.input.read_bytes())
        return 0
    print(f"--seed {options.seed}", flush=True)
    results = [run(name, options.seconds / len(names), f"{options.seed} {name}") for name in names]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
