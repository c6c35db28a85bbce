"""Tell those who watch a page what has changed on it, as server-sent events; knows no socket and no HTTP.

All who watch the same page are told from one making of it, once a second; each is told what it has not got.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from exporter.publish.parts import Parts
from exporter.publish.web.query import PageQuery
from exporter.publish.web.routes import message
from exporter.publish.web.turns import in_thread, observed

CONTENT_TYPE = "text/event-stream; charset=utf-8"
EVERY = 1.0
"""Seconds between two messages; there is one even where nothing has changed, to show that somebody is there."""
AT_MOST_BUSY = 0.1
"""Share of the time that may go into making one page anew: a large one is made less often,"""
LONGEST_REST = 3.0
"""but so often that a page, which waits six seconds, does not take it for dead."""
LONGEST = 900.0
"""Seconds after which a stream ends, and the browser asks anew: it may be none that is let in any more."""
MOST_STREAMS = 64
MOST_PER_CLIENT = 8
"""More are refused, and these pages poll."""
RETRY_MILLISECONDS = 2000


class TooManyStreamsError(Exception):
    """This client, or all of them, has as many streams as there may be."""


@dataclass(frozen=True, slots=True)
class _Made:
    beat: int
    parts: asyncio.Task[Parts]


class Streams:
    """All that are open.

    Args:
        make: makes a page's parts, in a thread.
    """

    def __init__(self, make: Callable[[PageQuery], Coroutine[Any, Any, Parts]]) -> None:
        self._make = make
        self._made: dict[PageQuery, _Made] = {}
        self._open: Counter[str] = Counter()

    @contextlib.contextmanager
    def admit(self, client: str) -> Iterator[None]:
        """One more for this client, as long as the context lasts.

        Raises:
            TooManyStreamsError: there are enough.
        """
        if self._open.total() >= MOST_STREAMS or self._open[client] >= MOST_PER_CLIENT:
            raise TooManyStreamsError
        self._open[client] += 1
        try:
            yield
        finally:
            self._open[client] -= 1
            self._open += Counter()  # those with none are dropped
            if not self._open:
                self._made.clear()

    async def messages(self, query: PageQuery, stopping: asyncio.Event) -> AsyncIterator[bytes]:
        """Events as they go over the wire; the first has everything. Ends when told to, or after a while."""
        loop = asyncio.get_running_loop()
        end = loop.time() + LONGEST
        had: Parts | None = None
        yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
        while loop.time() < end and not stopping.is_set():
            begun = loop.time()
            parts = await self._now(query)
            # In a thread: of ten thousand VIPs this takes a while, in which nobody else would be served.
            yield await in_thread(partial(_event, had, parts))
            had = parts
            rest = min(max(EVERY, (loop.time() - begun) / AT_MOST_BUSY), LONGEST_REST)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), rest)

    async def _now(self, query: PageQuery) -> Parts:
        """As of the present second: made by the first who asks in it."""
        beat = int(asyncio.get_running_loop().time() / EVERY)
        made = self._made.get(query)
        if made is None or (made.beat != beat and made.parts.done()):
            self._made = {known: one for known, one in self._made.items() if one.beat == beat or not one.parts.done()}
            made = self._made[query] = _Made(beat, observed(self._make(query)))
        # Shielded: others wait for it when this one gives up.
        return await asyncio.shield(made.parts)


def _event(had: Parts | None, parts: Parts) -> bytes:
    return f"data: {json.dumps(message(had, parts))}\n\n".encode()
