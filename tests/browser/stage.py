"""What the browser looks at: the lab with its exporter, one that watches a thousand VIPs, and one behind a password."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import bcrypt
import yaml

from exporter.lab.lab import Lab
from exporter.lab.network import NODES, Host, inside, mac_of
from exporter.lab.program import PORT, Program
from exporter.lab.repeater import Repeater
from exporter.lab.sender import Sender
from exporter.vip.model import IPAddress
from exporter.wire import craft
from tests.e2e.observers import LEASE, PERIOD, SETTLE, LabObservers
from tests.publish.web.certificates import Authority

MANY = 1000
HELD_FIRST, HELD_LAST = IPv4Address("10.1.0.1"), IPv4Address("10.1.3.200")
CONTESTED = (IPv4Address("10.2.0.1"), IPv4Address("10.2.0.2"))
SILENT = (IPv4Address("10.3.0.1"), IPv4Address("10.3.0.2"), IPv6Address("2001:db8::3:1"))
DISAGREEING = (IPv4Address("10.4.0.1"), IPv4Address("10.4.0.2"))
UNKNOWN = (IPv4Address("10.5.0.1"),)
TROUBLED = (*CONTESTED, *SILENT, *DISAGREEING, *UNKNOWN)
USER, PASSWORD = "operator", "s3cret"
SECURED = {"ignore_https_errors": True, "http_credentials": {"username": USER, "password": PASSWORD}}
"""Of a browser context that is let in."""
HOSTILE_OBSERVER = '"><script>alert("observer")</script>'


def held() -> Iterator[tuple[IPv4Address, str]]:
    """The VIPs of the many that are well, and who holds them: node-1 the odd ones, node-3 the even."""
    for number in range(MANY - len(TROUBLED)):
        address = HELD_FIRST + number
        yield address, "node-1" if int(address) % 2 else "node-3"


def intent() -> dict[str, Any]:
    def vip(address: IPAddress, **more: object) -> dict[str, object]:
        # Announcers that do not repeat themselves: one frame each is enough.
        return {"address": str(address), "period": 0, "service": f"apps/for-{int(address):x}", **more}

    return {
        "vips": [
            *(vip(address, vipHost=node) for address, node in held()),
            *(vip(address, vipHost="node-1") for address in CONTESTED),
            *(vip(address, vipHost="node-1", period=0.5) for address in SILENT),
            *(vip(address, vipHost="node-3") for address in DISAGREEING),
            *(vip(address) for address in UNKNOWN),
        ],
        "nodes": [{"name": name, "macs": [mac_of(name).hex(":")]} for name in ("node-1", "node-2", "node-3")],
    }


@dataclass
class Many:
    """The exporter on node-2 that watches a thousand VIPs."""

    program: Program
    url: str
    senders: dict[str, Sender]

    def announce(self, address: IPAddress, node: str) -> None:
        self.senders[node].send(craft.announcement(address, mac_of(node)))


@dataclass
class Secured:
    """The exporter on node-3 with TLS and a user."""

    program: Program
    url: str
    directory: Path
    host: Host

    def set_password(self, password: str) -> None:
        lines = [
            "tls_server_config:",
            f"  cert_file: {self.directory / 'server.crt'}",
            f"  key_file: {self.directory / 'server.key'}",
            "basic_auth_users:",
            f"  {USER}: {bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()}",
        ]
        fresh = self.directory / "fresh.yaml"
        fresh.write_text("\n".join(lines))
        fresh.rename(self.directory / "web.yaml")

    def is_ready(self) -> bool:
        context = ssl.create_default_context(cafile=str(self.directory / "authority.crt"))

        def shake_hands() -> None:
            with (
                socket.create_connection(("127.0.0.1", PORT), timeout=5) as connection,
                context.wrap_socket(connection, server_hostname="localhost"),
            ):
                pass

        try:
            inside(self.host.namespace, shake_hands)
        except OSError:
            return False
        return True


@dataclass
class Stage:
    lab: Lab
    url: str
    many: Many
    secured: Secured
    _before: str = ""
    """Who held the VIP until the last move: what that node sends may be its release overlap, which claims nothing."""

    def settled(self) -> tuple[str, str]:
        """Wait until all sources agree on who holds the VIP; returns that node, and one that may take over."""
        holder = self.lab.cluster.lease.holder or NODES[0]
        LabObservers(self.lab).held_by(holder)
        return holder, next(node for node in NODES if node not in (holder, self._before))

    def move(self, origin: str, target: str) -> None:
        self.lab.nodes[origin].release()
        self.lab.nodes[target].take_over()
        self._before = origin

    @property
    def loopback_url(self) -> str:
        """The lab's exporter, as another client of it."""
        return f"http://127.0.0.1:{PORT}"


def until(holds: Callable[[], object], *, within: float) -> None:
    end = time.monotonic() + within
    while not holds():
        assert time.monotonic() < end, f"not within {within} s"
        time.sleep(0.05)


@contextmanager
def stage() -> Iterator[Stage]:
    with ExitStack() as parts:
        settle = ("--vip.settle-time", f"{SETTLE:.0f}s")
        lab = parts.enter_context(Lab(period=PERIOD, lease_seconds=LEASE, renew=0.5, arguments=settle))
        hosts = lab.network.hosts
        secured = _secured(lab.directory / "secured", hosts["node-3"])
        many = _many(lab.directory, hosts)
        for program in (secured.program, many.program):
            parts.enter_context(program)
        for sender in many.senders.values():
            parts.callback(sender.close)
        many.program.wait_until_ready(str(UNKNOWN[0]))
        for address, node in held():
            many.announce(address, node)
        for address in DISAGREEING:
            many.announce(address, "node-1")

        def contest() -> None:
            for address in CONTESTED:
                for node in many.senders:
                    many.announce(address, node)

        contesting = Repeater(contest, period=0.5, name="contest")
        contesting.start()
        parts.callback(contesting.stop)
        until(secured.is_ready, within=10)
        yield Stage(lab, f"http://{hosts['observer'].address}:{PORT}", many, secured)


def _many(directory: Path, hosts: Any) -> Many:
    file = directory / "many.yaml"
    file.write_text(yaml.safe_dump(intent()))
    host = hosts["node-2"]
    program = Program(host=host, log=directory / "many.log", arguments=["--intent.file", str(file)])
    senders = {name: Sender(hosts[name]) for name in ("node-1", "node-3")}
    return Many(program, f"http://{host.address}:{PORT}", senders)


def _secured(directory: Path, host: Host) -> Secured:
    directory.mkdir()
    Authority(directory).issue("server")
    file = directory / "intent.yaml"
    file.write_text("vips:\n  - {address: 192.0.2.100}\n")
    arguments = ["--intent.file", str(file), "--web.config.file", str(directory / "web.yaml")]
    program = Program(host=replace(host, name=HOSTILE_OBSERVER), log=directory / "secured.log", arguments=arguments)
    secured = Secured(program, f"https://{host.address}:{PORT}", directory, host)
    secured.set_password(PASSWORD)
    return secured
