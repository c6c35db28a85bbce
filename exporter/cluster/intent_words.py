"""Reads the single values of the intent file: each function takes the text and raises ValueError with the remedy."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from exporter.cluster.fields import canonical, moment
from exporter.vip.model import SECOND, IPAddress, Mac, Mode, Nanoseconds, ServiceRef, parse_mac

WALL_FROM = 10**8
"""An `at` below this many seconds counts from the start; from here on it is Unix time (this is March 1973)."""
WALL_TO = 10**11
LONGEST_PERIOD = 3600 * SECOND

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_SERVICE = re.compile(r"([a-z0-9][a-z0-9.-]{0,62})/([a-z0-9][a-z0-9.-]{0,62})")
_PERIOD = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m)?", re.ASCII)
_MAC = re.compile(r"[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}")
_UNITS = {"ms": SECOND // 1000, None: SECOND, "s": SECOND, "m": 60 * SECOND}


@dataclass(frozen=True, slots=True)
class At:
    """A moment of the timeline."""

    time: Nanoseconds
    wall: bool
    """Counted from 1970 (UTC), not from the start."""

    def on_line(self, start: Nanoseconds, from_wall: Callable[[Nanoseconds], Nanoseconds]) -> Nanoseconds:
        return from_wall(self.time) if self.wall else start + self.time


def at(text: str) -> At:
    try:
        number = Decimal(text.replace("_", ""))
    except InvalidOperation:
        try:
            return At(moment(text), wall=True)
        except ValueError:
            raise ValueError("no such time; write one like 2026-01-31T08:00:00Z (without a zone it is UTC)") from None
    if not number.is_finite() or not 0 <= number < WALL_TO:
        raise ValueError("write seconds since the start, Unix time in seconds, or a time like 2026-01-31T08:00:00Z")
    return At(int(number * SECOND), wall=number >= WALL_FROM)


def address(text: str) -> IPAddress:
    try:
        found = canonical(text.strip())
    except ValueError:
        raise ValueError("not an address; write a plain IPv4 or IPv6 address, without prefix length or zone") from None
    if found.is_unspecified or found.is_multicast or found.is_loopback:
        raise ValueError("not a unicast address that others can reach; write one")
    return found


def mac(text: str) -> Mac:
    if not _MAC.fullmatch(text.strip()):
        raise ValueError("not a MAC address; write one like 52:54:00:12:34:56")
    return parse_mac(text)


def name(text: str) -> str:
    """A node or host name, or a lease's holder."""
    if not _NAME.fullmatch(text.strip()):
        raise ValueError("not a node name; write up to 253 letters, digits, '.', '-' and '_'")
    return text.strip()


def name_or_none(text: str) -> str:
    return name(text) if text.strip() else ""


def mode(text: str) -> Mode:
    try:
        return Mode(text)
    except ValueError:
        raise ValueError("no such mode; write static or dhcp") from None


def service(text: str) -> ServiceRef:
    match = _SERVICE.fullmatch(text)
    if match is None:
        raise ValueError("not a Service; write namespace/name, like kube-system/ingress-expose")
    return ServiceRef(match[1], match[2])


def period(text: str) -> Nanoseconds:
    match = _PERIOD.fullmatch(text.strip())
    found = int(Decimal(match[1]) * _UNITS[match[2]]) if match else -1
    if not 0 <= found <= LONGEST_PERIOD:
        raise ValueError("not a period; write seconds, like 3, 0.5 or 3s, at most an hour (0: it does not repeat)")
    return found


def vlan(text: str) -> int:
    if not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= 4094:
        raise ValueError("not a VLAN id; write 1 to 4094, or leave it out for untagged")
    return int(text)


def boolean(text: str) -> bool:
    found = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}.get(text.lower())
    if found is None:
        raise ValueError("write true or false")
    return found
