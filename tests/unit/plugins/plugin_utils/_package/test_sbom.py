# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: the document fits the schema that CycloneDX publishes; it has what the build and the builder reported, and nothing that is not known; a library
that is missing, or too old, is named with the way out.

The schema is the one that the library brings.
"""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.action import otp_package_sbom
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.builder import builder
from ansible_collections.erlang.otp.plugins.plugin_utils._package.sbom import document_of, is_about, write_document
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import checksum
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils._transport.tasks import Action, make_action
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils.signers import Signers

REVISION = "0123456789abcdef0123456789abcdef01234567"
BUILD: dict[str, t.Any] = {
    "package": "/build/exchange.tar.gz",
    "name": "exchange",
    "version": "2.0",
    "sha256": 64 * "a",
    "size": 4711,
    "erts_version": "13.1.5",
    "applications": [
        {"name": "kernel", "version": "8.5.3", "directory": "/usr/lib/erlang/lib/kernel-8.5.3"},
        {"name": "exchange", "version": "2.0", "directory": "/home/anna/exchange"},
    ],
    "digests": {"erts-13.1.5": 64 * "b", "lib/kernel-8.5.3": 64 * "c", "lib/exchange-2.0": 64 * "d", "releases/2.0/sys.config": 64 * "e"},
    "made_from": {"1.0": {"sha256": 64 * "f", "applications": {}, "libraries": {}}, "0.9": {"sha256": "", "applications": {}, "libraries": {}}},
    "thin": {"package": "/build/exchange-thin.tar.gz", "sha256": 64 * "9", "size": 12, "base": {"name": "exchange", "version": "1.0", "sha256": 64 * "f"}},
}
PROVENANCE: dict[str, t.Any] = {
    "time": "2026-01-31T12:00:00Z",
    "machine": "x86_64",
    "system": "Linux",
    "otp_version": "25.2.3",
    "checkouts": {"exchange": {"directory": "/home/anna/exchange", "revision": REVISION, "dirty": True}},
    "hex": {},
    "warnings": [],
}


def properties(item: t.Any) -> dict[str, str]:
    return {each["name"]: each["value"] for each in item.get("properties", ())}


def validate(document: t.Any) -> None:
    jsonschema, referencing = pytest.importorskip("jsonschema"), pytest.importorskip("referencing")
    directory = importlib.resources.files("cyclonedx.schema._res")
    schemas = [
        json.loads((directory / name).read_text("utf-8"))
        for name in ("bom-1.6.SNAPSHOT.schema.json", "spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json")
    ]
    registry = referencing.Registry().with_resources((schema["$id"], referencing.Resource.from_contents(schema)) for schema in schemas)
    jsonschema.Draft7Validator(schemas[0], registry=registry).validate(document)


def test_the_document() -> None:
    pytest.importorskip("cyclonedx")
    document = json.loads(write_document(BUILD, PROVENANCE, "builder", "exchange-2.0.tar.gz"))
    validate(document)
    with pytest.raises(Exception, match="is not one of"):
        validate({**document, "components": [{"type": "beam", "name": "x"}]})
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    root = document["metadata"]["component"]
    assert (root["name"], root["version"], root["hashes"]) == ("exchange", "2.0", [{"alg": "SHA-256", "content": 64 * "a"}])
    assert properties(root) == {
        "erlang.otp:file": "exchange-2.0.tar.gz",
        "erlang.otp:size": "4711",
        "erlang.otp:upgrade_from:1.0": "sha256:" + 64 * "f",
    }
    assert document["metadata"]["timestamp"] == "2026-01-31T12:00:00+00:00" and document["metadata"]["lifecycles"] == [{"phase": "build"}]
    assert properties(document["metadata"]) == {
        "erlang.otp:builder": "builder",
        "erlang.otp:builder:machine": "x86_64",
        "erlang.otp:builder:system": "Linux",
    }
    parts = {item["name"]: item for item in document["components"]}
    assert {name: item["version"] for name, item in parts.items()} == {
        "kernel": "8.5.3",
        "exchange": "2.0",
        "erts": "13.1.5",
        "Erlang/OTP": "25.2.3",
        "exchange-2.0-thin.tar.gz": "2.0",
    }
    assert properties(parts["exchange"]) == {
        "erlang.otp:digest_of_content": 64 * "d",
        "erlang.otp:directory": "/home/anna/exchange",
        "erlang.otp:git:revision": REVISION,
        "erlang.otp:git:dirty": "true",
        "erlang.otp:git:directory": "/home/anna/exchange",
    }
    assert not [name for name in properties(parts["kernel"]) if "git" in name]
    # What is in no repository has no address.
    purls = {"kernel": "pkg:otp/kernel@8.5.3", "exchange": "pkg:otp/exchange@2.0", "erts": "pkg:otp/erts@13.1.5"}
    assert {name: item["purl"] for name, item in parts.items() if "purl" in item} == purls and "purl" not in root
    assert parts["exchange-2.0-thin.tar.gz"]["hashes"] == [{"alg": "SHA-256", "content": 64 * "9"}]
    assert properties(parts["exchange-2.0-thin.tar.gz"]) == {
        "erlang.otp:base": "exchange-1.0",
        "erlang.otp:base:sha256": 64 * "f",
        "erlang.otp:size": "12",
    }
    needed = next(item for item in document["dependencies"] if item["ref"] == "release")["dependsOn"]
    assert needed == ["erts-13.1.5", "lib/exchange-2.0", "lib/kernel-8.5.3"]


def test_what_was_unpacked_from_a_package_of_hex_has_its_address() -> None:
    """The package may have another name than its application; characters that an address cannot have are escaped."""
    pytest.importorskip("cyclonedx")
    applications = [{"name": "Pea", "version": "1.0", "directory": "/lib/pea"}, {"name": "ranch", "version": "2.1.0+p1", "directory": "/lib/ranch"}]
    packages = {"Pea": {"name": "Green_pea", "version": "1.0.0-rc.1+b"}}
    document = json.loads(write_document({**BUILD, "applications": applications}, {**PROVENANCE, "hex": packages}, "builder", "exchange-2.0.tar.gz"))
    validate(document)
    purls = {item["name"]: item.get("purl") for item in document["components"]}
    assert (purls["Pea"], purls["ranch"]) == ("pkg:hex/green_pea@1.0.0-rc.1%2Bb", "pkg:otp/ranch@2.1.0%2Bp1")


def test_what_is_not_known_is_left_out() -> None:
    pytest.importorskip("cyclonedx")
    build = {**BUILD, "thin": None, "digests": {}, "made_from": {}}
    document = json.loads(write_document(build, {**PROVENANCE, "otp_version": "", "checkouts": {}}, "builder", "exchange-2.0.tar.gz"))
    validate(document)
    assert sorted(item["name"] for item in document["components"]) == ["erts", "exchange", "kernel"]
    assert properties(document["components"][0]) == {"erlang.otp:directory": "/home/anna/exchange"}


def test_the_document_is_beside_the_package(tmp_path: Path) -> None:
    document = tmp_path / "exchange-2.0.cdx.json"
    assert document_of(str(tmp_path / "exchange-2.0.tar.gz")) == str(document)
    assert not is_about(str(document), 64 * "a")
    for text in ("", "[]", "{}", '{"metadata": {"component": {"hashes": []}}}', '{"metadata": {"component": {"hashes": [{"alg": "MD5"}]}}}'):
        document.write_text(text)
        assert not is_about(str(document), 64 * "a")
    document.write_text(json.dumps({"metadata": {"component": {"hashes": [{"alg": "SHA-256", "content": 64 * "a"}]}}}))
    assert is_about(str(document), 64 * "a") and not is_about(str(document), 64 * "b")


@pytest.mark.parametrize("version", [None, "7.6.2", "11.0.0"])
def test_a_library_that_is_missing_is_named_before_anything_is_built(monkeypatch: pytest.MonkeyPatch, version: str | None) -> None:
    def find(name: str) -> str:
        if version is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(importlib.metadata, "version", find)
    found = [*builder({"otp_rel": "/x.rel", "otp_sbom": True})]
    assert len(found) == (version != "11.0.0") and not [*builder({"otp_rel": "/x.rel", "otp_sbom": False})]
    if found:
        lack = "cyclonedx-python-lib 7.6.2, and 11 or newer is needed" if version else "no cyclonedx-python-lib"
        assert found[0].startswith(f"otp_sbom is true, and the Python of Ansible on the controller has {lack}: install it (")
        assert found[0].endswith(" -m pip install 'cyclonedx-python-lib>=11'), or set otp_sbom to false.")


class Writer(otp_package_sbom.ActionModule, Action):
    """The builder is the only part that is not there."""

    def run(self, tmp: t.Any = None, task_vars: t.Any = None) -> dict[str, t.Any]:
        return otp_package_sbom.ActionModule.run(self, tmp, task_vars)


@pytest.fixture(scope="module")
def signers(tmp_path_factory: pytest.TempPathFactory) -> Signers:
    return Signers(tmp_path_factory.mktemp("keys"))


def test_a_document_that_another_has_written_is_not_signed(signers: Signers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cyclonedx")
    package, document = tmp_path / "exchange-2.0.tar.gz", tmp_path / "exchange-2.0.cdx.json"
    package.write_bytes(b"package")
    digest = checksum(str(package)).partition(":")[2]
    monkeypatch.setattr(otp_package_sbom.TRANSPORT, "execute", lambda *_arguments: {"provenance": PROVENANCE})
    monkeypatch.setattr(Action, "run", lambda *_arguments: {})

    def write(*, check_mode: bool = False, **more: t.Any) -> dict[str, t.Any]:
        action = make_action(kind=Writer, check_mode=check_mode)
        action._task.args = {"package": str(package), "build": {**BUILD, "sha256": digest}, **more}
        return action.run(None, {"inventory_hostname": "builder"})

    assert write(check_mode=True)["changed"] and not document.exists()
    assert write() == {"changed": True, "document": str(document), "warnings": []} and not write()["changed"]
    # Another has written it: without a key nothing says so.
    written = document.read_text()
    document.write_text(written.replace(REVISION, 40 * "0"))
    key = {"key": str(signers.directory / "anna")}
    assert write(**key)["changed"] and REVISION in document.read_text() and not write(**key)["changed"]
    document.write_text(written.replace(REVISION, 40 * "0"))
    assert write(**key)["changed"] and REVISION in document.read_text()
    # Messages about the signature name what is signed.
    assert f"document {document} cannot be signed with the key /no/key: " in write(key="/no/key")["msg"]
    # The package of another version is there.
    package.write_bytes(b"Package")
    assert write()["failed"] and f"and the build reported {digest}: bring the package that was built there." in write()["msg"]
