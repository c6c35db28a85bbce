"""Read one configuration value from its text, and say what would be accepted; knows nothing of where text is from.

Each parser takes the text as written and raises ValueError when it will not do. The error's message, if it has one,
is a hint on this very text; what is accepted in general stands beside the parser, in its `Kind`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from pathlib import Path

from exporter.vip.model import SECOND, IPAddress, Mac, Nanoseconds, ServiceRef, parse_mac


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of value."""

    name: str
    """One word or two for the reference."""
    accepts: str
    """Completes "accepted: …" in an error."""
    parse: Callable[[str], object]


@dataclass(frozen=True, slots=True)
class ListenAddress:
    host: str
    """An IP address or a name; empty: every address of this machine, IPv4 and IPv6."""
    port: int
    """0: any that is free."""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixAddress:
    path: str
    """Absolute."""

    def __str__(self) -> str:
        return f"unix:{self.path}"


Address = ListenAddress | UnixAddress

_MILLISECOND = SECOND // 1000
_UNITS = {
    "y": 365 * 86_400 * SECOND,
    "w": 7 * 86_400 * SECOND,
    "d": 86_400 * SECOND,
    "h": 3600 * SECOND,
    "m": 60 * SECOND,
    "s": SECOND,
    "ms": _MILLISECOND,
}
_LONGEST_UNIX_PATH = 107
"""struct sockaddr_un has 108 bytes with the final zero (unix(7))."""
_DURATION = re.compile("".join(f"(?:([0-9]{{1,9}}){unit})?" for unit in _UNITS))
_SIZE = re.compile(r"([0-9]{1,12})(B|KiB|MiB|GiB)")
_BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_DNS_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_INTERFACE = re.compile(r"[!-~]{1,15}")
_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def parse_duration(text: str) -> Nanoseconds:
    """Read a duration as Prometheus writes it: whole numbers with units, the largest unit first, each at most once."""
    if text.isdecimal():
        raise ValueError(f"it has no unit; for seconds write {text}s")
    match = _DURATION.fullmatch(text)
    if not match or not text:
        raise ValueError
    return sum(int(count) * unit for count, unit in zip(match.groups(), _UNITS.values(), strict=True) if count)


def parse_listen_address(text: str) -> Address:
    """Read `host:port`, `[IPv6]:port`, `:port` or `unix:/path`."""
    if text.startswith("unix:"):
        return _unix_address(text.removeprefix("unix:"))
    if "://" in text:
        raise ValueError("it is an address and no URL; write it without what stands before the host")
    host, colon, port = text.rpartition(":")
    if not colon:
        raise ValueError(f"it has no colon; for a port alone write :{text}" if text.isdecimal() else "it has no port")
    if not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65535:
        raise ValueError("the port is no number from 0 to 65535")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if not isinstance(ip_address(host), IPv6Address):
            raise ValueError("only an IPv6 address stands in brackets")
    elif ":" in host:
        raise ValueError("an IPv6 address must stand in brackets")
    elif host and not _HOST.fullmatch(host):
        raise ValueError
    return ListenAddress(host, int(port))


def _unix_address(path: str) -> UnixAddress:
    if not path.startswith("/") or path.endswith("/") or "\0" in path:
        raise ValueError("a unix socket has an absolute path, such as unix:/run/vip-exporter.sock")
    if len(os.fsencode(path)) > _LONGEST_UNIX_PATH:
        raise ValueError(f"the path of a unix socket has at most {_LONGEST_UNIX_PATH} bytes")
    return UnixAddress(os.path.normpath(path))


def _duration_of(minimum: Nanoseconds, maximum: Nanoseconds) -> Callable[[str], Nanoseconds]:
    def parse(text: str) -> Nanoseconds:
        value = parse_duration(text)
        if not minimum <= value <= maximum:
            raise ValueError("it is out of range")
        return value

    return parse


def _period(text: str) -> Nanoseconds | None:
    if text == "auto":
        return None
    value = parse_duration(text)
    if value and not _SHORTEST_PERIOD <= value <= _LONGEST_PERIOD:
        raise ValueError("it is out of range")
    return value


def _size(text: str) -> int:
    if text.isdecimal():
        raise ValueError(f"it has no unit; for bytes write {text}B")
    match = _SIZE.fullmatch(text)
    if not match:
        raise ValueError
    value = int(match[1]) * _BYTES[match[2]]
    if not _BYTES["KiB"] * 64 <= value <= _BYTES["GiB"]:
        raise ValueError("it is out of range")
    return value


def _boolean(text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise ValueError
    return _BOOLEANS[text.lower()]


def _service(text: str) -> ServiceRef:
    namespace, slash, name = text.partition("/")
    if not slash:
        raise ValueError("it has no namespace")
    if not _DNS_LABEL.fullmatch(namespace) or not _DNS_LABEL.fullmatch(name):
        raise ValueError
    return ServiceRef(namespace, name)


def _object(text: str) -> ServiceRef:
    """Like a Service's, but most kinds of object may have dots in their names."""
    namespace, slash, name = text.partition("/")
    if not slash:
        raise ValueError("it has no namespace")
    if not _DNS_LABEL.fullmatch(namespace) or len(name) > 253 or not all(map(_DNS_LABEL.fullmatch, name.split("."))):
        raise ValueError
    return ServiceRef(namespace, name)


def _object_or_none(text: str) -> ServiceRef | None:
    return None if text == "none" else _object(text)


def _service_pattern(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9*?\[\]!.-]+/[a-z0-9*?\[\]!.-]+", text):
        raise ValueError
    return text


def _interface_pattern(text: str) -> str:
    if not re.fullmatch(r"[!-~]{1,32}", text) or any(char in text for char in "/,:"):
        raise ValueError
    return text


def _node_mac(text: str) -> tuple[str, Mac]:
    name, equals, mac = text.partition("=")
    if not equals:
        raise ValueError("it has no equals sign between name and MAC")
    return _observer(name), parse_mac(mac)


def _version(text: str) -> tuple[int, int, int]:
    match = re.fullmatch(r"v?([0-9]{1,4})\.([0-9]{1,4})\.([0-9]{1,4})", text)
    if not match:
        raise ValueError
    return int(match[1]), int(match[2]), int(match[3])


def _vip(text: str) -> IPAddress:
    address = ip_address(text)
    if address.is_multicast or address.is_loopback or address.is_unspecified:
        raise ValueError("a VIP is a unicast address that others can reach")
    return address


def _interface(text: str) -> str:
    if not _INTERFACE.fullmatch(text) or text in (".", "..") or any(char in text for char in "/,:"):
        raise ValueError
    return text


def _path(text: str) -> Path:
    if not text or "\0" in text:
        raise ValueError
    return Path(text)


def _observer(text: str) -> str:
    if not text.isprintable() or " " in text or not 1 <= len(text) <= 253:
        raise ValueError
    return text


def one_of(*choices: str) -> Kind:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError
        return text

    return Kind(" or ".join(f"`{choice}`" for choice in choices), f"one of {', '.join(choices)}", parse)


def whole_number(minimum: int, maximum: int) -> Kind:
    def parse(text: str) -> int:
        if not re.fullmatch("[0-9]{1,18}", text) or not minimum <= int(text) <= maximum:
            raise ValueError
        return int(text)

    return Kind("number", f"a whole number from {minimum} to {maximum}", parse)


_SHORTEST_PERIOD = 100 * _MILLISECOND
_LONGEST_PERIOD = 3600 * SECOND
_LONGEST = 365 * 86_400 * SECOND

ADDRESS = Kind("address", "host:port, [IPv6 address]:port, :port or unix:/path", parse_listen_address)
BOOLEAN = Kind("boolean", "true or false", _boolean)
DURATION = Kind("duration", "a duration from 0s to 1y such as 15s, 1m30s or 500ms", _duration_of(0, _LONGEST))
INTERVAL = Kind("duration", "a duration from 1s to 1y such as 15s, 1m30s or 5m", _duration_of(SECOND, _LONGEST))
IP_ADDRESS = Kind("IP address", "a unicast IPv4 or IPv6 address such as 192.0.2.10", _vip)
INTERFACE = Kind("interface", "the name of a network interface such as eth0", _interface)
INTERFACE_PATTERN = Kind("pattern", "an interface's name, in which * and ? stand for any", _interface_pattern)
NODE_MAC = Kind("`name=MAC`", "a node's name and one of its MACs, such as node-1=52:54:00:12:34:56", _node_mac)
NODE_NAME = Kind("name", "a name of at most 253 characters, no space among them", _observer)
OBJECT = Kind("`namespace/name`", "namespace/name, each of lower-case letters, digits, hyphens and dots", _object)
OBJECT_OR_NONE = Kind("`namespace/name`", f"{OBJECT.accepts}; or none", _object_or_none)
PATH = Kind("path", "the path of a file", _path)
PERIOD = Kind("`auto` or duration", "auto, 0s, or a duration from 100ms to 1h such as 3s", _period)
SERVICE = Kind("`namespace/name`", "namespace/name, each of lower-case letters, digits and hyphens", _service)
SERVICE_PATTERN = Kind(
    "pattern", "namespace/name, in which * and ? stand for any, such as */ingress-*", _service_pattern
)
SIZE = Kind("size", "a size from 64KiB to 1GiB such as 512KiB or 8MiB", _size)
VERSION = Kind("version", "three numbers such as 0.8.2", _version)
