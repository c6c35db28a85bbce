"""One machine with systemd for all tests of this folder: installed as delivered, started, on a real wire."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import netns
from tests.deploy.systemd.machine import Machine, machine


@pytest.fixture(scope="package")
def wire() -> Iterator[netns.Wire]:
    """`here` is node-1, 192.0.2.11, with its default route."""
    with netns.wire() as pair:
        netns.ip("-n", pair.here, "link", "set", "lo", "up")
        netns.ip("-n", pair.here, "address", "add", "192.0.2.11/24", "dev", netns.DEVICE)
        netns.ip("-n", pair.here, "route", "add", "default", "via", "192.0.2.1")
        yield pair


@pytest.fixture(scope="package")
def booted(wire: netns.Wire, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Nothing is started on it yet."""
    with machine(tmp_path_factory.mktemp("machine"), wire.here) as small:
        yield small


@pytest.fixture
def host(booted: Machine) -> Machine:
    """The exporter runs as delivered, and is to be looked at only."""
    booted.systemctl("enable", "--now", "vip-exporter")
    return booted


@pytest.fixture
def changed(host: Machine) -> Iterator[Machine]:
    """The exporter runs as delivered; whatever a test changes is taken back."""
    yield host
    host.restore()


@pytest.fixture
def stopped(booted: Machine) -> Iterator[Machine]:
    """As delivered, but not started; whatever a test changes is taken back."""
    booted.systemctl("disable", "--now", "vip-exporter")
    yield booted
    booted.restore()
