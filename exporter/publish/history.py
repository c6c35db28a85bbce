"""The recent past: each event with the record that was logged of it, oldest first, at most a given number of them."""

from __future__ import annotations

from collections import deque
from itertools import islice
from threading import Lock

from exporter.publish.records import Record
from exporter.vip.model import IPAddress, Nanoseconds


class History:
    """Safe to use from several threads."""

    def __init__(self, limit: int) -> None:
        self._lock = Lock()
        self._entries: deque[tuple[Nanoseconds, IPAddress | None, Record]] = deque(maxlen=limit)

    def add(self, *, at: Nanoseconds, vip: IPAddress | None, record: Record) -> None:
        """The newest event yet: when it was, and of which VIP; None: of the exporter itself."""
        with self._lock:
            self._entries.append((at, vip, record))

    def newest(
        self, *, vip: IPAddress | None = None, since: Nanoseconds | None = None, limit: int | None = None
    ) -> list[Record]:
        """The newest records that match, at most `limit`, oldest of them first."""
        with self._lock:
            entries = list(self._entries)
        matching = (
            record
            for at, of, record in reversed(entries)
            if (vip is None or of == vip) and (since is None or at >= since)
        )
        return list(islice(matching, limit))[::-1]
