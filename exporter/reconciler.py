"""The one writer of state: every input of every thread goes through here into the core, one at a time.

Threads wait for each other rather than for a queue: while a burst is judged, frames wait in the kernel's buffer,
which has room for them and counts what it must drop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import RLock

from exporter import log
from exporter.clock import Clock
from exporter.vip.core import Core
from exporter.vip.model import Input, IPAddress
from exporter.vip.snapshot import Event, Snapshot

AT_ONCE = 256
"""Inputs taken before those of other threads get a chance: thousands of Services must not hold up the frames."""
LET_IN = 0.0005
"""Seconds for that. A lock that is let go of and taken again at once, who waits for it does not get."""


class Reconciler:
    """The core, made safe for several threads and given the clock's time.

    Args:
        core: nobody else may touch it.
        clock: the time line of its inputs.
        publish: receives what happened, in order; it must not call back.
        watch: receives the watched addresses with their VLAN ids, and the nodes' own addresses, each time that one of
            these changes; must not call back.
    """

    def __init__(
        self,
        core: Core,
        *,
        clock: Clock,
        publish: Callable[[Iterable[Event]], None],
        watch: Callable[[Mapping[IPAddress, int | None], frozenset[IPAddress]], None],
    ) -> None:
        self._lock = RLock()
        self._core = core
        self._clock = clock
        self._publish = publish
        self._watch = watch
        self._generation = core.generation

    def deliver(self, inputs: Sequence[Input]) -> None:
        """Take inputs, in the order of their times. Of many, those of others may come in between."""
        for begin in range(0, len(inputs), AT_ONCE):
            if begin:
                time.sleep(LET_IN)
            with self._lock:
                for event in inputs[begin : begin + AT_ONCE]:
                    self._take(event)
        with self._lock:
            self._follow_watched()

    def _take(self, event: Input) -> None:
        try:
            self._took(self._core.observe(event))
        except Exception as error:  # noqa: BLE001 - a defect that one input brings out must not hold back all others
            log.error("an input could not be taken", input=type(event).__name__, error=error)

    def tick(self) -> None:
        """Let fall due what is due now."""
        with self._lock:
            self._took(self._core.tick(self._clock.now()))
            self._follow_watched()

    def shared_macs(self) -> Mapping[str, tuple[str, ...]]:
        """MACs that several nodes claim, with the nodes."""
        with self._lock:
            return self._core.shared_macs()

    def snapshot(self) -> Snapshot:
        """Everything as of this moment."""
        with self._lock:
            self.tick()
            return self._core.snapshot()

    def _took(self, events: tuple[Event, ...]) -> None:
        if events:
            self._publish(events)

    def _follow_watched(self) -> None:
        if self._core.generation != self._generation:
            self._generation = self._core.generation
            self._watch(self._core.watched(), self._core.neighbours())
