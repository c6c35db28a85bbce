"""Reads records of events, which may come from a state file: what is missing or odd reads as nothing, never raises."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from exporter.publish.records import Record
from exporter.vip.model import EventName, Nanoseconds

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def in_order(records: Iterable[Record]) -> list[tuple[Nanoseconds, Record]]:
    """By time; those without one are left out."""
    timed = [(at, record) for record in records if (at := time(record)) is not None]
    return sorted(timed, key=lambda one: one[0])


def event_name(record: Record) -> EventName | None:
    try:
        return EventName(text(record, "event"))
    except ValueError:
        return None


def text(record: Record, name: str) -> str:
    value = record.get(name)
    return value if isinstance(value, str) else ""


def number(record: Record, name: str) -> float | None:
    value = record.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12 else None


def time(record: Record, name: str = "time") -> Nanoseconds | None:
    """RFC 3339 with an offset from UTC, as nanoseconds; None: there is no such time."""
    try:
        return (datetime.fromisoformat(text(record, name)) - _EPOCH) // timedelta(microseconds=1) * 1000
    except (ValueError, TypeError, OverflowError):
        return None


def happened(record: Record) -> Nanoseconds | None:
    """When what the event tells of took place: a move is decided later than that; None: there is no such time."""
    at = time(record)
    since = time(record, "since") if event_name(record) is EventName.VIP_MOVED else None
    return at if at is None or since is None else min(since, at)
