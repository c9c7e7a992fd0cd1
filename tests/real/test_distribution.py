# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls to real nodes, as other nodes make them."""

from __future__ import annotations

import os
import socket
import threading
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import CallTimeout, ConnectionLost, Raised, Unreachable, WrongCookie
from ansible_collections.erlang.otp.plugins.module_utils._node.distribution import Connection
from ansible_collections.erlang.otp.plugins.module_utils._node.distribution_protocol import FLAGS, HANDSHAKE_23, OLD, SPAWN, ProtocolError
from ansible_collections.erlang.otp.plugins.module_utils._node.epmd import NoEpmd, NotRegistered
from ansible_collections.erlang.otp.plugins.module_utils._node.tls import TlsFiles
from ansible_collections.erlang.otp.plugins.module_utils._terms.etf_decoder import MAX_TERMS
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import parse, parse_one
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom, ExternalFun, ImproperList, Map, Opaque, TermError, identity
from ansible_collections.erlang.otp.tests.real.authority import Authority
from ansible_collections.erlang.otp.tests.real.nodes import COOKIE, TREES, Otp, Site, end, otp_of
from ansible_collections.erlang.otp.tests.real.waiting import LIMIT, free_port, wait_until
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils._terms.terms_valid import VALID

NODE = "alpha@localhost"


@pytest.fixture(scope="module", params=TREES)
def otp(request, erl: str) -> Otp:
    return otp_of(request.param)


@pytest.fixture(scope="module")
def release(otp: Otp) -> int:
    return int(otp.output("io:format(erlang:system_info(otp_release))"))


@pytest.fixture(scope="module")
def site(otp: Otp) -> t.Iterator[Site]:
    with Site(otp) as site:
        site.up(NODE, "-sname", NODE)
        yield site


@pytest.fixture
def node(site: Site) -> t.Iterator[Connection]:
    with site.connect(NODE) as connection:
        yield connection


def evaluate(node: Connection, expression: str, **options):
    """What the node makes of an expression of Erlang."""
    (_ok, tokens, _end) = node.call("erl_scan", "string", [expression])
    (_ok, parsed) = node.call("erl_parse", "parse_exprs", [tokens])
    (_value, value, _bindings) = node.call("erl_eval", "exprs", [parsed, []], **options)
    return value


def test_many_calls_on_one_connection(node: Connection):
    assert node.node == NODE
    assert [node.call("erlang", "+", [number, 1]) for number in range(300)] == list(range(1, 301))


def test_every_kind_of_term_there_and_back(node: Connection):
    # Zeros of different signs are equal keys before OTP 27.
    terms = [term for text, _values in VALID if "-0.0=>" not in text for term in parse(text)]
    assert len(terms) > 100
    answers = node.call("lists", "map", [ExternalFun("erlang", "hd", 1), [[term] for term in terms]])
    assert [identity(term) for term in answers] == [identity(term) for term in terms]
    for term in (Atom("Ωμέγα"), "Ωμέγα", Map([("a", Atom("b"))]), ImproperList([1], 2), 1 << 5000, -1.5e-300, (1,) * 300):
        assert identity(node.call("erlang", "hd", [[term]])) == identity(term)


def test_opaque_terms_are_taken_back(node: Connection):
    pid = node.call("erlang", "whereis", [Atom("rex")])
    assert isinstance(pid, Opaque)
    assert pid.text.startswith(f"<{NODE}.")
    assert node.call("erlang", "process_info", [pid, Atom("registered_name")]) == (Atom("registered_name"), Atom("rex"))
    ports = node.call("erlang", "ports", [])
    assert ports and all(port.text.startswith("#Port<") for port in ports)
    assert node.call("erlang", "port_info", [ports[0]])[0][0] == Atom("name")
    reference = node.call("erlang", "make_ref", [])
    assert node.call("erlang", "is_reference", [reference]) == Atom("true")
    function = evaluate(node, "X = 5, fun(Y) -> X + Y end.")
    assert function.text.startswith("#Fun<erl_eval.")
    assert node.call("erlang", "apply", [function, [37]]) == 42


def test_large_results(node: Connection):
    assert node.call("binary", "copy", [b"ab", 25_000_000], timeout=LIMIT) == b"ab" * 25_000_000
    # The largest list whose answer has no more terms than are read.
    numbers = MAX_TERMS - 10
    assert node.call("lists", "seq", [1, numbers], timeout=LIMIT) == list(range(1, numbers + 1))
    with pytest.raises(ProtocolError, match=f"a term of more than {MAX_TERMS} terms is not supported"):
        node.call("lists", "seq", [1, MAX_TERMS], timeout=LIMIT)


def test_large_arguments(node: Connection):
    assert node.call("erlang", "byte_size", [b"x" * 20_000_000], timeout=LIMIT) == 20_000_000
    assert node.call("lists", "sum", [list(range(100_000))]) == sum(range(100_000))


@pytest.mark.parametrize(
    ("module", "function", "arguments", "kind", "reason"),
    [
        ("erlang", "error", '[{a,"b"}].', "error", '{a,"b"}.'),
        ("erlang", "exit", '[{a,"b"}].', "exit", '{a,"b"}.'),
        ("erlang", "throw", '[{a,"b"}].', "throw", '{a,"b"}.'),
        ("erlang", "exit", "[normal].", "exit", "normal."),
        ("lists", "reverse", "[3].", "error", "function_clause."),
        ("no_such_module", "f", "[].", "error", "undef."),
    ],
)
def test_exceptions(node: Connection, module, function, arguments, kind, reason):
    with pytest.raises(Raised) as raised:
        node.call(module, function, parse_one(arguments))
    assert (raised.value.kind, identity(raised.value.reason)) == (kind, identity(parse_one(reason)))
    if kind == "error":
        assert raised.value.stacktrace[0][:2] == (Atom(module), Atom(function))
    assert node.call("erlang", "node", []) == Atom(NODE)


def test_what_looks_like_a_failure_and_is_a_value(node: Connection):
    for text in ("{badrpc,nodedown}.", "{'EXIT',{a,[]}}.", "{error,x}."):
        assert node.call("erlang", "hd", [[parse_one(text)]]) == parse_one(text)


def test_a_killed_call(node: Connection):
    with pytest.raises(Raised) as raised:
        evaluate(node, "exit(self(), kill).")
    assert (raised.value.kind, raised.value.reason) == ("exit", Atom("killed"))


def test_arguments_that_are_no_terms(node: Connection):
    with pytest.raises(TermError):
        node.call("erlang", "hd", [[None]])
    assert node.call("erlang", "hd", [[1]]) == 1


def test_what_a_function_prints_is_printed_by_the_node(site: Site, node: Connection):
    assert node.call("io", "format", ["printed ~p~n", [Atom("once")]]) == Atom("ok")
    wait_until(lambda: "printed once\n" in site.log(), "the node has printed")
    assert site.log().count("printed once\n") == 1


def test_a_call_that_takes_too_long(node: Connection):
    """Its answer, when it comes at last, is not taken for that of another call."""
    late = "register(late, self()), receive go -> too_late end."
    with pytest.raises(CallTimeout, match="has not answered within 0.2 s"):
        evaluate(node, late, timeout=0.2)
    wait_until(lambda: node.call("erlang", "whereis", [Atom("late")]) != Atom("undefined"), "the call is made")
    assert node.call("erlang", "send", [Atom("late"), Atom("go")]) == Atom("go")
    wait_until(lambda: node.call("erlang", "whereis", [Atom("late")]) == Atom("undefined"), "the call has answered")
    assert node.call("erlang", "node", []) == Atom(NODE)


def test_two_at_once(site: Site):
    names, errors = set(), []

    def work() -> None:
        try:
            with site.connect(NODE) as node:
                names.add(node._protocol.name)
                for number in range(100):
                    assert node.call("erlang", "abs", [-number]) == number
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(names) == 4


def test_we_are_hidden_and_leave_no_atoms(site: Site, node: Connection):
    def look() -> tuple:
        return node.call("erlang", "nodes", []), node.call("erlang", "system_info", [Atom("atom_count")])

    for _time in range(10):
        site.connect(NODE).close()
    before = look()
    assert before[0] == []
    for _time in range(100):
        with site.connect(NODE) as other:
            other.call("erlang", "node", [])
    after = look()
    # Names are taken again, unless one is still being given up.
    assert after[1] - before[1] < 10
    assert after[0] == []


def test_wrong_cookie(site: Site):
    with pytest.raises(WrongCookie, match=f"{NODE}.*cookie") as raised:
        site.connect(NODE, cookie="WRONGCOOKIE")
    assert "WRONGCOOKIE" not in str(raised.value)


def test_no_node_and_no_epmd(site: Site):
    with pytest.raises(NotRegistered, match="does not know a node beta"):
        site.connect("beta@localhost")
    with pytest.raises(NoEpmd):
        site.connect(NODE, epmd_port=free_port())
    with pytest.raises(Unreachable, match="refused"):
        site.connect(NODE, port=free_port())


def test_the_name_of_the_node_counts(site: Site):
    with site.connect("alpha") as node:
        assert node.node == NODE
    with pytest.raises(Unreachable, match=f"called {NODE}, not alpha@no-such-host.invalid"):
        site.connect("alpha@no-such-host.invalid")


def test_something_else_listens_there(site: Site):
    with pytest.raises(Unreachable, match="ended the connection"):
        site.connect(NODE, port=site.epmd_port)


def test_something_that_says_nothing(site: Site):
    with socket.create_server(("127.0.0.1", 0)) as server:
        with pytest.raises(CallTimeout, match="has not answered in time"):
            site.connect(NODE, port=server.getsockname()[1], timeout=0.3)


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1"])
def test_without_epmd(site: Site, node: Connection, address):
    port = evaluate(node, '{port, Port, _} = erl_epmd:port_please("alpha", {127,0,0,1}), Port.')
    with site.connect(NODE, host=address, port=port, epmd_port=free_port()) as other:
        assert other.call("erlang", "node", []) == Atom(NODE)


@pytest.mark.parametrize(("kind", "name"), [("-sname", "beta@localhost"), ("-name", "beta@127.0.0.1"), ("-name", "beta@node.example.com")])
def test_names(site: Site, kind, name):
    """Also one whose host cannot be found: the node is on this host after all."""
    process = site.up(name, kind, name)
    with site.connect(name) as node:
        assert node.call("erlang", "node", []) == Atom(name)
    end(process)


def test_short_name_without_a_host(site: Site):
    process = site.up("gamma", "-sname", "gamma")
    with site.connect("gamma") as node:
        assert node.call("erlang", "node", []).name == node.node
        assert node.node.startswith("gamma@")
    end(process)


IPV6 = ("-sname", "delta@localhost", "-proto_dist", "inet6_tcp")


def test_ipv6(site: Site):
    process = site.up("delta@localhost", *IPV6, "-kernel", "inet_dist_use_interface", "{0,0,0,0,0,0,0,1}", host="::1")
    with site.connect("delta@localhost", host="::1") as node:
        assert node.call("erlang", "node", []) == Atom("delta@localhost")
        assert node._socket.family == socket.AF_INET6
    with pytest.raises(Unreachable, match="refused"):
        site.connect("delta@localhost", host="127.0.0.1")
    end(process)


def test_ipv6_and_ipv4(site: Site):
    process = site.up("delta@localhost", *IPV6)
    for host in ("", "::1", "127.0.0.1"):
        with site.connect("delta@localhost", host=host) as node:
            assert node.call("erlang", "node", []) == Atom("delta@localhost")
    end(process)


def test_a_node_that_takes_only_those_it_knows(site: Site):
    process = site.up("picky@localhost", "-sname", "picky@localhost")
    with site.connect("picky@localhost") as node:
        node.call("net_kernel", "allow", [[Atom("friend@localhost")]])
    with pytest.raises(Unreachable, match="not_allowed"):
        site.connect("picky@localhost")
    end(process)


def test_a_name_of_our_own(site: Site):
    """What we fall back to where the node does not give us one."""

    class Named(Connection):
        def __init__(self, **options) -> None:
            super().__init__(**options)
            self.close()
            self._connect(["localhost"], options["port"], 6, time.monotonic() + LIMIT, self._unique_name())

    with site.connect(NODE) as node:
        port = evaluate(node, '{port, Port, _} = erl_epmd:port_please("alpha", {127,0,0,1}), Port.')
    with Named(node=NODE, cookie=COOKIE, port=port) as node:
        assert node._protocol.name.startswith("erlang_otp_")
        assert node.call("erlang", "node", []) == Atom(NODE)


def test_over_tls(site: Site):
    """The node takes only who shows a certificate; and the process that caches the files answers, as a deployment needs it."""
    inside = site.home[len(site.otp.system) :]
    for name, text in Authority().issue("localhost").items():
        Path(site.home, f"{name}.pem").write_text(text)
    options = "".join(f'{{{option}file,"{inside}/{name}.pem"}},' for option, name in (("cert", "certificate"), ("key", "key"), ("cacert", "ca")))
    options += "{verify,verify_peer}"
    Path(site.home, "tls.conf").write_text(f"[{{server,[{options},{{fail_if_no_peer_cert,true}}]}},{{client,[{options}]}}].\n")
    process = site.start("-sname", "secure@localhost", "-proto_dist", "inet_tls", "-ssl_dist_optfile", f"{inside}/tls.conf")
    files = TlsFiles(*(f"{site.home}/{name}.pem" for name in ("certificate", "key", "ca")))
    with site.connect_when_up("secure@localhost", process, tls=files) as node:
        assert node.call("lists", "seq", [1, 50_000]) == list(range(1, 50_001)), "of more than one record"
        assert node.call("gen_server", "call", [Atom("ssl_pem_cache_dist"), (Atom("unconditionally_clear_pem_cache"), [])]) == Atom("ok")
    with pytest.raises(Unreachable):
        site.connect("secure@localhost", tls=TlsFiles("", "", files.ca))
    end(process)


def test_by_rex(site: Site):
    with site.connect(NODE, flags=FLAGS & ~SPAWN) as node:
        assert node.call("lists", "seq", [1, 3]) == [1, 2, 3]
        with pytest.raises(Raised) as raised:
            node.call("lists", "reverse", [3])
        assert (raised.value.kind, raised.value.reason) == ("error", Atom("function_clause"))
        assert raised.value.stacktrace[0][:2] == (Atom("lists"), Atom("reverse"))
        with pytest.raises(Raised) as raised:
            node.call("erlang", "exit", [5])
        assert (raised.value.kind, raised.value.reason) == ("exit", 5)


@pytest.mark.parametrize("flags", [FLAGS, FLAGS & ~HANDSHAKE_23])
def test_old_handshake(site: Site, release: int, flags):
    """OTP 23 and 24 take it, whether they are told that we know the new one or not, and 27 does; 25 ends the connection."""
    if release == 25:
        with pytest.raises(Unreachable):
            site.connect(NODE, version=OLD, flags=flags)
    else:
        with site.connect(NODE, version=OLD, flags=flags) as node:
            assert node.call("erlang", "node", []) == Atom(NODE)


def test_killed_in_the_middle_of_a_call(site: Site):
    process = site.up("victim@localhost", "-sname", "victim@localhost")
    with site.connect("victim@localhost") as node:
        # The call itself kills the node that it is made in.
        with pytest.raises(ConnectionLost, match="victim@localhost has ended"):
            node.call("os", "cmd", [f"kill -KILL {process.pid}"], timeout=LIMIT)
        with pytest.raises(ConnectionLost):
            node.call("erlang", "node", [])
    process.wait()


def test_a_node_that_stops(site: Site):
    process = site.up("stops@localhost", "-sname", "stops@localhost")
    with site.connect("stops@localhost") as node:
        assert node.call("init", "stop", []) == Atom("ok")
        with pytest.raises((ConnectionLost, Raised)):
            node.call("timer", "sleep", [Atom("infinity")], timeout=LIMIT)
    assert process.wait(LIMIT) == 0


def test_ticks_keep_a_long_call_alive(site: Site):
    process = site.up("ticks@localhost", "-sname", "ticks@localhost", "-kernel", "net_ticktime", "2")
    with site.connect("ticks@localhost") as node:
        assert node.call("timer", "sleep", [7000]) == Atom("ok")
    end(process)


def test_no_cookie_in_what_others_can_see(site: Site, node: Connection):
    node.call("erlang", "node", [])
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/cmdline", "rb") as file:
                assert COOKIE.encode() not in file.read()
        except (FileNotFoundError, ProcessLookupError):
            pass
    assert COOKIE not in repr(node._protocol) + site.log()
