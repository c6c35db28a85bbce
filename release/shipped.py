"""What is shipped with the program: the packages of the run-time lock, with what their own metadata say of them.

The same on every machine: the lock is read as the container image reads it (Linux, its Python), whatever runs this.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from email.message import Message
from importlib import metadata
from pathlib import Path
from typing import cast

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements" / "run.txt"
PROGRAM = canonicalize_name("vip-exporter")

_IMAGE: dict[str, str] = {
    "implementation_name": "cpython",
    "implementation_version": "3.13.0",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_release": "",
    "platform_system": "Linux",
    "platform_version": "",
    "python_full_version": "3.13.0",
    "python_version": "3.13",
    "sys_platform": "linux",
}
_PIN = re.compile(r"(?P<name>[a-z0-9.-]+)==(?P<version>\S+)(?: ; (?P<marker>.+))?")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_HOME_LABELS = ("homepage", "source", "source code", "code", "repository", "github")
_LICENCE_FILE = re.compile(r"(licen[cs]e|copying)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Pin:
    """One package of a lock."""

    name: NormalizedName
    version: str
    hashes: tuple[str, ...]
    """SHA-256 of each file that may be installed, in hexadecimal."""


@dataclass(frozen=True, slots=True)
class Package:
    """A package that is shipped, as its metadata describe it."""

    pin: Pin
    home: str
    requires: tuple[NormalizedName, ...]
    """Those of the other packages that it asks for."""
    expression: str
    """`License-Expression`; this and the next are empty where they are not given."""
    licence: str
    """`License`, on one line."""
    classifiers: tuple[str, ...]
    """Those about the licence."""
    has_text: bool
    """Whether the licence's text comes with it."""


def pins(lock: Path = LOCK) -> tuple[Pin, ...]:
    """The packages of a lock that Linux gets.

    Raises:
        ValueError: a line is not of the form that `make lock` writes.
    """
    found = []
    for entry in _entries(lock):
        head, _, hashes = entry.partition("\n")
        if (match := _PIN.fullmatch(head.removesuffix(" \\"))) is None:
            raise ValueError(f"{lock}: not a pinned package: {head!r}; write the lock with `make lock`")
        if match["marker"] is None or Marker(match["marker"]).evaluate(_IMAGE):
            found.append(Pin(canonicalize_name(match["name"]), match["version"], tuple(_HASH.findall(hashes))))
    return tuple(found)


def _entries(lock: Path) -> list[str]:
    text = "\n".join(line for line in lock.read_text().splitlines() if not line.lstrip().startswith("#"))
    return re.split(r"\n(?=\S)", text.strip())


def packages(lock: Path = LOCK) -> tuple[Package, ...]:
    """Everything that is shipped beside the program itself, in the order of the lock.

    Raises:
        LookupError: one is not installed here in the version of the lock.
    """
    found = pins(lock)
    names = {pin.name for pin in found}
    return tuple(_package(pin, names) for pin in found)


def required(name: str, among: Collection[NormalizedName]) -> tuple[NormalizedName, ...]:
    """Those of the packages that an installed one asks for, sorted."""
    wanted = (Requirement(line) for line in metadata.requires(name) or ())
    here = {
        canonicalize_name(one.name)
        for one in wanted
        if one.marker is None or one.marker.evaluate(_IMAGE | {"extra": ""})
    }
    return tuple(sorted(here.intersection(among)))


def _package(pin: Pin, names: Collection[NormalizedName]) -> Package:
    try:
        distribution = metadata.distribution(pin.name)
    except metadata.PackageNotFoundError:
        raise LookupError(f"{pin.name} of the lock is not installed; `make test` installs it") from None
    if distribution.version != pin.version:
        raise LookupError(
            f"{pin.name} is installed as {distribution.version}, and the lock wants {pin.version};"
            " `make test` installs what requirements/dev.txt has: write both with `make lock`"
        )
    about = cast(Message, distribution.metadata)  # what it is, whatever its declared type lets one ask
    return Package(
        pin=pin,
        home=_home(about.get("Home-page"), about.get_all("Project-URL") or []),
        requires=required(pin.name, names),
        expression=about.get("License-Expression") or "",
        licence=" ".join((about.get("License") or "").split()),
        classifiers=tuple(line for line in about.get_all("Classifier") or () if line.startswith("License ::")),
        has_text=any(_LICENCE_FILE.search(file.name) and file.suffix != ".py" for file in distribution.files or ()),
    )


def _home(home_page: str | None, links: list[str]) -> str:
    labelled = (link.split(", ", 1) for link in links)
    by_label = {label.casefold(): url for label, url in labelled}
    named = (by_label[label] for label in _HOME_LABELS if label in by_label)
    return home_page or next(named, "")
