"""More words for situations: what nodes, this host and an earlier run say, and where a row's moments are compared.

As in `situations`: times are seconds from zero, macs are single letters, nodes are named after them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from ipaddress import ip_address, ip_network

from exporter.vip.model import (
    HostLost,
    HostSeen,
    Input,
    IntentFreshness,
    IPAddress,
    LeaseGone,
    LeaseSeen,
    Link,
    Mac,
    Mode,
    NeighbourSeen,
    Node,
    Remembered,
    Requirement,
    ServiceIntent,
    ServiceRef,
    ServiceSeen,
    Source,
    seconds,
)
from exporter.vip.snapshot import Event, SourceHolder
from tests.vip.situations import (
    VIP,
    Row,
    Run,
    Shows,
    in_seconds,
    letter_of,
    mac_of,
    new_core,
    shown,
)

ADDRESS = {letter: f"192.0.2.{number}" for number, letter in enumerate("ABC", start=1)}
"""The nodes' own addresses, in the VIP's subnet."""
SUBNET = "192.0.2.0/24"
LEASE = "harvester-system/plndr-svcs-lock"
WISH = ServiceRef("", "harvester-system/vip")
"""No Service, so no namespace."""


# --- inputs -----------------------------------------------------------------------------------------------------------


def known(letter: str, macs: str = "", *, addresses: Iterable[str] | None = None, candidate: bool = True) -> Node:
    """A node named after the letter, at its usual address, whose macs are to be heard unless some are configured."""
    return Node(
        f"node-{letter.lower()}",
        tuple(ip_address(address) for address in ([ADDRESS[letter]] if addresses is None else addresses)),
        tuple(mac_of(mac) for mac in macs),
        candidate,
    )


def heard(at: float, mac: str | Mac, address: str | None = None) -> list[Input]:
    """A frame in which the mac speaks for a node's own address: for that of its letter's node unless said otherwise."""
    of = address if address is not None else ADDRESS[str(mac)]
    return [NeighbourSeen(seconds(at), ip_address(of), mac_of(mac) if isinstance(mac, str) else mac)]


def link(device: str, mac: str | None, *networks: str, up: bool = True) -> Link:
    return Link(device, mac_of(mac) if mac else None, tuple(ip_network(network) for network in networks), up)


def host(at: float, *links: Link) -> list[Input]:
    """All interfaces of the observer, as known from this moment on."""
    return [HostSeen(seconds(at), links)]


def host_lost(at: float) -> list[Input]:
    return [HostLost(seconds(at))]


def leases(
    at: float,
    holder: str,
    *,
    expires: float | None = None,
    vip: IPAddress = VIP,
    transitions: int | None = None,
    acquired: float | None = None,
    confirmed: bool = True,
) -> list[Input]:
    """The Lease, with all that it says."""
    return [
        LeaseSeen(
            seconds(at),
            vip,
            holder,
            None if expires is None else seconds(expires),
            LEASE,
            transitions,
            None if acquired is None else seconds(acquired),
            confirmed,
        )
    ]


def lease_gone(at: float, vip: IPAddress = VIP) -> list[Input]:
    return [LeaseGone(seconds(at), vip)]


def kubernetes(at: float, *, answers: bool, fresh: bool = True) -> list[Input]:
    """Kubernetes answers from this moment on, or does not."""
    return [IntentFreshness(seconds(at), fresh, answers)]


def wish(
    at: float,
    *,
    addresses: Iterable[IPAddress] = (VIP,),
    mode: Mode = Mode.UNKNOWN,
    load_balancer: bool | None = False,
) -> list[Input]:
    """Harvester's ConfigMap: a Service should have these addresses."""
    intent = ServiceIntent(WISH, tuple(addresses), mode, load_balancer=load_balancer, expected=True)
    return [ServiceSeen(seconds(at), intent)]


def remembered(
    at: float, holder: str, mac: str | None, *, since: float, heard: float, vip: IPAddress = VIP
) -> list[Input]:
    """What an earlier run knew; its times may be negative."""
    return [Remembered(seconds(at), vip, holder, mac_of(mac) if mac else None, seconds(since), seconds(heard))]


def at(moment: float, inputs: Iterable[Input]) -> list[Input]:
    """The same inputs at another moment."""
    return [replace(one, at=seconds(moment)) for one in inputs]


# --- what shows -------------------------------------------------------------------------------------------------------


def check_row(row: Row) -> Run:
    """Each moment of the row shows what it must. Inputs of the very moment have come by then."""
    run = Run(new_core(period=row.period, observer=row.observer, listening=row.listening, watch=(row.vip,)))
    check_moments(run, row.inputs, row.shows, row.vip)
    return run


def check_moments(run: Run, inputs: Sequence[Input], shows: dict[float, Shows], vip: IPAddress = VIP) -> None:
    left = list(inputs)
    for moment, expected in shows.items():
        due = [step for step in left if step.at <= seconds(moment)]
        run.feed(due)
        left = left[len(due) :]
        run.until(moment)
        actual, wanted = shown(run, expected, vip)
        differs = {name: f"{actual[name]!r}, not {wanted[name]!r}" for name in wanted if actual[name] != wanted[name]}
        assert not differs, f"at {moment} s: {differs}"


def believed(run: Run, source: Source, vip: IPAddress = VIP) -> SourceHolder | None:
    """What a source says, if it says anything."""
    return next((one for one in run.vip(vip).sources if one.source is source), None)


def named(run: Run, vip: IPAddress = VIP) -> dict[str, str]:
    """The node that each source names; those that name none are left out."""
    return {str(one.source): one.node for one in run.vip(vip).sources if one.node}


def met(run: Run, requirement: Requirement, vip: IPAddress = VIP) -> bool | None:
    """None: nothing is said of it."""
    return run.vip(vip).requirements.get(requirement)


def mismatches(run: Run, vip: IPAddress = VIP) -> dict[str, float | None]:
    """Open mismatches, each with the second from which its sides have differed."""
    return {str(one.check): in_seconds(one.since) for one in run.vip(vip).mismatches}


def mismatch_events(run: Run, check: str, vip: IPAddress = VIP) -> list[tuple[str, float]]:
    """Starts and ends of one check's mismatches with the second in which they were told."""
    return [
        (str(event.name).removeprefix("mismatch_"), round(event.at / 1e9, 6))
        for event in run.events
        if event.vip == vip and str(event.name).startswith("mismatch_") and event.fields["check"] == check
    ]


def of_name(run: Run, name: str, vip: IPAddress = VIP) -> list[Event]:
    return [event for event in run.events if event.name == name and event.vip == vip]


def node_macs(run: Run) -> set[tuple[str, str, str]]:
    """Node, letter of the mac, and device of each mac that is known to belong to a node."""
    return {(one.node, letter_of(one.mac), one.device) for one in run.core.snapshot().node_macs}
