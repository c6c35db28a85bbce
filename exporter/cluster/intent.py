"""Turns a Service, as the plain JSON of the Kubernetes API, into what it says about its VIPs.

Pure, and total: any JSON gives an intent. Whatever is unusable in it becomes a problem, the rest still counts.
Annotations as kube-vip 0.6.0 to 1.2.3 reads and writes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from typing import Any

from exporter.vip.model import IPAddress, Mac, Mode, ServiceIntent, ServiceRef, parse_mac

PREFIX = "kube-vip.io/"
LOAD_BALANCER_IPS = PREFIX + "loadbalancerIPs"
REQUESTED_IP = PREFIX + "requestedIP"
VIP_HOST = PREFIX + "vipHost"
HWADDR = PREFIX + "hwaddr"
IGNORE = PREFIX + "ignore"
SPEC_IP = "spec.loadBalancerIP"
STATUS_IP = "status.loadBalancer.ingress[].ip"

LONGEST_HOST = 253
"""Characters in a DNS name (RFC 1035)."""
MOST_ADDRESSES = 16
MOST_PROBLEMS = 16
LONGEST_LIST = 1024
LONGEST_SHOWN = 64

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a Service that could not be used."""

    where: str
    """The annotation's key, or the path of the field."""
    value: str
    """What stands there, shortened and printable."""
    remedy: str


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads fields that may hold anything, and collects what is wrong with them."""

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
            self.complain(where, text, "a VIP is a unicast address that others can reach")
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


def read_service(service: ServiceRef, obj: Json) -> tuple[ServiceIntent, tuple[Problem, ...]]:
    """What a Service says, and what of it could not be used. Never raises.

    The mode is DHCP where `loadbalancerIPs` (or, without it, `spec.loadBalancerIP`) is an unspecified address,
    unknown where no address is given anywhere, and static otherwise.

    The addresses in force are:

    - static: `loadbalancerIPs`, else the status, else `spec.loadBalancerIP`;
    - DHCP: the status. While the status has none, `requestedIP` counts only if `vipHost` is there as well: kube-vip
      writes the two together once it has a lease, so without `vipHost` the address is somebody's wish. Where the
      status and `requestedIP` differ the status stands, and the difference is a problem to report.

    What kube-vip left behind from an earlier DHCP mode (`hwaddr`, `requestedIP`) says nothing on a static Service.
    A Service that kube-vip is told to ignore has no address in force.
    """
    reader = _Reader()
    annotations = reader.mapping(reader.mapping(obj, "metadata", "metadata"), "annotations", "metadata.annotations")
    spec = reader.mapping(obj, "spec", "spec")
    load_balancer = reader.text(spec, "type", "spec.type") == "LoadBalancer"
    if _ignored(reader, annotations):
        intent = ServiceIntent(service=service, addresses=(), load_balancer=load_balancer)
        return intent, tuple(reader.problems)

    wanted = reader.addresses(reader.text(annotations, LOAD_BALANCER_IPS, LOAD_BALANCER_IPS), LOAD_BALANCER_IPS)
    in_spec = reader.addresses(reader.text(spec, "loadBalancerIP", SPEC_IP), SPEC_IP)
    in_status = _status_addresses(reader, obj)
    vip_host = _vip_host(reader, annotations)

    declared = wanted or in_spec
    hwaddr = None
    if any(address.is_unspecified for address in declared):
        if not all(address.is_unspecified for address in declared):
            remedy = "list either addresses or 0.0.0.0 and ::, not both; it is taken as DHCP"
            reader.complain(LOAD_BALANCER_IPS, ",".join(map(str, declared)), remedy)
        mode = Mode.DHCP
        hwaddr = reader.mac(reader.text(annotations, HWADDR, HWADDR), HWADDR)
        addresses = in_status or (_requested(reader, annotations) if vip_host else ())
        _compare_requested(reader, annotations, in_status)
    else:
        addresses = wanted or in_status or in_spec
        mode = Mode.STATIC if addresses else Mode.UNKNOWN
    intent = ServiceIntent(
        service=service,
        addresses=addresses,
        mode=mode,
        vip_host=vip_host,
        hwaddr=hwaddr,
        load_balancer=load_balancer,
    )
    return intent, tuple(reader.problems)


def _ignored(reader: _Reader, annotations: Json) -> bool:
    value = reader.text(annotations, IGNORE, IGNORE).lower()
    if value not in ("", "true", "false"):
        reader.complain(IGNORE, value, 'write "true" or "false"; it is taken as "false"')
    return value == "true"


def _vip_host(reader: _Reader, annotations: Json) -> str:
    value = reader.text(annotations, VIP_HOST, VIP_HOST)
    if len(value) > LONGEST_HOST:
        reader.complain(VIP_HOST, value, f"a node name has at most {LONGEST_HOST} characters; the rest is cut off")
    return value[:LONGEST_HOST].strip()


def _status_addresses(reader: _Reader, obj: Json) -> tuple[IPAddress, ...]:
    status = reader.mapping(obj, "status", "status")
    entries = reader.mapping(status, "loadBalancer", "status.loadBalancer").get("ingress")
    if entries is None:
        return ()
    if not isinstance(entries, list):
        reader.complain("status.loadBalancer.ingress", entries, "must be a list")
        return ()
    found: dict[IPAddress, None] = {}
    for entry in entries[:MOST_ADDRESSES]:
        if not isinstance(entry, Mapping):
            reader.complain("status.loadBalancer.ingress[]", entry, "must be an object")
            continue
        text = reader.text(entry, "ip", STATUS_IP)
        address = reader.address(text, STATUS_IP) if text else None
        if address is not None and not address.is_unspecified:
            found[address] = None
    return tuple(found)


def _requested(reader: _Reader, annotations: Json) -> tuple[IPAddress, ...]:
    text = reader.text(annotations, REQUESTED_IP, REQUESTED_IP)
    return tuple(address for address in reader.addresses(text, REQUESTED_IP) if not address.is_unspecified)


def _compare_requested(reader: _Reader, annotations: Json, in_status: tuple[IPAddress, ...]) -> None:
    """A lease that drifted away from what was asked for: not unusable, but somebody should know."""
    if not in_status:
        return
    requested = _requested(reader, annotations)
    if requested and set(requested) != set(in_status):
        remedy = "it differs from the status, which stands; check the DHCP reservation"
        reader.complain(REQUESTED_IP, ",".join(map(str, requested)), remedy)


def _shown(value: object) -> str:
    """A value for a log line: short, printable, and never expensive to make."""
    if isinstance(value, str):
        text = value[:LONGEST_SHOWN] + ("…" if len(value) > LONGEST_SHOWN else "")
    else:
        text = f"({type(value).__name__})"
    return "".join(character if character.isprintable() else "�" for character in text)
