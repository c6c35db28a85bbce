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


def cpu(seconds: float) -> str:
    """CPU time, over four powers of ten, with two digits at least that count."""
    if abs(seconds) < 0.1:
        return milliseconds(seconds)
    return f"{seconds:.{0 if seconds >= 100 else 1 if seconds >= 10 else 2}f} s"


def times(ratio: float) -> str:
    """As a fraction, where it is no more than a third."""
    return f"1/{1 / ratio:.0f}" if 0 < ratio <= 1 / 3 else f"{ratio:.2f} ×"


def share(part: float) -> str:
    """In per cent; what is not nothing or everything does not look like it."""
    return f"{part:.0%}" if part in {0, 1} else f"{min(max(part, 0.001), 0.999):.1%}"
