# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run of ``erl`` that has systools make boot scripts and a relup, and strips BEAM files, with the target's own OTP.

The list of preloaded modules in a boot script is hard-wired in systools: so the OTP that is packed makes it. The run is on its
own: nothing of the user's environment or home directory reaches it, and it works in a private directory, since systools
takes start.boot, relup and sys.config from wherever it finds them.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._build.otp import Otp
from ansible_collections.erlang.otp.plugins.module_utils._build.systools_program import PROGRAM
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom, as_text, consult_bytes, format_terms

TIMEOUT = 900
# The attributes: release_handler asks beam_lib:version/1 for the version of each module that it loads, and of the one that it replaces.
KEPT = ("Attr",)

# Only stripping runs in parallel: more threads would only take time to start.
FEW_THREADS = ("+S", "1:1", "+SDcpu", "1:1", "+SDio", "1", "+A", "1")


class Diagnostic(t.NamedTuple):
    """A warning or error of systools: the kind ("missing_sasl"), the term as text, and systools' own sentence; of undefined functions, the calls."""

    kind: str
    term: str
    sentence: str
    calls: tuple[t.Mapping[str, t.Any], ...] = ()

    @classmethod
    def from_data(cls, data: t.Sequence[t.Any]) -> Diagnostic:
        """From its fields, as JSON has them."""
        kind, term, sentence, calls = data
        return cls(kind, term, sentence, tuple(calls))


class ScriptOptions(t.NamedTuple):
    """The options of systools:make_script/2 that the module has; variables as (name, directory). exref: see undefined_calls.py."""

    src_tests: bool = False
    exref: bool | tuple[str, ...] = False
    warnings_as_errors: bool = False
    no_warn_sasl: bool = False
    no_dot_erlang: bool = False
    variables: tuple[tuple[str, str], ...] = ()

    def terms(self) -> list[t.Any]:
        flags: list[t.Any] = [Atom(name) for name in ("src_tests", "warnings_as_errors", "no_warn_sasl", "no_dot_erlang") if getattr(self, name)]
        return flags + ([(Atom("variables"), list(self.variables))] if self.variables else [])


def make_script_job(name: str, ebins: t.Iterable[str], options: ScriptOptions) -> tuple:
    """The job that makes NAME.script and NAME.boot from NAME.rel of the work directory."""
    return (Atom("make_script"), name, [(Atom("path"), list(ebins)), *options.terms()])


def exref_job(applications: t.Iterable[tuple[str, str]], ebins: t.Iterable[str]) -> tuple:
    """The job that has xref find the calls which applications, given as (name, ebin), make of functions that nothing in these directories has."""
    return (Atom("exref"), [(Atom(name), ebin) for name, ebin in applications], list(ebins))


class AppupUse(t.NamedTuple):
    """A use of an appup: "up" from this version, or "dn" to it, of which the .rel file of the work directory is named."""

    direction: str
    release: str
    application: str
    path: str
    version: str


def make_relup_job(
    name: str, up: t.Iterable[str], down: t.Iterable[str], ebins: t.Iterable[str], *, restart_emulator: bool, appups: t.Iterable[AppupUse] = ()
) -> tuple:
    """The job that makes file relup for NAME.rel, up from and down to other .rel files, all of the work directory."""
    options: list[t.Any] = [Atom("restart_emulator")] if restart_emulator else []
    uses = [(Atom(use.direction), *use[1:]) for use in appups]
    return (Atom("make_relup"), name, list(up), list(down), [(Atom("path"), list(ebins)), *options], uses)


def strip_job(chunks: t.Iterable[str], files: t.Iterable[tuple[str, str]]) -> tuple:
    """The job that strips BEAM files, given as (from, to), of all that is not needed to run and to upgrade them, but of these chunks."""
    return (Atom("strip"), sorted({*KEPT, *chunks}), list(files))


class Run:
    """An ``erl`` that is at work, beside this process, on jobs in a private directory."""

    def __init__(self, otp: Otp, directory: str, jobs: list[tuple]) -> None:
        import subprocess

        with open(os.path.join(directory, "jobs"), "wb") as file:
            file.write(format_terms(jobs))
        boot = os.path.join(otp.root, "bin", "no_dot_erlang.boot")
        boot = boot if os.path.exists(boot) else os.path.join(otp.root, "bin", "start_clean.boot")
        threads = () if any(job[0] == Atom("strip") for job in jobs) else FEW_THREADS
        command = [os.path.join(otp.erts_bin, "erlexec"), "+fnu", "+sbwt", "none", *threads, "-noinput", "-boot", boot[: -len(".boot")]]
        self._directory = directory
        self._output = os.path.join(directory, "output")
        with open(self._output, "wb") as output:
            self._process = subprocess.Popen(  # pylint: disable=ansible-bad-function
                [*command, "-eval", PROGRAM, "-extra", directory],
                cwd=directory,
                env=_environment(otp, directory),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def results(self) -> list[tuple[bool, list[Diagnostic]]]:
        """Wait for the end. Returns for each job whether it succeeded, and its diagnostics. Raises OtpError when erl itself fails."""
        import subprocess

        try:
            status = self._process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            self.stop()
            raise OtpError(f"erl did not make the boot scripts within {TIMEOUT} s. Its output: {self._tail()}") from None
        content = read_file(os.path.join(self._directory, "results"))
        if status != 0 or content is None:
            raise OtpError(f"erl ended with status {status} before the boot scripts were made. Its output: {self._tail()}")
        return [
            (verdict == Atom("ok"), [Diagnostic(as_text(kind), as_text(term), _sentence(as_text(text))) for kind, term, text in diagnostics])
            for verdict, diagnostics in consult_bytes(content, filename="the results of erl")
        ]

    def stop(self) -> None:
        """Kill erl if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _tail(self) -> str:
        return (read_file(self._output) or b"").decode("utf-8", "replace").strip()[-2000:] or "nothing."


def _environment(otp: Otp, directory: str) -> dict[str, str]:
    return {
        "ROOTDIR": otp.root,
        "BINDIR": otp.erts_bin,
        "EMU": "beam",
        "PROGNAME": "erl",
        "HOME": directory,
        "PATH": os.defpath,
        "ERL_CRASH_DUMP_SECONDS": "0",
    }


def _sentence(text: str) -> str:
    """systools' text on one line, without the mark of a warning."""
    line = " ".join(text.split())
    return line[len("*WARNING* ") :] if line.startswith("*WARNING* ") else line


def systools_identity(otp: Otp) -> str:
    """What boot scripts and relups depend on in OTP: its version, and the content of systools."""
    import hashlib

    digest = hashlib.sha256(repr((otp.otp_version, otp.erts_version, PROGRAM)).encode())
    for name in sorted(os.listdir(otp.lib)):
        if name.split("-")[0] == "sasl":
            for module in ("systools_make", "systools_lib", "systools_rc", "systools_relup"):
                digest.update(read_file(os.path.join(otp.lib, name, "ebin", module + ".beam")) or b"")
    return digest.hexdigest()
