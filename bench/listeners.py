"""Yardsticks: other ways to listen in Python, each a process of its own that counts the frames it has looked at."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench.stage import DEVICE, VIPS, Stage

_ETH_P_ALL = 0x0003


class Listener:
    """One that runs."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.pid = process.pid
        assert process.stdin is not None and process.stdout is not None  # noqa: PT018
        self._ask, self._told = process.stdin, process.stdout

    def frames(self) -> int:
        """How many frames it has looked at."""
        self._ask.write(b"\n")
        self._ask.flush()
        return int(self._told.readline())


@contextmanager
def run(stage: Stage, name: str) -> Iterator[Listener]:
    """Run one on the listener; it listens already."""
    with stage.run(sys.executable, "-m", "bench.listeners", name) as process:
        listener = Listener(process)
        listener.frames()
        yield listener


# --- in its own process -----------------------------------------------------------------------------------------------


def _recv(count: Callable[[], None]) -> None:
    """A loop as short as it gets: receive, and compare the sender's address."""
    wanted = VIPS[0].packed
    receiver = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    receiver.bind((DEVICE, _ETH_P_ALL))

    def listen() -> None:
        while True:
            frame = receiver.recv(2048)
            count()
            if frame[12:14] == b"\x08\x06" and frame[28:32] == wanted:
                print("announced", file=sys.stderr)

    threading.Thread(target=listen, daemon=True).start()


def _scapy(count: Callable[[], None]) -> None:
    """What a tutorial would have one write."""
    from scapy.layers.l2 import ARP
    from scapy.sendrecv import AsyncSniffer

    started = threading.Event()
    # Chosen by `lfilter`: a filter in the kernel needs libpcap, and would pass these frames all the same.
    sniffer = AsyncSniffer(
        iface=DEVICE,
        store=False,
        lfilter=lambda packet: ARP in packet,
        prn=lambda _: count(),
        started_callback=started.set,
    )
    sniffer.start()
    started.wait()


LISTENERS: dict[str, Callable[[Callable[[], None]], None]] = {"recv": _recv, "scapy": _scapy}


def main(name: str) -> None:
    """Listen, and answer each line of standard input with the count."""
    seen = 0

    def count() -> None:
        nonlocal seen
        seen += 1

    LISTENERS[name](count)
    for _ in sys.stdin:
        print(seen, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
