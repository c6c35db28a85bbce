"""How often the holder announces one VIP, and the waiting times that follow from it."""

from __future__ import annotations

from collections import deque
from statistics import median

from exporter.vip.model import SECOND, Nanoseconds

DEFAULT_PERIOD: Nanoseconds = 3 * SECOND
"""kube-vip's `vip_arpRate`."""
MIN_GRACE: Nanoseconds = 7 * SECOND
"""client-go releases the lease before kube-vip removes the VIP, so two announcers overlap for up to two periods."""
MIN_SILENCE: Nanoseconds = 10 * SECOND

LEARNED_INTERVALS = 9
INTERVALS_TO_LEARN = 3
LEARNABLE = (SECOND // 2, 60 * SECOND)


class Period:
    """Configured beats learned beats default.

    Args:
        configured: None: learn it; 0: the announcer does not repeat itself, so nothing expires.
    """

    def __init__(self, configured: Nanoseconds | None) -> None:
        self.value: Nanoseconds = DEFAULT_PERIOD
        self.grace: Nanoseconds = MIN_GRACE
        """How long a claim lives after its last frame."""
        self.silence: Nanoseconds = MIN_SILENCE
        """A holder that has been quiet for longer than this is gone."""
        self._intervals: deque[Nanoseconds] = deque(maxlen=LEARNED_INTERVALS)
        self.configure(configured)

    def configure(self, configured: Nanoseconds | None) -> None:
        self._configured = configured
        self._reckon()

    def learn(self, interval: Nanoseconds) -> None:
        """The holder has spoken again after this time."""
        if self._configured is None and LEARNABLE[0] <= interval <= LEARNABLE[1]:
            self._intervals.append(interval)
            self._reckon()

    def forget(self) -> None:
        """Another holder has his own habits."""
        self._intervals.clear()
        self._reckon()

    def _reckon(self) -> None:
        if self._configured is not None:
            self.value = self._configured
        elif len(self._intervals) >= INTERVALS_TO_LEARN:
            self.value = int(median(self._intervals))
        else:
            self.value = DEFAULT_PERIOD
        self.grace = max(2 * self.value, MIN_GRACE)
        self.silence = max(3 * self.value, MIN_SILENCE)
