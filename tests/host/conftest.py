"""A node for the tests of this folder."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from tests import netns
from tests.host.watching import Node, Watched

Watch = Callable[..., Watched]


@pytest.fixture
def node() -> Iterator[Node]:
    with netns.wire() as pair:
        yield Node(pair)


@pytest.fixture
def watch(node: Node) -> Iterator[Watch]:
    """Begin to watch the node; ends with the test."""
    with contextlib.ExitStack() as running:

        def begin(*, up: bool = True, **options: object) -> Watched:
            watched = Watched(node, **options)
            running.callback(watched.close)
            if up:
                watched.until(lambda: watched.watcher.status().up and watched.batches != [])
            return watched

        yield begin
