"""What happens to a host's interfaces while the lab is up: addresses come and go, macvlans do, a MAC changes."""

from __future__ import annotations

import json
from contextlib import suppress

from exporter.lab.network import Host, LabUnavailableError, ip
from exporter.vip.model import IPAddress, Mac


def change_address(host: Host, address: IPAddress, *, bound: bool, device: str = "") -> None:
    """Bind a VIP on a host, with the prefix length that kube-vip gives it, or unbind it.

    Args:
        device: on which interface; empty: the one with the host's own address.
    """
    prefix = f"{address}/{address.max_prefixlen}"
    where = ("dev", device or host.device)
    if bound:
        # As kube-vip does: without asking first whether somebody else has the address (IPv6).
        quietly = ("nodad",) if address.version == 6 else ()
        ip("address", "replace", prefix, *where, *quietly, inside=host.namespace)
    else:
        with suppress(LabUnavailableError):  # it is not bound
            ip("address", "delete", prefix, *where, inside=host.namespace)


def add_macvlan(host: Host, name: str, mac: Mac) -> None:
    """Give a host a macvlan with this MAC, up; one that is left from before is kept."""
    if name not in devices(host):
        ip(
            *("link", "add", "link", host.device, "name", name, "address", mac.hex(":")),
            *("type", "macvlan", "mode", "bridge"),
            inside=host.namespace,
        )
    ip("link", "set", name, "up", inside=host.namespace)


def delete_macvlan(host: Host, name: str) -> None:
    """Delete it, with its addresses; nothing happens where there is none."""
    if name in devices(host):
        ip("link", "delete", name, inside=host.namespace)


def change_mac(host: Host, mac: Mac) -> None:
    """Change the MAC of the interface with the host's address, as a bridge changes it when a VM starts."""
    ip("link", "set", host.device, "address", mac.hex(":"), inside=host.namespace)


def devices(host: Host) -> dict[str, Mac]:
    """A host's interfaces, and their MACs as they are now."""
    links = json.loads(ip("-json", "link", "show", inside=host.namespace))
    return {link["ifname"]: Mac(bytes.fromhex(link["address"].replace(":", ""))) for link in links}


def bound_on(host: Host, address: IPAddress) -> set[str]:
    """The interfaces of a host on which an address is bound."""
    links = json.loads(ip("-json", "address", "show", inside=host.namespace))
    return {link["ifname"] for link in links if any(info["local"] == str(address) for info in link["addr_info"])}
