"""Judges how far what Kubernetes said can be believed, from when it was last heard. It asks for nothing itself.

A real server sends a bookmark only about once a minute, so silence alone proves nothing: whoever uses this lists again
what was silent for `quiet_since`, and something small at every `pulse`, so that a server that answers is heard.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from exporter import log
from exporter.cluster.loop import Timing
from exporter.vip.model import IntentFreshness, Nanoseconds, seconds


class Heard(Protocol):
    """What a loop knows of its target."""

    up: bool
    last_heard: Nanoseconds | None


class Freshness:
    """Whether intent is fresh (what was said can still be believed) and current (Kubernetes answers at present)."""

    def __init__(self, timing: Timing, *, started: Nanoseconds) -> None:
        self._timing = timing
        self._started = started
        self._pulsed = started
        self._told: tuple[bool, bool] | None = None

    def judge(
        self, now: Nanoseconds, *, decisive: Collection[Heard], every: Collection[Heard]
    ) -> IntentFreshness | None:
        """A change of the verdict. The first one waits for every decisive target, or for the time to run out.

        Args:
            decisive: the targets that intent comes from: the Services.
            every: all targets; any of them can show that the server answers.
        """
        oldest = now - seconds(self._timing.stale_after)
        fresh = all(one.last_heard is not None and one.last_heard >= oldest for one in decisive)
        if self._told is None and not fresh and self._started >= oldest:
            return None
        recent = now - seconds(self._timing.current_for)
        current = all(one.up for one in decisive) and self._last_heard(every) >= recent
        before, self._told = self._told, (fresh, current)
        if before == self._told:
            return None
        if not fresh and (before is None or before[0]):
            log.warning("Kubernetes has not answered, what it said is stale")
        return IntentFreshness(now, fresh, current)

    def needs_pulse(self, now: Nanoseconds, loops: Collection[Heard]) -> bool:
        """Nothing at all was heard for a while; True once for each such while."""
        if now - max(self._pulsed, self._last_heard(loops)) < seconds(self._timing.pulse):
            return False
        self._pulsed = now
        return True

    def quiet_since(self, now: Nanoseconds) -> Nanoseconds:
        """Whatever has said nothing since then is to be listed again, lest it seem stale."""
        return now - seconds(self._timing.stale_after * 0.75)

    def _last_heard(self, targets: Collection[Heard]) -> Nanoseconds:
        return max((one.last_heard for one in targets if one.last_heard is not None), default=self._started)
