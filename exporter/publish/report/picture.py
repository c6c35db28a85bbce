"""The picture of one VIP in a capture: who held it, and below, on the same scale, when each MAC announced it.

Makes no HTML. However long the capture and however many the announcements, it has a bounded number of shapes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from exporter.publish.html.strip import HOLDER_CLASSES, NARROWEST, Strip, strip, widened
from exporter.publish.html.timeline import Mark, MarkKind, Span
from exporter.publish.html.words import WHOSE
from exporter.vip.announcers import Announced, Announcer
from exporter.vip.model import SECOND, ClaimantClass, Nanoseconds, State

MOST_TICKS = 8
_DAY: Nanoseconds = 86_400 * SECOND
_STEPS = (
    *(SECOND // 1000 * factor for factor in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
    *(SECOND * factor for factor in (1, 2, 5, 10, 15, 30)),
    *(60 * SECOND * factor for factor in (1, 2, 5, 10, 15, 30)),
    *(3600 * SECOND * factor for factor in (1, 2, 3, 6, 12)),
    *(_DAY * factor for factor in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10_000)),
)


@dataclass(frozen=True, slots=True)
class Lane:
    """One MAC's announcements."""

    mac: str
    node: str
    whose: str
    odd: bool
    """It is nobody's who may hold the VIP."""
    number: int
    """Of the holder's class."""
    bars: str
    """An SVG path on a ground of 1000 by 16."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A moment on the axis."""

    at: float
    clock: str
    after: str
    """Seconds since the first packet."""
    anchor: str
    """SVG's text-anchor."""
    minor: bool
    """It needs a wide screen."""


@dataclass(frozen=True, slots=True)
class Picture:
    strip: Strip
    lanes: tuple[Lane, ...]
    unlisted: tuple[tuple[str, int], ...]
    """Holders without a lane of their own, each with the number of its class."""
    contests: str
    """Where it was contested, as an SVG path on the same ground."""
    moves: str
    ticks: tuple[Tick, ...]


def picture(
    spans: Sequence[Span],
    marks: Sequence[Mark],
    announced: Announced | None,
    *,
    begin: Nanoseconds,
    end: Nanoseconds,
) -> Picture:
    """Lay it out between `begin` and `end`."""
    announcers = announced.announcers if announced is not None else ()
    names = [_name(one) for one in announcers]
    order = list(dict.fromkeys([*(span.holder for span in spans if span.holder), *names]))
    numbers = {name: number % HOLDER_CLASSES for number, name in enumerate(order)}
    width = max(1, end - begin)
    contests = ((span.begin, span.end) for span in spans if span.state is State.CONTESTED)
    moves = (mark.at for mark in marks if mark.kind is MarkKind.MOVE)
    return Picture(
        strip(spans, marks, begin=begin, end=end, holders=order),
        tuple(
            Lane(
                one.claimant.mac,
                one.claimant.holder,
                WHOSE[one.claimant.claimant_class],
                one.claimant.claimant_class in (ClaimantClass.FOREIGN, ClaimantClass.FHRP),
                numbers[name],
                _bars(one.stretches, begin, width),
            )
            for one, name in zip(announcers, names, strict=True)
        ),
        tuple((holder, numbers[holder]) for holder in order if holder not in names)[:HOLDER_CLASSES],
        _bars(contests, begin, width, top=0, height=16),
        "".join(f"M{at * 1000:g} 0V16" for at in _apart((at - begin) / width for at in moves)),
        tuple(_ticks(begin, end)),
    )


def _name(one: Announcer) -> str:
    return one.claimant.holder or one.claimant.mac


def _bars(
    stretches: Iterable[tuple[Nanoseconds, Nanoseconds]],
    begin: Nanoseconds,
    width: Nanoseconds,
    *,
    top: int = 3,
    height: int = 10,
) -> str:
    """Rectangles: each wide enough to be seen, those that would touch as one."""
    found: list[tuple[float, float]] = []
    for stretch in stretches:
        first, last = widened(*((at - begin) / width for at in stretch))
        if found and first - found[-1][1] < NARROWEST / 2:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return "".join(
        f"M{first * 1000:g} {top}h{round((last - first) * 1000, 2):g}v{height}H{first * 1000:g}Z"
        for first, last in found
    )


def _apart(places: Iterable[float]) -> Iterator[float]:
    last = -1.0
    for place in places:
        if place - last >= NARROWEST:
            last = place
            yield round(place, 5)


def _ticks(begin: Nanoseconds, end: Nanoseconds) -> Iterator[Tick]:
    """Round moments of UTC, and how long they are after the beginning."""
    width = max(1, end - begin)
    step = next((step for step in _STEPS if -(-width // step) < MOST_TICKS), _STEPS[-1])
    first = -(-begin // step) * step
    for number, moment in enumerate(range(first, min(end, first + MOST_TICKS * step) + 1, step)):
        at = (moment - begin) / width
        after = (moment - begin) / SECOND
        yield Tick(
            round(at, 5),
            _clock(moment, step, width),
            f"+{after:,.0f} s" if step >= SECOND and width >= 60 * SECOND else f"+{after:,.3f} s",
            "start" if at < 0.06 else "end" if at > 0.94 else "middle",
            bool(number % 2),
        )


def _clock(moment: Nanoseconds, step: Nanoseconds, width: Nanoseconds) -> str:
    """No more of it than tells the ticks apart."""
    found = datetime.fromtimestamp(moment // SECOND, UTC)
    if step >= _DAY:
        return f"{found:%Y-%m-%d}"
    if width >= _DAY:
        return f"{found:%m-%d %H:%M}"
    if step >= 60 * SECOND:
        return f"{found:%H:%M}"
    return f"{found:%H:%M:%S}" + (f".{moment % SECOND // 1_000_000:03}" if step < SECOND else "")
