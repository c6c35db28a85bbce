"""The words, signs and names in which the page shows what other modules know; judges nothing but how bad a state is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from exporter.publish.findings import CHECKED, Status, requirement
from exporter.publish.records import ToWall, rfc3339
from exporter.vip.agreement import Answer, answer, wire_class
from exporter.vip.model import Check, ClaimantClass, IPAddress, Nanoseconds, Requirement, State
from exporter.vip.snapshot import VipSnapshot

GLYPHS: Mapping[State, str] = {
    State.HELD: "✓",
    State.MOVING: "→",
    State.CONTESTED: "✗",
    State.SILENT: "○",
    State.UNKNOWN: "?",
}
MARKS: Mapping[Status, tuple[str, str]] = {
    Status.MET: ("✓", "met"),
    Status.FAILED: ("✗", "FAILED"),
    Status.UNKNOWN: ("?", "cannot be told"),
}
WHOSE: Mapping[ClaimantClass, str] = {
    ClaimantClass.NODE: "a node's",
    ClaimantClass.HWADDR: "every node's in turn (DHCP)",
    ClaimantClass.FHRP: "a group of routers'",
    ClaimantClass.FOREIGN: "no node's",
    ClaimantClass.UNRESOLVED: "not known whose",
}
MISMATCHES: Mapping[Check, str] = {
    Check.HOST: "the annotation names another node than the wire",
    Check.MAC: "the MAC on the wire is not the one that the Service stands for",
    Check.LEASE: "lease and annotation name different nodes",
    Check.ADDRESS: "the Service's old address is still announced",
    Check.BOUND: "it is bound on this node while another holds it",
}
REQUIRED: Mapping[str, str] = {
    "one_holder": "One holder",
    "lease": "Lease renewed",
    Requirement.LOAD_BALANCER_SERVICE: "LoadBalancer Service",
    Requirement.DISTINCT_FROM_NODES: "No node's own address",
    Requirement.SAME_SUBNET: "In the nodes' subnet",
    Requirement.HEARD_HERE: "Heard here",
}


class Tone(StrEnum):
    """How loud something is shown; its name is a class of the style sheet."""

    CALM = "calm"
    WARN = "warn"
    BAD = "bad"
    DIM = "dim"


class Severity(IntEnum):
    """How bad it is, the worst first: the order in which VIPs are listed where there are many."""

    CONTESTED = 0
    SILENT = 1
    DISAGREEMENT = 2
    MISMATCH = 3
    MOVING = 4
    UNKNOWN = 5
    LACKING = 6
    """It is held, but something that it requires is not so."""
    NONE = 7

    @property
    def tone(self) -> Tone:
        if self <= Severity.SILENT:
            return Tone.BAD
        if self is Severity.UNKNOWN:
            return Tone.DIM
        return Tone.CALM if self is Severity.NONE else Tone.WARN


_BY_ANSWER = {
    Answer.CONTEST: Severity.CONTESTED,
    Answer.SILENCE: Severity.SILENT,
    Answer.DISAGREEMENT: Severity.DISAGREEMENT,
    Answer.MOVING: Severity.MOVING,
    Answer.UNKNOWN: Severity.UNKNOWN,
}


def severity(vip: VipSnapshot) -> Severity:
    found = _BY_ANSWER.get(answer(vip), Severity.NONE)
    if vip.mismatches:
        return min(found, Severity.MISMATCH)
    if found is Severity.NONE and vip.state is State.UNKNOWN:
        return Severity.UNKNOWN
    if found is Severity.NONE and lacking(vip):
        return Severity.LACKING
    return found


def lacking(vip: VipSnapshot) -> tuple[str, ...]:
    """What it requires and is not so, in words."""
    failed = [one for one in CHECKED if vip.requirements.get(one) is False]
    reasons = tuple(requirement(vip, one).reason for one in failed)
    if vip.lease is not None and not vip.lease.fresh:
        reasons = (*reasons, "the Lease has expired")
    if wire_class(vip) is ClaimantClass.FOREIGN:
        reasons = (*reasons, "it is announced from a MAC that is no node's")
    return reasons


def says(vip: VipSnapshot) -> str:
    """State and holder in one sentence, read out when either changes."""
    if vip.state is State.HELD and (held_by := vip.holder or vip.holder_mac):
        return f"{vip.address} is held by {held_by}"
    if vip.state is State.UNKNOWN:
        return f"the state of {vip.address} is unknown"
    return f"{vip.address} is {vip.state}"


def element_id(address: IPAddress) -> str:
    """Of the card or row of a VIP; safe in HTML, CSS and an address's fragment."""
    return "vip-" + re.sub("[^0-9A-Za-z]", "-", str(address))


@dataclass(frozen=True, slots=True)
class Time:
    """A moment, UTC; the page's script adds how long ago it was, by the exporter's clock."""

    iso: str
    date: str
    clock: str

    @classmethod
    def of(cls, wall: Nanoseconds) -> Time:
        """From nanoseconds since 1970."""
        return cls.read(rfc3339(wall))

    @classmethod
    def read(cls, text: str) -> Time:
        """From RFC 3339 as records have it."""
        return cls(text[:23] + "Z", text[:10], text[11:19])

    @classmethod
    def maybe(cls, at: Nanoseconds | None, to_wall: ToWall) -> Time | None:
        return None if at is None else cls.of(to_wall(at))


def since(vip: VipSnapshot, to_wall: ToWall) -> Time | None:
    """When the holder shown took over; None: there is none, or nobody can tell."""
    return Time.maybe(vip.holder_since if vip.holder or vip.holder_mac else None, to_wall)


def listed(words: tuple[str, ...]) -> str:
    """`one`, `one and two`, `one, two and three`."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else ""
