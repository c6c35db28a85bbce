"""A small language for situations: streams of frames and of what the other sources say, as inputs in the order of time.

Times are seconds from zero, macs are the single letters below, nodes are named after them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

from exporter.vip.core import Core
from exporter.vip.model import (
    BoundSeen,
    CaptureChanged,
    Input,
    IntentFreshness,
    IPAddress,
    Kind,
    LeaseSeen,
    Mac,
    Mode,
    Nanoseconds,
    Node,
    NodesSeen,
    ServiceGone,
    ServiceIntent,
    ServiceRef,
    ServiceSeen,
    Sighting,
    format_mac,
    seconds,
)
from exporter.vip.snapshot import Event, VipSnapshot

VIP = ip_address("192.0.2.10")
NEW_VIP = ip_address("192.0.2.20")
VIP6 = ip_address("2001:db8::10")
SERVICE = ServiceRef("kube-system", "ingress-expose")

GRACE = 7.0
"""Seconds of grace at the default period of 3 s."""
SILENCE = 10.0
"""Seconds after which a holder that announces every 3 s is silent."""
SETTLE = 15.0
JUST = 0.001
"""The least step of time that a row uses on either side of a boundary, in seconds."""


def mac_of(letter: str) -> Mac:
    """The mac that a letter stands for: locally administered, ending in the letter's code."""
    return Mac(b"\x02\x00\x00\x00\x00" + letter.encode())


def letter_of(mac: str) -> str:
    """The letter of a mac as snapshots write it; the mac itself where no letter stands for it."""
    return next((letter for letter in "ABCDEFGHMXYZ" if format_mac(mac_of(letter)) == mac), mac)


# --- inputs -----------------------------------------------------------------------------------------------------------


def frame(
    who: str | Mac, at: float, kind: Kind = Kind.REQUEST, *, vip: IPAddress = VIP, outgoing: bool = False
) -> Sighting:
    """One frame of a mac."""
    return Sighting(seconds(at), vip, kind, mac_of(who) if isinstance(who, str) else who, outgoing)


def frames(who: str, *times: float, vip: IPAddress = VIP, outgoing: bool = False) -> list[Input]:
    """One announcement of `who` at each of the times."""
    return [frame(who, at, vip=vip, outgoing=outgoing) for at in times]


def announce(
    who: str,
    *,
    until: float,
    every: float = 3,
    from_: float = 0,
    kinds: Sequence[Kind] = (Kind.REPLY, Kind.REQUEST),
    vip: IPAddress = VIP,
    outgoing: bool = False,
) -> list[Input]:
    """Announcements at a steady pace, the last at `until` at the latest; kube-vip's alternating opcode by default."""
    count = int((until - from_) / every + 1e-9) + 1
    return [
        frame(who, from_ + number * every, kinds[number % len(kinds)], vip=vip, outgoing=outgoing)
        for number in range(count)
    ]


def service(
    at: float,
    vipHost: str = "",
    *,
    addresses: Iterable[IPAddress] = (VIP,),
    mode: Mode = Mode.STATIC,
    hwaddr: str | None = None,
    announces_hwaddr: bool | None = None,
    load_balancer: bool = True,
    period: float | None = None,
    vlan: int | None = None,
    ref: ServiceRef = SERVICE,
) -> list[Input]:
    """The Service as Kubernetes shows it from this moment on."""
    intent = ServiceIntent(
        service=ref,
        addresses=tuple(addresses),
        mode=mode,
        vip_host=vipHost,
        hwaddr=mac_of(hwaddr) if hwaddr else None,
        announces_hwaddr=announces_hwaddr,
        load_balancer=load_balancer,
        period=None if period is None else seconds(period),
        vlan=vlan,
    )
    return [ServiceSeen(seconds(at), intent)]


def service_gone(at: float, ref: ServiceRef = SERVICE) -> list[Input]:
    return [ServiceGone(seconds(at), ref)]


def lease(at: float, holder: str, *, expires: float | None = None, vip: IPAddress = VIP) -> list[Input]:
    """The Lease, renewed or taken at this moment."""
    return [LeaseSeen(seconds(at), vip, holder, None if expires is None else seconds(expires))]


def node(letters: str, *, name: str = "", addresses: Iterable[str] = (), candidate: bool = True) -> Node:
    """A node named after its first letter (`node-a`), with one mac for each letter."""
    return Node(
        name or f"node-{letters[0].lower()}",
        tuple(ip_address(address) for address in addresses),
        tuple(mac_of(letter) for letter in letters),
        candidate,
    )


def nodes(at: float, *known: str | Node) -> list[Input]:
    """All nodes, as known from this moment on."""
    return [NodesSeen(seconds(at), tuple(node(one) if isinstance(one, str) else one for one in known))]


def bound(at: float, *devices: str, vip: IPAddress = VIP) -> list[Input]:
    """The devices of the observer that have the address."""
    return [BoundSeen(seconds(at), vip, devices)]


def capture(at: float, up: bool, device: str = "eth0") -> list[Input]:
    return [CaptureChanged(seconds(at), device, up)]


def intent_fresh(at: float, fresh: bool) -> list[Input]:
    return [IntentFreshness(seconds(at), fresh)]


def interleave(*streams: Iterable[Input]) -> list[Input]:
    """All inputs in the order of time; at equal times the earlier stream first."""
    return sorted((step for stream in streams for step in stream), key=lambda step: step.at)


# --- what shows -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shows:
    """What one VIP must show at one moment. Counters that are not named must be 0; `None` means not compared."""

    state: str
    mac: str = ""
    holder: str = ""
    claimants: str | None = None
    """Letters of the live claimants, in any order."""
    moves: int = 0
    withdrawn: int = 0
    contests: int = 0
    mac_changes: int = 0
    overflow: int = 0
    mismatches: str = ""
    events: str | None = None
    """Names of the VIP's events from the beginning, in their order, separated by spaces."""
    handover: float | None = None
    period: float | None = None
    moved_at: float | None = None
    """Seconds: the time that the last move carries."""


@dataclass(frozen=True)
class Row:
    """A situation in words, what happens, and what must show at which moments (seconds)."""

    words: str
    inputs: Sequence[Input]
    shows: dict[float, Shows]
    period: float | None = None
    observer: str = ""
    listening: bool = True
    vip: IPAddress = VIP


@dataclass
class Run:
    """A core that is fed step by step, with all its events so far."""

    core: Core
    events: list[Event] = field(default_factory=list)

    def feed(self, inputs: Iterable[Input]) -> None:
        for step in inputs:
            self.events += self.core.observe(step)

    def until(self, at: float) -> None:
        self.events += self.core.tick(seconds(at))

    def vip(self, address: IPAddress = VIP) -> VipSnapshot:
        return next(vip for vip in self.core.snapshot().vips if vip.address == address)

    def names(self, address: IPAddress | None = VIP) -> list[str]:
        return [str(event.name) for event in self.events if event.vip == address]

    def last(self, name: str) -> Event:
        return [event for event in self.events if event.name == name][-1]


def new_core(
    *,
    period: float | None = None,
    observer: str = "",
    listening: bool = True,
    discover: bool = False,
    settle: float = SETTLE,
    at: float = 0,
    watch: Iterable[IPAddress] = (VIP,),
) -> Core:
    core = Core(
        at=seconds(at),
        observer=observer,
        settle=seconds(settle),
        period=None if period is None else seconds(period),
        listening=listening,
        discover=discover,
    )
    for address in watch:
        core.watch(address)
    return core


def play(inputs: Sequence[Input], *, until: float | None = None, core: Core | None = None) -> Run:
    """Feed all inputs to a core and let time run on to `until`."""
    run = Run(core if core is not None else new_core())
    run.feed(inputs)
    if until is not None:
        run.until(until)
    return run


def in_seconds(value: Nanoseconds | None) -> float | None:
    return None if value is None else value / 1e9


def shown(run: Run, expected: Shows, address: IPAddress = VIP) -> tuple[dict[str, object], dict[str, object]]:
    """What shows and what must show, in the same words."""
    vip = run.vip(address)
    actual: dict[str, object] = {
        "state": str(vip.state),
        "mac": letter_of(vip.holder_mac) if vip.holder_mac else "",
        "holder": vip.holder,
        "claimants": " ".join(sorted(letter_of(claimant.mac) for claimant in vip.claimants)),
        "moves": vip.moves,
        "withdrawn": vip.withdrawn_claims,
        "contests": vip.contests,
        "mac_changes": vip.mac_changes,
        "overflow": vip.claimants_overflow,
        "mismatches": " ".join(sorted(mismatch.check for mismatch in vip.mismatches)),
        "events": " ".join(run.names(address)),
        "handover": in_seconds(vip.last_handover),
        "period": in_seconds(vip.period),
        "moved_at": in_seconds(vip.last_move.at) if vip.last_move else None,
    }
    wanted = {name: getattr(expected, name) for name in actual if getattr(expected, name) is not None}
    return {name: actual[name] for name in wanted}, wanted
