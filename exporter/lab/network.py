"""Builds the lab's network out of namespaces, three nodes and an observer on one segment, and takes it away again.

The segment is a bridge in a namespace of its own, so no frame of it can reach an interface of this machine. The only
way in or out is a point-to-point link between this machine and the observer, for the exporter's page; nothing is
forwarded over it.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from types import MappingProxyType
from typing import Self, TypeVar

from exporter.vip.model import Mac

SEGMENT = IPv4Network("192.0.2.0/24")
DEVICE = "eth0"
"""What every host calls its interface on the segment."""
BRIDGE = "mgmt-br"
"""What a bridged host, as Harvester sets it up, calls the bridge that has its address."""
NODES = ("node-1", "node-2", "node-3")
OBSERVER = "observer"

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals by which somebody ends a program."""

_SEGMENT_NAMESPACE = "segment"
_HOST_LINKS = IPv4Network("198.18.0.0/16")
"""Set aside for tests between networks (RFC 2544), so hardly ever in use."""
_NAMESPACES = Path("/var/run/netns")  # as iproute2 has it
_CLONE_NEWNET = 0x40000000

_Result = TypeVar("_Result")


class LabUnavailableError(Exception):
    """The network cannot be built here. The message is one line that says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A machine on the segment."""

    name: str
    namespace: str
    address: IPv4Address
    mac: Mac
    """At first."""
    device: str = DEVICE
    """The interface with its address."""


def mac_of(name: str) -> Mac:
    """The MAC of a host: the same in every run."""
    return Mac(bytes([2, 0, 0, 0, 0, 0x10 + _number(name)]))


def _number(name: str) -> int:
    return NODES.index(name) + 1 if name in NODES else 0


class Network:
    """A context manager: inside, the network is there; after it, however it ends, nothing of it is left.

    Args:
        prefix: begins the name of everything that is made; at most 15 characters, and only one network may have it.
        bridged: hosts whose address is on a bridge, of which the interface on the segment is a port.

    Raises:
        LabUnavailableError: on entering, where this machine or user does not allow it.
    """

    def __init__(self, *, prefix: str | None = None, bridged: Collection[str] = ()) -> None:
        self.prefix = prefix or f"vipx-{os.getpid()}"
        self._link: IPv4Network | None = None
        self.hosts: Mapping[str, Host] = MappingProxyType(
            {
                name: Host(
                    name=name,
                    namespace=f"{self.prefix}-{name}",
                    address=SEGMENT[10 + _number(name)],
                    mac=mac_of(name),
                    device=BRIDGE if name in bridged else DEVICE,
                )
                for name in (OBSERVER, *NODES)
            }
        )

    @property
    def observer(self) -> Host:
        return self.hosts[OBSERVER]

    @property
    def observer_address(self) -> IPv4Address:
        """Where this machine reaches the observer."""
        assert self._link is not None, "the network has not been entered"
        return self._link[2]

    def __enter__(self) -> Self:
        if os.geteuid() != 0:
            raise LabUnavailableError("network namespaces need root")
        if shutil.which("ip") is None:
            raise LabUnavailableError("there is no `ip` command; install iproute2")
        try:
            self._remove()  # what a killed run with the same process id left
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove everything. Signals wait until it is done."""
        with undisturbed():
            self._remove()

    # --- changes while it is up -----------------------------------------------------------------------------------

    def attach(self, name: str) -> None:
        """Give a host its interface on the segment, up and with its address; return once frames pass."""
        host = self.hosts[name]
        port = f"to-{name}"
        ip("link", "add", port, "type", "veth", "peer", "name", DEVICE, "netns", host.namespace, inside=self._segment)
        ip("link", "set", port, "master", "br0", "up", inside=self._segment)
        ip("link", "set", DEVICE, "address", host.mac.hex(":"), inside=host.namespace)
        if host.device == BRIDGE:
            ip("link", "set", DEVICE, "master", BRIDGE, inside=host.namespace)  # which takes its port's MAC
        else:
            self._add_address(host)
        self.set_up(name)

    def detach(self, name: str) -> None:
        """Delete a host's interface on the segment."""
        ip("link", "delete", DEVICE, inside=self.hosts[name].namespace)

    def set_up(self, name: str) -> None:
        ip("link", "set", DEVICE, "up", inside=self.hosts[name].namespace)

    def set_down(self, name: str) -> None:
        ip("link", "set", DEVICE, "down", inside=self.hosts[name].namespace)

    # --- building and taking away -----------------------------------------------------------------------------------

    @property
    def _segment(self) -> str:
        return f"{self.prefix}-{_SEGMENT_NAMESPACE}"

    def _build(self) -> None:
        self._add_namespace(self._segment)
        ip("link", "add", "br0", "type", "bridge", inside=self._segment)
        ip("link", "set", "br0", "up", inside=self._segment)
        for host in self.hosts.values():
            self._add_namespace(host.namespace)
            if host.device == BRIDGE:
                ip("link", "add", BRIDGE, "type", "bridge", inside=host.namespace)
                ip("link", "set", BRIDGE, "up", inside=host.namespace)
                self._add_address(host)
            self.attach(host.name)
        self._link_host()

    def _add_namespace(self, namespace: str) -> None:
        ip("netns", "add", namespace)
        ip("link", "set", "lo", "up", inside=namespace)

    def _add_address(self, host: Host) -> None:
        ip("address", "add", f"{host.address}/{SEGMENT.prefixlen}", "dev", host.device, inside=host.namespace)

    def _link_host(self) -> None:
        self._link = _free_link()
        namespace = self.observer.namespace
        ip("link", "add", self.prefix, "type", "veth", "peer", "name", "host", "netns", namespace)
        for device, inside, address in ((self.prefix, "", self._link[1]), ("host", namespace, self._link[2])):
            # No address of its own making, so the link stays quiet.
            ip("link", "set", device, "addrgenmode", "none", inside=inside)
            ip("address", "add", f"{address}/{self._link.prefixlen}", "dev", device, inside=inside)
            ip("link", "set", device, "up", inside=inside)

    def _remove(self) -> None:
        # Deleted by name: a namespace's own end takes its links with it only some time later.
        with suppress(LabUnavailableError):
            if self.prefix in (name for _, name in socket.if_nameindex()):
                ip("link", "delete", self.prefix)
        for namespace in (*(host.namespace for host in self.hosts.values()), self._segment):
            if (_NAMESPACES / namespace).exists():
                with suppress(LabUnavailableError):
                    ip("netns", "delete", namespace)


def inside(namespace: str, call: Callable[[], _Result]) -> _Result:
    """Call something in a namespace: sockets that it opens and threads that it starts stay there."""
    result: Future[_Result] = Future()

    def run() -> None:
        try:
            _enter(namespace)
            result.set_result(call())
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            result.set_exception(error)

    # A namespace belongs to a thread, so one is spent on it: the caller's own never has to find its way back.
    thread = threading.Thread(target=run, name=f"inside {namespace}", daemon=True)
    thread.start()
    thread.join()
    return result.result()


def _enter(namespace: str) -> None:
    # os.setns exists from Python 3.12 on only.
    libc = ctypes.CDLL(None, use_errno=True)
    with (_NAMESPACES / namespace).open("rb") as file:
        if libc.setns(file.fileno(), _CLONE_NEWNET) != 0:
            raise LabUnavailableError(f"cannot enter namespace {namespace}: {os.strerror(ctypes.get_errno())}")


@contextmanager
def undisturbed() -> Iterator[None]:
    """Hold back Ctrl-C and termination for a while; they take effect afterwards. Only the main thread gets them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    # Blocking the signals would not do: another thread would receive them, and Python still act on them here.
    handlers = {number: signal.signal(number, lambda number, _: held.append(number)) for number in ENDINGS}
    try:
        yield
    finally:
        for ending, handler in handlers.items():
            signal.signal(ending, handler)
        for number in held[:1]:
            signal.raise_signal(number)


def _free_link() -> IPv4Network:
    """A network of four addresses that overlaps no route of this machine."""
    routes = json.loads(ip("-json", "-4", "route", "show", "table", "all"))
    taken = [IPv4Network(route["dst"], strict=False) for route in routes if route["dst"] != "default"]
    links = list(_HOST_LINKS.subnets(new_prefix=30))
    # Two labs that start at once should not choose the same.
    start = os.getpid() % len(links)
    for link in links[start:] + links[:start]:
        if not any(link.overlaps(network) for network in taken):
            return link
    raise LabUnavailableError(f"no part of {_HOST_LINKS} is free to reach the observer by")


def ip(*arguments: str, inside: str = "") -> str:
    """Run `ip`, in a namespace if one is named, and return what it prints.

    Raises:
        LabUnavailableError: it failed.
    """
    command = ["ip", *(("-netns", inside) if inside else ()), *arguments]
    done = subprocess.run(
        command,
        capture_output=True,
        check=False,
        text=True,
        stdin=subprocess.DEVNULL,
        process_group=0,  # so that a Ctrl-C meant for us does not end it half way
    )
    if done.returncode != 0:
        reason = " ".join(done.stderr.split()) or f"exit status {done.returncode}"
        raise LabUnavailableError(f"`{' '.join(command)}` failed: {reason}")
    return done.stdout
