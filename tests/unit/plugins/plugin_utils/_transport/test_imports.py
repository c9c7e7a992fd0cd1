# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: whatever way an import is written, the file that it needs is found, as Python itself loads it; nothing that goes to a host imports by a
call, such as importlib.import_module, or from a relative name, which are not found.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys

import pytest

from ansible_collections.erlang.otp.plugins.plugin_utils._transport.imports import PACKAGE, imports, sources

UTILS = f"{PACKAGE}.module_utils"
IMPORTER = f"{UTILS}._terms.importer"
SHOWS_ERRORS = f"{UTILS}._core.terminal"
# Runs a text as the module IMPORTER, and says which files of the collection are loaded then.
LOAD = """
import json, sys, types
module = types.ModuleType(sys.argv[1])
module.__package__ = sys.argv[1].rpartition(".")[0]
exec(sys.argv[2], module.__dict__)
print(json.dumps(sorted(name for name, item in sys.modules.items() if name.startswith(sys.argv[3]) and getattr(item, "__file__", None))))
"""
FORMS = {
    "a name of a module": f"from {UTILS}._terms.parser import consult_bytes",
    "a module of a package": f"from {UTILS}._terms import parser",
    "several modules": f"from {UTILS}._terms import parser, plain_data",
    "dotted": f"import {UTILS}._terms.parser",
    "dotted, aliased": f"import {UTILS}._terms.parser as terms",
    "several dotted": f"import {UTILS}._terms.parser, {UTILS}._terms.bits",
    "aliased": f"from {UTILS}._terms import parser as terms",
    "in parentheses": f"from {UTILS}._terms import (\n    parser,\n    bits as segments,\n)",
    "continued": f"from {UTILS}._terms import \\\n    parser",
    "two on a line": f"import os; from {UTILS}._terms import parser",
    "lazy": f"def work():\n    from {UTILS}._terms import parser\nwork()",
    "guarded": f"try:\n    from {UTILS}._terms import parser\nexcept ImportError:\n    pass",
    "all names of a module": f"from {UTILS}._terms.parser import *",
    "in a class": f"class Work:\n    import {UTILS}._terms.parser",
    "in a function of a class": f"class Work:\n    def work(self):\n        from {UTILS}._terms import parser\nWork().work()",
    "conditional": f"import sys\nif sys.version_info > (3, 0):\n    from {UTILS}._terms import parser",
    "in a with statement": f"import contextlib\nwith contextlib.suppress(ImportError):\n    from {UTILS}._terms import parser",
    "a package, and a module of it": f"import {UTILS}._terms\nfrom {UTILS}._terms import bits",
    "none": "import os.path\nfrom json import loads",
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
def test_every_form_of_import_is_found(text: str) -> None:
    loaded = subprocess.run([sys.executable, "-c", LOAD, IMPORTER, text, PACKAGE], capture_output=True, text=True, timeout=600, check=True)
    found = {name for item in imports(compile(text, IMPORTER, "exec")) for name in sources(item)}
    # What an error needs to be shown, and is not imported before.
    assert found - {SHOWS_ERRORS} == {*json.loads(loaded.stdout)} - {SHOWS_ERRORS}


@pytest.mark.parametrize("module", ["otp_release_handler", "otp_target_system"])
def test_nothing_is_imported_by_a_call_or_from_a_relative_name(module: str) -> None:
    nodes = [node for file in sources(f"{PACKAGE}.modules.{module}").values() for node in ast.walk(ast.parse(file.text))]
    assert not [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.level]
    calls = (node.func for node in nodes if isinstance(node, ast.Call))
    assert not {ast.unparse(call) for call in calls} & {"importlib.import_module", "import_module", "__import__"}
