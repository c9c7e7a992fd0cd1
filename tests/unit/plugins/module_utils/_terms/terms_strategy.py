# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Terms for hypothesis to choose from."""

from __future__ import annotations

from hypothesis import strategies as st

from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom, Bits, ExternalFun, ImproperList, Map, identity


def bits(value: int, size: int) -> Bits:
    return Bits((value % (1 << size) << (-size % 8)).to_bytes((size + 7) // 8, "big"), size)


def distinct(pairs: list) -> Map:
    return Map({identity(key): (key, value) for key, value in pairs}.values())


# Python's str may hold halves of characters, a UTF-8 file may not; ours prints such a text as a list.
texts = st.text(st.characters(exclude_categories=["Cs"])) | st.text("a\"'\\\n\t\x00\x7f\xa0é~%${}\ufffe", max_size=8)
names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff"), max_size=20) | st.sampled_from(
    ["maybe", "else", "fun", "_", "a@1", ""]
)
atoms = st.builds(Atom, names)
# A zero without a sign: OTP 25 says that 0.0 and -0.0 are the same term.
floats = st.floats(allow_nan=False, allow_infinity=False).filter(lambda number: number != 0) | st.just(0.0)
numbers = st.integers() | st.integers(-(1 << 600), 1 << 600) | floats
binaries = st.binary(max_size=20) | texts.map(lambda text: text.encode("utf-8"))
bit_strings = st.builds(bits, st.integers(0), st.integers(1, 40).filter(lambda size: size % 8))
funs = st.builds(ExternalFun, names, names, st.integers(0, 255))
plain = atoms | numbers | texts | binaries | bit_strings | funs

# Maps with keys of maps are legal and useless.
terms = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.lists(inner, max_size=6).map(tuple)
        | st.builds(ImproperList, st.lists(inner, min_size=1, max_size=3), plain.filter(lambda term: not isinstance(term, (str, list))))
        | st.lists(st.tuples(plain, inner), max_size=4).map(distinct)
        | st.dictionaries(names, inner, max_size=4).map(lambda mapping: [(Atom(name), value) for name, value in mapping.items()])
    ),
    max_leaves=25,
)
