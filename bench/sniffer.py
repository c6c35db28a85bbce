"""What a tutorial would have one write: scapy's `sniff`, to know who has said to have which address."""

from __future__ import annotations

from scapy.all import ARP, Packet, sniff

from bench.stage import DEVICE


def main() -> None:
    """Listen."""
    holders: dict[str, str] = {}

    def note(packet: Packet) -> None:
        if ARP in packet:
            holders[packet[ARP].psrc] = packet[ARP].hwsrc

    # Without a filter: that needs libpcap's development files, and would pass all the frames that are sent here.
    sniff(iface=DEVICE, store=False, prn=note)


if __name__ == "__main__":
    main()
