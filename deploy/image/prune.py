"""Takes out of the image what the program never imports; the one place that says what, and why.

    python3 prune.py SITE_PACKAGES

A line that fits nothing any more ends the build, and so does, a step later (`compile.py`), one that takes too much.
What goes, goes from the lists of installed packages and files too: who looks for vulnerable packages finds those that
are there.
"""

from __future__ import annotations

import shutil
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path

PACKAGES = {
    "aiohappyeyeballs": "kubernetes.aio",
    "aiohttp": "kubernetes.aio",
    "aiohttp-retry": "kubernetes.aio",
    "aiosignal": "kubernetes.aio",
    "attrs": "kubernetes.aio",
    "frozenlist": "kubernetes.aio",
    "multidict": "kubernetes.aio",
    "propcache": "kubernetes.aio",
    "yarl": "kubernetes.aio",
}
"""Whole packages, with who alone asks for them."""

FILES = {
    "kubernetes/aio/**/*": "the client a second time, for asyncio; watches here are threads",
    "kubernetes/client/api/[!_]*.py": "a method for each request; exporter/cluster/client.py makes its own",
    "kubernetes/client/models/[!_]*.py": "a class for each kind of object; the exporter reads JSON",
    "scapy/contrib/**/*": "protocols that are neither ARP nor IPv6",
    "scapy/layers/msrpce/**/*": "likewise",
    "scapy/layers/tls/**/*": "likewise",
    "scapy/modules/**/*": "attacks and fingerprints",
    "scapy/tools/**/*": "programs of its own",
    "scapy/arch/windows/**/*": "another system",
    "scapy/arch/bpf/**/*": "another system",
    "tornado/test/**/*": "tests",
}
"""Files, by pattern below site-packages, with the reason."""


def main(site: Path) -> int:
    installed = {_canonical(found.name): found for found in distributions(path=[str(site)])}
    gone: set[Path] = set()
    for name in PACKAGES:
        if name not in installed:
            print(f"prune.py: PACKAGES: {name} is not installed; take the line out", file=sys.stderr)
            return 1
        gone |= _files(installed[name], site)
    for pattern in FILES:
        found = {path for path in site.glob(pattern) if not path.is_dir()}
        if not found:
            print(f"prune.py: FILES: nothing fits {pattern}; take the line out or correct it", file=sys.stderr)
            return 1
        gone |= found
    size = sum(path.stat().st_size for path in gone)
    for path in gone:
        path.unlink()
    _forget_files(site, gone)
    _remove_empty(site)
    print(f"pruned {len(gone)} files, {size / 1e6:.1f} MB")
    return 0


def _canonical(name: str) -> str:
    return name.lower().replace("_", "-")


def _files(package: Distribution, site: Path) -> set[Path]:
    """What a package installed, the description of itself included."""
    paths = {Path(str(package.locate_file(file))).resolve() for file in package.files or ()}
    return {path for path in paths if path.is_relative_to(site) and path.exists()}


def _forget_files(site: Path, gone: set[Path]) -> None:
    for record in site.glob("*.dist-info/RECORD"):
        lines = record.read_text(encoding="utf-8").splitlines(keepends=True)
        record.write_text("".join(line for line in lines if site / line.split(",")[0] not in gone), encoding="utf-8")


def _remove_empty(site: Path) -> None:
    for directory in sorted(site.rglob("*/"), reverse=True):
        if not any(directory.iterdir()):
            shutil.rmtree(directory)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
