"""What the page shows of one VIP, a card or a row of a table. Decides the words, knows no HTML."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from exporter.publish.findings import CHECKED, Finding, Status, lease_renewed, one_holder, requirement
from exporter.publish.length import length
from exporter.publish.page.line import EventView, Past, TimeLine
from exporter.publish.page.words import (
    GLYPHS,
    MARKS,
    MISMATCHES,
    REQUIRED,
    WHOSE,
    Severity,
    Time,
    Tone,
    element_id,
    lacking,
    says,
    severity,
)
from exporter.publish.records import ToWall
from exporter.publish.said import VERDICT, agreed, nodeless
from exporter.vip.agreement import Answer, answer, wire_class
from exporter.vip.model import ClaimantClass, IPAddress, Requirement, Source, State
from exporter.vip.nodes import same_node
from exporter.vip.snapshot import SourceHolder, VipSnapshot

MOST_CONTENDERS = 3
"""Shown in large type; the table of claimants has them all."""


@dataclass(frozen=True, slots=True)
class Name:
    """Of a node, or where that is not known a MAC."""

    text: str
    is_mac: bool


@dataclass(frozen=True, slots=True)
class SourceView:
    name: str
    names: str
    """The node, or the MAC; empty: nobody."""
    is_mac: bool
    mac: str
    """Beside the node."""
    detail: str
    moment: Time | None
    """Of which `detail` speaks."""
    mark: str
    """Empty, `agrees` or `differs`."""


@dataclass(frozen=True, slots=True)
class MismatchView:
    check: str
    words: str
    since: Time


@dataclass(frozen=True, slots=True)
class ClaimantView:
    mac: str
    node: str
    whose: str
    odd: bool
    """Nobody knows a node that it is."""


@dataclass(frozen=True, slots=True)
class CheckView:
    name: str
    glyph: str
    word: str
    status: str
    reason: str
    remedy: str
    """Empty where it is met."""


@dataclass(frozen=True, slots=True)
class CountView:
    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One VIP with all that is known."""

    id: str
    address: str
    state: str
    glyph: str
    tone: Tone
    says: str
    holders: tuple[Name, ...]
    """Who has it, to be read from afar: nobody, one, or while it is contested those who announce it."""
    note: str
    """What qualifies that."""
    since_words: str
    since: Time | None
    verdict: str
    services: tuple[str, ...]
    mode: str
    sources: tuple[SourceView, ...]
    mismatches: tuple[MismatchView, ...]
    claimants: tuple[ClaimantView, ...]
    refused: int
    """Claimants for which there was no room."""
    checks: tuple[CheckView, ...]
    counts: tuple[CountView, ...]
    move: str
    moved: Time | None
    line: TimeLine
    events: tuple[EventView, ...]
    """The newest first."""


@dataclass(frozen=True, slots=True)
class Unwatched:
    """Who asks for an address that is not watched is told so."""

    id: str
    address: str


@dataclass(frozen=True, slots=True)
class Row:
    """One VIP in a table of many. Nothing in it changes by announcements or time alone."""

    id: str
    address: str
    query: str
    state: str
    glyph: str
    tone: Tone
    says: str
    holder: str
    is_mac: bool
    since: Time | None
    wrong: str
    services: str


def row(vip: VipSnapshot, severe: Severity, to_wall: ToWall) -> Row:
    address = str(vip.address)
    return Row(
        element_id(vip.address),
        address,
        f"/?vip={address}",
        str(vip.state),
        GLYPHS[vip.state],
        severe.tone,
        says(vip),
        vip.holder or vip.holder_mac,
        not vip.holder,
        _since(vip, to_wall),
        "" if severe is Severity.NONE else "; ".join(_wrong(vip)),
        ", ".join(map(str, vip.services)),
    )


def _wrong(vip: VipSnapshot) -> Iterator[str]:
    found = answer(vip)
    if found is Answer.DISAGREEMENT:
        yield "the sources disagree"
    elif found in (Answer.CONTEST, Answer.MOVING):
        yield f"{len(vip.claimants)} claimants"
    elif found is Answer.SILENCE:
        yield "nobody announces it"
    yield from (MISMATCHES[one.check] for one in vip.mismatches)
    if found is not Answer.SILENCE:  # which says as much
        yield from lacking(vip)
    if vip.intent_stale:
        yield "what Kubernetes said is old"


def unwatched(address: IPAddress) -> Unwatched:
    return Unwatched(element_id(address), str(address))


def card(vip: VipSnapshot, past: Past, to_wall: ToWall, *, observer: str, has_kubernetes: bool) -> Card:
    """Everything of one VIP.

    Args:
        has_kubernetes: a Kubernetes is watched, whether or not it answers.
    """
    words = _Sources(vip, to_wall, observer=observer, has_kubernetes=has_kubernetes)
    return Card(
        id=element_id(vip.address),
        address=str(vip.address),
        state=str(vip.state),
        glyph=GLYPHS[vip.state],
        tone=severity(vip).tone,
        says=says(vip),
        holders=tuple(_holders(vip)),
        note=_note(vip),
        since_words=f"{vip.state} since" if past.since else _since_words(vip),
        since=past.since or _since(vip, to_wall),
        verdict=_verdict(vip),
        services=tuple(map(str, vip.services)),
        mode=str(vip.mode),
        sources=tuple(words.view(source) for source in Source),
        mismatches=tuple(
            MismatchView(str(one.check), MISMATCHES[one.check], Time.of(to_wall(one.since))) for one in vip.mismatches
        ),
        claimants=tuple(
            ClaimantView(one.mac, one.holder, WHOSE[one.claimant_class], one.claimant_class is ClaimantClass.FOREIGN)
            for one in vip.claimants
        ),
        refused=vip.claimants_overflow,
        checks=tuple(map(_check, _findings(vip, has_kubernetes=has_kubernetes))),
        counts=tuple(_counts(vip)),
        move=f"{vip.last_move.origin or 'nobody known'} → {vip.last_move.target}" if vip.last_move else "",
        moved=Time.of(to_wall(vip.last_move.at)) if vip.last_move else None,
        line=past.line,
        events=past.events,
    )


def _since(vip: VipSnapshot, to_wall: ToWall) -> Time | None:
    return Time.maybe(vip.holder_since if vip.holder or vip.holder_mac else None, to_wall)


def _since_words(vip: VipSnapshot) -> str:
    """Who was there when watching began came before that, unless the Lease tells when."""
    told = vip.lease is not None and vip.lease.acquired == vip.holder_since
    return "since" if vip.moves or told else "at least since"


def _holders(vip: VipSnapshot) -> Iterator[Name]:
    if vip.state is State.CONTESTED:
        names = {one.holder or one.mac: Name(one.holder or one.mac, not one.holder) for one in vip.claimants}
        yield from list(names.values())[:MOST_CONTENDERS]
    elif vip.holder or vip.holder_mac:
        yield Name(vip.holder or vip.holder_mac, not vip.holder)


def _note(vip: VipSnapshot) -> str:
    if vip.state is State.CONTESTED:
        more = len({one.holder or one.mac for one in vip.claimants}) - MOST_CONTENDERS
        others = f"and {more} more; " if more > 0 else ""
        by = f"the {vip.holder_source} names {vip.holder}" if vip.holder else "no other source names a holder"
        return f"{others}{by}"
    if not vip.holder:
        return "node not known" if vip.holder_mac else ""
    by = f"by {vip.holder_source}" if vip.holder_source not in (None, Source.WIRE) else ""
    match vip.state:
        case State.SILENT:
            return f"{by}; nobody announces it"
        case State.MOVING:
            return "until now; whether it moves is being decided"
        case State.UNKNOWN:
            return f"{by}; nothing is heard on the wire"
    return by


def _verdict(vip: VipSnapshot) -> str:
    found = answer(vip)
    if found is Answer.AGREED:
        words = agreed(vip)
        return words[:1].upper() + words[1:]
    if found is Answer.CONTEST:
        return f"{VERDICT[found]}: {len(vip.claimants)} claimants"
    return VERDICT[found]


def _findings(vip: VipSnapshot, *, has_kubernetes: bool) -> Iterator[Finding]:
    yield one_holder(vip)
    if vip.lease is not None and vip.lease.name:
        yield lease_renewed(vip, vip.lease)
    for required in CHECKED:
        if required is Requirement.LOAD_BALANCER_SERVICE and not has_kubernetes:
            continue  # nobody expects one
        yield requirement(vip, required)


def _check(finding: Finding) -> CheckView:
    glyph, word = MARKS[finding.status]
    remedy = "" if finding.status is Status.MET else finding.remedy
    return CheckView(REQUIRED[finding.requirement], glyph, word, str(finding.status), finding.reason, remedy)


def _counts(vip: VipSnapshot) -> Iterator[CountView]:
    yield CountView("moves", f"{vip.moves:,}")
    yield CountView("contests", f"{vip.contests:,}")
    yield CountView("withdrawn claims", f"{vip.withdrawn_claims:,}")
    yield CountView("MAC changes", f"{vip.mac_changes:,}")
    yield CountView("last handover", "–" if vip.last_handover is None else length(vip.last_handover))
    yield CountView("period", length(vip.period) if vip.period else "does not repeat")


class _Sources:
    """What each source says of one VIP, and why where it says nothing."""

    def __init__(self, vip: VipSnapshot, to_wall: ToWall, *, observer: str, has_kubernetes: bool) -> None:
        self._vip = vip
        self._to_wall = to_wall
        self._observer = observer
        self._has_kubernetes = has_kubernetes

    def view(self, source: Source) -> SourceView:
        said = next((one for one in self._vip.sources if one.source is source), None)
        detail, moment = self._detail(source, said)
        node, mac = (said.node, said.mac) if said else ("", "")
        return SourceView(
            str(source), node or mac, bool(mac and not node), mac if node else "", detail, moment, self._mark(said)
        )

    def _mark(self, said: SourceHolder | None) -> str:
        vip = self._vip
        if said is None:
            return ""
        if not said.node:
            foreign = wire_class(vip) is ClaimantClass.FOREIGN and any(one.node for one in vip.sources)
            return "differs" if foreign else "" if vip.holder else "agrees"
        return ("agrees" if same_node(said.node, vip.holder) else "differs") if vip.holder else ""

    def _detail(self, source: Source, said: SourceHolder | None) -> tuple[str, Time | None]:
        vip = self._vip
        match source:
            case Source.WIRE:
                return self._wire(said)
            case Source.LEASE:
                return self._lease(), None
            case Source.ANNOTATION:
                return self._annotation(said), None
            case Source.LOCAL:
                here = self._observer or "this node"
                if vip.bound is None:
                    return "not available", None
                bound = f"bound on {', '.join(vip.bound)} of {here}"
                return (bound if vip.bound else f"not bound on {here}"), None

    def _wire(self, said: SourceHolder | None) -> tuple[str, Time | None]:
        vip = self._vip
        if vip.last_announcement is None:
            return "no announcement heard yet", None
        heard = Time.of(self._to_wall(vip.last_announcement))
        if said is None:
            return (f"{len(vip.claimants)} claimants, announced" if vip.claimants else "last announced"), heard
        return (f"{nodeless(vip)}, announced" if not said.node else "announced"), heard

    def _lease(self) -> str:
        lease = self._vip.lease
        if lease is None:
            return "no Lease found" if self._has_kubernetes else "Kubernetes is not watched"
        name = f"{lease.name}, " if lease.name else ""
        if not lease.fresh:
            return f"{name}EXPIRED; it named {lease.holder or 'nobody'}"
        return f"{name}renewed" if lease.holder else f"{name}changing hands"

    def _annotation(self, said: SourceHolder | None) -> str:
        vip = self._vip
        if said is not None:
            return "kube-vip.io/vipHost" + (", as it was when Kubernetes last answered" if vip.intent_stale else "")
        if vip.lease is not None and not vip.lease.fresh:
            return "not believed while the Lease has expired"
        if vip.services:
            return "names nobody"
        return "no Service that is watched has this address" if self._has_kubernetes else "Kubernetes is not watched"
