# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a package was built from, as a document of CycloneDX 1.6 beside it: https://cyclonedx.org/docs/1.6/json/.

What CycloneDX has no place for is a property whose name begins with erlang.otp, as its taxonomy of properties asks for. The digests of libraries are
such properties, because they are not of one file (_formats/significant): its hashes are those that sha256sum says.

A library has a package URL (https://github.com/package-url/purl-spec), by which scanners look for advisories: of the type hex if it was unpacked from a
package of Hex, which the definition of otp prefers, else of the type otp. No type fits the release, which is in no repository, nor Erlang/OTP as a whole.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.reading import read_file
from ansible_collections.erlang.otp.plugins.plugin_utils._package.facts import SUFFIX, thin_of

LIBRARY, OLDEST = "cyclonedx-python-lib", 11
DOCUMENT = ".cdx.json"


def missing_library() -> str:
    """What is wrong with the library on this controller; empty if nothing is."""
    try:
        version = importlib.metadata.version(LIBRARY)
    except importlib.metadata.PackageNotFoundError:
        version = ""
    if version and int(version.partition(".")[0]) >= OLDEST:
        return ""
    lack = f"{LIBRARY} {version}, and {OLDEST} or newer is needed" if version else f"no {LIBRARY}"
    return (
        f"otp_sbom is true, and the Python of Ansible on the controller has {lack}: install it ({sys.executable} -m pip install '{LIBRARY}>={OLDEST}'),"
        " or set otp_sbom to false."
    )


def document_of(package: str) -> str:
    """The path of the document about this package."""
    return (package[: -len(SUFFIX)] if package.endswith(SUFFIX) else package) + DOCUMENT


def is_about(document: str, digest: str) -> bool:
    """Whether there is a document about the package with this sha256. Raises OtpError and OSError."""
    try:
        (found,) = json.loads(read_file(document) or b"")["metadata"]["component"]["hashes"]
        return bool(found == {"alg": "SHA-256", "content": digest})
    except (ValueError, KeyError, TypeError):
        return False


def write_document(build: t.Mapping[str, t.Any], provenance: t.Mapping[str, t.Any], builder: str, package: str) -> bytes:
    """The document. build: the result of otp_release_build; provenance: what the builder says of it; package: the name of the file."""
    # Lazy: the library is needed by nothing else.
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.lifecycle import LifecyclePhase, PredefinedLifecycle
    from cyclonedx.output.json import JsonV1Dot6

    def component(kind: ComponentType, name: str, version: str | None, reference: str, digest: str = "", purl: t.Any = None, **properties: t.Any) -> Component:
        return Component(type=kind, name=name, version=version, bom_ref=reference, hashes=_hashes(digest), purl=purl, properties=_properties(properties))

    def application(name: str, version: str, directory: str) -> Component:
        place = f"lib/{name}-{version}"
        checkout = provenance["checkouts"].get(name) or {}
        return component(
            ComponentType.LIBRARY,
            *(name, version, place),
            purl=_purl(name, version, provenance["hex"].get(name)),
            digest_of_content=build["digests"].get(place),
            directory=directory,
            **{f"git:{key}": checkout.get(key) for key in ("revision", "dirty", "directory")},
        )

    root = component(
        ComponentType.APPLICATION,
        *(build["name"], build["version"], "release", build["sha256"]),
        file=package,
        size=build["size"],
        **{f"upgrade_from:{version}": f"sha256:{entry['sha256']}" for version, entry in build["made_from"].items() if entry["sha256"]},
    )
    erts = f"erts-{build['erts_version']}"
    parts = [application(**item) for item in build["applications"]]
    parts.append(
        component(
            ComponentType.PLATFORM, "erts", build["erts_version"], erts, purl=_purl("erts", build["erts_version"]), digest_of_content=build["digests"].get(erts)
        )
    )
    needed = [*parts]
    if provenance["otp_version"]:
        parts.append(component(ComponentType.PLATFORM, "Erlang/OTP", provenance["otp_version"], "otp"))
    if build["thin"]:
        base, names = build["thin"]["base"], (os.path.basename(thin_of(package)), build["version"], "thin", build["thin"]["sha256"])
        of_base = {"base": f"{base['name']}-{base['version']}", "base:sha256": base["sha256"]}
        parts.append(component(ComponentType.FILE, *names, size=build["thin"]["size"], **of_base))
    bom = Bom(components=parts)
    bom.metadata.timestamp = _moment(provenance["time"])
    bom.metadata.lifecycles = [PredefinedLifecycle(phase=LifecyclePhase.BUILD)]
    bom.metadata.tools.components.add(component(ComponentType.APPLICATION, "erlang.otp", None, "tool"))
    bom.metadata.component = root
    bom.metadata.properties = _properties({"builder": builder, **{f"builder:{key}": provenance[key] for key in ("machine", "system")}})
    bom.register_dependency(root, needed)
    return JsonV1Dot6(bom).output_as_string(indent=1).encode() + b"\n"


def _hashes(digest: str) -> list[t.Any]:
    from cyclonedx.model import HashAlgorithm, HashType

    return [HashType(alg=HashAlgorithm.SHA_256, content=digest)] if digest else []


def _purl(application: str, version: str, package: t.Mapping[str, str] | None = None) -> t.Any:
    """package: that of Hex. Names of both types have small letters."""
    from packageurl import PackageURL

    if package:
        return PackageURL("hex", name=package["name"].lower(), version=package["version"])
    return PackageURL("otp", name=application.lower(), version=version)


def _properties(values: t.Mapping[str, t.Any]) -> list[t.Any]:
    """Those that have a value, as text."""
    from cyclonedx.model import Property

    texts = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in values.items() if value not in (None, "")}
    return [Property(name=f"erlang.otp:{name}", value=text) for name, text in texts.items()]


def _moment(text: str) -> t.Any:
    import datetime

    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc)
