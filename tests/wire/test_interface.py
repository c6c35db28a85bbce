"""Which interface the default route names, and what the kernel says of one."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from exporter.wire.interface import NoDefaultRouteError, default_interface, interface_index, why_deaf
from tests import netns

HEADER = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
NO_IPV6 = "0" * 32


def ipv4(device: str, destination: str, flags: str, metric: int, mask: str) -> str:
    return f"{device}\t{destination}\t010200C0\t{flags}\t0\t0\t{metric}\t{mask}\t0\t0\t0\n"


def ipv6(device: str, destination: str, length: str, flags: str, metric: str) -> str:
    return f"{destination} {length} {NO_IPV6} 00 {NO_IPV6} {metric} 00000001 00000000 {flags} {device}\n"


@pytest.mark.parametrize(
    ("route", "ipv6_route", "device"),
    [
        (ipv4("mgmt-br", "00000000", "0003", 0, "00000000"), "", "mgmt-br"),
        (
            ipv4("eth1", "00000000", "0003", 200, "00000000") + ipv4("eth0", "00000000", "0003", 100, "00000000"),
            "",
            "eth0",
        ),
        (
            ipv4("eth0", "000200C0", "0001", 0, "00FFFFFF") + ipv4("eth1", "00000000", "0003", 9, "00000000"),
            "",
            "eth1",
        ),
        (ipv4("eth0", "00000000", "0001", 0, "00000080"), ipv6("eth1", NO_IPV6, "00", "00000003", "00000400"), "eth1"),
        (
            "",
            ipv6("lo", NO_IPV6, "00", "00200200", "ffffffff") + ipv6("eth2", NO_IPV6, "00", "00450003", "00000400"),
            "eth2",
        ),
        (
            "",
            ipv6("eth1", NO_IPV6, "00", "00000003", "00000800") + ipv6("eth2", NO_IPV6, "00", "00000003", "00000400"),
            "eth2",
        ),
    ],
    ids=["IPv4", "lowest metric", "not a subnet's", "IPv6 next", "not the rejecting one", "lowest IPv6 metric"],
)
def test_default_interface(tmp_path: Path, route: str, ipv6_route: str, device: str) -> None:
    """The default route's interface, of IPv4 if it has one."""
    (tmp_path / "route").write_text(HEADER + route)
    (tmp_path / "ipv6_route").write_text(ipv6_route)
    assert default_interface(tmp_path) == device


def test_no_default_route(wire: netns.Wire) -> None:
    """Without default route the error says what to do. Routes are those of the calling thread's namespace."""
    with netns.inside(wire.here):
        with pytest.raises(NoDefaultRouteError, match=r"--capture\.interface"):
            default_interface()
        netns.ip("-n", wire.here, "route", "add", "default", "dev", netns.DEVICE)
        assert default_interface() == netns.DEVICE


def test_why_deaf(wire: netns.Wire) -> None:
    """The reasons by which an interface hears nothing."""
    with netns.inside(wire.here), socket.socket() as any_socket:
        assert why_deaf(any_socket, netns.DEVICE) == ""
        assert why_deaf(any_socket, "eth7") == "interface missing"
        assert why_deaf(any_socket, "a name longer than any interface's") == "interface missing"
        wire.set_link("down", wire.there)
        # The kernel takes up to a second to admit it.
        deadline = time.monotonic() + 2
        while not why_deaf(any_socket, netns.DEVICE) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert why_deaf(any_socket, netns.DEVICE) == "no carrier"
        wire.set_link("up", wire.there)
        assert why_deaf(any_socket, netns.DEVICE) == ""
        wire.set_link("down")
        assert why_deaf(any_socket, netns.DEVICE) == "interface down"
        assert interface_index(any_socket, netns.DEVICE) == socket.if_nametoindex(netns.DEVICE)
        assert interface_index(any_socket, "eth7") is None
