"""What every test of the lab checks in the end: nothing of it is left on this machine."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest


def leftovers(prefix: str = "vipx-") -> set[str]:
    """The namespaces and links on this machine that a lab made."""
    namespaces = subprocess.run(["ip", "netns", "list"], capture_output=True, check=True, text=True).stdout.splitlines()
    links = subprocess.run(["ip", "-json", "link"], capture_output=True, check=True, text=True).stdout
    names = {line.split()[0] for line in namespaces} | {link["ifname"] for link in json.loads(links)}
    return {name for name in names if name.startswith(prefix)}


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    before = leftovers()
    yield
    assert leftovers() - before == set()
