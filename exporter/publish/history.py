"""The recent past: each event with the record that was logged of it, oldest first, at most a given number of them."""

from __future__ import annotations

from collections import deque
from itertools import islice
from threading import Lock

from exporter.publish.records import Record
from exporter.vip.model import IPAddress, Nanoseconds
from exporter.vip.snapshot import Event


class History:
    """Safe to use from several threads."""

    def __init__(self, limit: int) -> None:
        self._lock = Lock()
        self._entries: deque[tuple[Event, Record]] = deque(maxlen=limit)

    def add(self, event: Event, record: Record) -> None:
        with self._lock:
            self._entries.append((event, record))

    def newest(
        self, *, vip: IPAddress | None = None, since: Nanoseconds | None = None, limit: int | None = None
    ) -> list[Record]:
        """The newest records that match, at most `limit`, oldest of them first."""
        with self._lock:
            entries = list(self._entries)
        matching = (
            record
            for event, record in reversed(entries)
            if (vip is None or event.vip == vip) and (since is None or event.at >= since)
        )
        return list(islice(matching, limit))[::-1]
