from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.conftest import cluster
from tests.faults.world import World
from tests.faults.world import world as make


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with make(tmp_path) as made:
        yield made


__all__ = ["cluster", "world"]
