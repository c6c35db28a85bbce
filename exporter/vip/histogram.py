"""Durations counted by upper bound, as Prometheus histograms are."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from exporter.vip.model import SECOND, Nanoseconds


@dataclass(frozen=True, slots=True)
class Distribution:
    """A histogram's state."""

    bounds: tuple[float, ...]
    """Upper bounds, seconds, ascending; one more bucket without bound follows."""
    counts: tuple[int, ...]
    """Observations in each bucket, not cumulated."""
    total: float
    """Sum of all observations, seconds."""


class Histogram:
    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0

    def observe(self, duration: Nanoseconds) -> None:
        value = duration / SECOND
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    def distribution(self) -> Distribution:
        return Distribution(self._bounds, tuple(self._counts), self._total)
