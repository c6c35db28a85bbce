"""A node to watch, which is a network namespace, and a watcher with all that it delivered."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from exporter.clock import Clock
from exporter.host.watch import HostWatcher
from exporter.vip.model import BoundSeen, HostLost, HostSeen, Input, Link
from tests import netns


@dataclass(frozen=True)
class Node:
    """The namespace `here` of a wire; its `eth0` leads to the namespace `there`."""

    wire: netns.Wire

    @property
    def namespace(self) -> str:
        return self.wire.here

    def ip(self, command: str) -> None:
        """Run `ip` on the node, the arguments being parted by spaces."""
        netns.ip("-n", self.namespace, *command.split())

    def ip_batch(self, commands: Sequence[str]) -> None:
        """Run many at once, thousands a second."""
        subprocess.run(
            ["ip", "-n", self.namespace, "-batch", "-"], input="\n".join(commands), text=True, check=True, timeout=30
        )

    def bind(self, address: str, device: str = netns.DEVICE) -> None:
        self.ip(f"address add {address} dev {device}")

    def unbind(self, address: str, device: str = netns.DEVICE) -> None:
        self.ip(f"address delete {address} dev {device}")

    def enable_ipv6(self, device: str = netns.DEVICE) -> None:
        """Have IPv6 on the interface, with a duplicate address detection of a tenth of a second."""
        with netns.inside(self.namespace):
            settings = Path("/proc/sys/net/ipv6")
            (settings / f"neigh/{device}/retrans_time_ms").write_text("100", encoding="ascii")
            (settings / f"conf/{device}/router_solicitation_delay").write_text("0", encoding="ascii")
            (settings / f"conf/{device}/disable_ipv6").write_text("0", encoding="ascii")

    def mac(self, device: str = netns.DEVICE) -> bytes:
        with netns.inside(self.namespace):
            shown = subprocess.run(["ip", "-o", "link", "show", device], capture_output=True, text=True, check=True)
        return bytes.fromhex(shown.stdout.split("link/ether ")[1].split()[0].replace(":", ""))


class Watched:
    """A watcher of the node, and what follows from its deliveries."""

    def __init__(self, node: Node, **options: object) -> None:
        self.batches: list[list[Input]] = []
        self.fail_with: Exception | None = None
        self.may_deliver = threading.Event()
        self.may_deliver.set()
        with netns.inside(node.namespace):
            self.watcher = HostWatcher(clock=Clock(), deliver=self._deliver, **options)  # type: ignore[arg-type]
            self.watcher.start()

    def _deliver(self, inputs: Sequence[Input]) -> None:
        self.may_deliver.wait()
        if self.fail_with is not None:
            raise self.fail_with
        self.batches.append(list(inputs))

    def close(self) -> None:
        """End it, and look whether all that it delivered was well-formed."""
        self.may_deliver.set()
        assert self.watcher.stop(5)
        inputs = self.inputs
        assert [each.at for each in inputs] == sorted(each.at for each in inputs)
        for batch in self.batches:
            kinds = [type(each) for each in batch]
            assert kinds == sorted(kinds, key=[HostLost, BoundSeen, HostSeen].index)
            assert batch != []
        for each in inputs:
            if isinstance(each, BoundSeen):
                assert list(each.devices) == sorted(set(each.devices))

    @property
    def inputs(self) -> list[Input]:
        return [each for batch in list(self.batches) for each in batch]

    @property
    def bound(self) -> dict[str, tuple[str, ...]]:
        """What is bound, as the core would have it."""
        bound: dict[str, tuple[str, ...]] = {}
        for each in self.inputs:
            match each:
                case HostLost():
                    bound.clear()
                case BoundSeen(vip=vip, devices=()):
                    bound.pop(str(vip), None)
                case BoundSeen(vip=vip, devices=devices):
                    bound[str(vip)] = devices
        return bound

    @property
    def links(self) -> dict[str, Link]:
        seen = [each for each in self.inputs if isinstance(each, HostSeen)]
        return {link.device: link for link in seen[-1].links} if seen else {}

    def networks(self, device: str = netns.DEVICE) -> list[str]:
        return [str(network) for network in self.links[device].networks]

    def until_bound(self, expected: dict[str, tuple[str, ...]]) -> None:
        self.until(lambda: self.bound == expected, lambda: self.bound)

    def until(self, condition: Callable[[], bool], shown: Callable[[], object] = lambda: "") -> None:
        deadline = time.monotonic() + 5
        while not condition():
            assert time.monotonic() < deadline, f"it has not come true in time: {shown()}"
            time.sleep(0.005)
