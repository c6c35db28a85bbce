"""The software bill of materials: program and locked packages as CycloneDX 1.6, the same on every machine, at any time.

Run (`python -m release.sbom FILE`), it writes it. There is neither a time nor a serial number in it: two that differ,
differ in content.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from exporter import __version__
from release.licences import licence
from release.shipped import PROGRAM, Package, packages, required

HOME = "https://github.com/vip-exporter/vip-exporter"

Element = dict[str, Any]


def sbom() -> Element:
    """The document, as something `json.dumps` can write."""
    shipped = packages()
    names = {one.pin.name: _purl(one.pin.name, one.pin.version) for one in shipped}
    program = _purl(PROGRAM, __version__)
    needs = {program: required(PROGRAM, names)} | {names[one.pin.name]: one.requires for one in shipped}
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "lifecycles": [{"phase": "build"}],
            "component": {
                "type": "application",
                "bom-ref": program,
                "name": PROGRAM,
                "version": __version__,
                "licenses": _licences("Apache-2.0"),
                "purl": program,
                "externalReferences": [{"type": "vcs", "url": HOME}],
            },
        },
        "components": [_component(one) for one in shipped],
        "dependencies": [
            {"ref": ref, "dependsOn": [names[name] for name in others]} for ref, others in sorted(needs.items())
        ],
    }


def _component(package: Package) -> Element:
    purl = _purl(package.pin.name, package.pin.version)
    hashes = [{"alg": "SHA-256", "content": content} for content in package.pin.hashes]
    references: list[Element] = [
        {"type": "distribution", "url": purl, "comment": "the files that may be installed", "hashes": hashes}
    ]
    if package.home:
        references.append({"type": "website", "url": package.home})
    return {
        "type": "library",
        "bom-ref": purl,
        "name": package.pin.name,
        "version": package.pin.version,
        "licenses": _licences(licence(package)),
        "purl": purl,
        "externalReferences": references,
    }


def _licences(spdx: str) -> list[Element]:
    said = {"acknowledgement": "concluded"}
    return [{"expression": spdx} | said if " " in spdx else {"license": {"id": spdx} | said}]


def _purl(name: str, version: str) -> str:
    return f"pkg:pypi/{name}@{version}"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(sbom(), indent=2) + "\n")
