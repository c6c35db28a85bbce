"""The licences of what is shipped: which they are, whether each is judged, and the table of them in docs/licences.md.

A licence that is not judged here is an error: somebody has to read it first.
"""

from __future__ import annotations

import re

from release.shipped import ROOT, Package, packages

PAGE = ROOT / "docs" / "licences.md"

JUDGED = {
    "Apache-2.0": "keep text, notices and `NOTICE`",
    "Apache-2.0 AND BSD-2-Clause": "keep texts, notices and `NOTICE`",
    "Apache-2.0 AND MIT": "keep texts and notices",
    "BSD-3-Clause": "keep text and notice",
    "GPL-2.0-only": "[below](#scapy)",
    "ISC": "keep text and notice",
    "MIT": "keep text and notice",
    "MPL-2.0": "keep text and notices; changed files of it stay under it",
    "PSF-2.0": "keep text and notice; summarise changes",
}
"""What each asks of who passes the package on."""

TAKEN = {("pyroute2", "GPL-2.0-or-later OR Apache-2.0"): "Apache-2.0"}
"""Where a package offers several, the one that we take."""

READ = {("jinja2", "License :: OSI Approved :: BSD License"): "BSD-3-Clause"}
"""Where a package's metadata leave it open, what its licence text is."""

_SPELT = {
    "Apache 2.0": "Apache-2.0",
    "License :: OSI Approved :: MIT License": "MIT",
}
"""What packages write where SPDX has another spelling."""

_TABLE = re.compile(r"(?<=<!-- packages -->\n\n).*?(?=<!-- end -->)", re.DOTALL)


def licence(package: Package) -> str:
    """Its licence as an SPDX expression, the one that we take where it offers several.

    Raises:
        ValueError: nobody has judged it.
    """
    name = package.pin.name
    for said in (package.expression, package.licence, *package.classifiers):
        spdx = TAKEN.get((name, said)) or READ.get((name, said)) or _SPELT.get(said, said)
        if spdx in JUDGED:
            return spdx
    said = package.expression or package.licence or ", ".join(package.classifiers) or "none"
    raise ValueError(f"{name}: nobody has judged its licence ({said}): read it, and say so in release/licences.py")


def page() -> str:
    """The text of docs/licences.md: as it is, with the table as it should be."""
    rows = "".join(_row(one) for one in packages())
    table = f"| package | version | licence | who passes it on must |\n|---|---|---|---|\n{rows}\n"
    text, found = _TABLE.subn(lambda _: table, PAGE.read_text())
    if found != 1:
        raise ValueError(
            f"{PAGE}: has not one place for the table; it goes between '<!-- packages -->' and '<!-- end -->'"
        )
    return text


def _row(package: Package) -> str:
    spdx = licence(package)
    name = f"[{package.pin.name}]({package.home})" if package.home else package.pin.name
    must = JUDGED[spdx] if package.has_text else f"{JUDGED[spdx]} (no text in the package)"
    return f"| {name} | {package.pin.version} | {spdx} | {must} |\n"


GENERATED = {PAGE: page}
