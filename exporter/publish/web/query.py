"""Read the parameters of an API request; a bad one is refused by name, with what to write instead."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from ipaddress import ip_address
from urllib.parse import parse_qsl

from exporter.vip.model import SECOND, IPAddress, Nanoseconds

LIMIT_DEFAULT = 100
LIMIT_MOST = 1000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNIX = re.compile(r"[0-9]{1,10}(\.[0-9]{1,9})?")
# The sign may be a space: that is what a plus in a URL decodes to when it was not escaped.
_RFC3339 = re.compile(r"([0-9-]{10})[Tt ]([0-9:]{8}(?:\.[0-9]{1,9})?)(?:([Zz])|([+ -])([0-9]{2}:[0-9]{2}))")


@dataclass(frozen=True, slots=True)
class EventsQuery:
    vip: IPAddress | None = None
    since: Nanoseconds | None = None
    """Wall-clock nanoseconds since 1970, UTC."""
    limit: int = LIMIT_DEFAULT


class BadParameterError(Exception):
    def __init__(self, *, parameter: str, problem: str, remedy: str) -> None:
        self.parameter = parameter
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{parameter}: {problem}; {remedy}")


def events_query(query: str) -> EventsQuery:
    """Read the query string of `/api/v1/events`.

    Raises:
        BadParameterError: a parameter is unknown, given twice, or malformed.
    """
    readers: dict[str, tuple[Callable[[str], object], str]] = {
        "vip": (ip_address, "give an IP address such as 192.0.2.10"),
        "since": (_since, "give an RFC 3339 time such as 2025-01-31T12:00:00Z, or Unix seconds"),
        "limit": (_limit, f"give a whole number from 1 to {LIMIT_MOST}"),
    }
    values: dict[str, object] = {}
    for name, text in _pairs(query):
        if name not in readers:
            raise BadParameterError(
                parameter=name[:100], problem="unknown parameter", remedy=f"give none but {', '.join(readers)}"
            )
        read, remedy = readers[name]
        if name in values:
            raise BadParameterError(parameter=name, problem="given more than once", remedy="give it once")
        try:
            values[name] = read(text)
        except (ValueError, OverflowError):
            raise BadParameterError(parameter=name, problem=f"bad value {text[:100]!r}", remedy=remedy) from None
    return EventsQuery(**values)  # type: ignore[arg-type] # each value came from the reader of its own field


def _pairs(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=10)
    except ValueError:
        raise BadParameterError(parameter="", problem="too many parameters", remedy="give each once") from None


def _limit(text: str) -> int:
    if not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= LIMIT_MOST:
        raise ValueError
    return int(text)


def _since(text: str) -> Nanoseconds:
    if _UNIX.fullmatch(text):
        return int(Decimal(text) * SECOND)
    match = _RFC3339.fullmatch(text)
    if not match:
        raise ValueError
    date, clock, _, sign, offset = match.groups()
    zone = "+00:00" if sign is None else f"{'-' if sign == '-' else '+'}{offset}"
    whole, _, fraction = clock.partition(".")
    moment = datetime.fromisoformat(f"{date}T{whole}{zone}")
    return (moment - _EPOCH) // timedelta(seconds=1) * SECOND + int(fraction.ljust(9, "0"))
