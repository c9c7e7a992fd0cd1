# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a node is distributed, by the arguments of its emulator and its sys.config: erl(1), kernel(6), erl_epmd(3), "Distributed Erlang"."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError

# Arguments for the node begin behind it.
EXTRA = "-extra"
PORT, MODULE = "erl_epmd_node_listen_port", "epmd_module"
# Each is a flag, or since OTP 27.2 a parameter of kernel.
PORTS, MODULES = ("-erl_epmd_port", f"-kernel {PORT}"), ("-epmd_module", f"-kernel {MODULE}")


class Distribution(t.NamedTuple):
    """How a node can be reached, as far as its arguments say."""

    name: str = ""  # of -name or -sname, with or without a host
    port: int = 0  # at which it listens, if that is not to be asked of EPMD
    starts_epmd: bool = True  # whether erlexec starts one
    has_epmd: bool = True  # whether it needs one, or has started it
    protocol: str = ""  # of -proto_dist: inet_tcp if empty
    tls_options: str = ""  # the file of -ssl_dist_optfile
    is_ready: bool = True  # whether it can speak TLS already
    user: int | None = None  # who runs it, with whose rights its files are read; None: not known, and none of them is read

    @property
    def is_tls(self) -> bool:
        """Whether the node speaks TLS: a connection without it leaves an error report in its log."""
        return self.protocol.endswith("_tls")


def distribution_of(arguments: t.Iterable[str], config: t.Callable[[list[str]], t.Mapping[str, t.Any]] = lambda _paths: {}) -> Distribution:
    """That of an emulator with these arguments, as erlexec has put them together from command line, -args_file and environment.

    config: the parameters of kernel in the files of -config; it is called where they matter.
    """
    flags = flags_of(arguments)
    name = (flags.get("-name") or flags.get("-sname") or [[]])[0]
    by_flag, by_parameter = (flags.get(flag, []) for flag in PORTS)
    # erl_epmd ignores a flag that is given twice. Of a parameter, the first counts. With both of them, only an OTP without the parameter starts.
    port = as_port(by_flag) if len(by_flag) == 1 else as_port(by_parameter)
    has_module = any(flag in flags for flag in MODULES)
    starts = ["false"] not in flags.get("-start_epmd", [])
    if not (starts or port or has_module):
        kernel = config([path for values in flags.get("-config", []) for path in values])
        given = kernel.get(PORT)
        port, has_module = given if isinstance(given, int) and 0 < given < 65536 else 0, MODULE in kernel
    if has_module and not port:
        # Only the module knows how its nodes find each other, but for a port that cannot be another one.
        first, last = (as_port(flags.get(f"-kernel inet_dist_listen_{end}", [])) for end in ("min", "max"))
        port = first if first == last else 0
    protocol, tls_options = (flags.get(flag) or [[]] for flag in ("-proto_dist", "-ssl_dist_optfile"))
    has_epmd = starts or not (port or has_module)
    return Distribution("".join(name[:1]), port, starts, has_epmd, "".join(protocol[0][:1]), "".join(tls_options[0][:1]))


def problem_for_clients(found: Distribution) -> str:
    """Why a node that is distributed so is out of reach for its clients, as a clause; empty if it is not. A client asks EPMD, and speaks without TLS."""
    if found.is_tls:
        return f"-proto_dist {found.protocol} has it speak TLS, and a client speaks to its master without"
    return "" if found.has_epmd else "-start_epmd false has it do without EPMD, and a client asks EPMD for the node of its master"


def places_of_port(vm_args: t.Iterable[str], sys_config: bytes, host_flags: t.Collection[str]) -> tuple[str, str]:
    """What gives the port by the flag, and what gives it by the parameter: vm.args, sys.config, or "host", the start script; "" for nothing.

    erl_epmd of OTP 27.2 and later does not let a node start that has both. host_flags: those of the start script, a parameter as ``-kernel NAME``.
    """
    flags = flags_of(vm_args)
    flag, parameter = PORTS
    by_flag = "host" if flag in host_flags else "vm.args" if len(flags.get(flag, ())) == 1 else ""
    by_parameter = "host" if parameter in host_flags else "vm.args" if parameter in flags else "sys.config" if PORT in kernel_parameters(sys_config) else ""
    return by_flag, by_parameter


def flags_of(arguments: t.Iterable[str]) -> dict[str, list[list[str]]]:
    """The values of each flag, for each time that it is given. A parameter of an application is one as well: ``-kernel inet_dist_listen_min``."""
    flags: dict[str, list[list[str]]] = {}
    flag = ""
    values: list[str] = []
    for word in arguments:
        if word == EXTRA:
            break
        if re.match(r"[-+](?!\d)", word):
            flag, values = word, []
            flags.setdefault(flag, []).append(values)
        else:
            values.append(word)
            if len(values) % 2 == 0:
                flags.setdefault(f"{flag} {values[-2]}", []).append([word])
    return flags


def as_port(values: t.Sequence[t.Sequence[str]]) -> int:
    """The first value as a port; 0 for any other word."""
    text = values[0][0] if values and values[0] else ""
    # Python refuses to read numbers of thousands of digits.
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) < 65536 else 0


def kernel_parameters(content: bytes) -> dict[str, t.Any]:
    """The parameters of kernel in a sys.config, by name. Empty for one that the emulator does not accept, and one without what matters here."""
    if PORT.encode() not in content and MODULE.encode() not in content:
        return {}
    # Lazy, for start-up time: most files have neither.
    from ansible_collections.erlang.otp.plugins.module_utils._formats.sys_config import parse_sys_config
    from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom

    try:
        elements = parse_sys_config(content, source="sys.config")
    except OtpError:
        return {}
    return {name.name: value for element in elements if isinstance(element, tuple) and element[0] == Atom("kernel") for name, value in element[1] or ()}
