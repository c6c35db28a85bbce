"""The past of one VIP as the page shows it: the time line, what it says in words, and the last events."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from exporter.publish.html.sentence import decided, sentence
from exporter.publish.html.strip import Strip, strip
from exporter.publish.html.timeline import Span, marks, spans, window
from exporter.publish.html.told import event_name, happened
from exporter.publish.html.words import Time
from exporter.publish.length import length
from exporter.publish.records import Record, ToWall
from exporter.vip.model import EventName, Nanoseconds, State
from exporter.vip.snapshot import VipSnapshot

MOST_EVENTS = 10
MOST_SPANS = 6
"""That are told in words; the list of events has the rest."""

_BEGAN = {State.CONTESTED: EventName.CONTEST_STARTED, State.SILENT: EventName.VIP_SILENT}


@dataclass(frozen=True, slots=True)
class TimeLine:
    strip: Strip
    label: str
    """What the picture shows, for those who cannot see it."""
    begin: Time
    middle: Time
    end: Time


@dataclass(frozen=True, slots=True)
class EventView:
    when: Time
    words: str


@dataclass(frozen=True, slots=True)
class Past:
    line: TimeLine
    events: tuple[EventView, ...]
    """The newest first."""
    since: Time | None
    """Since when it is contested or silent, if it is and that is remembered."""


def past(
    vip: VipSnapshot, records: Sequence[Record], to_wall: ToWall, *, now: Nanoseconds, devices: Collection[str]
) -> Past:
    """What the events tell.

    Args:
        records: the VIP's and the exporter's own.
        now: of the snapshot, wall clock.
        devices: the interfaces listened on.
    """
    begin, end = window(records, now)
    found = spans(records, begin=begin, end=end, vip=vip, to_wall=to_wall, devices=devices)
    laid_out = strip(found, marks(records, begin=begin, end=end), begin=begin, end=end)
    first, last = Time.of(begin), Time.of(end)
    label = f"Time line from {first.clock} to {last.clock} UTC: {_told(found)}"
    line = TimeLine(laid_out, label, first, Time.of((begin + end) // 2), last)
    timed = [(at, record) for record in records if (at := happened(record)) is not None]
    newest = sorted(timed, key=lambda one: one[0], reverse=True)[:MOST_EVENTS]
    began = [
        at for at, record in timed if event_name(record) is not None and event_name(record) is _BEGAN.get(vip.state)
    ]
    return Past(
        line,
        tuple(EventView(Time.of(at), sentence(record) + decided(record)) for at, record in newest),
        Time.of(max(began)) if began else None,
    )


def _told(found: Sequence[Span]) -> str:
    words = [_span(span) for span in found]
    told = words[-MOST_SPANS:]
    before = f"{len(words) - len(told)} earlier stretches, then " if len(words) > len(told) else ""
    return before + ", then ".join(told)


def _span(span: Span) -> str:
    of = f" by {span.holder}" if span.state is State.HELD and span.holder else ""
    return f"{span.state}{of} for {length(span.end - span.begin)}"
