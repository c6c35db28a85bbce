"""`who` and `check` as processes on the lab's hosts: start them, and read what they print, send and leave as it was."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from exporter.lab.chatter import DISCARD
from exporter.lab.lab import Lab
from exporter.lab.network import DEVICE, Host
from exporter.vip.model import Source
from tests.e2e.conftest import PERIOD, VIP

LONGEST = 60.0
"""Seconds that a command may take."""
SIDE_BY_SIDE = 6
"""More of them would keep each other from starting."""
SO_RCVBUFFORCE = 33


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it wrote."""

    status: int
    out: str
    err: str

    def answers(self, status: int) -> Outcome:
        """It ended with this status, and wrote nothing beside its answer."""
        assert (self.status, self.err) == (status, ""), f"{self.status}\n{self.out}\n{self.err}"
        return self

    @property
    def json(self) -> dict[str, Any]:
        document = json.loads(self.out)
        assert isinstance(document, dict)
        return document

    @property
    def vip(self) -> dict[str, Any]:
        """The one VIP of `who --json`."""
        (vip,) = self.json["vips"]
        return dict(vip)

    @property
    def named(self) -> dict[str, str | None]:
        """The node that each source names."""
        return {one["source"]: one["holder"] for one in self.vip["sources"]}

    @property
    def blocks(self) -> list[dict[str, str]]:
        """The table of each VIP in `who`: the rest of the row by source."""
        tables: list[dict[str, str]] = []
        for line in self.out.splitlines():
            if line.startswith("source "):
                tables.append({})
            elif line.startswith("  ") and line.split()[0] in list(Source):
                tables[-1][line.split()[0]] = " ".join(line.split()[1:])
        return tables

    @property
    def findings(self) -> dict[tuple[str, str], dict[str, str]]:
        """The items of `check --json` by VIP and name."""
        return {(one["vip"], one["requirement"]): one for one in self.json["checks"]}

    def failed(self) -> set[str]:
        """What of `check --json` fails; each failure has a reason and a remedy."""
        failed = [one for one in self.json["checks"] if one["status"] == "failed"]
        assert all(one["reason"] and one["remedy"] for one in failed)
        return {one["requirement"] for one in failed}


class Looks:
    """Starts the commands on the lab's hosts."""

    def __init__(self, lab: Lab, *, state: Path) -> None:
        self.lab = lab
        self.state = state
        self.kubeconfig = lab.directory / "kubeconfig"
        self._started: list[subprocess.Popen[str]] = []

    def command(
        self,
        host: str,
        *arguments: object,
        cluster: bool = True,
        kubeconfig: Path | None = None,
        device: str = DEVICE,
        period: str = f"{PERIOD * 1000:.0f}ms",
        before: Sequence[str] = (),
    ) -> list[str]:
        """One of the commands with its settings.

        Args:
            cluster: it has a kubeconfig.
            kubeconfig: another one than the lab's.
            device: what to listen on; empty: it is not told.
            before: what to run it by.
        """
        return [
            *("ip", "netns", "exec", self.lab.network.hosts[host].namespace, *before),
            *(sys.executable, "-m", "exporter", *map(str, arguments)),
            *("--observer.name", host, "--vip.period", period),
            *(("--capture.interface", device) if device else ()),
            *(("--kubernetes.kubeconfig", str(kubeconfig or self.kubeconfig)) if cluster else ()),
        ]

    def start(self, command: Sequence[str], *, stdout: int = subprocess.PIPE) -> subprocess.Popen[str]:
        """As an operator's shell would, who has no cluster of his own."""
        environment = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("VIP_EXPORTER_", "KUBE", "PYTHON")) and key != "NODE_NAME"
        }
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            env=environment | {"HOME": "/nonexistent"},
        )
        self._started.append(process)
        return process

    def run(self, command: Sequence[str]) -> Outcome:
        return ended(self.start(command))

    def run_all(self, commands: Mapping[str, Sequence[str]]) -> dict[str, Outcome]:
        """Run several side by side, since most of the time of each is spent listening."""
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            return dict(zip(commands, pool.map(self.run, commands.values()), strict=True))

    def close(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.kill()
                process.communicate()


def ended(process: subprocess.Popen[str]) -> Outcome:
    out, err = process.communicate(timeout=LONGEST)
    return Outcome(process.returncode, out or "", err)


def listens(process: subprocess.Popen[str]) -> bool:
    """It has opened the interface: its second line of packet sockets, after the heading, is there.

    Raises:
        AssertionError: it has ended; with what it said.
    """
    assert process.poll() is None, ended(process)
    return len(Path(f"/proc/{process.pid}/net/packet").read_text(encoding="ascii").splitlines()) > 2


# --- what they send and leave as it was -------------------------------------------------------------------------------


def copy_database(source: Path, target: Path) -> None:
    """The running exporter goes on writing to its own."""
    with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def contents(directory: Path) -> dict[str, tuple[int, bytes]]:
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in sorted(directory.iterdir())}


def mute_server(address: IPv4Address) -> tuple[socket.socket, str]:
    """An API server that takes connections and then says nothing; and its URL."""
    server = socket.create_server((str(address), 0))
    return server, f"http://{address}:{server.getsockname()[1]}"


def closed_pipe() -> int:
    """The end to write to of a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def listen(device: str) -> socket.socket:
    sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
    sniffer.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)
    sniffer.bind((device, 0x0003))
    return sniffer


def heard(sniffer: socket.socket) -> Iterator[bytes]:
    """What came in from the device's other end."""
    with suppress(BlockingIOError):
        while True:
            frame, (_, _, kind, *_) = sniffer.recvfrom(65536)
            if kind != socket.PACKET_OUTGOING:
                yield frame


def strangeness(frame: bytes, host: Host, *, api: Host) -> str:
    """What of a frame is no business of a host that only asks an API server; empty: nothing."""
    if frame[6:12] != host.mac:
        return f"sent as {frame[6:12].hex(':')}"
    match frame[12:14].hex(), frame[14:]:
        case "0806", arp:
            spa, tpa = IPv4Address(arp[14:18]), IPv4Address(arp[24:28])
            return "" if spa == host.address and tpa not in (spa, VIP) else f"ARP for {spa} about {tpa}"
        case "0800", ip:
            protocol, source, target = ip[9], IPv4Address(ip[12:16]), IPv4Address(ip[16:20])
            port = int.from_bytes(ip[22:24])
            usual = (
                source == host.address
                and (
                    (protocol == socket.IPPROTO_TCP and target == api.address)
                    # The chatter of the lab's nodes: a datagram to the next, and that nobody takes the other's.
                    or (protocol == socket.IPPROTO_UDP and port == DISCARD)
                    or (protocol == socket.IPPROTO_ICMP and ip[20] == 3)
                )
            )  # fmt: skip
            return "" if usual else f"IPv4 {protocol} from {source} to {target}, port {port}"
        case "86dd", ip:
            # The kernel asks for a router now and then (type 133), and tells which groups it is in (after an option).
            usual = ip[6] == 0 or (ip[6] == socket.IPPROTO_ICMPV6 and ip[40] == 133)
            return "" if usual else f"IPv6 {ip.hex()}"
    return f"type {frame[12:14].hex()}"
