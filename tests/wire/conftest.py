"""A real wire for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import netns


@pytest.fixture
def wire() -> Iterator[netns.Wire]:
    with netns.wire() as pair:
        yield pair
