"""Says whether a version can be released: the tag, each file that names the version, and the changelog must agree.

`python -m release.versions v1.2.3` says what is wrong, with exit status 1. With `--notes` it prints the changelog's
section, for the release's page.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parent.parent
CHANGELOG = Path("CHANGELOG.md")
UNRELEASED = "Unreleased"

NAMED = {
    ("exporter/__init__.py", "__version__"): r'^__version__ = "([^"]*)"$',
    ("deploy/chart/Chart.yaml", "version"): r'^version: "?([^"\s]*)"?$',
    ("deploy/chart/Chart.yaml", "appVersion"): r'^appVersion: "?([^"\s]*)"?$',
    ("deploy/compose/compose.yaml", "image"): r"image: ghcr\.io/vip-exporter/vip-exporter:(\S*)$",
    ("Dockerfile", "ARG VERSION"): r"^ARG VERSION=(\S*)$",
    ("docs/licences.md", "the version in its example"): r"ghcr\.io/vip-exporter/vip-exporter:(\S*) AS whole$",
    ("docs/install.md", "the version in its examples"): r"(?:--version |vip-exporter[:/]v?)(\d[\w.-]*)",
    ("docs/image.md", "the version in its examples"): r"vip-exporter:(\d[\w.]*)",
    ("docs/image.md", "the version of the other image"): r"…:(\d[\w.]*)-nonroot",
    ("docs/security.md", "the version in its examples"): r"vip-exporter:(\d[\w.]*)",
    ("docs/upgrading.md", "the version in its examples"): r"--version (\S*)",
}
"""Where the version is written by hand: file and key, with how it stands there. What is generated follows of itself."""

_TAG = re.compile(r"v((?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*))")
_SECTION = re.compile(r"^## (?P<version>.+?)(?: / (?P<day>.+))?$", re.MULTILINE)


def problems(tag: str, root: Path = ROOT) -> list[str]:
    """What keeps this tag from being released, with what to do about it; nothing: it can be."""
    if (match := _TAG.fullmatch(tag)) is None:
        return [f"{tag}: not a release; tags are v1.2.3, with nothing before or after and no leading zeros"]
    version = match[1]
    wrong = [
        f"{file}: {key} is {found or 'not there'}, not {version}; set it, or tag another version"
        for (file, key), found in written(root).items()
        if found != version
    ]
    return wrong + _of_the_changelog(version, (root / CHANGELOG).read_text())


def written(root: Path = ROOT) -> dict[tuple[str, str], str]:
    """What each place says that names the version, all that it says if not the same; empty: the place is not there."""
    found = {}
    for (file, key), pattern in NAMED.items():
        versions = re.findall(pattern, (root / file).read_text(), re.MULTILINE)
        found[file, key] = ", ".join(sorted(set(versions)))
    return found


def _of_the_changelog(version: str, text: str) -> list[str]:
    newest = next((found for found in _SECTION.finditer(text) if found["version"] != UNRELEASED), None)
    wanted = f"'## {version} / YYYY-MM-DD'"
    if newest is None or newest["version"] != version:
        return [f"{CHANGELOG}: its newest section is not that of {version}; name what is under {UNRELEASED!r} {wanted}"]
    try:
        date.fromisoformat(newest["day"] or "")
    except ValueError:
        return [f"{CHANGELOG}: {newest[0]!r}: its day is wrong or missing; write {wanted}"]
    if not notes(version, text):
        return [f"{CHANGELOG}: {newest[0]!r}: nothing stands there; say what is new"]
    return []


def notes(version: str, changelog: str) -> str:
    """The text of the changelog's section of a version; empty: there is none."""
    for found in _SECTION.finditer(changelog):
        if found["version"] == version:
            following = _SECTION.search(changelog, found.end())
            return changelog[found.end() : following.start() if following else len(changelog)].strip()
    return ""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m release.versions")
    parser.add_argument("tag", help="such as v1.2.3")
    parser.add_argument("--notes", action="store_true", help="print the changelog's section")
    asked = parser.parse_args(arguments)
    if found := problems(asked.tag):
        print(*(f"not to be released: {problem}" for problem in found), sep="\n", file=sys.stderr)
        return 1
    print(notes(asked.tag[1:], (ROOT / CHANGELOG).read_text()) if asked.notes else f"{asked.tag} can be released")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
