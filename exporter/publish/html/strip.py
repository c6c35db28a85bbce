"""The geometry of a time line: spans and marks as fractions of its width, few enough to draw. Makes no HTML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from exporter.publish.html.timeline import Mark, MarkKind, Span
from exporter.vip.model import Nanoseconds, State

NARROWEST = 1 / 320
"""Of the width: what is narrower is drawn so wide, what lies closer together as one. A pixel on a small telephone."""
HOLDER_CLASSES = 8
"""Holders told apart by colour; further ones share the colours."""

_WORST = (State.CONTESTED, State.MOVING, State.SILENT, State.UNKNOWN, State.HELD)
"""Of what is drawn as one, this shows, the first of these that there is."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A rectangle of the band, from `begin` to `end`, both between 0 and 1."""

    begin: float
    end: float
    state: State
    holder: str
    label: str
    """What to write into it; empty where it is too narrow for that anywhere."""
    tight: bool
    """There is room for the label on a wide screen only."""
    number: int
    """Of the holder's class, below HOLDER_CLASSES."""

    @property
    def classes(self) -> str:
        return f"span {self.state} holder-{self.number}" if self.holder else f"span {self.state}"


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    kind: MarkKind


@dataclass(frozen=True, slots=True)
class Strip:
    pieces: tuple[Piece, ...]
    """In the order in which to draw them: what is narrow may overlap its neighbours, and comes last."""
    ticks: tuple[Tick, ...]
    holders: tuple[str, ...]
    """In the order of their first appearance, at most HOLDER_CLASSES, for a legend."""


def strip(
    spans: Sequence[Span],
    marks: Iterable[Mark] = (),
    *,
    begin: Nanoseconds,
    end: Nanoseconds,
    holders: Sequence[str] = (),
) -> Strip:
    """Lay spans and marks out between `begin` and `end`.

    Args:
        spans: in order, without overlaps.
        holders: who has which colour, where that is not to be by order of appearance.
    """
    width = max(1, end - begin)
    order = tuple(dict.fromkeys([*holders, *(span.holder for span in spans if span.holder)]))
    numbers = {holder: number % HOLDER_CLASSES for number, holder in enumerate(order)}
    pieces = [
        _piece((first - begin) / width, (last - begin) / width, span, numbers)
        for first, last, span in _merged(spans, at_least=round(width * NARROWEST))
    ]
    pieces.sort(key=lambda piece: (piece.end - piece.begin <= NARROWEST, -_WORST.index(piece.state)))
    return Strip(tuple(pieces), tuple(_ticks(marks, begin, width)), order[:HOLDER_CLASSES])


def _merged(spans: Iterable[Span], *, at_least: Nanoseconds) -> Iterator[tuple[Nanoseconds, Nanoseconds, Span]]:
    """From when to when to draw which span: of neighbours that are too narrow the worst, for all of them."""
    narrow: list[Span] = []
    for span in spans:
        if span.end - span.begin >= at_least:
            yield from _one_of(narrow)
            narrow = []
            yield span.begin, span.end, span
        else:
            narrow.append(span)
            if span.end - narrow[0].begin >= at_least:
                yield from _one_of(narrow)
                narrow = []
    yield from _one_of(narrow)


def _one_of(narrow: Sequence[Span]) -> Iterator[tuple[Nanoseconds, Nanoseconds, Span]]:
    if narrow:
        yield narrow[0].begin, narrow[-1].end, min(narrow, key=lambda span: _WORST.index(span.state))


def _piece(begin: float, end: float, span: Span, numbers: dict[str, int]) -> Piece:
    begin, end = widened(begin, end)
    label = span.holder if span.state is State.HELD else str(span.state)
    room = len(label) * 8 + 12
    """In pixels."""
    return Piece(
        begin,
        end,
        span.state,
        span.holder,
        label if (end - begin) * 1000 >= room else "",
        (end - begin) * 320 < room,
        numbers.get(span.holder, 0),
    )


def widened(begin: float, end: float) -> tuple[float, float]:
    """At least as wide as can be seen, and between 0 and 1."""
    if end - begin < NARROWEST:
        begin = min(max(0.0, (begin + end - NARROWEST) / 2), 1 - NARROWEST)
        end = begin + NARROWEST
    return round(max(0.0, begin), 5), round(min(1.0, end), 5)


def _ticks(marks: Iterable[Mark], begin: Nanoseconds, width: Nanoseconds) -> Iterator[Tick]:
    last: dict[MarkKind, float] = {}
    for mark in marks:
        at = (mark.at - begin) / width
        if at - last.get(mark.kind, -1.0) >= NARROWEST:
            last[mark.kind] = at
            yield Tick(round(at, 5), mark.kind)
