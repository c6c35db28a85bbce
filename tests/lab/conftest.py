"""What every test of the lab checks in the end: nothing of it is left on this machine."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from exporter.lab.kubeapi import KubeAPI
from exporter.lab.kubeapi.words import Request
from exporter.vip.model import ServiceRef


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


def object_of(api: KubeAPI, resource: str, ref: ServiceRef) -> dict[str, Any]:
    """An object as a reader gets it."""
    return api.get_object(Request("get", resource, ref.namespace, ref.name, {}))
