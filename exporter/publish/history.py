"""The recent past: each event with the record that was logged of it, oldest first, at most a given number of them."""

from __future__ import annotations

import re
import secrets
from collections import deque
from dataclasses import dataclass
from itertools import islice
from threading import Lock

from exporter.publish.records import Record
from exporter.vip.model import IPAddress, Nanoseconds

_CURSOR = re.compile("([0-9a-f]{8})-(0|[1-9][0-9]{0,14})")


class StrangeCursorError(Exception):
    """This history never gave out the cursor: it is another run's, or made up."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the history of one run of the program. It stays where it is, whatever comes or goes."""

    run: str
    number: int
    """Of the oldest event of a page, counted from the first that the run knew."""

    def __str__(self) -> str:
        return f"{self.run}-{self.number}"


@dataclass(frozen=True, slots=True)
class EventsPage:
    records: list[Record]
    """Oldest first."""
    older: Cursor | None
    """Where the next older page ends; None: there is nothing older."""


def read_cursor(text: str) -> Cursor:
    """Read a cursor as it was given out.

    Raises:
        ValueError: it is none.
    """
    match = _CURSOR.fullmatch(text)
    if not match:
        raise ValueError(f"not a cursor: {text!r}")
    return Cursor(match[1], int(match[2]))


class History:
    """Safe to use from several threads."""

    def __init__(self, limit: int) -> None:
        self._lock = Lock()
        self._run = secrets.token_hex(4)
        self._added = 0
        self._entries: deque[tuple[Nanoseconds, IPAddress | None, Record]] = deque(maxlen=limit)

    def add(self, *, at: Nanoseconds, vip: IPAddress | None, record: Record) -> None:
        """The newest event yet: when it was, and of which VIP; None: of the exporter itself."""
        with self._lock:
            self._entries.append((at, vip, record))
            self._added += 1

    def newest(
        self, *, vip: IPAddress | None = None, since: Nanoseconds | None = None, limit: int | None = None
    ) -> list[Record]:
        """The newest records that match, at most `limit`, oldest of them first."""
        return self.page(vip=vip, since=since, limit=limit).records

    def page(
        self,
        *,
        vip: IPAddress | None = None,
        since: Nanoseconds | None = None,
        limit: int | None = None,
        before: Cursor | None = None,
    ) -> EventsPage:
        """The newest records that match, of those older than `before`: at most `limit`, which is at least 1.

        Following `older` shows every event once, whatever is added meanwhile. What gave way meanwhile is the end.

        Raises:
            StrangeCursorError: `before` is not a cursor of this history.
        """
        with self._lock:
            entries, end = list(self._entries), self._added
        if before is not None:
            if before.run != self._run or before.number >= end:
                raise StrangeCursorError
            entries, end = entries[: max(0, len(entries) - (end - before.number))], before.number
        matching = (
            (number, record)
            for number, (at, of, record) in zip(range(end - 1, -1, -1), reversed(entries), strict=False)
            if (vip is None or of == vip) and (since is None or at >= since)
        )
        page = list(islice(matching, limit))
        is_last = next(matching, None) is None
        return EventsPage([record for _, record in reversed(page)], None if is_last else Cursor(self._run, page[-1][0]))
