"""What the kernel's messages say, made byte by byte as rtnetlink(7) has them, those of links that are not here too."""

from __future__ import annotations

import errno
import socket
import struct
from ipaddress import ip_address, ip_network

import pytest

from exporter.host.addresses import Bound, Change, LinkGone, LinkState, Unbound
from exporter.host.netlink import IncompleteError, Messages
from exporter.vip.model import Mac

NEW_LINK, DELETED_LINK, NEW_ADDRESS, DELETED_ADDRESS = 16, 17, 20, 21
ERROR, DONE = 2, 3
UNSPEC, BRIDGE = 0, 7
ETHERNET, INFINIBAND, IPIP, LOOPBACK, NONE = 1, 32, 768, 772, 65534
IFLA_ADDRESS, IFLA_BROADCAST, IFLA_IFNAME, IFLA_WIRELESS, IFLA_OPERSTATE = 1, 2, 3, 11, 16
IFA_ADDRESS, IFA_LOCAL = 1, 2
MAC = Mac(bytes.fromhex("020000000001"))
STATES = {"unknown": 0, "notpresent": 1, "down": 2, "lowerlayerdown": 3, "testing": 4, "dormant": 5, "up": 6}


def message(kind: int, body: bytes, *, flags: int = 0) -> bytes:
    return struct.pack("IHHII", 16 + len(body), kind, flags, 0, 0) + body


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def link(
    *,
    kind: int = NEW_LINK,
    family: int = UNSPEC,
    hardware: int = ETHERNET,
    flags: int = 1,
    state: str = "up",
    mac: bytes = MAC,
) -> bytes:
    attributes = attribute(IFLA_IFNAME, b"eth0\0") + attribute(IFLA_OPERSTATE, bytes([STATES[state]]))
    if mac:
        attributes += attribute(IFLA_ADDRESS, mac) + attribute(IFLA_BROADCAST, b"\xff" * len(mac))
    return message(kind, struct.pack("BxHiII", family, hardware, 2, flags, 0) + attributes)


def address(
    local: str | None, outer: str, length: int, *, kind: int = NEW_ADDRESS, family: int | None = None, flags: int = 0x80
) -> bytes:
    attributes = attribute(IFA_ADDRESS, ip_address(outer).packed)
    if local is not None:
        attributes += attribute(IFA_LOCAL, ip_address(local).packed)
    family = family or (socket.AF_INET6 if ":" in outer else socket.AF_INET)
    return message(kind, struct.pack("BBBBI", family, length, flags, 0, 2) + attributes)


@pytest.fixture(scope="module")
def messages() -> Messages:
    return Messages()


ETH0 = LinkState(index=2, name="eth0", mac=MAC, up=True)


def bound(address: str, network: str) -> Bound:
    return Bound(2, ip_address(address), ip_network(network))


def unbound(address: str, network: str) -> Unbound:
    return Unbound(2, ip_address(address), ip_network(network))


def no_mac(*, loopback: bool = False) -> LinkState:
    return LinkState(2, "eth0", None, up=True, loopback=loopback)


OFF = LinkState(2, "eth0", MAC, up=False)
WIRELESS = attribute(IFLA_IFNAME, b"eth0\0") + attribute(IFLA_WIRELESS, bytes(16))

NOTICES: dict[str, tuple[bytes, Change | None]] = {
    "link": (link(), ETH0),
    "link deleted": (link(kind=DELETED_LINK), LinkGone(2)),
    "a bridge's word on its port": (link(family=BRIDGE), None),
    "port that leaves its bridge": (link(kind=DELETED_LINK, family=BRIDGE), None),
    "loopback": (link(hardware=LOOPBACK, flags=9, mac=bytes(6)), no_mac(loopback=True)),
    "MAC of zeros": (link(mac=bytes(6)), no_mac()),
    "no MAC": (link(hardware=NONE, mac=b""), no_mac()),
    "a tunnel's four bytes": (link(hardware=IPIP, mac=bytes(range(1, 5))), no_mac()),
    "InfiniBand's twenty bytes": (link(hardware=INFINIBAND, mac=bytes(range(20))), no_mac()),
    "switched off": (link(flags=0), OFF),
    "state unknown": (link(state="unknown"), ETH0),
    **{f"state {state}": (link(state=state), OFF) for state in STATES if state not in ("up", "unknown")},
    "a wireless driver's event": (message(NEW_LINK, struct.pack("BxHiII", 0, ETHERNET, 2, 1, 0) + WIRELESS), None),
    "address": (address("192.0.2.11", "192.0.2.11", 24), bound("192.0.2.11", "192.0.2.0/24")),
    "address removed": (
        address("192.0.2.50", "192.0.2.50", 32, kind=DELETED_ADDRESS),
        unbound("192.0.2.50", "192.0.2.50/32"),
    ),
    "point to point": (address("192.0.2.1", "198.51.100.1", 32), bound("192.0.2.1", "192.0.2.1/32")),
    "point to point in a network": (address("192.0.2.1", "192.0.2.2", 24), bound("192.0.2.1", "192.0.2.0/24")),
    "IPv6": (address(None, "2001:db8::1", 64), bound("2001:db8::1", "2001:db8::/64")),
    "IPv6, point to point": (
        address("2001:db8::1", "2001:db8:1::1", 128),
        bound("2001:db8::1", "2001:db8::1/128"),
    ),
    "deprecated": (address(None, "2001:db8::1", 64, flags=0x20), bound("2001:db8::1", "2001:db8::/64")),
    "tentative": (address(None, "2001:db8::1", 64, flags=0xC0), unbound("2001:db8::1", "2001:db8::/64")),
    "duplicate": (address(None, "2001:db8::1", 64, flags=0x88), unbound("2001:db8::1", "2001:db8::/64")),
    "address of another family": (address(None, "192.0.2.1", 32, family=35), None),
    "kind that nobody knows": (message(999, bytes(16)), None),
}


@pytest.mark.parametrize("case", NOTICES)
def test_notice(messages: Messages, case: str) -> None:
    """Each says what it says, alone or among others."""
    raw, expected = NOTICES[case]
    alone = [] if expected is None else [expected]
    assert list(messages.notices(raw)) == alone
    assert list(messages.notices(link() + raw + link())) == [ETH0, *alone, ETH0]


def done(error: int = 0) -> bytes:
    return message(DONE, struct.pack("i", error))


def test_answer_in_parts(messages: Messages) -> None:
    """It lasts until the kernel says that it is done, whether or not a number follows."""
    assert messages.answers(link() + link(kind=DELETED_LINK)) == ([ETH0, LinkGone(2)], False)
    assert messages.answers(link() + done()) == ([ETH0], True)
    assert messages.answers(message(DONE, b"")) == ([], True)


def test_answer_overtaken_by_a_change(messages: Messages) -> None:
    """Something may be missing in it, so that it is none."""
    for raw in (link() + message(DONE, bytes(4), flags=0x12), message(NEW_LINK, link()[16:], flags=0x12)):
        with pytest.raises(IncompleteError):
            messages.answers(raw)


def test_refusal(messages: Messages) -> None:
    """An error in place of an answer, or at its end, is an error of the system."""
    refused = message(ERROR, struct.pack("i", -errno.EACCES) + messages.questions[0])
    for raw, number in ((refused, errno.EACCES), (link() + done(-errno.EMSGSIZE), errno.EMSGSIZE)):
        with pytest.raises(OSError, match=r"\w") as raised:
            messages.answers(raw)
        assert raised.value.errno == number
