"""Does something over and over, in a thread of its own: what announces, renews and chatters in the lab."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Repeater:
    """Calls something now and then each period, until stopped. A late call does not delay the ones after it.

    Args:
        call: what to do.
        period: seconds from one call to the next.
        name: of the thread.
    """

    def __init__(self, call: Callable[[], None], *, period: float, name: str) -> None:
        self._call = call
        self.period = period
        self._name = name
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    @property
    def running(self) -> bool:
        return self._thread is not None

    def start(self, *, after: float = 0.0) -> None:
        """Begin in so many seconds; one that is running begins anew."""
        self.stop()
        self._stopped.clear()
        self._thread = threading.Thread(target=self._run, args=(after,), name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Nothing is called after this."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self, after: float) -> None:
        due = time.monotonic() + after
        while not self._stopped.wait(max(0.0, due - time.monotonic())):
            self._call()
            due += self.period
