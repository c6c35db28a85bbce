"""What a measurement came to, as a table that reads well in a terminal and in Markdown, and the figures in it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str
    """What the columns do not say by themselves."""
    missed: tuple[str, ...] = ()
    """What stayed behind its target."""

    def markdown(self) -> str:
        widths = [max(map(len, cells)) for cells in zip(self.columns, *self.rows, strict=True)]
        rule = tuple("-" * width for width in widths)
        lines = [_line(cells, widths) for cells in (self.columns, rule, *self.rows)]
        return "\n".join((f"### {self.title}", "", *lines, "", self.note))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return f"| {' | '.join(map(str.ljust, cells, widths))} |"


@dataclass(frozen=True, slots=True)
class Spread:
    """Of repeated measurements, in whatever unit they have."""

    median: float
    p95: float
    max: float


def spread(values: Sequence[float]) -> Spread:
    ordered = sorted(values)
    return Spread(statistics.median(ordered), ordered[math.ceil(0.95 * len(ordered)) - 1], ordered[-1])


def milliseconds(seconds: float) -> str:
    """With three digits that count, as far as there are decimals to drop."""
    number = 1000 * seconds
    return f"{number:.{0 if number >= 100 else 1 if number >= 10 else 2}f} ms"
