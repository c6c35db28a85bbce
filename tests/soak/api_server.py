"""A Kubernetes API server without a network, for watch loops that run on virtual time.

It stands where `exporter.cluster.client.Client` does: the program's own loops list and watch it, in threads of their
own. `settle` waits until each of them has taken all that there is and waits for more, so virtual time can stand still
meanwhile and what comes of it is the same in every run.
"""

from __future__ import annotations

import copy
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from exporter.cluster.errors import ClusterError, Reason
from exporter.cluster.fields import Key
from exporter.cluster.target import Target

PATIENCE = 60.0
"""Seconds of real time for the loops to come to rest."""


class Server:
    """Objects with their history. Going down cuts every watch; who asks then is refused once, and then kept waiting."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._objects: dict[tuple[str, str, str], dict[str, Any]] = {}
        self._history: deque[tuple[int, str, dict[str, Any]]] = deque(maxlen=20_000)
        self._version = 1
        self._compacted = 0
        self._down = False
        self._outage = 0
        self._refused: dict[Target, int] = {}
        """By target: the outage in which it was refused last."""
        self._idle: dict[int, Callable[[], bool]] = {}
        """The threads that wait, each with what it waits for."""
        self._open: set[_Answer] = set()
        self.lists = 0
        self.gone = 0
        """Watches that were answered 410."""

    # --- what the script does -----------------------------------------------------------------------------------------

    def apply(self, resource: str, obj: dict[str, Any]) -> None:
        with self._changed:
            self._version += 1
            stored = copy.deepcopy(obj)
            meta = stored["metadata"]
            meta["resourceVersion"] = str(self._version)
            key = (resource, meta.get("namespace", ""), meta["name"])
            kind = "MODIFIED" if key in self._objects else "ADDED"
            self._objects[key] = stored
            self._history.append((self._version, resource, {"type": kind, "object": stored}))
            self._changed.notify_all()

    def go_down(self) -> None:
        with self._changed:
            self._down, self._outage = True, self._outage + 1
            self._changed.notify_all()

    def come_up(self) -> None:
        with self._changed:
            self._down = False
            self._changed.notify_all()

    def compact(self) -> None:
        """Forget the history and end every watch in order: each is resumed, and answered 410."""
        with self._changed:
            self._version += 1
            self._compacted = self._version
            self._history.clear()
            for answer in self._open:
                answer.ended = True
            self._changed.notify_all()

    def settle(self, count: Callable[[], int]) -> None:
        """Wait until so many threads (as of any moment) wait here, and none of them for what is there already."""

        def is_calm() -> bool:
            return len(self._idle) == count() and not any(has() for has in self._idle.values())

        with self._changed:
            assert self._changed.wait_for(is_calm, PATIENCE), "the watch loops do not come to rest"

    # --- what the loops do --------------------------------------------------------------------------------------------

    def list(self, target: Target) -> _Answer:
        with self._changed:
            self._refuse(target)
            self.lists += 1
            items = [obj for key, obj in sorted(self._objects.items()) if _selects(target, key[0], obj)]
            return _Answer(self, target, {"metadata": {"resourceVersion": str(self._version)}, "items": items})

    def watch(self, target: Target, *, version: str, seconds: int) -> _Answer:
        with self._changed:
            self._refuse(target)
            answer = _Answer(self, target, None, int(version), self._outage)
            self._open.add(answer)
            return answer

    def close(self) -> None:
        """As `Client` has it: there is nothing to let go of."""

    def _refuse(self, target: Target) -> None:
        if self._down and self._refused.get(target) != self._outage:
            self._refused[target] = self._outage
            raise ClusterError(Reason.UNREACHABLE, "down")
        self._wait(lambda: not self._down)

    def _wait(self, has: Callable[[], bool]) -> None:
        """Wait for something, as one of those who wait."""
        me = threading.get_ident()
        self._idle[me] = has
        self._changed.notify_all()
        try:
            while not has():
                self._changed.wait()
        finally:
            del self._idle[me]


class _Answer:
    def __init__(
        self, server: Server, target: Target, body: dict[str, Any] | None, version: int = 0, outage: int = 0
    ) -> None:
        self.ended = False
        self._server = server
        self._target = target
        self._body = body
        self._version = version
        self._outage = outage

    def read(self) -> Any:
        return self._body

    def close(self) -> None:
        with self._server._changed:
            self.ended = True
            self._server._changed.notify_all()

    def lines(self) -> Iterator[Any]:
        server = self._server
        try:
            while True:
                with server._changed:
                    too_old = self._version < server._compacted and not self.ended
                    server.gone += too_old
                if too_old:
                    yield {"type": "ERROR", "object": {"code": 410, "message": "too old"}}
                    return
                with server._changed:
                    server._wait(lambda: self.ended or server._outage != self._outage or bool(self._news()))
                    if server._outage != self._outage:
                        raise ClusterError(Reason.UNREACHABLE, "reset")
                    if self.ended:
                        return
                    news = self._news()
                    self._version = server._version
                yield from news
        finally:
            with server._changed:
                server._open.discard(self)

    def _news(self) -> list[dict[str, Any]]:
        found = []
        for version, resource, line in reversed(self._server._history):
            if version <= self._version:
                break
            if _selects(self._target, resource, line["object"]):
                found.append(line)
        return found[::-1]


def _selects(target: Target, resource: str, obj: dict[str, Any]) -> bool:
    meta = obj["metadata"]
    return resource == target.resource and target.covers(Key(meta.get("namespace", ""), meta["name"]))
