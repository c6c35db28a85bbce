"""Reads fields of a Kubernetes object, which may hold anything: what is unusable becomes a problem, never an error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address
from typing import Any, NamedTuple

from exporter.vip.model import SECOND, IPAddress, Mac, Nanoseconds, parse_mac

LONGEST_HOST = 253
"""Characters in a DNS name (RFC 1035)."""
MOST_ADDRESSES = 16
MOST_PROBLEMS = 16
LONGEST_LIST = 1024
LONGEST_SHOWN = 64
LATEST: Nanoseconds = 32_503_680_000 * SECOND
"""The year 3000. From times within it and 1970, whatever follows can be written as a date again."""

Json = Mapping[str, Any]

_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


class Key(NamedTuple):
    """Which object of a resource."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in an object that could not be used."""

    where: str
    """The annotation's key, or the path of the field."""
    value: str
    """What stands there, shortened and printable."""
    remedy: str


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads fields of one object, and collects what is wrong with them."""

    problems: list[Problem] = field(default_factory=list)

    def complain(self, where: str, value: object, remedy: str) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(Problem(where, _shown(value), remedy))

    def mapping(self, parent: Json, key: str, where: str) -> Json:
        value = parent.get(key)
        if value is None or isinstance(value, Mapping):
            return value or {}
        self.complain(where, value, "must be an object")
        return {}

    def within(self, obj: Json, *path: str) -> Json:
        """The object at the end of a path of objects; an empty one where there is none."""
        for depth, key in enumerate(path, 1):
            obj = self.mapping(obj, key, ".".join(path[:depth]))
        return obj

    def items(self, parent: Json, key: str, where: str) -> list[Json]:
        """The objects of a list."""
        value = parent.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            self.complain(where, value, "must be a list")
            return []
        for item in value:
            if not isinstance(item, Mapping):
                self.complain(f"{where}[]", item, "must be an object")
        return [item for item in value if isinstance(item, Mapping)]

    def texts(self, parent: Json, key: str, where: str) -> tuple[str, ...]:
        """The strings of a list, as written."""
        value = parent.get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.complain(where, value, "must be a list of strings")
            return ()
        return tuple(value)

    def labels(self, parent: Json, key: str, where: str) -> dict[str, str]:
        """The pairs of strings of an object, as written."""
        value = self.mapping(parent, key, where)
        if not all(isinstance(text, str) for text in value.values()):
            self.complain(where, value, "must be pairs of strings")
        return {name: text for name, text in value.items() if isinstance(text, str)}

    def text(self, parent: Json, key: str, where: str) -> str:
        """A field's text without the space around it; empty where absent or unusable."""
        value = parent.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            self.complain(where, value, "must be a string")
            return ""
        value = value.strip()
        if not value.isprintable():
            self.complain(where, value, "remove the control characters")
            return ""
        return value

    def host(self, parent: Json, key: str, where: str) -> str:
        """The name of a node or host, cut off where it is too long."""
        value = self.text(parent, key, where)
        if len(value) > LONGEST_HOST:
            self.complain(where, value, f"a node name has at most {LONGEST_HOST} characters; the rest is cut off")
        return value[:LONGEST_HOST].strip()

    def count(self, parent: Json, key: str, where: str) -> int | None:
        """A whole number from 0 to the largest that the API allows; None where absent or unusable."""
        value = parent.get(key)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**31:
            self.complain(where, value, "must be a whole number, at least 0")
            return None
        return value

    def time(self, parent: Json, key: str, where: str) -> Nanoseconds | None:
        """A time (RFC 3339) in nanoseconds since 1970 (UTC); None where absent or unusable."""
        text = self.text(parent, key, where)
        if not text:
            return None
        try:
            found = moment(text)
        except ValueError:
            self.complain(where, text, "must be a time like 2026-01-31T08:00:00.000000Z")
            return None
        if not 0 <= found < LATEST:
            self.complain(where, text, "must be a time from 1970 to 2999")
            return None
        return found

    def addresses(self, text: str, where: str) -> tuple[IPAddress, ...]:
        """The usable addresses of a comma-separated list, each once, `0.0.0.0` and `::` (DHCP) included."""
        if len(text) > LONGEST_LIST:
            self.complain(where, text, f"shorten it to {LONGEST_LIST} characters")
            return ()
        found: list[IPAddress] = []
        for part in filter(None, map(str.strip, text.split(","))):
            address = self.address(part, where)
            if address is not None and address not in found:
                found.append(address)
        if len(found) > MOST_ADDRESSES:
            self.complain(where, text, f"only the first {MOST_ADDRESSES} addresses are used")
        return tuple(found[:MOST_ADDRESSES])

    def address(self, text: str, where: str) -> IPAddress | None:
        try:
            address = canonical(text)
        except ValueError:
            self.complain(where, text, "write a plain IPv4 or IPv6 address, without prefix length or zone")
            return None
        if address.is_multicast or address.is_loopback:
            self.complain(where, text, "must be a unicast address that others can reach")
            return None
        return address

    def mac(self, text: str, where: str) -> Mac | None:
        if not text:
            return None
        try:
            mac = parse_mac(text[:LONGEST_SHOWN])
        except ValueError:
            self.complain(where, text, "write six groups of two hexadecimal digits, like 52:54:00:12:34:56")
            return None
        if mac[0] & 1 or not any(mac):
            self.complain(where, text, "a VIP's MAC is a unicast address and not all zeros")
            return None
        return mac

    def reference(self, text: str, where: str, *, namespace: str) -> Key | None:
        """The object that `name` (in this namespace) or `namespace/name` names."""
        if not text:
            return None
        before, slash, name = text.rpartition("/")
        key = Key(before if slash else namespace, name)
        if not all(map(_SUBDOMAIN.fullmatch, key)):
            self.complain(where, text, "write the name of an object, or namespace/name")
            return None
        return key


def canonical(text: str) -> IPAddress:
    """Read an address. One that maps IPv4 into IPv6 is the IPv4 address.

    Raises:
        ValueError: it is no address, or carries a zone id, which means nothing on another host.
    """
    if "%" in text:
        raise ValueError(f"{text!r} has a zone id")
    address = ip_address(text)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def moment(text: str) -> Nanoseconds:
    """Nanoseconds since 1970 of a time as RFC 3339 has it; without a zone it is UTC.

    Raises:
        ValueError: it is no time.
    """
    try:
        time = datetime.fromisoformat(text.strip().upper())
        since = (time if time.tzinfo else time.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r} is out of range") from error
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000


def _shown(value: object) -> str:
    """A value for a log line: short, printable, and never expensive to make."""
    if isinstance(value, str):
        text = value[:LONGEST_SHOWN] + ("…" if len(value) > LONGEST_SHOWN else "")
    else:
        text = f"({type(value).__name__})"
    return "".join(character if character.isprintable() else "�" for character in text)
