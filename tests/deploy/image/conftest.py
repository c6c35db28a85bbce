"""Both images, built once for all tests, and a wire to hear something on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.image.engine import Engine, workshop
from tests.netns import Wire, ip, wire


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    with workshop() as directory:
        yield Engine(directory)


@pytest.fixture(scope="session")
def image(engine: Engine) -> str:
    """What a plain `docker build` makes."""
    return engine.build("localhost/vip-exporter:test", "root")


@pytest.fixture(scope="session")
def nonroot(engine: Engine, image: str) -> str:
    return engine.build("localhost/vip-exporter:test-nonroot", "nonroot")


@pytest.fixture(scope="module")
def cable() -> Iterator[Wire]:
    with wire() as pair:
        ip("-n", pair.here, "link", "set", "lo", "up")
        yield pair


@pytest.fixture
def intent(tmp_path: Path) -> Path:
    path = tmp_path / "vips.yaml"
    path.write_text("vips:\n  - address: 192.0.2.100\n    mode: static\n")
    return path
