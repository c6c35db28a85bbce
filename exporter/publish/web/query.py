"""Read the parameters of a request; a bad one is refused by name, with what to write instead."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from ipaddress import ip_address
from urllib.parse import parse_qsl

from exporter.publish.history import Cursor, read_cursor
from exporter.vip.model import SECOND, IPAddress, Nanoseconds, State

MOST_VIPS = 20
"""Addresses that a request may name."""
MOST_FIELDS = 40
"""More of them are not even read."""
LIMIT_MOST = 1000
EVENTS_LIMIT_DEFAULT = 100

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNIX = re.compile(r"[0-9]{1,10}(\.[0-9]{1,9})?")
# The sign may be a space: that is what a plus in a URL decodes to when it was not escaped.
_RFC3339 = re.compile(r"([0-9-]{10})[Tt ]([0-9:]{8}(?:\.[0-9]{1,9})?)(?:([Zz])|([+ -])([0-9]{2}:[0-9]{2}))")


@dataclass(frozen=True, slots=True)
class VipsQuery:
    vips: tuple[IPAddress, ...] = ()
    """None: all of them."""
    states: tuple[State, ...] = ()
    """None: whatever their state."""
    limit: int = LIMIT_MOST
    after: IPAddress | None = None
    """Only those that follow this address in the order of the answer: IPv4 first, then by address."""


@dataclass(frozen=True, slots=True)
class EventsQuery:
    vip: IPAddress | None = None
    since: Nanoseconds | None = None
    """Wall-clock nanoseconds since 1970, UTC."""
    limit: int = EVENTS_LIMIT_DEFAULT
    before: Cursor | None = None
    """Only those older than the page that gave this cursor."""


@dataclass(frozen=True, slots=True)
class PageQuery:
    vips: tuple[IPAddress, ...] = ()
    """None: all of them."""


class BadParameterError(Exception):
    def __init__(self, *, parameter: str, problem: str, remedy: str) -> None:
        self.parameter = parameter
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{parameter}: {problem}; {remedy}")


def vips_query(query: str) -> VipsQuery:
    """Read the query string of `/api/v1/vips`.

    Raises:
        BadParameterError: a parameter is unknown, given too often, or malformed.
    """
    return VipsQuery(**_read(query, _OF_VIPS))  # type: ignore[arg-type] # each value came from its field's own reader


def events_query(query: str) -> EventsQuery:
    """The same for `/api/v1/events`."""
    return EventsQuery(**_read(query, _OF_EVENTS))  # type: ignore[arg-type]


def page_query(query: str) -> PageQuery:
    """The same for `/` and `/live`."""
    return PageQuery(**_read(query, _OF_PAGE))  # type: ignore[arg-type]


# --- how parameters are read ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Parameter:
    field: str
    read: Callable[[str], object]
    """Raises ValueError or OverflowError where it makes no sense of a text."""
    remedy: str
    most: int | None = None
    """How often it may be given; the field is then a tuple. None: once, and the field is the value."""


def _read(query: str, parameters: Mapping[str, _Parameter]) -> dict[str, object]:
    values: dict[str, object] = {}
    for name, texts in _by_name(query).items():
        if name not in parameters:
            raise BadParameterError(
                parameter=name[:100], problem="unknown parameter", remedy=f"give none but {', '.join(parameters)}"
            )
        parameter = parameters[name]
        if len(texts) > (parameter.most or 1):
            most = f"{parameter.most} times at most" if parameter.most else "once"
            raise BadParameterError(parameter=name, problem=f"given {len(texts)} times", remedy=f"give it {most}")
        found = [_value(name, text, parameter) for text in texts]
        values[parameter.field] = tuple(dict.fromkeys(found)) if parameter.most else found[0]
    return values


def _by_name(query: str) -> dict[str, list[str]]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise BadParameterError(
            parameter="", problem="too many parameters", remedy=f"give {MOST_FIELDS} at most at once"
        ) from None
    texts: dict[str, list[str]] = {}
    for name, text in pairs:
        texts.setdefault(name, []).append(text)
    return texts


def _value(name: str, text: str, parameter: _Parameter) -> object:
    try:
        return parameter.read(text)
    except (ValueError, OverflowError):
        raise BadParameterError(parameter=name, problem=f"bad value {text[:100]!r}", remedy=parameter.remedy) from None


def _address(text: str) -> IPAddress:
    if "%" in text:
        raise ValueError  # a zone belongs to one machine's interface, a VIP to none
    return ip_address(text)


def _limit(text: str) -> int:
    if not re.fullmatch("[1-9][0-9]{0,3}", text) or int(text) > LIMIT_MOST:
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


_ADDRESS_REMEDY = "give an IP address such as 192.0.2.10"
_VIPS = _Parameter("vips", _address, _ADDRESS_REMEDY, most=MOST_VIPS)
_STATES = _Parameter("states", State, f"give one of {', '.join(State)}", most=len(State))
_LIMIT = _Parameter("limit", _limit, f"give a whole number from 1 to {LIMIT_MOST}")
_AFTER = _Parameter("after", _address, "give the `next` of the page before, an IP address")
_VIP = _Parameter("vip", _address, _ADDRESS_REMEDY)
_SINCE = _Parameter("since", _since, "give an RFC 3339 time such as 2025-01-31T12:00:00Z, or Unix seconds")
_BEFORE = _Parameter("before", read_cursor, "give the `next` of the page before, or leave it out for the newest events")

_OF_VIPS = {"vip": _VIPS, "state": _STATES, "limit": _LIMIT, "after": _AFTER}
_OF_EVENTS = {"vip": _VIP, "since": _SINCE, "limit": _LIMIT, "before": _BEFORE}
_OF_PAGE = {"vip": _VIPS}
