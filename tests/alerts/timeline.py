"""What happens in seconds, as Prometheus sees it by scraping: steps become the samples of a promtool test.

It knows nothing of VIPs. An event is seen by the first scrape at or after it; a series that a scrape misses becomes
stale there and then, unless Prometheus was away when it ended: then its samples just stop.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import gcd

GRID = 5
"""Seconds. promtool takes time for each place of the grid, whether there is a sample or not."""

Value = float | Callable[[int], float] | None
"""A number, what it is at a given second, or None: the series is absent."""


def minutes(number: float) -> int:
    """Seconds."""
    return int(number * 60)


def matchers(labels: Mapping[str, str]) -> str:
    """As they stand between the braces of a series."""
    return ", ".join(f'{label}="{value}"' for label, value in sorted(labels.items()))


@dataclass(slots=True)
class Line:
    """One series as its exporter would tell it at any second."""

    name: str
    labels: Mapping[str, str]
    steps: dict[int, Value] = field(default_factory=dict)

    def at(self, second: int, value: Value) -> Line:
        """From that second on, for good: what was said of later seconds no longer stands."""
        self.steps = {moment: said for moment, said in self.steps.items() if moment < second}
        self.steps[second] = value
        return self

    def value(self, second: int) -> Value:
        """At that second; before the first step, absent."""
        moments = sorted(self.steps)
        place = bisect_right(moments, second)
        value = self.steps[moments[place - 1]] if place else None
        return value(second) if callable(value) else value


@dataclass(frozen=True, slots=True)
class Life:
    """One run of an exporter, from `start` up to, but not at, `end` seconds, and the labels of its target."""

    start: int
    end: int | None
    labels: Mapping[str, str]

    def has(self, second: int) -> bool:
        return self.start <= second and (self.end is None or second < self.end)


@dataclass(frozen=True, slots=True)
class Pace:
    """How often Prometheus scrapes and how often it evaluates, seconds."""

    interval: int
    evaluation: int

    def phase(self, share: Fraction) -> int:
        """When in each interval a target is scraped, seconds after the evaluation: not too fine for promtool's grid."""
        return GRID * round(self.interval * share / GRID)

    def spacing(self, phases: list[int]) -> int:
        """Of the samples in promtool's grid, so that every scrape of every target is on it."""
        return gcd(self.interval, *phases)

    def evaluations(self, end: int) -> range:
        return range(0, end + 1, self.evaluation)


def samples(
    line: Line,
    lives: list[Life],
    *,
    pace: Pace,
    phase: int,
    spacing: int,
    end: int,
    counter: bool,
    away: Sequence[range] = (),
) -> dict[str, list[str]]:
    """promtool's values by series; one for each set of labels that the line had in its target's lives.

    A counter begins anew at 0 in each life.

    Args:
        away: seconds in which nothing is scraped. A Prometheus that comes back knows of no series that it should miss.
    """
    found: dict[str, list[str]] = {}
    slots = end // spacing + 1
    for life in lives:
        name = _series(line, life)
        values = found.setdefault(name, ["_"] * slots)
        base = line.value(life.start) if counter and life.start > 0 else 0
        there = False
        for second in range(phase, end + 1, pace.interval):
            if any(second in span for span in away):
                there = False
                continue
            value = line.value(second) if life.has(second) else None
            place = second // spacing
            if value is not None:
                values[place] = _number(value - (base or 0) if counter else value)
            elif there and values[place] == "_":
                values[place] = "stale"
            there = value is not None
    return {name: values for name, values in found.items() if set(values) != {"_"}}


def _series(line: Line, life: Life) -> str:
    return line.name + "{" + matchers({**life.labels, **line.labels}) + "}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.3f}"
