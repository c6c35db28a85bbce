"""Keep account of the open connections, and say which must give way when there are too many; closes none itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Client(Generic[T]):
    """Oldest first; a dict is a set that keeps its order."""

    idle: dict[T, None] = field(default_factory=dict)
    busy: dict[T, None] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.idle) + len(self.busy)


class Connections(Generic[T]):
    """Open connections by client: idle until their request has come, busy from then on.

    Args:
        most: open at once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._clients: dict[str, _Client[T]] = {}
        self._of: dict[T, str] = {}
        self.busy = 0

    def open(self, connection: T, client: str) -> T | None:
        """A new one. Returns one that must give way, and is forgotten: of the client that has most, the longest idle.

        So a client that opens too many pushes out its own; and among as many clients, one that only waits gives way
        before one that is being answered.
        """
        self._of[connection] = client
        self._clients.setdefault(client, _Client()).idle[connection] = None
        if len(self._of) <= self._most:
            return None
        crowd = max(self._clients.values(), key=lambda one: (len(one), len(one.idle)))
        loser = next(iter(crowd.idle or crowd.busy))
        self.close(loser)
        return loser

    def begin(self, connection: T) -> bool:
        """A request has come. False: it is not the connection's first, or it has given way."""
        of = self._clients.get(self._of.get(connection, ""))
        if of is None or connection not in of.idle:
            return False
        del of.idle[connection]
        of.busy[connection] = None
        self.busy += 1
        return True

    def close(self, connection: T) -> None:
        """It is gone; one that is not known is no matter."""
        client = self._of.pop(connection, None)
        if client is None:
            return
        of = self._clients[client]
        if connection in of.busy:
            self.busy -= 1
        of.idle.pop(connection, None)
        of.busy.pop(connection, None)
        if not of:
            del self._clients[client]
