# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resource files of releases and applications.

Rules: every shape of rel(4) and app(4) is read; any other is refused with file, term and rule; a name or version that leads out of the tree too.
"""

from __future__ import annotations

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import Release, ReleaseApplication, format_rel, parse_app, parse_rel

REL = """%% a release
{release, {"MY αβ", "FIRST"}, {erts, "13.1.5"},
 [{kernel, "8.5.3"},
  {stdlib, "4.2", permanent},
  {sasl, "4.2", [included]},
  {pea, "1.0", load, []},
  {absent, ""}]}.
"""


def test_rel():
    release = parse_rel(REL.encode(), filename="my.rel")
    assert release == Release(
        "MY αβ",
        "FIRST",
        "13.1.5",
        (
            ReleaseApplication("kernel", "8.5.3"),
            ReleaseApplication("stdlib", "4.2", "permanent"),
            ReleaseApplication("sasl", "4.2", None, ("included",)),
            ReleaseApplication("pea", "1.0", "load", ()),
            ReleaseApplication("absent", ""),
        ),
    )
    assert parse_rel(format_rel(release), filename="again") == release


@pytest.mark.parametrize(
    "text, message",
    [
        ('{release,{"a","1"},{erts,"1"},[{kernel,"8"}}.', "^my.rel, line 1, column 43: expected , or | or ]; found }"),
        ("", "^my.rel: has no term"),
        ('{rel,{"a","1"},{erts,"1"},[]}.', r"is not \{release,"),
        ('{release,{"a","1"},"1",[]}.', r"is not \{release,"),
        ('{release,{a,"1"},{erts,"1"},[]}.', "^my.rel: a is not a string, as the name of the release has to be"),
        ('{release,{"a","../1"},{erts,"1"},[]}.', '^my.rel: "../1" cannot be the version of the release'),
        ('{release,{"a",""},{erts,"1"},[]}.', "cannot be the version of the release"),
        ('{release,{"a","1"},{erts,".."},[]}.', "cannot be the version of erts"),
        ('{release,{"a","1"},{erts,"1"},[kernel]}.', r"^my.rel: kernel is not \{App,Vsn\}"),
        ('{release,{"a","1"},{erts,"1"},[{kernel,8}]}.', "8 is not a string, as the version of an application has to be"),
        ('{release,{"a","1"},{erts,"1"},[{kernel,"8",foo}]}.', "has the type foo, which is not one of permanent, transient, temporary, load, none"),
        ('{release,{"a","1"},{erts,"1"},[{kernel,"8",[],load}]}.', r"is not \{App,Vsn\}"),
        ('{release,{"a","1"},{erts,"1"},[{kernel,"8",["a"]}]}.', "is not an atom, as each element of the included applications has to be"),
        ('{release,{"a","1"},{erts,"1"},[{\'a/b\',"8"}]}.', "cannot be the name of an application"),
    ],
)
def test_rel_in_a_wrong_shape(text, message):
    with pytest.raises(OtpError, match=message):
        parse_rel(text.encode(), filename="my.rel")


def test_app():
    text = """{application, pea, [{description, "A pea"}, {vsn, "1.0"}, {modules, [pea, {pea_sup, 2}]},
      {registered, [pea]}, {applications, [kernel, stdlib]}, {optional_applications, [ssl]}, {included_applications, [pod]},
      {env, [{colour, green}]}, {mod, {pea, []}}, {vsn, "2.0"}]}."""
    found = parse_app(text.encode(), filename="pea.app")
    assert (found.name, found.version, found.description) == ("pea", "1.0", "A pea")
    assert (found.modules, found.registered) == (("pea", "pea_sup"), ("pea",))
    assert (found.applications, found.optional_applications, found.included_applications) == (("kernel", "stdlib"), ("ssl",), ("pod",))


def test_app_with_nothing_but_its_version():
    found = parse_app(b'{application,pea,[{vsn,"1.0"},{modules,""}]}.', filename="pea.app")
    assert found[2:] == ("", (), (), (), (), ())


@pytest.mark.parametrize(
    "text, message",
    [
        ("{application,pea,[]}.", "^pea.app: the application pea has no vsn"),
        ("{application,pea}.", r"is not \{application,Name"),
        ("{application,pea,[vsn]}.", r"^pea.app: vsn is not \{Key,Value\}"),
        ('{application,pea,[{vsn,"1/2"}]}.', "cannot be vsn"),
        ('{application,pea,[{vsn,"1"},{modules,pea}]}.', "pea is not a list, as modules has to be"),
        ('{application,pea,[{vsn,"1"},{applications,["kernel"]}]}.', "is not an atom, as each element of applications has to be"),
        ('{application,pea,[{vsn,"1"},{description,pea}]}.', "is not a string, as description has to be"),
    ],
)
def test_app_in_a_wrong_shape(text, message):
    with pytest.raises(OtpError, match=message):
        parse_app(text.encode(), filename="pea.app")
